/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One channel to another chip: its session with the far device, and the ring
 * towards our guest, whose far end this is. docs/specs/c2c-link.md, "Sessions"
 * and "What a guest sees", is the specification.
 *
 * Pure: no allocation, no waiting, no socket. Hostile are both sides: the
 * guest, who writes its half of the ring and rings at any time, and the peer,
 * whose messages come in any order. Neither makes this one use more memory, or
 * more time than its own acts are worth.
 */
#ifndef VSOC_C2C_CHANNEL_H
#define VSOC_C2C_CHANNEL_H

#include <stdbool.h>
#include <stdint.h>

#include "../guest-lib/ivc/ivc.h"
#include "c2c-proto.h"

/* The caller's: raise the interrupt of the channel's queue. */
typedef void c2c_interrupt(void *opaque);

struct c2c_channel {
    struct ivc ivc;             /* we receive what the guest sends */
    c2c_interrupt *interrupt;
    void *opaque;

    bool linked;                /* there is a peer to talk to */
    bool guest_open;            /* the guest holds the queue open */
    bool guest_rang;            /* since then: it has attached to the ring */

    /* Session numbers; 0 is none. */
    uint64_t offer;             /* ours */
    bool offer_sent;
    uint64_t theirs;            /* the peer's, as long as it is not over */
    uint64_t last;              /* the largest that either has sent */
    uint64_t over;              /* the largest that has ended */

    bool agreed;                /* offer == theirs: in session */
    bool leaving;               /* its guest has gone, its frames have not */
    uint32_t credit;            /* frames that we may send */
    uint32_t granted;           /* frames that the peer may send */

    /* The end of an earlier session, still to be sent: RESET, CLOSE or 0. */
    enum c2c_type end_due;
    uint64_t end_session;

    uint32_t generation;        /* departures of the far end */
    unsigned errors;            /* of the last one, HV_C2C_ERROR_* */

    /* for those who watch */
    uint64_t frames_out;
    uint64_t frames_in;
    uint64_t stale;             /* messages of a session that was over */
    uint64_t lost;              /* frames that a lying guest had no place for */
};

/* A message that is due. */
struct c2c_due {
    enum c2c_type type;         /* 0: none is */
    uint64_t session;
    uint32_t count;
    const void *frame;          /* FRAME: in the ring; copy it, then _sent() */
};

/*
 * rx is the direction that the guest sends in. *channel lies on a boundary of
 * 64 bytes, as struct ivc must.
 */
void c2c_channel_init(struct c2c_channel *channel, void *rx, void *tx,
                      uint32_t nframes, uint32_t frame_size,
                      c2c_interrupt *interrupt, void *opaque);

/* What the guest did. After each of them messages may be due. */
void c2c_channel_rung(struct c2c_channel *channel);
void c2c_channel_set_open(struct c2c_channel *channel, bool open);

/* The link is up, with a peer that knows nothing of sessions before; is not. */
void c2c_channel_connect(struct c2c_channel *channel);
void c2c_channel_cut(struct c2c_channel *channel, unsigned errors);

/*
 * A message of the peer's, OPEN or a later type. NULL, or what it did wrong,
 * "it ...": then the link is to be ended.
 */
const char *c2c_channel_take(struct c2c_channel *channel,
                             const struct c2c_message *message);

/* The next message that is due; if it is sent, _sent() must follow at once. */
struct c2c_due c2c_channel_due(struct c2c_channel *channel);
void c2c_channel_sent(struct c2c_channel *channel, const struct c2c_due *due);

/* The register STATUS. */
uint32_t c2c_channel_status(const struct c2c_channel *channel);

#endif
