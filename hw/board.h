/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The board page: the table's digest, who holds which partition, and the
 * status of each end of each queue. docs/specs/shared-region.md has the rules.
 *
 * Pure. Other QEMUs run the same functions on the same words at the same time
 * and may be killed at any instruction, so each step is one atomic exchange
 * that leaves the page in a state that the next one can go on from.
 *
 * An id is the one that ivshmem-server gave to a QEMU (to its device). The
 * server never gives an id again, so "id X is dead" stays true.
 */
#ifndef VSOC_BOARD_H
#define VSOC_BOARD_H

#include <stdbool.h>
#include <stdint.h>

#include "../pct/pct_layout.h"

/* Returns the digest that stands: ours if we may take part. */
uint64_t board_meet(struct pct_board *board, uint64_t digest);

/* The claim of a partition as it is now: an id + 1, or 0. */
uint32_t board_claim(const struct pct_board *board, uint32_t partition);
#define BOARD_FREE 0u
#define BOARD_HELD_BY(id) ((uint32_t)(id) + 1)

/*
 * Takes a partition whose claim was seen to be free or to name a dead id.
 * False: it has changed meanwhile, look again.
 */
bool board_take(struct pct_board *board, uint32_t partition, uint32_t seen,
                uint32_t id);

/* Gives it back, if it is (still) ours. */
bool board_release(struct pct_board *board, uint32_t partition, uint32_t id);

/*
 * Frees every claim that names id. For a newcomer with its own id: such a
 * claim is from an earlier server whose memory was used again.
 */
void board_disown(struct pct_board *board, uint32_t id);

/*
 * The status of the ends of a view's slots. Each of these changes nothing if
 * the end's partition is not held by id (any more): who takes a partition
 * settles what it finds, and nobody else may speak for it from then on.
 */

/* Our guest has opened the slot's queue. */
bool board_open(struct pct_board *board, const struct pct_view *view,
                unsigned slot, uint32_t id);

/* It has closed it. True: it was open, and the far end is to be told. */
bool board_close(struct pct_board *board, const struct pct_view *view,
                 unsigned slot, uint32_t id);

/* We have just taken the partition: closes what a dead one left open. */
void board_inherit(struct pct_board *board, const struct pct_view *view,
                   uint32_t id);

/* We are about to leave: nobody is at our ends any more. */
void board_leave(struct pct_board *board, const struct pct_view *view,
                 uint32_t id);

/* A peer is dead: nobody is at the ends that face ours and that it held. */
void board_bury(struct pct_board *board, const struct pct_view *view,
                uint32_t id);

/* Status of the far end of a slot: HV_IVC_STATE_*, HV_IVC_GEN_SHIFT. */
uint32_t board_far_status(const struct pct_board *board,
                          const struct pct_view *view, unsigned slot);

/*
 * Compares the far end's departures with those that the guest was told of,
 * and notes them as told. True: there are new ones, interrupt it.
 */
bool board_review(const struct pct_board *board, const struct pct_view *view,
                  unsigned slot, uint32_t *told);

#endif
