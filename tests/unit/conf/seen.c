/* SPDX-License-Identifier: MIT */
/* A sink that keeps what it is given, and its comparison. */
#include "seen.h"

#include <glib.h>

static bool on_entry(void *opaque, const struct conf_entry *entry)
{
    struct seen *seen = opaque;

    g_assert_cmpuint(seen->nr_entries, <, MAX_RECORDS);
    seen->entry[seen->nr_entries++] = *entry;
    return seen->nr_entries != seen->stop_after;
}

static void on_fault(void *opaque, unsigned line, const char *text)
{
    struct seen *seen = opaque;

    g_assert_cmpuint(seen->nr_faults, <, MAX_RECORDS);
    for (const char *c = text; *c != '\0'; c++) {
        g_assert_true(*c >= ' ' && *c <= '~');
    }
    seen->fault_line[seen->nr_faults] = line;
    seen->fault[seen->nr_faults++] = g_strdup(text);
}

struct conf_sink seen_sink(struct seen *seen)
{
    return (struct conf_sink) {
        .entry = on_entry, .fault = on_fault, .opaque = seen,
    };
}

void seen_forget(struct seen *seen)
{
    for (unsigned i = 0; i < seen->nr_faults; i++) {
        g_free(seen->fault[i]);
    }
}

void seen_assert_entry(const struct conf_entry *got,
                       const struct conf_entry *expected)
{
    g_assert_cmpint(got->backend, ==, expected->backend);
    g_assert_cmpuint(got->line, ==, expected->line);
    g_assert_cmpstr(got->name[0], ==, expected->name[0]);
    g_assert_cmpstr(got->name[1], ==, expected->name[1]);
    g_assert_cmpuint(got->nframes, ==, expected->nframes);
    g_assert_cmpuint(got->frame_size, ==, expected->frame_size);
    g_assert_cmpuint(got->id, ==, expected->id);
    g_assert_cmpint(got->gid, ==, expected->gid);
}
