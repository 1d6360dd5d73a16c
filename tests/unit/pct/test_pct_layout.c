/* SPDX-License-Identifier: MIT */
/* Places, vectors and views: nothing overlaps, nobody sees what is not his. */
#include <glib.h>
#include <string.h>

#include "pct.h"
#include "pct_layout.h"
#include "tables.h"

static struct pct pct;
static struct pct_layout layout;
static struct pct_view view;

static bool is_loopback(const struct pct_queue *queue)
{
    return queue->peers[0] == queue->peers[1];
}

/* All that must hold of any legal table. */
static void assert_layout(void)
{
    static bool rung[PCT_MAX_VECTORS][32];
    uint64_t next = PCT_BOARD_SIZE;

    memset(rung, 0, sizeof(rung));
    g_assert_cmpuint(pct_check(&pct, 0, NULL, 0), ==, 0);
    pct_layout(&pct, &layout);
    g_assert_cmpuint(layout.digest, !=, 0);
    g_assert_cmpuint(layout.nr_vectors, <=, PCT_MAX_VECTORS);

    for (uint32_t i = 0; i < pct.nr_queues; i++) {
        const struct pct_queue *queue = &pct.queues[i];
        const struct pct_queue_place *place = &layout.places[i];

        g_assert_cmpuint(place->size, ==,
                         128 + queue->nframes * queue->frame_size);
        g_assert_cmpuint(place->offset + 2 * (uint64_t)place->size, <=,
                         place->area_size);
        g_assert_cmpuint(place->area_size % PCT_AREA_ALIGN, ==, 0);
        g_assert_cmpuint(place->area % PCT_AREA_ALIGN, ==, 0);
        if (is_loopback(queue) && queue->id % 2 == 1) {
            g_assert_cmpuint(place->area, ==, layout.places[i - 1].area);
        } else {
            g_assert_cmpuint(place->area, ==, next);
            next += place->area_size;
        }
        g_assert_cmpuint(place->vector, !=, PCT_BOARD_VECTOR);
        g_assert_cmpuint(place->vector, <, layout.nr_vectors);
        g_assert_cmpuint(place->bit, <, 32);
        g_assert_false(rung[place->vector][place->bit]);
        rung[place->vector][place->bit] = true;
    }
    g_assert_cmpuint(layout.total, ==, next);
    g_assert_cmpuint(layout.total, ==, pct_layout_total(&pct));
}

/* All that must hold of what a partition sees of a legal table. */
static void assert_view(uint32_t partition)
{
    uint64_t next = 0;
    uint32_t slots = 0;

    pct_view(&pct, &layout, partition, &view);
    g_assert_cmpuint(view.partition, ==, partition);
    for (uint32_t i = 0; i < pct.nr_queues; i++) {
        const struct pct_queue *queue = &pct.queues[i];
        const struct pct_queue_place *place = &layout.places[i];
        const struct pct_slot *slot = &view.slots[slots];
        int found = pct_view_slot(&pct, &layout, &view, place->vector,
                                  place->bit);

        g_assert_cmpint(found, ==, view.slot_of[i]);
        if (queue->peers[0] != partition && queue->peers[1] != partition) {
            g_assert_cmpint(view.slot_of[i], ==, -1);
            continue;
        }
        g_assert_cmpint(view.slot_of[i], ==, slots);
        g_assert_cmpuint(slot->queue, ==, i);
        if (is_loopback(queue)) {
            g_assert_cmpuint(pct.queues[slot->far_queue].id, ==,
                             queue->id ^ 1);
            g_assert_cmpuint(slot->peer, ==, partition);
            g_assert_cmpuint(slot->side, ==, 0);
            g_assert_cmpuint(slot->far_side, ==, 0);
            g_assert_cmpint(slot->rx_first, ==, queue->id % 2 == 0);
        } else {
            g_assert_cmpuint(slot->far_queue, ==, i);
            g_assert_cmpuint(queue->peers[slot->side], ==, partition);
            g_assert_cmpuint(queue->peers[slot->far_side], ==, slot->peer);
            g_assert_cmpuint(slot->far_side, ==, 1 - slot->side);
            g_assert_cmpint(slot->rx_first, ==, partition == queue->peers[0]);
        }
        if (is_loopback(queue) && queue->id % 2 == 1) {
            g_assert_cmpuint(slot->bar_offset, ==, slot[-1].bar_offset);
        } else {
            g_assert_cmpuint(slot->bar_offset, ==, next);
            next += place->area_size;
        }
        slots++;
    }
    g_assert_cmpuint(view.nr_slots, ==, slots);
    g_assert_cmpuint(view.bar_size, ==, next);
}

