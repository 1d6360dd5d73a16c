/* SPDX-License-Identifier: MIT */
/*
 * /etc/nvsciipc.cfg: text to records. docs/specs/configuration.md is the
 * specification.
 *
 * The text may hold any bytes. What is quoted in a fault is made printable.
 */
#include "conf/conf.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ivc_geometry.h"

#define MAX_QUEUE_ID 511u       /* 512 queues in a system */
#define MAX_CHIP_DEVICE 99u     /* two decimal digits */
#define MAX_FIELDS 6            /* backend, two names, two numbers, gid */

/* A piece of the text. */
struct field {
    const char *start;
    size_t length;
};

struct line {
    const struct conf_sink *sink;
    unsigned number;
    struct field field[MAX_FIELDS];
    unsigned nr_fields;         /* MAX_FIELDS + 1: there are more */
};

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

static struct quoted quote(struct field field)
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

/* Always false, for `return fault(...)`. */
__attribute__((format(printf, 2, 3)))
static bool fault(const struct line *line, const char *format, ...)
{
    char text[256];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    line->sink->fault(line->sink->opaque, line->number, text);
    return false;
}

static bool field_is(struct field field, const char *word)
{
    return strlen(word) == field.length &&
           memcmp(field.start, word, field.length) == 0;
}

/* Decimal digits and nothing else. */
static bool parse_number(const struct line *line, struct field field,
                         const char *what, uint32_t max, uint32_t *number)
{
    uint64_t value = 0;
    size_t i;

    for (i = 0; i < field.length; i++) {
        if (field.start[i] < '0' || field.start[i] > '9') {
            return fault(line, "%s \"%s\" is not a decimal number", what,
                         quote(field).text);
        }
        value = value * 10 + (uint64_t)(field.start[i] - '0');
        if (value > max) {
            return fault(line, "%s %s is too large; at most %u", what,
                         quote(field).text, max);
        }
    }
    *number = (uint32_t)value;
    return true;
}

static bool parse_name(const struct line *line, struct field field, char *name)
{
    size_t i;

    if (field.length > CONF_NAME_SIZE - 1) {
        return fault(line, "the name %s has %zu characters; at most %d",
                     quote(field).text, field.length, CONF_NAME_SIZE - 1);
    }
    for (i = 0; i < field.length; i++) {
        /* Names become parts of file names. */
        if (field.start[i] <= ' ' || field.start[i] > '~' ||
            field.start[i] == '/') {
            return fault(line, "the name %s has a character that is not "
                         "printable ASCII, or a slash", quote(field).text);
        }
    }
    memcpy(name, field.start, field.length);
    name[field.length] = '\0';
    return true;
}

/* Four digits are role and device, two each; fewer are the device alone. */
static bool parse_chip_device(const struct line *line, struct field field,
                              uint32_t *device)
{
    uint32_t number;

    if (field.length == 4) {
        if (!parse_number(line, field, "role and device", 9999, &number)) {
            return false;
        }
        *device = number % 100;
        return true;
    }
    return parse_number(line, field, "device number", MAX_CHIP_DEVICE, device);
}

static bool parse_gid(const struct line *line, struct field field,
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

static bool parse_geometry(const struct line *line, struct field nframes,
                           struct field frame_size, struct conf_entry *entry)
{
    if (!parse_number(line, nframes, "number of frames", UINT32_MAX,
                      &entry->nframes) ||
        !parse_number(line, frame_size, "frame size", UINT32_MAX,
                      &entry->frame_size)) {
        return false;
    }
    if (entry->nframes == 0) {
        return fault(line, "number of frames 0; at least 1");
    }
    if (entry->frame_size == 0 || entry->frame_size % IVC_FRAME_ALIGN != 0) {
        return fault(line, "frame size %u is not a multiple of %u",
                     entry->frame_size, IVC_FRAME_ALIGN);
    }
    if (!ivc_geometry_ok(entry->nframes, entry->frame_size)) {
        return fault(line, "%u frames of %u bytes are too many; a direction "
                     "has to stay below 4 GiB", entry->nframes,
                     entry->frame_size);
    }
    return true;
}

/* The fields after the backend's word; false after a fault. */
static bool parse_entry(const struct line *line, unsigned required,
                        struct conf_entry *entry)
{
    const struct field *field = line->field;

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
            return fault(line, "both ends are called %s; two names are needed",
                         entry->name[0]);
        }
        break;
    case CONF_INTER_VM:
        if (!parse_number(line, field[2], "queue", MAX_QUEUE_ID, &entry->id)) {
            return false;
        }
        break;
    case CONF_INTER_CHIP:
        if (!parse_chip_device(line, field[2], &entry->id)) {
            return false;
        }
        break;
    }
    return line->nr_fields == required ||
           parse_gid(line, field[required], &entry->gid);
}

/* false: the sink wants no more. */
static bool parse_line(const struct line *line)
{
    struct conf_entry entry = { .line = line->number, .gid = CONF_NO_GID };
    unsigned required, i;

    for (i = 0; i < NR_BACKENDS; i++) {
        if (field_is(line->field[0], backends[i].word)) {
            break;
        }
    }
    if (i == NR_BACKENDS) {
        fault(line, "unknown backend \"%s\"; INTER_THREAD, INTER_PROCESS, "
              "INTER_VM, INTER_CHIP or INTER_CHIP_PCIE",
              quote(line->field[0]).text);
        return true;
    }
    required = backends[i].nr_fields;
    if (line->nr_fields < required || line->nr_fields > required + 1) {
        fault(line, "too %s fields; %s %s [GID]",
              line->nr_fields < required ? "few" : "many", backends[i].word,
              backends[i].fields);
        return true;
    }
    entry.backend = backends[i].backend;
    if (!parse_entry(line, required, &entry)) {
        return true;
    }
    return line->sink->entry(line->sink->opaque, &entry);
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* Up to the comment, if there is one: a field that begins with '#'. */
static void split(struct line *line, const char *text, const char *end)
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
        if (line->nr_fields == MAX_FIELDS) {
            line->nr_fields++;
            return;
        }
        line->field[line->nr_fields++] =
            (struct field) { start, (size_t)(text - start) };
    }
}

void conf_parse_cfg(const char *text, size_t size,
                    const struct conf_sink *sink)
{
    const char *end = text + size;
    struct line line = { .sink = sink };

    /* What some editors put before the first line. */
    if (size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
        text += 3;
    }
    while (text < end) {
        const char *eol = memchr(text, '\n', (size_t)(end - text));

        line.number++;
        split(&line, text, eol ? eol : end);
        if (line.nr_fields != 0 && !parse_line(&line)) {
            return;
        }
        if (!eol) {
            return;
        }
        text = eol + 1;
    }
}
