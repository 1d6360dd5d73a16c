/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The client's side of the ivshmem-server protocol, version 0: numbers and
 * file descriptors in, events out.
 *
 * Pure: no allocation, no waiting, no socket. It owns a descriptor that it is
 * given until it hands it on in an event; those of refused messages it closes.
 */
#ifndef VSOC_IVSHM_PROTO_H
#define VSOC_IVSHM_PROTO_H

#include <stdint.h>

#define IVSHM_VERSION 0
#define IVSHM_MEMORY (-1)       /* the number that announces the memory */
#define IVSHM_MAX_ID 65535
#define IVSHM_MAX_VECTORS 64u   /* the server's own limit */

/*
 * Clients that are connected at once, ourselves included: one a partition,
 * and as many again that are just coming, going or only looking.
 */
#define IVSHM_MAX_PEERS 32u
#define IVSHM_SELF 0u           /* our own index among them */

enum ivshm_event_type {
    IVSHM_EVENT_VERSION,        /* the server speaks our version */
    IVSHM_EVENT_ID,             /* our own id is known */
    IVSHM_EVENT_MEMORY,         /* fd: the shared memory */
    IVSHM_EVENT_VECTOR,         /* fd: the eventfd of peer's vector */
    IVSHM_EVENT_GONE,           /* peer has left; its index is free again */
    IVSHM_EVENT_REFUSED,        /* the protocol was broken: see ->error */
};

struct ivshm_event {
    enum ivshm_event_type type;
    uint32_t id;                /* of the peer: ID, VECTOR, GONE */
    unsigned peer;              /* its index: VECTOR, GONE */
    unsigned vector;            /* VECTOR */
    int fd;                     /* now the caller's: MEMORY, VECTOR; else -1 */
};

struct ivshm_peer {
    int32_t id;                 /* -1: this index is free */
    uint32_t nr_vectors;        /* descriptors that came so far */
};

struct ivshm {
    enum {
        IVSHM_WANT_VERSION,
        IVSHM_WANT_ID,
        IVSHM_WANT_MEMORY,
        IVSHM_RUNNING,
        IVSHM_BROKEN,           /* for good: nothing more is accepted */
    } state;
    unsigned nr_peers;          /* indexes at and above it are free */
    struct ivshm_peer peers[IVSHM_MAX_PEERS];
    char error[96];             /* BROKEN: what the server did, "it ..." */
};

void ivshm_init(struct ivshm *ivshm);

/*
 * Takes one message; fd is -1 if none came with it. Once a message was
 * refused, all are.
 */
struct ivshm_event ivshm_message(struct ivshm *ivshm, int64_t number, int fd);

/* The connection has ended: nothing that may still come is accepted. */
void ivshm_hangup(struct ivshm *ivshm);

/* The index of a connected peer, or of ourselves; -1 if there is none. */
int ivshm_find(const struct ivshm *ivshm, uint32_t id);

#endif