static void test_random(void)
{
    GRand *rand = g_rand_new_with_seed(g_test_rand_int());

    for (int round = 0; round < 300; round++) {
        table_random(&pct, rand, 2 * g_rand_int_range(rand, 1, 257));
        assert_layout();
        for (uint32_t partition = 0; partition < 16; partition++) {
            assert_view(partition);
        }
    }
    g_rand_free(rand);
}

/* The example that the specification can be held against. */
static void test_places(void)
{
    static const uint64_t areas[] = {
        0x10000, 0x50000, 0x50000, 0x60000, 0x90000,
    };

    table_good(&pct);
    assert_layout();
    g_assert_cmpuint(layout.total, ==, 0xa0000);
    g_assert_cmpuint(layout.nr_vectors, ==, 6);
    for (uint32_t i = 0; i < 5; i++) {
        g_assert_cmpuint(layout.places[i].area, ==, areas[i]);
        g_assert_cmpuint(layout.places[i].vector, ==, 1 + i);
        g_assert_cmpuint(layout.places[i].bit, ==, 0);
    }
}

static void test_512_queues(void)
{
    table_begin(&pct);
    for (uint32_t id = 0; id < 512; id++) {
        table_add(&pct, id, 2, 3, 1, 64);
    }
    assert_layout();
    g_assert_cmpuint(layout.nr_vectors, ==, 64);
    g_assert_cmpuint(layout.places[0].vector, ==, 1);
    g_assert_cmpuint(layout.places[62].vector, ==, 63);
    g_assert_cmpuint(layout.places[62].bit, ==, 0);
    g_assert_cmpuint(layout.places[63].vector, ==, 1);
    g_assert_cmpuint(layout.places[63].bit, ==, 1);
    g_assert_cmpuint(layout.places[511].vector, ==, 1 + 511 % 63);
    g_assert_cmpuint(layout.places[511].bit, ==, 8);
    assert_view(2);
    g_assert_cmpuint(view.nr_slots, ==, 512);
    assert_view(4);
    g_assert_cmpuint(view.nr_slots, ==, 0);
    g_assert_cmpuint(view.bar_size, ==, 0);
}

/* A third partition sees nothing of a queue between two others. */
static void test_third_partition(void)
{
    table_good(&pct);
    assert_layout();
    assert_view(4);
    g_assert_cmpuint(view.nr_slots, ==, 2);
    g_assert_cmpuint(pct.queues[view.slots[0].queue].id, ==, 300);
    g_assert_cmpuint(pct.queues[view.slots[1].queue].id, ==, 301);
    g_assert_cmpuint(view.bar_size, ==, layout.places[3].area_size +
                                        layout.places[4].area_size);
    g_assert_cmpint(view.slot_of[0], ==, -1);
    g_assert_cmpint(pct_view_slot(&pct, &layout, &view,
                                  layout.places[0].vector, 0), ==, -1);
}

/* Bits that nobody was given lead nowhere. */
static void test_stray_bits(void)
{
    table_good(&pct);
    assert_layout();
    assert_view(2);
    g_assert_cmpint(pct_view_slot(&pct, &layout, &view, 1, 0), ==, 0);
    g_assert_cmpint(pct_view_slot(&pct, &layout, &view, 0, 0), ==, -1);
    g_assert_cmpint(pct_view_slot(&pct, &layout, &view, 6, 0), ==, -1);
    g_assert_cmpint(pct_view_slot(&pct, &layout, &view, 1, 1), ==, -1);
    g_assert_cmpint(pct_view_slot(&pct, &layout, &view, 1, 31), ==, -1);
    g_assert_cmpint(pct_view_slot(&pct, &layout, &view, UINT_MAX, UINT_MAX),
                    ==, -1);
    g_assert_cmpint(pct_view_slot(&pct, &layout, &view, 1, UINT_MAX), ==, -1);
}

