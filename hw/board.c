/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The board page; the only code that touches its words but the doorbells. */
#include "board.h"

#include <assert.h>

#include "include/hv_ivc_regs.h"

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
              "the board's words are little-endian");

#define GEN_MASK (UINT32_MAX >> HV_IVC_GEN_SHIFT)

static uint32_t load(const uint32_t *word)
{
    return __atomic_load_n(word, __ATOMIC_SEQ_CST);
}

static bool swap(uint32_t *word, uint32_t from, uint32_t to)
{
    return __atomic_compare_exchange_n(word, &from, to, false,
                                       __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

uint64_t board_meet(struct pct_board *board, uint64_t digest)
{
    uint64_t found = 0;

    if (__atomic_compare_exchange_n(&board->digest, &found, digest, false,
                                    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
        return digest;
    }
    return found;
}

uint32_t board_claim(const struct pct_board *board, uint32_t partition)
{
    assert(partition < PCT_MAX_NUM_GUESTS);
    return load(&board->claims[partition]);
}

static bool change_claim(struct pct_board *board, uint32_t partition,
                         uint32_t from, uint32_t to)
{
    assert(partition < PCT_MAX_NUM_GUESTS);
    if (!swap(&board->claims[partition], from, to)) {
        return false;
    }
    __atomic_fetch_add(&board->generation, 1, __ATOMIC_SEQ_CST);
    return true;
}

bool board_take(struct pct_board *board, uint32_t partition, uint32_t seen,
                uint32_t id)
{
    return change_claim(board, partition, seen, BOARD_HELD_BY(id));
}

bool board_release(struct pct_board *board, uint32_t partition, uint32_t id)
{
    return change_claim(board, partition, BOARD_HELD_BY(id), BOARD_FREE);
}

void board_disown(struct pct_board *board, uint32_t id)
{
    for (uint32_t i = 0; i < PCT_MAX_NUM_GUESTS; i++) {
        board_release(board, i, id);
    }
}

/* One end of a queue, and the partition that speaks for it. */
struct end {
    uint32_t *status;
    uint32_t partition;
};

static struct end our_end(struct pct_board *board, const struct pct_view *view,
                          unsigned slot)
{
    const struct pct_slot *s;

    assert(slot < view->nr_slots);
    s = &view->slots[slot];
    return (struct end) {
        .status = &board->status[s->queue][s->side],
        .partition = view->partition,
    };
}

static struct end far_end(struct pct_board *board, const struct pct_view *view,
                          unsigned slot)
{
    const struct pct_slot *s;

    assert(slot < view->nr_slots);
    s = &view->slots[slot];
    return (struct end) {
        .status = &board->status[s->far_queue][s->far_side],
        .partition = s->peer,
    };
}

/*
 * The status that follows in each case. What does not change is not written,
 * so however many QEMUs see one death, one of them counts it.
 */
static uint32_t opened(uint32_t status)
{
    return (status & ~HV_IVC_STATE_MASK) | HV_IVC_STATE_OPEN;
}

static uint32_t departed(uint32_t status)
{
    uint32_t generation = ((status >> HV_IVC_GEN_SHIFT) + 1) & GEN_MASK;

    return generation << HV_IVC_GEN_SHIFT | HV_IVC_STATE_GONE;
}

static uint32_t closed(uint32_t status)
{
    return (status & HV_IVC_STATE_MASK) == HV_IVC_STATE_OPEN ?
           departed(status) : status;
}

/* A guest that never says that it opened may be there all the same. */
static uint32_t abandoned(uint32_t status)
{
    return (status & HV_IVC_STATE_MASK) == HV_IVC_STATE_GONE ?
           status : departed(status);
}

static bool change_status(struct pct_board *board, struct end end, uint32_t id,
                          uint32_t (*next)(uint32_t status))
{
    for (;;) {
        uint32_t status = load(end.status);
        uint32_t wanted = next(status);

        /*
         * Status before claim, because a successor takes the claim before it
         * settles the status: if the claim still named id after status was
         * read, the exchange fails on anything that the successor wrote.
         */
        if (board_claim(board, end.partition) != BOARD_HELD_BY(id) ||
            wanted == status) {
            return false;
        }
        if (swap(end.status, status, wanted)) {
            return true;
        }
    }
}

bool board_open(struct pct_board *board, const struct pct_view *view,
                unsigned slot, uint32_t id)
{
    return change_status(board, our_end(board, view, slot), id, opened);
}

bool board_close(struct pct_board *board, const struct pct_view *view,
                 unsigned slot, uint32_t id)
{
    return change_status(board, our_end(board, view, slot), id, closed);
}

void board_inherit(struct pct_board *board, const struct pct_view *view,
                   uint32_t id)
{
    for (unsigned i = 0; i < view->nr_slots; i++) {
        change_status(board, our_end(board, view, i), id, closed);
    }
}

void board_leave(struct pct_board *board, const struct pct_view *view,
                 uint32_t id)
{
    for (unsigned i = 0; i < view->nr_slots; i++) {
        change_status(board, our_end(board, view, i), id, abandoned);
    }
}

void board_bury(struct pct_board *board, const struct pct_view *view,
                uint32_t id)
{
    for (unsigned i = 0; i < view->nr_slots; i++) {
        if (view->slots[i].peer != view->partition) {
            change_status(board, far_end(board, view, i), id, abandoned);
        }
    }
}

uint32_t board_far_status(const struct pct_board *board,
                          const struct pct_view *view, unsigned slot)
{
    const struct pct_slot *s;

    assert(slot < view->nr_slots);
    s = &view->slots[slot];
    return load(&board->status[s->far_queue][s->far_side]);
}

bool board_review(const struct pct_board *board, const struct pct_view *view,
                  unsigned slot, uint32_t *told)
{
    uint32_t generation = board_far_status(board, view, slot) >>
                          HV_IVC_GEN_SHIFT;

    if (generation == *told) {
        return false;
    }
    *told = generation;
    return true;
}
