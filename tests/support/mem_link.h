/* SPDX-License-Identifier: MIT */
/*
 * The fifth backend: a channel in the memory of one process, for tests.
 *
 * It announces departures as the hypervisor does (docs/specs/shared-region.md,
 * "Status"), keeps a ring for an end that nobody holds as the driver does, and
 * calls a hook at each point where an endpoint looks outside, so that a test can
 * let the other end act, or let this one die, in the middle of a call.
 *
 * Two ends of channel k are the INTER_VM queues 2k and 2k + 1.
 */
#ifndef VSOC_MEM_LINK_H
#define VSOC_MEM_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include "backend/backend.h"

enum mem_point {
    MEM_OPENED,         /* held open, nothing published yet */
    MEM_ACKED,          /* the bell was drained, nothing looked at yet */
    MEM_BEFORE_STATUS,
    MEM_AFTER_STATUS,
    MEM_BEFORE_BELL,    /* published, and nobody told yet */
};

struct mem_channel {
    uint32_t nframes;
    uint32_t frame_size;
    uint8_t *direction[2];      /* end e receives in direction[e] */
    struct mem_end {
        struct mem_channel *channel;
        uint32_t status;        /* NVIPC_IVC_FAR_* as the other end sees it */
        bool rung;
        int owner;              /* the process that holds it open, or 0 */
        int event_fd;           /* -1: only `rung` */
    } end[2];
    bool with_fd;
    /* Single-threaded tests only. */
    void (*hook)(void *opaque, unsigned end, enum mem_point point);
    void *opaque;
};

/*
 * The channel gets the lowest free number. with_fd: real descriptors, and memory
 * that is shared with children, so that the ends can be processes; the parent
 * is the hypervisor then and kills the end of a child that has died.
 */
struct mem_channel *mem_channel_new(uint32_t nframes, uint32_t frame_size,
                                    bool with_fd);
void mem_channel_free(struct mem_channel *channel);

/* The record that opens this end. */
struct conf_entry mem_channel_entry(const struct mem_channel *channel,
                                    unsigned end);

/* The end's process dies: what its endpoint was doing is never done. */
void mem_channel_kill(struct mem_channel *channel, unsigned end);

/* So does the link to its chip, say: with errors as the hypervisor tells them. */
void mem_channel_fail(struct mem_channel *channel, unsigned end,
                      uint32_t errors);

/* Whether poll() would say that the end's descriptor is readable. */
bool mem_channel_rung(const struct mem_channel *channel, unsigned end);

/* The status word of an end, as who faces it sees it. */
struct far_status mem_channel_status(const struct mem_channel *channel,
                                     unsigned end);

extern const struct backend mem_link;

#endif
