/* SPDX-License-Identifier: MIT */
/* Tables that tests begin with. */
#include "tables.h"

#include <string.h>

void table_begin(struct pct *pct)
{
    static const struct pct_partition partitions[] = {
        { "GID_A", 2 }, { "GID_B", 3 }, { "GID_C", 4 },
    };

    memset(pct, 0, sizeof(*pct));
    pct->nr_partitions = 3;
    memcpy(pct->partitions, partitions, sizeof(partitions));
}

void table_add(struct pct *pct, uint32_t id, uint32_t peer0, uint32_t peer1,
               uint32_t nframes, uint32_t frame_size)
{
    g_assert_cmpuint(pct->nr_queues, <, PCT_MAX_NUM_IVC_QUEUES);
    pct->queues[pct->nr_queues++] = (struct pct_queue){
        .id = id,
        .peers = { peer0, peer1 },
        .nframes = nframes,
        .frame_size = frame_size,
    };
}

void table_good(struct pct *pct)
{
    table_begin(pct);
    table_add(pct, 255, 2, 3, 64, 1536);
    table_add(pct, 256, 2, 2, 8, 512);
    table_add(pct, 257, 2, 2, 8, 512);
    table_add(pct, 300, 3, 4, 16, 4096);
    table_add(pct, 301, 4, 2, 13, 320);
    pct->queues[3].use_msi = true;
}

void table_add_c2c(struct pct *pct, uint32_t device, uint32_t owner,
                   uint32_t remote, uint32_t nframes, uint32_t frame_size)
{
    g_assert_cmpuint(pct->nr_c2c, <, PCT_MAX_NUM_C2C);
    pct->c2c[pct->nr_c2c++] = (struct pct_c2c){
        .device = device,
        .owner = owner,
        .remote = remote,
        .nframes = nframes,
        .frame_size = frame_size,
    };
}

void table_chip(struct pct *pct)
{
    table_good(pct);
    table_add_c2c(pct, 5, 2, 5, 64, 1536);
    table_add_c2c(pct, 6, 2, 7, 13, 320);
    table_add_c2c(pct, 10, 3, 10, 16, 24576);
}

void table_assert_equal(const struct pct *a, const struct pct *b)
{
    g_assert_cmpuint(a->nr_partitions, ==, b->nr_partitions);
    for (uint32_t i = 0; i < a->nr_partitions; i++) {
        g_assert_cmpuint(a->partitions[i].id, ==, b->partitions[i].id);
        g_assert_cmpstr(a->partitions[i].name, ==, b->partitions[i].name);
    }
    g_assert_cmpuint(a->nr_queues, ==, b->nr_queues);
    for (uint32_t i = 0; i < a->nr_queues; i++) {
        const struct pct_queue *x = &a->queues[i];
        const struct pct_queue *y = &b->queues[i];

        g_assert_cmpuint(x->id, ==, y->id);
        g_assert_cmpuint(x->peers[0], ==, y->peers[0]);
        g_assert_cmpuint(x->peers[1], ==, y->peers[1]);
        g_assert_cmpuint(x->nframes, ==, y->nframes);
        g_assert_cmpuint(x->frame_size, ==, y->frame_size);
        g_assert_cmpint(x->use_msi, ==, y->use_msi);
    }
    g_assert_cmpuint(a->nr_c2c, ==, b->nr_c2c);
    for (uint32_t i = 0; i < a->nr_c2c; i++) {
        const struct pct_c2c *x = &a->c2c[i];
        const struct pct_c2c *y = &b->c2c[i];

        g_assert_cmpuint(x->device, ==, y->device);
        g_assert_cmpuint(x->owner, ==, y->owner);
        g_assert_cmpuint(x->remote, ==, y->remote);
        g_assert_cmpuint(x->nframes, ==, y->nframes);
        g_assert_cmpuint(x->frame_size, ==, y->frame_size);
    }
}

void table_random(struct pct *pct, GRand *rand, uint32_t count)
{
    uint32_t id = 0;

    table_begin(pct);
    while (pct->nr_queues < count) {
        uint32_t nframes = g_rand_int_range(rand, 1, 100);
        uint32_t frame_size = 64 * g_rand_int_range(rand, 1, 100);
        uint32_t left = (PCT_MAX_NUM_IVC_QUEUES - id) / 2 -
                        (count - pct->nr_queues + 1) / 2;
        uint32_t a = g_rand_int_range(rand, 2, 5);
        uint32_t b = 2 + (a - 2 + g_rand_int_range(rand, 0, 3)) % 3;

        /* Ids in pairs, with gaps as long as there is room. */
        if (left > 0 && g_rand_boolean(rand)) {
            id += 2;
        }
        table_add(pct, id, a, b, nframes, frame_size);
        table_add(pct, id + 1, a, b, nframes, frame_size);
        pct->queues[pct->nr_queues - 1].use_msi = g_rand_boolean(rand);
        id += 2;
    }
    for (int i = g_rand_int_range(rand, 0, PCT_MAX_NUM_C2C + 1); i > 0; i--) {
        table_add_c2c(pct, pct->nr_c2c * 6 + g_rand_int_range(rand, 0, 6),
                      g_rand_int_range(rand, 2, 5),
                      g_rand_int_range(rand, 0, PCT_C2C_MAX_DEVICE + 1),
                      g_rand_int_range(rand, 1, 100),
                      64 * g_rand_int_range(rand, 1, 100));
    }
}
