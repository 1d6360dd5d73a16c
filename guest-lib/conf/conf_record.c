/* SPDX-License-Identifier: MIT */
/*
 * The rules of docs/specs/configuration.md, field by field.
 *
 * Fields may hold any bytes. What is quoted in a fault is made printable.
 */
#include "conf/conf_record.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ivc_geometry.h"

#define MAX_QUEUE_ID 511u       /* 512 queues in a system */
#define MAX_CHIP_DEVICE 99u     /* two decimal digits */

static const struct {
    const char *word;
    enum conf_backend backend;
    unsigned nr_fields;         /* without the gid */
    const char *fields;         /* after the word, for the reader of a fault */
} backends[] = {
    { "INTER_THREAD", CONF_INTER_THREAD, 5, "NAME NAME NFRAMES FRAME_SIZE" },
    { "INTER_PROCESS", CONF_INTER_PROCESS, 5, "NAME NAME NFRAMES FRAME_SIZE" },
    { "INTER_VM", CONF_INTER_VM, 3, "NAME QUEUE" },
    { "INTER_CHIP", CONF_INTER_CHIP, 3, "NAME DEVICE" },
    { "INTER_CHIP_PCIE", CONF_INTER_CHIP, 3, "NAME DEVICE" },
};

#define NR_BACKENDS (sizeof(backends) / sizeof(backends[0]))

/* A field as a fault quotes it: printable, and not longer than a name. */
struct quoted {
    char text[CONF_NAME_SIZE + 3];
};

static struct quoted quote(struct conf_field field)
{
    struct quoted quoted;
    size_t shown = field.length;
    size_t i;

    if (shown > CONF_NAME_SIZE - 1) {
        shown = CONF_NAME_SIZE - 1;
    }
    for (i = 0; i < shown; i++) {
        char c = field.start[i];

        quoted.text[i] = c > ' ' && c <= '~' ? c : '?';
    }
    strcpy(quoted.text + i, shown < field.length ? "..." : "");
    return quoted;
}

bool conf_fault(const struct conf_line *line, const char *format, ...)
{
    char text[256];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    line->sink->fault(line->sink->opaque, line->number, text);
    return false;
}

static bool field_is(struct conf_field field, const char *word)
{
    return strlen(word) == field.length &&
           memcmp(field.start, word, field.length) == 0;
}

/* Decimal digits and nothing else. */
static bool parse_number(const struct conf_line *line, struct conf_field field,
                         const char *what, uint32_t max, uint32_t *number)
{
    uint64_t value = 0;
    size_t i;

    if (field.length == 0) {
        return conf_fault(line, "%s \"\" is not a decimal number", what);
    }
    for (i = 0; i < field.length; i++) {
        if (field.start[i] < '0' || field.start[i] > '9') {
            return conf_fault(line, "%s \"%s\" is not a decimal number", what,
                              quote(field).text);
        }
        value = value * 10 + (uint64_t)(field.start[i] - '0');
        if (value > max) {
            return conf_fault(line, "%s %s is too large; at most %u", what,
                              quote(field).text, max);
        }
    }
    *number = (uint32_t)value;
    return true;
}

static bool parse_name(const struct conf_line *line, struct conf_field field,
                       char *name)
{
    size_t i;

    if (field.length == 0) {
        return conf_fault(line, "a name is empty");
    }
    if (field.length > CONF_NAME_SIZE - 1) {
        return conf_fault(line, "the name %s has %zu characters; at most %d",
                          quote(field).text, field.length, CONF_NAME_SIZE - 1);
    }
    for (i = 0; i < field.length; i++) {
        /* Names become parts of file names. */
        if (field.start[i] <= ' ' || field.start[i] > '~' ||
            field.start[i] == '/') {
            return conf_fault(line, "the name %s has a character that is not "
                              "printable ASCII, or a slash", quote(field).text);
        }
    }
    memcpy(name, field.start, field.length);
    name[field.length] = '\0';
    return true;
}

/* What the name of a board's device node ends in: ..._s0_c5_1 ends in 1. */
static bool chip_node_number(const char *name, struct conf_field *number)
{
    static const char *const words[] = { "nvscic2c_pcie_s", "_c", "_" };
    size_t i;

    for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strncmp(name, words[i], strlen(words[i])) != 0) {
            return false;
        }
        number->start = name + strlen(words[i]);
        number->length = strspn(number->start, "0123456789");
        if (number->length == 0) {
            return false;
        }
        name = number->start + number->length;
    }
    return *name == '\0';
}

/*
 * Four digits are role and device, two each; fewer are the device alone. Of
 * endpoints that are named like the board's nodes, 0000 says nothing.
 */
