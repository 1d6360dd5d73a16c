/* SPDX-License-Identifier: MIT */
/*
 * The NvSciIpc configuration data as records, whatever they were read from.
 *
 * Pure: no files, no allocation; a parser hands each record and each fault to
 * the caller. docs/specs/configuration.md is the specification.
 */
#ifndef VSOC_CONF_H
#define VSOC_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONF_NAME_SIZE 64       /* with the NUL */
#define CONF_NO_GID (-1)

enum conf_backend {
    CONF_INTER_THREAD,
    CONF_INTER_PROCESS,
    CONF_INTER_VM,
    CONF_INTER_CHIP,            /* also written INTER_CHIP_PCIE */
};

struct conf_entry {
    enum conf_backend backend;
    unsigned line;              /* from 1 on; in a string list, the entry */
    char name[2][CONF_NAME_SIZE];   /* the second one intra-VM only, else "" */
    uint32_t nframes;           /* intra-VM only */
    uint32_t frame_size;        /* intra-VM only, bytes */
    uint32_t id;                /* INTER_VM: queue; INTER_CHIP: device number */
    int64_t gid;                /* group that may use it, or CONF_NO_GID */
    /* Whoever has read it elsewhere means other endpoints. Not the parser's. */
    const char *origin;
};

/* As the configuration has it. */
const char *conf_backend_name(enum conf_backend backend);

struct conf_sink {
    /* false: stop. */
    bool (*entry)(void *opaque, const struct conf_entry *entry);
    /* One line or entry that cannot be used: it is skipped. */
    void (*fault)(void *opaque, unsigned line, const char *text);
    void *opaque;
};

/* /etc/nvsciipc.cfg's text, which needs no NUL; any bytes at all. */
void conf_parse_cfg(const char *text, size_t size,
                    const struct conf_sink *sink);

/* Where a device tree has its channel list. */
#define CONF_DT_PATH "/chosen/nvsciipc"
#define CONF_DT_COMPATIBLE "nvsciipc,channel-db"
#define CONF_DT_CHANNEL_DB "nvsciipc,channel-db"

/* A property's bytes; data is NULL if the node does not have it. */
struct conf_dt_value {
    const void *data;
    size_t size;
};

/* The node with the list. */
struct conf_dt_node {
    struct conf_dt_value compatible;
    struct conf_dt_value status;
    struct conf_dt_value channel_db;
};

enum conf_fdt_result {
    CONF_FDT_FOUND,
    CONF_FDT_NO_NODE,
    CONF_FDT_DAMAGED,
};

/*
 * Finds the node in a flattened tree on a multiple of 8; any bytes at all. The
 * properties stay where they are.
 */
enum conf_fdt_result conf_find_fdt(const void *fdt, size_t size,
                                   struct conf_dt_node *node);

/* NULL if the node's list is to be used, or why it is not. */
const char *conf_check_dt(const struct conf_dt_node *node);

/* The value of CONF_DT_CHANNEL_DB; any bytes at all. */
void conf_parse_dt(const char *list, size_t size, const struct conf_sink *sink);

#endif
