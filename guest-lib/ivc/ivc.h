/* SPDX-License-Identifier: MIT */
/*
 * One end of an IVC channel: the ring and the handshake.
 *
 * Pure: two addresses and a geometry in; a status, and "the peer wants a bell",
 * out. Knows neither who mapped the memory, nor who rings, nor who waits.
 * docs/specs/channel.md is the specification; "rule N" below is a rule of its
 * section "What our ends add".
 *
 * Threads: the functions ivc_tx_* may run in one thread while ivc_rx_* run in
 * another; they share nothing that either writes. All others need both halves
 * to be at rest.
 */
#ifndef VSOC_IVC_H
#define VSOC_IVC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ivc/ivc_wire.h"

enum ivc_status {
    IVC_OK = 0,
    IVC_WAIT,       /* nothing to read, or no space to write */
    IVC_DOWN,       /* the channel is not established */
};

/* Our side of one direction. Private memory: nothing of it is read back. */
struct ivc_half {
    struct ivc_header *header;
    uint8_t *frames;
    uint32_t count;     /* ours, as published: sent, or consumed */
    uint32_t position;  /* of the next frame; counts modulo nframes */
};

/* Each half has a cache line of its own: two threads use them at once. */
struct ivc {
    _Alignas(64) struct ivc_half tx;
    _Alignas(64) struct ivc_half rx;

    /* Written only while both halves are at rest. */
    _Alignas(64) uint32_t nframes;
    uint32_t frame_size;
    uint32_t state;     /* what we published last, enum ivc_state */
    bool joined;        /* our Reset was called (rule 1) */
    bool owes_sync;     /* our Reset waits (rule 3) */
    bool up;            /* frames may move */
};

static_assert(offsetof(struct ivc, rx) % 64 == 0 &&
              offsetof(struct ivc, rx) - offsetof(struct ivc, tx) >= 64,
              "the halves share a cache line");

/* What a step of the table did. The bell is due for all but NOTHING. */
enum ivc_step {
    IVC_STEP_NOTHING = 0,
    IVC_STEP_ACK,           /* any | SYNC: we answered */
    IVC_STEP_OPENED,        /* SYNC | ACK: established by the peer's answer */
    IVC_STEP_CONFIRMED,     /* ACK | ACK or ESTABLISHED: established by ours */
};

/*
 * Takes over an end. rx and tx are the two directions, 64-byte aligned; the
 * geometry is legal (ivc_geometry_ok). Reads the state that was left there,
 * once, as a claim; an ACK is withdrawn (rule 2), and then the bell is due:
 * returns true.
 */
bool ivc_attach(struct ivc *ivc, void *rx, void *tx, uint32_t nframes,
                uint32_t frame_size);

/*
 * Joins, or resets. While a handshake is under way nothing changes (rule 4).
 * SYNC is published, or owed until ivc_settle (rule 3). The bell is due.
 */
void ivc_reset(struct ivc *ivc);

/* The peer's state word, loaded once. Any value at all. */
uint32_t ivc_peer_state(const struct ivc *ivc);

/*
 * Publishes the SYNC that is owed, unless the peer, in this state, still has
 * to be waited for; and, while not established, the state again if somebody
 * else has written to its word (rule 9). Returns whether the bell is due.
 */
bool ivc_settle(struct ivc *ivc, uint32_t peer_state);

/*
 * Whether a word of ours is not what we published: nobody else may write there,
 * and the peer may have acted on it (rule 9).
 */
bool ivc_is_forged(const struct ivc *ivc);

/* One row of the table for a peer in this state. Only after joining. */
enum ivc_step ivc_step(struct ivc *ivc, uint32_t peer_state);

/* The peer has departed and nothing of it is left: publishes SYNC. Bell due. */
void ivc_desert(struct ivc *ivc);

/*
 * Sending: the next free frame, and handing it over. `bell`: the peer may be
 * waiting for it. Advancing checks for itself that there is space.
 */
enum ivc_status ivc_tx_frame(const struct ivc *ivc, void **frame);
enum ivc_status ivc_tx_advance(struct ivc *ivc, bool *bell);
bool ivc_tx_drained(const struct ivc *ivc);
/* Frames that there is space for; 0 while not established. */
uint32_t ivc_tx_space(const struct ivc *ivc);

/* Receiving: the oldest frame, and giving it back. */
enum ivc_status ivc_rx_frame(const struct ivc *ivc, const void **frame);
enum ivc_status ivc_rx_advance(struct ivc *ivc, bool *bell);

/* Gives back everything that is there, unread. Returns whether to ring. */
bool ivc_rx_discard(struct ivc *ivc);

#endif
