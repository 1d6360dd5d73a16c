/* SPDX-License-Identifier: MIT */
/* One run of the benchmark, and what a transport is to it. */
#ifndef VSOC_BENCH_H
#define VSOC_BENCH_H

#include <stdbool.h>
#include <stddef.h>

/* Frames that a transport holds, or about so many bytes. */
#define BENCH_NFRAMES 64

/* Constant once the sides part. */
extern struct run {
    bool threads;       /* the sides are threads, else processes */
    bool one_cpu;       /* who spins has to let the other side run */
    size_t size;        /* bytes of a frame */
} run;

/*
 * Both sides are alike. All functions end the program if anything fails: a
 * measurement of something that failed is none.
 */
struct transport {
    const char *name;
    /* Before the sides part; what they share. */
    void *(*prepare)(void);
    /* In each side; returns when frames can move. side: 0 or 1 */
    void *(*join)(void *shared, unsigned side);
    /* Block until run.size bytes are on their way, or here. */
    void (*send)(void *me, const void *frame);
    void (*receive)(void *me, void *frame);
    void (*leave)(void *me);
};

extern const struct transport transport_nvsciipc_select;
extern const struct transport transport_nvsciipc_event;
extern const struct transport transport_nvsciipc_poll;
extern const struct transport transport_ring_mqueue;
extern const struct transport transport_ring_eventfd;
extern const struct transport transport_ring_spin;
extern const struct transport transport_pipe;
extern const struct transport transport_seqpacket;
extern const struct transport transport_mqueue;
extern const struct transport transport_unix;
extern const struct transport transport_tcp;
#ifdef HAVE_ZEROMQ
extern const struct transport transport_zeromq;
#endif

/* Exit codes: 1 failed, 77 this system does not have it or forbids it. */
_Noreturn void fail(const char *what);          /* and strerror(errno) */
_Noreturn void not_here(const char *what);      /* so too */
void *allocate(size_t size);

/* A turn of a loop that waits by looking. */
void relax(void);

#endif
