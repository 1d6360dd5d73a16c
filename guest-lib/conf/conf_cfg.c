/* SPDX-License-Identifier: MIT */
/*
 * /etc/nvsciipc.cfg: text to records. docs/specs/configuration.md is the
 * specification.
 */
#include "conf/conf.h"

#include <string.h>

#include "conf/conf_record.h"

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* Up to the comment, if there is one: a field that begins with '#'. */
static void split(struct conf_line *line, const char *text, const char *end)
{
    line->nr_fields = 0;
    for (;;) {
        const char *start;

        while (text < end && is_space(*text)) {
            text++;
        }
        if (text == end || *text == '#') {
            return;
        }
        start = text;
        while (text < end && !is_space(*text)) {
            text++;
        }
        if (line->nr_fields == CONF_MAX_FIELDS) {
            line->nr_fields++;
            return;
        }
        line->field[line->nr_fields++] =
            (struct conf_field) { start, (size_t)(text - start) };
    }
}

void conf_parse_cfg(const char *text, size_t size,
                    const struct conf_sink *sink)
{
    const char *end = text + size;
    struct conf_line line = { .sink = sink };

    /* What some editors put before the first line. */
    if (size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
        text += 3;
    }
    while (text < end) {
        const char *eol = memchr(text, '\n', (size_t)(end - text));

        line.number++;
        split(&line, text, eol ? eol : end);
        if (line.nr_fields != 0 && !conf_record(&line)) {
            return;
        }
        if (!eol) {
            return;
        }
        text = eol + 1;
    }
}
