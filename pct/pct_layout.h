/* SPDX-License-Identifier: MIT */
/*
 * Where everything lies: the shared region, each queue's area, and what each
 * partition sees of it. The only place that adds offsets. Pure.
 *
 * docs/specs/shared-region.md is the specification.
 */
#ifndef VSOC_PCT_LAYOUT_H
#define VSOC_PCT_LAYOUT_H

#include <assert.h>
#include <stddef.h>
#include <stdbool.h>
#include <stdint.h>

#include "pct.h"

/* Areas lie on boundaries of the largest guest page size. */
#define PCT_AREA_ALIGN 0x10000u

/* Goes into the digest: raise it when anything moves. */
#define PCT_LAYOUT_VERSION 1u

/* ivshmem-server's most; vector 0 says "look at the board page". */
#define PCT_MAX_VECTORS 64u
/* A word of bits a vector must do for all queues. */
#define PCT_MIN_VECTORS (1u + PCT_MAX_NUM_IVC_QUEUES / 32u)
/* Eventfds that the server can announce to a newcomer in one go. */
#define PCT_MAX_GREETING 272u
#define PCT_BOARD_VECTOR 0u

/*
 * The head of the shared region, which no guest ever sees. Zeroed memory is a
 * valid, empty board. Every word is accessed atomically (doorbell.c and
 * board.c of hw/); the QEMUs of one SoC trust each other's code but survive
 * each other's death at any instruction.
 */
struct pct_board {
    uint64_t digest;        /* of table and layout version; 0: nobody yet */
    uint32_t generation;    /* +1 at every change of a claim */
    uint32_t reserved0;
    uint32_t claims[PCT_MAX_NUM_GUESTS];    /* ivshmem id + 1; 0: free */
    uint8_t reserved1[176];
    /* Doorbells rung and not yet collected: [receiver][vector], a bit each. */
    uint32_t pending[PCT_MAX_NUM_GUESTS][PCT_MAX_VECTORS];
    /* Of each end of each queue: [table index][side], HV_IVC_STATE_* + gen. */
    uint32_t status[PCT_MAX_NUM_IVC_QUEUES][2];
};

#define PCT_BOARD_SIZE 0x10000u

static_assert(offsetof(struct pct_board, claims) == 0x10, "claims");
static_assert(offsetof(struct pct_board, pending) == 0x100, "pending");
static_assert(offsetof(struct pct_board, status) == 0x1100, "status");
static_assert(sizeof(struct pct_board) == 0x2100, "board");
static_assert(sizeof(struct pct_board) <= PCT_BOARD_SIZE, "board fits");

struct pct_queue_place {
    uint64_t area;          /* offset of its area in the shared region */
    uint64_t area_size;     /* multiple of PCT_AREA_ALIGN, both directions */
    uint32_t offset;        /* of the queue in its area */
    uint32_t size;          /* of one direction */
    uint8_t vector;         /* ivshmem vector that its doorbells ring */
    uint8_t bit;            /* in pending[receiver][vector] */
};

struct pct_layout {
    uint64_t total;         /* bytes of the shared region that are needed */
    uint64_t digest;        /* never 0 */
    uint32_t nr_vectors;    /* ivshmem vectors that are needed */
    struct pct_queue_place places[PCT_MAX_NUM_IVC_QUEUES];  /* as queues[] */
};

/* Bytes that a queue's area takes; its geometry must be legal. */
uint64_t pct_area_size(const struct pct_queue *queue);

/* Bytes of the shared region that are needed; geometries must be legal. */
uint64_t pct_layout_total(const struct pct *pct);

/* The table must have passed pct_check() (memory limit aside). */
void pct_layout(const struct pct *pct, struct pct_layout *layout);

/* One queue as one partition sees it; slot = its index in the view. */
struct pct_slot {
    uint32_t queue;         /* index in pct->queues[] */
    uint32_t far_queue;     /* the far end's: another one on a loopback */
    uint32_t peer;          /* the far end's partition id */
    uint8_t side;           /* ours in status[queue][]; 0 on a loopback */
    uint8_t far_side;
    bool rx_first;          /* receives in the first direction */
    uint64_t bar_offset;    /* of its area in the partition's area BAR */
};

struct pct_view {
    uint32_t partition;
    uint32_t nr_slots;
    uint64_t bar_size;      /* bytes used in the area BAR (not rounded) */
    struct pct_slot slots[PCT_MAX_NUM_IVC_QUEUES];      /* by rising id */
    int16_t slot_of[PCT_MAX_NUM_IVC_QUEUES];    /* of queues[i]; -1: none */
};

/* A partition that has no queue, or is not in the table, gets no slots. */
void pct_view(const struct pct *pct, const struct pct_layout *layout,
              uint32_t partition, struct pct_view *view);

/*
 * The channels to other chips of one partition as a table of their own, whose
 * queues go to pct_layout(), pct_view() and pct_info_write() as any others:
 * ids are device numbers, peers the partition and IVC_INFO_C2C_PEER + remote.
 */
void pct_c2c_table(const struct pct *pct, uint32_t partition,
                   struct pct *table);

/*
 * The slot of the end that doorbell (vector, bit) rings; -1: none of ours. The
 * far end of a slot is rung by the vector and bit of places[slot.far_queue].
 */
int pct_view_slot(const struct pct *pct, const struct pct_layout *layout,
                  const struct pct_view *view, unsigned vector, unsigned bit);

#endif
