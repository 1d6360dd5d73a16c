/* SPDX-License-Identifier: MIT */
/*
 * The board page under two QEMUs at once, each a thread: one of A that lives
 * and dies over and over, while B survives and buries. For the thread
 * sanitizer, and to see that no departure is lost or counted twice.
 */
#include <glib.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>

#include "board.h"
#include "include/hv_ivc_regs.h"
#include "soc.h"

#define LIVES 20000u

static struct soc soc;

/* What the server has told B of the QEMUs of A: ids below it are dead. */
static uint32_t dead_below;

static void *live_and_die(void *unused)
{
    for (uint32_t id = 0; id < LIVES; id++) {
        uint32_t seen;

        /* All before us are dead: the claim is ours for the taking. */
        do {
            seen = board_claim(&soc.board, PARTITION_A);
        } while (!board_take(&soc.board, PARTITION_A, seen, id));
        board_inherit(&soc.board, &soc.a, id);
        board_open(&soc.board, &soc.a, A_B0, id);
        switch (id % 3) {
        case 0:     /* killed */
            break;
        case 1:     /* the guest closes, then it is killed */
            board_close(&soc.board, &soc.a, A_B0, id);
            break;
        case 2:     /* ends in good order */
            board_leave(&soc.board, &soc.a, id);
            board_release(&soc.board, PARTITION_A, id);
            break;
        }
        __atomic_store_n(&dead_below, id + 1, __ATOMIC_RELEASE);
    }
    return unused;
}

static void test_lives(void)
{
    uint32_t buried = 0, told = 0, announced = 0;
    uint32_t status;
    pthread_t a;

    soc_init(&soc);
    g_assert_true(board_take(&soc.board, PARTITION_B, BOARD_FREE, LIVES));
    g_assert_cmpint(pthread_create(&a, NULL, live_and_die, NULL), ==, 0);
    while (buried < LIVES) {
        uint32_t dead = __atomic_load_n(&dead_below, __ATOMIC_ACQUIRE);
        uint32_t before = told;

        for (; buried < dead; buried++) {
            board_bury(&soc.board, &soc.b, buried);
        }
        if (board_review(&soc.board, &soc.b, B_A0, &told)) {
            /* Generations only grow; B may learn of several at once. */
            g_assert_cmpuint(told, >, before);
            announced += told - before;
        }
        sched_yield();
    }
    pthread_join(a, NULL);
    board_review(&soc.board, &soc.b, B_A0, &told);

    /* Each life opened once, so each was left once, by whoever saw it. */
    status = board_far_status(&soc.board, &soc.b, B_A0);
    g_assert_cmpuint(status & HV_IVC_STATE_MASK, ==, HV_IVC_STATE_GONE);
    g_assert_cmpuint(status >> HV_IVC_GEN_SHIFT, ==, LIVES);
    g_assert_cmpuint(announced, ==, LIVES);
}

/* Several of the same partition start at once: one of them gets it. */
#define RIVALS 4u

static uint32_t winners;
static pthread_barrier_t start;

static void *rival(void *id)
{
    pthread_barrier_wait(&start);
    if (board_meet(&soc.board, soc.layout.digest) != soc.layout.digest) {
        return NULL;
    }
    if (board_take(&soc.board, PARTITION_C, BOARD_FREE,
                   GPOINTER_TO_UINT(id))) {
        __atomic_fetch_add(&winners, 1, __ATOMIC_RELAXED);
    }
    return NULL;
}

static void test_rivals(void)
{
    for (unsigned round = 0; round < 200; round++) {
        pthread_t threads[RIVALS];

        soc_init(&soc);
        winners = 0;
        pthread_barrier_init(&start, NULL, RIVALS);
        for (unsigned i = 0; i < RIVALS; i++) {
            g_assert_cmpint(pthread_create(&threads[i], NULL, rival,
                                           GUINT_TO_POINTER(i)), ==, 0);
        }
        for (unsigned i = 0; i < RIVALS; i++) {
            pthread_join(threads[i], NULL);
        }
        pthread_barrier_destroy(&start);
        g_assert_cmpuint(winners, ==, 1);
        g_assert_cmpuint(soc.board.generation, ==, 1);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/board-threads/lives", test_lives);
    g_test_add_func("/board-threads/rivals", test_rivals);
    return g_test_run();
}
