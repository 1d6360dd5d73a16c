/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Faults that a tester has asked for: which are active, and which of them the
 * next doorbell meets. docs/specs/faults.md is the specification.
 *
 * Pure: no allocation, no clock, no queue; the caller says what time it is.
 */
#ifndef VSOC_FAULT_H
#define VSOC_FAULT_H

#include <stdbool.h>
#include <stdint.h>

#define FAULT_MAX 64u               /* active at once */
#define FAULT_MAX_DELAY_MS 60000u
#define FAULT_MAX_SPURIOUS 1000u
#define FAULT_ENDLESS UINT64_MAX    /* no limit of uses */
#define FAULT_FOREVER INT64_MAX     /* no limit of time */

/* Those that last. */
enum fault_kind {
    FAULT_DROP,
    FAULT_DELAY,
    FAULT_DUPLICATE,
    FAULT_FRAME,
};

struct fault {
    enum fault_kind kind;
    unsigned slot;
    bool in;
    uint64_t left;          /* uses to go, or FAULT_ENDLESS */
    int64_t until_ms;       /* not active from then on, or FAULT_FOREVER */
    uint32_t delay_ms;      /* FAULT_DELAY */
    uint32_t offset;        /* FAULT_FRAME: byte in the frame */
    uint8_t mask;           /* FAULT_FRAME: what it is xored with */
    uint32_t seen;          /* FAULT_FRAME: tx.count of its last look */
    uint32_t id;            /* set by fault_add() */
    uint64_t hits;
};

struct faults {
    unsigned nr;
    struct fault list[FAULT_MAX];   /* in the order in which they were set */
    uint32_t last_id;
};

/* What is to become of a doorbell. */
struct fault_verdict {
    bool drop;
    uint32_t delay_ms;      /* 0: now */
    bool duplicate;
};

/* False: there are FAULT_MAX. */
bool fault_add(struct faults *faults, const struct fault *fault);

/* Ends those of a slot (-1: all) and a direction (-1: both; 0: out). */
void fault_clear(struct faults *faults, int slot, int in);

/* Drops what is used up or over. */
void fault_expire(struct faults *faults, int64_t now_ms);

/* Uses up the first fault that this doorbell meets. */
struct fault_verdict fault_doorbell(struct faults *faults, unsigned slot,
                                    bool in, int64_t now_ms);

/* Uses a fault up by one. */
void fault_hit(struct fault *fault);

#endif
