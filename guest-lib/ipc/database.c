/* SPDX-License-Identifier: MIT */
/*
 * Reads the configuration into a tree of names.
 */
#include "ipc/database.h"

#include <errno.h>
#include <fcntl.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Far above any use: 500 endpoints take 30 KiB. */
#define MAX_FILE_SIZE (16u << 20)
#define READ_SIZE (64u << 10)

/* A record; its names are nodes of the tree, and `name` is what they sort by. */
struct record {
    struct conf_entry entry;
    struct key {
        char name[CONF_NAME_SIZE];
        unsigned end;
        const struct record *record;
    } key[2];
    struct record *next;
};

struct database {
    const char *path;           /* while it is read */
    char *origin;               /* the same without links, for the records */
    void *names;                /* tsearch: struct key by name */
    struct record *records;
    bool out_of_memory;
};

static int compare(const void *left, const void *right)
{
    const struct key *a = left, *b = right;

    return strcmp(a->name, b->name);
}

static void on_fault(void *opaque, unsigned line, const char *text)
{
    const struct database *database = opaque;

    fprintf(stderr, "nvsciipc: %s:%u: %s; line skipped\n", database->path,
            line, text);
}

static const struct key *find(const struct database *database,
                              const struct key *key)
{
    struct key *const *node = tfind(key, &database->names, compare);

    return node ? *node : NULL;
}

static bool on_entry(void *opaque, const struct conf_entry *entry)
{
    struct database *database = opaque;
    struct record *record = calloc(1, sizeof(*record));
    unsigned nr_names = entry->name[1][0] != '\0' ? 2 : 1;
    unsigned i;

    if (!record) {
        database->out_of_memory = true;
        return false;
    }
    record->entry = *entry;
    record->entry.origin = database->origin;
    for (i = 0; i < nr_names; i++) {
        struct key *key = &record->key[i];
        const struct key *other;

        strcpy(key->name, entry->name[i]);
        key->end = i;
        key->record = record;
        other = find(database, key);
        if (other) {
            char text[128];

            snprintf(text, sizeof(text), "the name %s is taken by line %u",
                     key->name, other->record->entry.line);
            on_fault(database, entry->line, text);
            free(record);
            return true;
        }
    }
    record->next = database->records;
    database->records = record;
    for (i = 0; i < nr_names; i++) {
        if (!tsearch(&record->key[i], &database->names, compare)) {
            database->out_of_memory = true;
            return false;
        }
    }
    return true;
}

/* The whole file, or -errno. *text is the caller's to free. */
static int read_all(int fd, char **text, size_t *size)
{
    char *buffer = NULL;
    size_t used = 0;
    int ret = 0;

    for (;;) {
        char *larger = realloc(buffer, used + READ_SIZE);
        ssize_t got;

        if (!larger) {
            ret = -ENOMEM;
            break;
        }
        buffer = larger;
        do {
            got = read(fd, buffer + used, READ_SIZE);
        } while (got < 0 && errno == EINTR);
        if (got < 0) {
            ret = -errno;
            break;
        }
        used += (size_t)got;
        if (got == 0) {
            *text = buffer;
            *size = used;
            return 0;
        }
        if (used > MAX_FILE_SIZE) {
            ret = -EFBIG;
            break;
        }
    }
    free(buffer);
    return ret;
}

static int read_file(const char *path, char **text, size_t *size)
{
    /* Non-blocking: a FIFO by mistake must not hang Init. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    int ret;

    if (fd < 0) {
        return -errno;
    }
    ret = read_all(fd, text, size);
    close(fd);
    return ret;
}

int database_load(struct database **database, const char *path)
{
    struct database *new = calloc(1, sizeof(*new));
    char *text = NULL;
    size_t size = 0;
    int ret;

    if (!new) {
        return -ENOMEM;
    }
    ret = read_file(path, &text, &size);
    if (ret == 0) {
        struct conf_sink sink = {
            .entry = on_entry, .fault = on_fault, .opaque = new,
        };

        new->path = path;
        /* What has no path, as a pipe in /dev/fd, goes by its name. */
        new->origin = realpath(path, NULL);
        if (!new->origin) {
            new->origin = strdup(path);
        }
        conf_parse_cfg(text, size, &sink);
        new->path = NULL;
        free(text);
        ret = new->out_of_memory || !new->origin ? -ENOMEM : 0;
    }
    if (ret < 0) {
        fprintf(stderr, "nvsciipc: %s: %s; NvSciIpc needs a readable "
                "configuration there, or in the file that NVSCIIPC_CFG "
                "names\n", path, strerror(-ret));
        database_free(new);
        return ret;
    }
    *database = new;
    return 0;
}

static void keep(void *key)
{
    (void)key;      /* a part of its record */
}

void database_free(struct database *database)
{
    struct record *record = database->records;

    tdestroy(database->names, keep);
    while (record) {
        struct record *next = record->next;

        free(record);
        record = next;
    }
    free(database->origin);
    free(database);
}

const struct conf_entry *database_find(const struct database *database,
                                       const char *name, unsigned *end)
{
    struct key key;
    const struct key *found;
    size_t length = strnlen(name, CONF_NAME_SIZE);

    if (length == CONF_NAME_SIZE) {
        return NULL;
    }
    memcpy(key.name, name, length + 1);
    found = find(database, &key);
    if (!found) {
        return NULL;
    }
    *end = found->end;
    return &found->record->entry;
}
