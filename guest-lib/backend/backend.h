/* SPDX-License-Identifier: MIT */
/*
 * A backend: how a channel's memory and notifications come to be.
 *
 * A backend opens, maps, notifies, gives the descriptor, and closes. It knows
 * its transport only: no NvSci type, no ring. Errors are -errno.
 */
#ifndef VSOC_BACKEND_H
#define VSOC_BACKEND_H

#include <stdbool.h>
#include <stdint.h>

#include "conf/conf.h"

struct backend;

/* What is known of the far end, from a source that it cannot forge. */
struct far_status {
    bool gone;              /* who held it has died or closed it */
    uint32_t generation;    /* how often that has happened, modulo 2^24 */
    /* Why, the last time: bits as the interface has them; 0 within a SoC. */
    uint32_t errors;
};

/* An open channel end. The backend fills it; others only read it. */
struct link {
    const struct backend *backend;
    void *rx;               /* the direction we receive in, 64-byte aligned */
    void *tx;               /* the direction we send in */
    uint32_t nframes;
    uint32_t frame_size;    /* bytes */
    int event_fd;           /* readable when something may have changed */
    void *priv;             /* the backend's */
};

struct backend {
    /*
     * -ENOENT: no such queue here, its line is to be ignored; -EBUSY: its end
     * is open already; -EACCES or -EPERM: not ours to open; -EPROTO: what the
     * driver says makes no sense; -ENOMEM, -EMFILE, -EIO as they say.
     * end: which of the two names of an intra-VM record; 0 for the others.
     */
    int (*open)(struct link *link, const struct conf_entry *entry,
                unsigned end);
    /*
     * Tells the peer that something may have changed. Never blocks. Ordered
     * after all earlier stores to the channel.
     */
    void (*notify)(struct link *link);
    /*
     * Drains event_fd; true if there was anything in it. To be called before
     * the queue is looked at: what comes after the drain makes it readable
     * again, what came before is seen by the look.
     */
    bool (*ack)(struct link *link);
    /* Makes event_fd readable, as if the peer had notified. */
    void (*wake)(struct link *link);
    /* Ordered before all later loads from the channel. */
    struct far_status (*far_status)(struct link *link);
    /*
     * Gives everything back; the far end then sees that this one is gone. In
     * the child of a fork, where the same is called, the parent's end stays.
     */
    void (*close)(struct link *link);
    bool can_disable_notification;
};

extern const struct backend backend_inter_chip;
extern const struct backend backend_inter_process;
extern const struct backend backend_inter_thread;
extern const struct backend backend_inter_vm;

#endif
