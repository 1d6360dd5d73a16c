/* SPDX-License-Identifier: MIT */
/* Doorbells: who rang is who is collected, once, and nothing is lost. */
#include <glib.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>

#include "doorbell.h"
#include "soc.h"

static struct soc soc;

static void ring(const struct pct_view *view, unsigned slot)
{
    const struct pct_slot *end = &view->slots[slot];

    doorbell_set(&soc.board, end->peer, &soc.layout.places[end->queue]);
}

static unsigned collect(const struct pct_view *view, unsigned vector,
                        uint16_t slots[DOORBELL_MAX_SLOTS])
{
    return doorbell_collect(&soc.board, &soc.pct, &soc.layout, view, vector,
                            slots);
}

static unsigned vector_of(const struct pct_view *view, unsigned slot)
{
    return soc.layout.places[view->slots[slot].queue].vector;
}

static void test_one(void)
{
    uint16_t slots[DOORBELL_MAX_SLOTS];

    soc_init(&soc);
    ring(&soc.a, A_B1);
    /* Only in B, only on this vector, only this queue, only once. */
    for (unsigned v = 0; v < PCT_MAX_VECTORS; v++) {
        g_assert_cmpuint(collect(&soc.a, v, slots), ==, 0);
        g_assert_cmpuint(collect(&soc.c, v, slots), ==, 0);
        if (v != vector_of(&soc.a, A_B1)) {
            g_assert_cmpuint(collect(&soc.b, v, slots), ==, 0);
        }
    }
    g_assert_cmpuint(collect(&soc.b, vector_of(&soc.a, A_B1), slots), ==, 1);
    g_assert_cmpuint(slots[0], ==, B_A1);
    g_assert_cmpuint(collect(&soc.b, vector_of(&soc.a, A_B1), slots), ==, 0);
}

static void test_rings_merge(void)
{
    uint16_t slots[DOORBELL_MAX_SLOTS];

    soc_init(&soc);
    ring(&soc.a, A_C);
    ring(&soc.a, A_C);
    g_assert_cmpuint(collect(&soc.c, vector_of(&soc.a, A_C), slots), ==, 1);
    g_assert_cmpuint(slots[0], ==, C_A);
}

/* 512 queues, so that each vector stands for several. */
static void test_shared_vectors(void)
{
    static struct pct pct;
    static struct pct_layout layout;
    static struct pct_view view;
    unsigned seen[PCT_MAX_NUM_IVC_QUEUES] = { 0 };

    soc_init(&soc);
    pct.nr_partitions = 2;
    pct.partitions[0] = (struct pct_partition) { "A", 0 };
    pct.partitions[1] = (struct pct_partition) { "B", 15 };
    for (unsigned i = 0; i < PCT_MAX_NUM_IVC_QUEUES; i++) {
        pct.queues[i] = (struct pct_queue) {
            .id = i, .peers = { 0, 15 }, .nframes = 1, .frame_size = 64,
        };
    }
    pct.nr_queues = PCT_MAX_NUM_IVC_QUEUES;
    pct_layout(&pct, &layout);
    pct_view(&pct, &layout, 15, &view);
    g_assert_cmpuint(layout.nr_vectors, ==, PCT_MAX_VECTORS);

    for (unsigned i = 0; i < pct.nr_queues; i += 3) {
        doorbell_set(&soc.board, 15, &layout.places[i]);
    }
    for (unsigned v = 0; v < layout.nr_vectors; v++) {
        uint16_t slots[DOORBELL_MAX_SLOTS];
        unsigned nr = doorbell_collect(&soc.board, &pct, &layout, &view, v,
                                       slots);

        for (unsigned i = 0; i < nr; i++) {
            seen[slots[i]]++;
        }
    }
    for (unsigned i = 0; i < pct.nr_queues; i++) {
        g_assert_cmpuint(seen[i], ==, i % 3 == 0);
    }
}

