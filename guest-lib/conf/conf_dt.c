/* SPDX-License-Identifier: MIT */
/*
 * The device tree's channel list, the strings of `nvsciipc,channel-db`, to
 * records. docs/specs/configuration.md is the specification.
 *
 * The list may hold any bytes.
 */
#include "conf/conf.h"

#include <string.h>

#include "conf/conf_record.h"

#define BACKEND_PREFIX "INTER_"

/* Takes the first string off the list; the last one may lack its NUL. */
static struct conf_field take(const char **list, const char *end)
{
    const char *start = *list;
    const char *nul = memchr(start, '\0', (size_t)(end - start));

    *list = nul ? nul + 1 : end;
    return (struct conf_field) { start, (size_t)((nul ? nul : end) - start) };
}

/*
 * An entry ends where the next backend is named. One that nobody here knows is
 * seen only where no field is due: before, it may be an endpoint's name.
 */
static bool begins_entry(const struct conf_line *entry, unsigned required,
                         struct conf_field string)
{
    size_t length = strlen(BACKEND_PREFIX);

    return entry->nr_fields == 0 || conf_nr_fields(string) != 0 ||
           (entry->nr_fields >= required && string.length >= length &&
            memcmp(string.start, BACKEND_PREFIX, length) == 0);
}

void conf_parse_dt(const char *list, size_t size, const struct conf_sink *sink)
{
    const char *end = list + size;
    bool cut_off = size != 0 && end[-1] != '\0';
    struct conf_line entry = { .sink = sink };
    unsigned required = 0;

    while (list < end) {
        struct conf_field string = take(&list, end);

        if (begins_entry(&entry, required, string)) {
            if (entry.nr_fields != 0 && !conf_record(&entry)) {
                return;
            }
            entry.number++;
            entry.nr_fields = 0;
            required = conf_nr_fields(string);
        }
        /* One more than required is the gid; what follows means nothing. */
        if (entry.nr_fields <= required) {
            entry.field[entry.nr_fields++] = string;
        }
    }
    if (cut_off) {
        conf_fault(&entry, "the list is cut off within this entry");
    } else if (entry.nr_fields != 0) {
        conf_record(&entry);
    }
}

/* Whether one of the strings is this one. */
static bool contains(const struct conf_dt_value *value, const char *wanted)
{
    const char *list = value->data;
    const char *end = list + value->size;

    while (list < end) {
        struct conf_field string = take(&list, end);

        if (string.length == strlen(wanted) &&
            memcmp(string.start, wanted, string.length) == 0) {
            return true;
        }
    }
    return false;
}

const char *conf_check_dt(const struct conf_dt_node *node)
{
    if (!node->compatible.data ||
        !contains(&node->compatible, CONF_DT_COMPATIBLE)) {
        return "it is not compatible with \"" CONF_DT_COMPATIBLE "\"";
    }
    if (node->status.data && !contains(&node->status, "okay") &&
        !contains(&node->status, "ok")) {
        return "its status is not \"okay\"";
    }
    if (!node->channel_db.data) {
        return "it has no property \"" CONF_DT_CHANNEL_DB "\"";
    }
    return NULL;
}
