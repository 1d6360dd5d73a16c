/* SPDX-License-Identifier: MIT */
/* What a parser of the configuration has said of its input. */
#ifndef VSOC_SEEN_H
#define VSOC_SEEN_H

#include "conf/conf.h"

#define MAX_RECORDS 32

struct seen {
    struct conf_entry entry[MAX_RECORDS];
    unsigned nr_entries;
    unsigned fault_line[MAX_RECORDS];
    char *fault[MAX_RECORDS];
    unsigned nr_faults;
    unsigned stop_after;        /* entries; 0: never */
};

struct conf_sink seen_sink(struct seen *seen);
void seen_forget(struct seen *seen);
void seen_assert_entry(const struct conf_entry *got,
                       const struct conf_entry *expected);

#define INTRA(kind, on, first, second, frames, bytes, group) \
    { .backend = CONF_INTER_##kind, .line = on, .name = { first, second }, \
      .nframes = frames, .frame_size = bytes, .gid = group }
#define OTHER(kind, on, only, number, group) \
    { .backend = CONF_INTER_##kind, .line = on, .name = { only, "" }, \
      .id = number, .gid = group }

#endif
