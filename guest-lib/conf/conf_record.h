/* SPDX-License-Identifier: MIT */
/* Fields to a record: the rules that all forms of the configuration share. */
#ifndef VSOC_CONF_RECORD_H
#define VSOC_CONF_RECORD_H

#include "conf/conf.h"

#define CONF_MAX_FIELDS 6       /* backend, two names, two numbers, gid */

/* A piece of the text; it may be empty. */
struct conf_field {
    const char *start;
    size_t length;
};

/* A line of the file, or an entry of the string list. */
struct conf_line {
    const struct conf_sink *sink;
    unsigned number;
    struct conf_field field[CONF_MAX_FIELDS];
    unsigned nr_fields;         /* CONF_MAX_FIELDS + 1: there are more */
};

/* Fields that this backend needs, itself included; 0: it is none. */
unsigned conf_nr_fields(struct conf_field word);

/*
 * Hands the sink the record, or the fault, that a line of one or more fields
 * is. false: the sink wants no more.
 */
bool conf_record(const struct conf_line *line);

/* Always false. */
__attribute__((format(printf, 2, 3)))
bool conf_fault(const struct conf_line *line, const char *format, ...);

#endif
