/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Doorbells rung and not yet collected: the bitmaps of the board page.
 *
 * To ring: doorbell_set(), then signal the receiver's eventfd of the queue's
 * vector. To collect: clear the eventfd, then doorbell_collect().
 * Pure; the words lie in memory that other QEMUs write at the same time.
 */
#ifndef VSOC_DOORBELL_H
#define VSOC_DOORBELL_H

#include <stdint.h>

#include "../pct/pct_layout.h"

/* Queues that one vector's word can name. */
#define DOORBELL_MAX_SLOTS 32u

/*
 * Sets the bit of a queue for the partition that receives. Ordered after all
 * earlier stores of this thread, and before the signal that follows.
 */
void doorbell_set(struct pct_board *board, uint32_t receiver,
                  const struct pct_queue_place *place);

/*
 * Takes all bits of one vector, stores the slots that they stand for, and
 * returns how many. Bits that are no queue of the view are dropped.
 */
unsigned doorbell_collect(struct pct_board *board, const struct pct *pct,
                          const struct pct_layout *layout,
                          const struct pct_view *view, unsigned vector,
                          uint16_t slots[DOORBELL_MAX_SLOTS]);

#endif