static uint64_t digest(void)
{
    pct_layout(&pct, &layout);
    return layout.digest;
}

/* Whatever two tables differ in, their QEMUs refuse to meet. */
static void test_digest(void)
{
    uint64_t same;

    table_good(&pct);
    same = digest();
    g_assert_cmpuint(digest(), ==, same);
#define DIFFERS(change) do { \
        table_good(&pct); \
        change; \
        g_assert_cmpuint(digest(), !=, same); \
    } while (0)
    DIFFERS(pct.queues[0].id = 254);
    DIFFERS(pct.queues[0].peers[0] = 4);
    DIFFERS(pct.queues[0].peers[1] = 4);
    DIFFERS(pct.queues[0].nframes = 65);
    DIFFERS(pct.queues[0].frame_size = 1600);
    DIFFERS(pct.queues[0].use_msi = true);
    DIFFERS(pct.nr_queues = 4);
    DIFFERS(pct.nr_partitions = 2);
    DIFFERS(pct.partitions[0].id = 9);
    DIFFERS(strcpy(pct.partitions[0].name, "GID_X"));
#undef DIFFERS

    /* Channels to other chips take nothing of what the QEMUs share. */
    table_chip(&pct);
    g_assert_cmpuint(digest(), ==, same);
    table_good(&pct);
    g_assert_cmpuint(digest(), ==, same);

    /* What lies behind a name's end does not count. */
    table_good(&pct);
    pct.partitions[0].name[20] = 'x';
    g_assert_cmpuint(digest(), ==, same);
}

/* A partition's channels to other chips are placed as queues are. */
static void test_c2c(void)
{
    static struct pct chip;

    table_chip(&chip);
    pct_c2c_table(&chip, 2, &pct);
    g_assert_cmpuint(pct.nr_queues, ==, 2);
    g_assert_cmpuint(pct.nr_c2c, ==, 0);
    g_assert_cmpuint(pct.queues[0].id, ==, 5);
    g_assert_cmpuint(pct.queues[0].peers[0], ==, 2);
    g_assert_cmpuint(pct.queues[0].peers[1], ==, 0x105);
    g_assert_cmpuint(pct.queues[1].id, ==, 6);
    g_assert_cmpuint(pct.queues[1].peers[1], ==, 0x107);
    g_assert_cmpuint(pct.queues[1].nframes, ==, 13);
    g_assert_cmpuint(pct.queues[1].frame_size, ==, 320);
    g_assert_false(pct.queues[1].use_msi);

    pct_layout(&pct, &layout);
    assert_view(2);
    g_assert_cmpuint(view.nr_slots, ==, 2);
    for (uint32_t i = 0; i < 2; i++) {
        g_assert_cmpuint(view.slots[i].peer, ==, pct.queues[i].peers[1]);
        g_assert_cmpuint(view.slots[i].far_queue, ==, i);
        g_assert_true(view.slots[i].rx_first);
    }
    g_assert_cmpuint(view.slots[1].bar_offset, ==, 0x40000);
    g_assert_cmpuint(view.bar_size, ==, 0x50000);
}

/* Who has no channel to another chip, or is not there, gets an empty table. */
static void test_c2c_none(void)
{
    static struct pct chip;

    table_chip(&chip);
    for (uint32_t partition = 4; partition < 6; partition++) {
        pct_c2c_table(&chip, partition, &pct);
        g_assert_cmpuint(pct.nr_queues, ==, 0);
        pct_layout(&pct, &layout);
        assert_view(partition);
        g_assert_cmpuint(view.nr_slots, ==, 0);
        g_assert_cmpuint(view.bar_size, ==, 0);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/pct/layout/places", test_places);
    g_test_add_func("/pct/layout/512-queues", test_512_queues);
    g_test_add_func("/pct/layout/random", test_random);
    g_test_add_func("/pct/layout/third-partition", test_third_partition);
    g_test_add_func("/pct/layout/stray-bits", test_stray_bits);
    g_test_add_func("/pct/layout/digest", test_digest);
    g_test_add_func("/pct/layout/c2c", test_c2c);
    g_test_add_func("/pct/layout/c2c/none", test_c2c_none);
    return g_test_run();
}