static void test_stray_bits(void)
{
    uint16_t slots[DOORBELL_MAX_SLOTS];
    struct pct_queue_place place;

    soc_init(&soc);
    /* Every bit of every vector: only own queues come out. */
    memset(soc.board.pending, 0xff, sizeof(soc.board.pending));
    for (unsigned v = 0, own = 0; v < PCT_MAX_VECTORS; v++) {
        unsigned nr = collect(&soc.c, v, slots);

        for (unsigned i = 0; i < nr; i++) {
            g_assert_cmpuint(slots[i], <, C_NR);
        }
        own += nr;
        g_assert_cmpuint(own, <=, C_NR);
    }
    g_assert_cmpuint(collect(&soc.c, PCT_MAX_VECTORS, slots), ==, 0);
    g_assert_cmpuint(collect(&soc.c, UINT_MAX, slots), ==, 0);

    /* Places that no layout gives: nothing is written. */
    soc_init(&soc);
    place = (struct pct_queue_place) { .vector = 64, .bit = 0 };
    doorbell_set(&soc.board, 0, &place);
    place = (struct pct_queue_place) { .vector = 1, .bit = 32 };
    doorbell_set(&soc.board, 0, &place);
    place = (struct pct_queue_place) { .vector = 1, .bit = 0 };
    doorbell_set(&soc.board, PCT_MAX_NUM_GUESTS, &place);
    for (unsigned i = 0; i < sizeof(soc.board); i++) {
        g_assert_cmpuint(((uint8_t *)&soc.board)[i], ==, 0);
    }
}

/*
 * Two QEMUs in threads play ping-pong with a plain word: under the thread
 * sanitizer this shows that the doorbell orders it. The eventfd is left out,
 * so the order is the bitmap's own.
 */
#define ROUNDS 20000

static uint32_t ball;

static void wait_for(const struct pct_view *view, unsigned slot)
{
    uint16_t slots[DOORBELL_MAX_SLOTS];

    while (collect(view, vector_of(view, slot), slots) == 0) {
        sched_yield();
    }
    g_assert_cmpuint(slots[0], ==, slot);
}

static void *play_b(void *unused)
{
    for (unsigned i = 0; i < ROUNDS; i++) {
        wait_for(&soc.b, B_A0);
        ball++;
        ring(&soc.b, B_A0);
    }
    return unused;
}

static void test_ping_pong(void)
{
    pthread_t b;

    soc_init(&soc);
    ball = 0;
    g_assert_cmpint(pthread_create(&b, NULL, play_b, NULL), ==, 0);
    for (unsigned i = 0; i < ROUNDS; i++) {
        ball++;
        ring(&soc.a, A_B0);
        wait_for(&soc.a, A_B0);
        g_assert_cmpuint(ball, ==, 2 * i + 2);
    }
    pthread_join(b, NULL);
}

/*
 * A rings without waiting, B sleeps on an "eventfd" and collects as the device
 * does. After the last ring B must get to see the last value.
 */
static uint32_t eventfd_count;
static uint32_t published;

static void *listen_b(void *unused)
{
    uint16_t slots[DOORBELL_MAX_SLOTS];

    while (__atomic_load_n(&published, __ATOMIC_ACQUIRE) < ROUNDS ||
           __atomic_load_n(&eventfd_count, __ATOMIC_ACQUIRE) != 0) {
        /* Clear the eventfd, then the word: a signal without its bit would
           leave the bit behind for ever. */
        if (__atomic_exchange_n(&eventfd_count, 0, __ATOMIC_SEQ_CST) != 0) {
            collect(&soc.b, vector_of(&soc.b, B_A0), slots);
        } else {
            sched_yield();
        }
    }
    return unused;
}

static void test_last_ring(void)
{
    uint16_t slots[DOORBELL_MAX_SLOTS];
    pthread_t b;

    soc_init(&soc);
    published = 0;
    g_assert_cmpint(pthread_create(&b, NULL, listen_b, NULL), ==, 0);
    for (unsigned i = 1; i <= ROUNDS; i++) {
        ring(&soc.a, A_B0);
        __atomic_fetch_add(&eventfd_count, 1, __ATOMIC_SEQ_CST);
        __atomic_store_n(&published, i, __ATOMIC_RELEASE);
    }
    pthread_join(b, NULL);
    g_assert_cmpuint(collect(&soc.b, vector_of(&soc.b, B_A0), slots), ==, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/doorbell/one", test_one);
    g_test_add_func("/doorbell/rings-merge", test_rings_merge);
    g_test_add_func("/doorbell/shared-vectors", test_shared_vectors);
    g_test_add_func("/doorbell/stray-bits", test_stray_bits);
    g_test_add_func("/doorbell/ping-pong", test_ping_pong);
    g_test_add_func("/doorbell/last-ring", test_last_ring);
    return g_test_run();
}
