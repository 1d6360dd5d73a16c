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
    unsigned line;              /* 1-based; in a string list the entry's index */
    char name[2][CONF_NAME_SIZE];   /* the second one intra-VM only, else "" */
    uint32_t nframes;           /* intra-VM only */
    uint32_t frame_size;        /* intra-VM only, bytes */
    uint32_t id;                /* INTER_VM: queue; INTER_CHIP: device number */
    int64_t gid;                /* group that may use it, or CONF_NO_GID */
    /* Whoever has read it elsewhere means other endpoints. Not the parser's. */
    const char *origin;
};

struct conf_sink {
    /* false: stop. */
    bool (*entry)(void *opaque, const struct conf_entry *entry);
    /* One line that cannot be used: it is skipped, the rest goes on. */
    void (*fault)(void *opaque, unsigned line, const char *text);
    void *opaque;
};

/* /etc/nvsciipc.cfg's text, which needs no NUL; any bytes at all. */
void conf_parse_cfg(const char *text, size_t size,
                    const struct conf_sink *sink);

#endif
