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

#include "ipc/read_file.h"

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
    bool in_tree;               /* entries of the device tree, not lines */
    char *origin;               /* the same without links, for the records */
    void *names;                /* tsearch: struct key by name */
    struct record *records;
    unsigned nr_names;
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

    if (database->in_tree) {
        fprintf(stderr, "nvsciipc: device tree, " CONF_DT_PATH ", entry %u: "
                "%s; entry skipped\n", line, text);
    } else {
        fprintf(stderr, "nvsciipc: %s:%u: %s; line skipped\n",
                database->path, line, text);
    }
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

            snprintf(text, sizeof(text), "the name %s is taken by %s %u",
                     key->name, database->in_tree ? "entry" : "line",
                     other->record->entry.line);
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
        database->nr_names++;
    }
    return true;
}

static const struct conf_sink *sink_of(struct database *database,
                                       struct conf_sink *sink)
{
    *sink = (struct conf_sink) {
        .entry = on_entry, .fault = on_fault, .opaque = database,
    };
    return sink;
}

static int load_file(struct database *database, const char *path)
{
    struct conf_sink sink;
    char *text = NULL;
    size_t size = 0;
    int ret = read_file(AT_FDCWD, path, &text, &size);

    if (ret < 0) {
        return ret;
    }
    database->path = path;
    /* What has no path, as a pipe in /dev/fd, goes by its name. */
    database->origin = realpath(path, NULL);
    if (!database->origin) {
        database->origin = strdup(path);
    }
    conf_parse_cfg(text, size, sink_of(database, &sink));
    database->path = NULL;
    free(text);
    return database->out_of_memory || !database->origin ? -ENOMEM : 0;
}

static int load_tree(struct database *database,
                     const struct device_tree_paths *paths, const char **why)
{
    struct conf_sink sink;
    struct device_tree tree;
    int ret = device_tree_read(&tree, paths, why);

    if (ret < 0) {
        return ret;
    }
    database->in_tree = true;
    /* Whoever reads it, by whichever way: a folder, so no file's origin. */
    database->origin = strdup(paths->node);
    conf_parse_dt(tree.node.channel_db.data, tree.node.channel_db.size,
                  sink_of(database, &sink));
    device_tree_free(&tree);
    return database->out_of_memory || !database->origin ? -ENOMEM : 0;
}

int database_load(struct database **database, const char *path,
                  const struct device_tree_paths *tree)
{
    struct database *new = calloc(1, sizeof(*new));
    const char *why = NULL;
    int ret;

    if (!new) {
        return -ENOMEM;
    }
    ret = load_file(new, path);
    if (ret == -ENOENT && tree) {
        ret = load_tree(new, tree, &why);
    }
    if (ret < 0) {
        if (why) {
            fprintf(stderr, "nvsciipc: there is no %s, and of the device "
                    "tree's " CONF_DT_PATH ": %s; NvSciIpc needs a "
                    "configuration in one of them, or in the file that "
                    "NVSCIIPC_CFG names\n", path, why);
        } else {
            fprintf(stderr, "nvsciipc: %s: %s; NvSciIpc needs a readable "
                    "configuration there, or in the file that NVSCIIPC_CFG "
                    "names\n", path, strerror(-ret));
        }
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

unsigned database_size(const struct database *database)
{
    return database->nr_names;
}

const char *database_origin(const struct database *database)
{
    return database->origin;
}
