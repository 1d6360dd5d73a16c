/* SPDX-License-Identifier: MIT */
/*
 * The board page, one step at a time: the rules, then every rule again with a
 * QEMU killed, or another one run, between any two accesses to shared words.
 */
#include <glib.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>

/* Called before each access that board.c makes to a shared word. */
static void step(void);

#define __atomic_load_n(...) (step(), __atomic_load_n(__VA_ARGS__))
#define __atomic_compare_exchange_n(...) \
    (step(), __atomic_compare_exchange_n(__VA_ARGS__))
#define __atomic_fetch_add(...) (step(), __atomic_fetch_add(__VA_ARGS__))

#include "../../../hw/board.c"

#undef __atomic_load_n
#undef __atomic_compare_exchange_n
#undef __atomic_fetch_add

#include "soc.h"

#define STATUS(state, generation) \
    (HV_IVC_STATE_##state | (uint32_t)(generation) << HV_IVC_GEN_SHIFT)

static struct soc soc;

/* What happens at which step: nothing, or the thread of events turns. */
static unsigned steps;
static unsigned turn_at;
static void (*turn)(void);
static jmp_buf grave;

static void step(void)
{
    if (turn && ++steps == turn_at) {
        void (*act)(void) = turn;

        turn = NULL;
        act();
    }
}

static void die(void)
{
    longjmp(grave, 1);
}

/* Runs what, killed before its nth access. False: it has fewer. */
static bool killed_at(unsigned nth, void (*what)(void))
{
    steps = 0;
    turn_at = nth;
    turn = die;
    if (setjmp(grave) != 0) {
        return true;
    }
    what();
    turn = NULL;
    return false;
}

/* Runs what, and other to its end before what's nth access. */
static bool crossed_at(unsigned nth, void (*what)(void), void (*other)(void))
{
    bool crossed;

    steps = 0;
    turn_at = nth;
    turn = other;
    what();
    crossed = !turn;
    turn = NULL;
    return crossed;
}

static void take(uint32_t partition, uint32_t id)
{
    g_assert_true(board_take(&soc.board, partition,
                             board_claim(&soc.board, partition), id));
}

/* ---- the rules ---- */

static void test_digest(void)
{
    soc_init(&soc);
    g_assert_cmphex(board_meet(&soc.board, 0x1234), ==, 0x1234);
    g_assert_cmphex(board_meet(&soc.board, 0x1234), ==, 0x1234);
    g_assert_cmphex(board_meet(&soc.board, 0x9999), ==, 0x1234);
    g_assert_cmphex(board_meet(&soc.board, 0x1234), ==, 0x1234);
}

static void test_claims(void)
{
    soc_init(&soc);
    g_assert_cmpuint(board_claim(&soc.board, 3), ==, BOARD_FREE);
    g_assert_true(board_take(&soc.board, 3, BOARD_FREE, 0));
    g_assert_cmpuint(soc.board.generation, ==, 1);
    g_assert_cmpuint(board_claim(&soc.board, 3), ==, BOARD_HELD_BY(0));

    /* Two saw it free: one gets it. */
    g_assert_false(board_take(&soc.board, 3, BOARD_FREE, 1));
    g_assert_cmpuint(soc.board.generation, ==, 1);
    /* A dead one's is taken from him by name. */
    g_assert_true(board_take(&soc.board, 3, BOARD_HELD_BY(0), 1));
    g_assert_false(board_take(&soc.board, 3, BOARD_HELD_BY(0), 2));

    /* Who has lost it cannot give it back. */
    g_assert_false(board_release(&soc.board, 3, 0));
    g_assert_true(board_release(&soc.board, 3, 1));
    g_assert_cmpuint(board_claim(&soc.board, 3), ==, BOARD_FREE);
    g_assert_cmpuint(soc.board.generation, ==, 3);
}

static void test_disown(void)
{
    soc_init(&soc);
    take(0, 4);
    take(1, 5);
    take(15, 4);
    board_disown(&soc.board, 4);
    g_assert_cmpuint(board_claim(&soc.board, 0), ==, BOARD_FREE);
    g_assert_cmpuint(board_claim(&soc.board, 1), ==, BOARD_HELD_BY(5));
    g_assert_cmpuint(board_claim(&soc.board, 15), ==, BOARD_FREE);
}

static uint32_t b_sees_a(void)
{
    return board_far_status(&soc.board, &soc.b, B_A0);
}

static void test_open_close(void)
{
    uint32_t told = 0;

    soc_init(&soc);
    take(PARTITION_A, 1);
    g_assert_cmphex(b_sees_a(), ==, STATUS(UNKNOWN, 0));
    /* Closing what is not open departs from nothing. */
    g_assert_false(board_close(&soc.board, &soc.a, A_B0, 1));
    g_assert_true(board_open(&soc.board, &soc.a, A_B0, 1));
    g_assert_false(board_open(&soc.board, &soc.a, A_B0, 1));
    g_assert_cmphex(b_sees_a(), ==, STATUS(OPEN, 0));
    g_assert_false(board_review(&soc.board, &soc.b, B_A0, &told));

    g_assert_true(board_close(&soc.board, &soc.a, A_B0, 1));
    g_assert_false(board_close(&soc.board, &soc.a, A_B0, 1));
    g_assert_cmphex(b_sees_a(), ==, STATUS(GONE, 1));
    g_assert_true(board_review(&soc.board, &soc.b, B_A0, &told));
    g_assert_false(board_review(&soc.board, &soc.b, B_A0, &told));

    g_assert_true(board_open(&soc.board, &soc.a, A_B0, 1));
    g_assert_cmphex(b_sees_a(), ==, STATUS(OPEN, 1));
    g_assert_false(board_review(&soc.board, &soc.b, B_A0, &told));
    g_assert_true(board_close(&soc.board, &soc.a, A_B0, 1));
    g_assert_cmphex(b_sees_a(), ==, STATUS(GONE, 2));

    /* Nobody else's end was touched, nor our own as others see it. */
    g_assert_cmphex(board_far_status(&soc.board, &soc.b, B_A1), ==, 0);
    g_assert_cmphex(board_far_status(&soc.board, &soc.a, A_B0), ==, 0);
    g_assert_cmphex(board_far_status(&soc.board, &soc.c, C_A), ==, 0);
}

static void test_loopback(void)
{
    soc_init(&soc);
    take(PARTITION_A, 1);
    board_open(&soc.board, &soc.a, A_LOOP0, 1);
    g_assert_cmphex(board_far_status(&soc.board, &soc.a, A_LOOP1), ==,
                    STATUS(OPEN, 0));
    g_assert_cmphex(board_far_status(&soc.board, &soc.a, A_LOOP0), ==, 0);
    board_open(&soc.board, &soc.a, A_LOOP1, 1);
    board_close(&soc.board, &soc.a, A_LOOP0, 1);
    g_assert_cmphex(board_far_status(&soc.board, &soc.a, A_LOOP1), ==,
                    STATUS(GONE, 1));
    g_assert_cmphex(board_far_status(&soc.board, &soc.a, A_LOOP0), ==,
                    STATUS(OPEN, 0));
}

static void test_generation_wraps(void)
{
    uint32_t told = 0xffffff;

    soc_init(&soc);
    take(PARTITION_A, 1);
    soc.board.status[soc.a.slots[A_B0].queue][soc.a.slots[A_B0].side] =
        STATUS(OPEN, 0xffffff);
    g_assert_true(board_close(&soc.board, &soc.a, A_B0, 1));
    g_assert_cmphex(b_sees_a(), ==, STATUS(GONE, 0));
    g_assert_true(board_review(&soc.board, &soc.b, B_A0, &told));
    g_assert_cmpuint(told, ==, 0);
}

static void test_only_the_holder_writes(void)
{
    soc_init(&soc);
    take(PARTITION_A, 1);
    g_assert_false(board_open(&soc.board, &soc.a, A_B0, 2));
    g_assert_cmphex(b_sees_a(), ==, STATUS(UNKNOWN, 0));
    board_open(&soc.board, &soc.a, A_B0, 1);

    /* 1 is dead, 2 is here: neither 1 nor who buries 1 changes 2's end. */
    g_assert_true(board_take(&soc.board, PARTITION_A, BOARD_HELD_BY(1), 2));
    board_inherit(&soc.board, &soc.a, 2);
    board_open(&soc.board, &soc.a, A_B0, 2);
    g_assert_cmphex(b_sees_a(), ==, STATUS(OPEN, 1));
    g_assert_false(board_close(&soc.board, &soc.a, A_B0, 1));
    board_leave(&soc.board, &soc.a, 1);
    board_bury(&soc.board, &soc.b, 1);
    g_assert_cmphex(b_sees_a(), ==, STATUS(OPEN, 1));
}

static void test_inherit(void)
{
    soc_init(&soc);
    take(PARTITION_A, 1);
    board_open(&soc.board, &soc.a, A_B0, 1);
    board_open(&soc.board, &soc.a, A_B1, 1);
    board_close(&soc.board, &soc.a, A_B1, 1);
    take(PARTITION_A, 2);
    board_inherit(&soc.board, &soc.a, 2);
    g_assert_cmphex(b_sees_a(), ==, STATUS(GONE, 1));
    g_assert_cmphex(board_far_status(&soc.board, &soc.b, B_A1), ==,
                    STATUS(GONE, 1));
    g_assert_cmphex(board_far_status(&soc.board, &soc.c, C_A), ==,
                    STATUS(UNKNOWN, 0));
}

static void test_bury(void)
{
    soc_init(&soc);
    take(PARTITION_A, 1);
    take(PARTITION_C, 3);
    board_open(&soc.board, &soc.a, A_B0, 1);
    board_open(&soc.board, &soc.a, A_LOOP0, 1);
    board_open(&soc.board, &soc.c, C_B, 3);
    board_bury(&soc.board, &soc.b, 1);
    board_bury(&soc.board, &soc.b, 1);
    /* Open or never said: who ran it is gone. Once. */
    g_assert_cmphex(b_sees_a(), ==, STATUS(GONE, 1));
    g_assert_cmphex(board_far_status(&soc.board, &soc.b, B_A1), ==,
                    STATUS(GONE, 1));
    /* Ends that do not face B, and those of the living. */
    g_assert_cmphex(board_far_status(&soc.board, &soc.c, C_A), ==, 0);
    g_assert_cmphex(board_far_status(&soc.board, &soc.a, A_LOOP1), ==,
                    STATUS(OPEN, 0));
    g_assert_cmphex(board_far_status(&soc.board, &soc.b, B_C), ==,
                    STATUS(OPEN, 0));
    board_bury(&soc.board, &soc.b, 77);
    g_assert_cmphex(board_far_status(&soc.board, &soc.b, B_C), ==,
                    STATUS(OPEN, 0));
}

static void test_leave(void)
{
    soc_init(&soc);
    take(PARTITION_A, 1);
    board_open(&soc.board, &soc.a, A_B0, 1);
    board_leave(&soc.board, &soc.a, 1);
    g_assert_true(board_release(&soc.board, PARTITION_A, 1));
    for (unsigned i = 0; i < A_NR; i++) {
        const struct pct_slot *slot = &soc.a.slots[i];

        g_assert_cmphex(soc.board.status[slot->queue][slot->side], ==,
                        STATUS(GONE, 1));
    }
    board_bury(&soc.board, &soc.b, 1);
    g_assert_cmphex(b_sees_a(), ==, STATUS(GONE, 1));
}

/* ---- the same between any two accesses ---- */

/* The whole life of the QEMU of A with id 1; the queue A_B0 opens twice. */
static void live_as_1(void)
{
    take(PARTITION_A, 1);
    board_inherit(&soc.board, &soc.a, 1);
    board_open(&soc.board, &soc.a, A_B0, 1);
    board_close(&soc.board, &soc.a, A_B0, 1);
    board_open(&soc.board, &soc.a, A_B0, 1);
    board_leave(&soc.board, &soc.a, 1);
    board_release(&soc.board, PARTITION_A, 1);
}

static void b_buries_1(void)
{
    board_bury(&soc.board, &soc.b, 1);
}

/* 2 comes after 1 and opens. */
static void successor(void)
{
    take(PARTITION_A, 2);
    board_inherit(&soc.board, &soc.a, 2);
    board_open(&soc.board, &soc.a, A_B0, 2);
}

static void test_killed_anywhere(void)
{
    unsigned nth;
    bool killed = true;

    for (nth = 1; killed; nth++) {
        uint32_t told = 0;
        uint32_t before, departures;

        soc_init(&soc);
        killed = killed_at(nth, live_as_1);
        before = b_sees_a();
        b_buries_1();
        departures = b_sees_a() >> HV_IVC_GEN_SHIFT;

        /* Nobody is there, and if somebody was, B is told, once more. */
        g_assert_cmphex(b_sees_a() & HV_IVC_STATE_MASK, !=,
                        HV_IVC_STATE_OPEN);
        if ((before & HV_IVC_STATE_MASK) == HV_IVC_STATE_OPEN) {
            g_assert_cmpuint(departures, ==,
                             (before >> HV_IVC_GEN_SHIFT) + 1);
        }
        g_assert_cmpuint(departures, <=, 2);
        g_assert_cmpint(board_review(&soc.board, &soc.b, B_A0, &told), ==,
                        departures > 0);

        /* The next one starts from there, and a late burial is too late. */
        successor();
        b_buries_1();
        g_assert_cmphex(b_sees_a(), ==, STATUS(OPEN, departures));
        g_assert_false(board_review(&soc.board, &soc.b, B_A0, &told));
    }
    g_assert_cmpuint(nth, >, 20);
}

/* 1 dies anywhere and 2 is there before B has noticed. */
static void test_restarted_at_once(void)
{
    bool killed = true;

    for (unsigned nth = 1; killed; nth++) {
        uint32_t told = 0;
        uint32_t before, generation;

        soc_init(&soc);
        killed = killed_at(nth, live_as_1);
        before = b_sees_a();
        generation = before >> HV_IVC_GEN_SHIFT;
        if ((before & HV_IVC_STATE_MASK) == HV_IVC_STATE_OPEN) {
            generation++;
        }
        successor();
        g_assert_cmphex(b_sees_a(), ==, STATUS(OPEN, generation));
        b_buries_1();
        g_assert_cmphex(b_sees_a(), ==, STATUS(OPEN, generation));
        g_assert_cmpint(board_review(&soc.board, &soc.b, B_A0, &told), ==,
                        generation > 0);
    }
}

/* 2 comes while B is in the middle of burying 1, anywhere in it. */
static void test_burial_crossed(void)
{
    bool crossed = true;

    for (unsigned nth = 1; crossed; nth++) {
        soc_init(&soc);
        take(PARTITION_A, 1);
        board_open(&soc.board, &soc.a, A_B0, 1);
        crossed = crossed_at(nth, b_buries_1, successor);
        if (!crossed) {
            successor();
        }
        g_assert_cmphex(b_sees_a(), ==, STATUS(OPEN, 1));
    }
}

/* B buries 1 while 2 is in the middle of coming, anywhere in it. */
static void test_succession_crossed(void)
{
    bool crossed = true;

    for (unsigned nth = 1; crossed; nth++) {
        soc_init(&soc);
        take(PARTITION_A, 1);
        board_open(&soc.board, &soc.a, A_B0, 1);
        crossed = crossed_at(nth, successor, b_buries_1);
        g_assert_cmphex(b_sees_a(), ==, STATUS(OPEN, 1));
    }
}

/* 2 is killed while it comes, after 1 was: B buries both. */
static void test_successor_killed(void)
{
    bool killed = true;

    for (unsigned nth = 1; killed; nth++) {
        uint32_t told = 0;
        uint32_t generation;

        soc_init(&soc);
        take(PARTITION_A, 1);
        board_open(&soc.board, &soc.a, A_B0, 1);
        killed = killed_at(nth, successor);
        b_buries_1();
        board_bury(&soc.board, &soc.b, 2);
        generation = b_sees_a() >> HV_IVC_GEN_SHIFT;
        g_assert_cmphex(b_sees_a(), ==, STATUS(GONE, generation));
        g_assert_cmpuint(generation, >=, 1);
        /* One departure, or two if 2 had opened (or went after 1's). */
        g_assert_cmpuint(generation, <=, 2);
        g_assert_true(board_review(&soc.board, &soc.b, B_A0, &told));
    }
}

/* Two want A at once: whoever is second at the claim loses. */
static void want_as_3(void)
{
    board_take(&soc.board, PARTITION_A, BOARD_FREE, 3);
}

static void want_as_4(void)
{
    board_take(&soc.board, PARTITION_A, BOARD_FREE, 4);
}

static void test_two_claimants(void)
{
    bool crossed = true;

    for (unsigned nth = 1; crossed; nth++) {
        uint32_t claim;

        soc_init(&soc);
        crossed = crossed_at(nth, want_as_3, want_as_4);
        claim = board_claim(&soc.board, PARTITION_A);
        g_assert_cmpuint(claim, ==, nth == 1 ? BOARD_HELD_BY(4) :
                         BOARD_HELD_BY(3));
        g_assert_cmpuint(soc.board.generation, ==, 1);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/board/digest", test_digest);
    g_test_add_func("/board/claims", test_claims);
    g_test_add_func("/board/disown", test_disown);
    g_test_add_func("/board/open-close", test_open_close);
    g_test_add_func("/board/loopback", test_loopback);
    g_test_add_func("/board/generation-wraps", test_generation_wraps);
    g_test_add_func("/board/only-the-holder-writes",
                    test_only_the_holder_writes);
    g_test_add_func("/board/inherit", test_inherit);
    g_test_add_func("/board/bury", test_bury);
    g_test_add_func("/board/leave", test_leave);
    g_test_add_func("/board/killed-anywhere", test_killed_anywhere);
    g_test_add_func("/board/restarted-at-once", test_restarted_at_once);
    g_test_add_func("/board/burial-crossed", test_burial_crossed);
    g_test_add_func("/board/succession-crossed", test_succession_crossed);
    g_test_add_func("/board/successor-killed", test_successor_killed);
    g_test_add_func("/board/two-claimants", test_two_claimants);
    return g_test_run();
}