static bool parse_chip_device(const struct conf_line *line, struct conf_field field,
                              const char *name, uint32_t *device)
{
    struct conf_field in_name;
    uint32_t number;

    if (field_is(field, "0000") && chip_node_number(name, &in_name)) {
        field = in_name;
    } else if (field.length == 4) {
        if (!parse_number(line, field, "role and device", 9999, &number)) {
            return false;
        }
        *device = number % 100;
        return true;
    }
    return parse_number(line, field, "device number", MAX_CHIP_DEVICE, device);
}

static bool parse_gid(const struct conf_line *line, struct conf_field field,
                      int64_t *gid)
{
    uint32_t number;

    if (!parse_number(line, field, "gid", UINT32_MAX - 1, &number)) {
        return false;
    }
    /* The device tree's lines end in a 0 that names no group. */
    if (number != 0) {
        *gid = number;
    }
    return true;
}

static bool parse_geometry(const struct conf_line *line, struct conf_field nframes,
                           struct conf_field frame_size, struct conf_entry *entry)
{
    if (!parse_number(line, nframes, "number of frames", UINT32_MAX,
                      &entry->nframes) ||
        !parse_number(line, frame_size, "frame size", UINT32_MAX,
                      &entry->frame_size)) {
        return false;
    }
    if (entry->nframes == 0) {
        return conf_fault(line, "number of frames 0; at least 1");
    }
    if (entry->frame_size == 0 || entry->frame_size % IVC_FRAME_ALIGN != 0) {
        return conf_fault(line, "frame size %u is not a multiple of %u",
                          entry->frame_size, IVC_FRAME_ALIGN);
    }
    if (!ivc_geometry_ok(entry->nframes, entry->frame_size)) {
        return conf_fault(line, "%u frames of %u bytes are too many; a "
                          "direction has to stay below 4 GiB", entry->nframes,
                          entry->frame_size);
    }
    return true;
}

/* The fields after the backend's word; false after a fault. */
static bool parse_entry(const struct conf_line *line, unsigned required,
                        struct conf_entry *entry)
{
    const struct conf_field *field = line->field;

    if (!parse_name(line, field[1], entry->name[0])) {
        return false;
    }
    switch (entry->backend) {
    case CONF_INTER_THREAD:
    case CONF_INTER_PROCESS:
        if (!parse_name(line, field[2], entry->name[1]) ||
            !parse_geometry(line, field[3], field[4], entry)) {
            return false;
        }
        if (strcmp(entry->name[0], entry->name[1]) == 0) {
            return conf_fault(line, "both ends are called %s; two names are "
                              "needed", entry->name[0]);
        }
        break;
    case CONF_INTER_VM:
        if (!parse_number(line, field[2], "queue", MAX_QUEUE_ID, &entry->id)) {
            return false;
        }
        break;
    case CONF_INTER_CHIP:
        if (!parse_chip_device(line, field[2], entry->name[0], &entry->id)) {
            return false;
        }
        break;
    }
    return line->nr_fields == required ||
           parse_gid(line, field[required], &entry->gid);
}

/* Its place in backends[], or NR_BACKENDS. */
static unsigned find_backend(struct conf_field word)
{
    unsigned i;

    for (i = 0; i < NR_BACKENDS; i++) {
        if (field_is(word, backends[i].word)) {
            break;
        }
    }
    return i;
}

unsigned conf_nr_fields(struct conf_field word)
{
    unsigned i = find_backend(word);

    return i < NR_BACKENDS ? backends[i].nr_fields : 0;
}

const char *conf_backend_name(enum conf_backend backend)
{
    unsigned i = 0;

    while (backends[i].backend != backend) {
        i++;
    }
    return backends[i].word;
}

bool conf_record(const struct conf_line *line)
{
    struct conf_entry entry = { .line = line->number, .gid = CONF_NO_GID };
    unsigned i = find_backend(line->field[0]);
    unsigned required;

    if (i == NR_BACKENDS) {
        conf_fault(line, "unknown backend \"%s\"; INTER_THREAD, "
                   "INTER_PROCESS, INTER_VM, INTER_CHIP or INTER_CHIP_PCIE",
                   quote(line->field[0]).text);
        return true;
    }
    required = backends[i].nr_fields;
    if (line->nr_fields < required || line->nr_fields > required + 1) {
        conf_fault(line, "too %s fields; %s %s [GID]",
                   line->nr_fields < required ? "few" : "many",
                   backends[i].word, backends[i].fields);
        return true;
    }
    entry.backend = backends[i].backend;
    if (!parse_entry(line, required, &entry)) {
        return true;
    }
    return line->sink->entry(line->sink->opaque, &entry);
}
