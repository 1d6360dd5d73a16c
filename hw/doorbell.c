/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sets and collects doorbells; the only code that touches board->pending. */
#include "doorbell.h"

#include <assert.h>

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
              "the board's words are little-endian");
static_assert(PCT_MAX_NUM_IVC_QUEUES / (PCT_MIN_VECTORS - 1) <=
              DOORBELL_MAX_SLOTS, "every queue has a bit");

void doorbell_set(struct pct_board *board, uint32_t receiver,
                  const struct pct_queue_place *place)
{
    if (receiver >= PCT_MAX_NUM_GUESTS || place->vector >= PCT_MAX_VECTORS ||
        place->bit >= DOORBELL_MAX_SLOTS) {
        return;
    }
    /*
     * Queue memory before the bit, because the receiver's guest looks at the
     * queue once the bit has become its interrupt. Whether the bit was set
     * already does not matter: who set it may have died before the signal.
     */
    __atomic_fetch_or(&board->pending[receiver][place->vector],
                      UINT32_C(1) << place->bit, __ATOMIC_SEQ_CST);
}

unsigned doorbell_collect(struct pct_board *board, const struct pct *pct,
                          const struct pct_layout *layout,
                          const struct pct_view *view, unsigned vector,
                          uint16_t slots[DOORBELL_MAX_SLOTS])
{
    uint32_t bits;
    unsigned count = 0;

    if (view->partition >= PCT_MAX_NUM_GUESTS || vector >= PCT_MAX_VECTORS) {
        return 0;
    }
    /*
     * The eventfd was cleared before this, because a bit that is set after
     * the exchange then has its signal still to come.
     */
    bits = __atomic_exchange_n(&board->pending[view->partition][vector], 0,
                               __ATOMIC_SEQ_CST);
    while (bits != 0) {
        unsigned bit = (unsigned)__builtin_ctz(bits);
        int slot = pct_view_slot(pct, layout, view, vector, bit);

        bits &= bits - 1;
        if (slot >= 0) {
            slots[count++] = (uint16_t)slot;
        }
    }
    return count;
}
