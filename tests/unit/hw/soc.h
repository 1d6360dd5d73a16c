/* SPDX-License-Identifier: MIT */
/* A small SoC for the tests of hw/: a table, its layout and its views. */
#ifndef VSOC_TESTS_HW_SOC_H
#define VSOC_TESTS_HW_SOC_H

#include <string.h>

#include "pct_layout.h"

/* Partitions A, B and C; A and B share two queues, A has a loopback pair. */
enum { PARTITION_A = 2, PARTITION_B = 3, PARTITION_C = 9 };

/* Slots as A sees them. */
enum { A_B0, A_C, A_LOOP0, A_LOOP1, A_B1, A_NR };
/* As B and C see them. */
enum { B_A0, B_C, B_A1, B_NR };
enum { C_A, C_B, C_NR };

struct soc {
    struct pct pct;
    struct pct_layout layout;
    struct pct_view a, b, c;
    struct pct_board board;
};

static inline void soc_init(struct soc *soc)
{
    static const struct pct_queue queues[] = {
        { .id = 5, .peers = { PARTITION_A, PARTITION_B } },
        { .id = 6, .peers = { PARTITION_C, PARTITION_A } },
        { .id = 7, .peers = { PARTITION_B, PARTITION_C } },
        { .id = 8, .peers = { PARTITION_A, PARTITION_A } },
        { .id = 9, .peers = { PARTITION_A, PARTITION_A } },
        { .id = 300, .peers = { PARTITION_B, PARTITION_A } },
    };

    memset(soc, 0, sizeof(*soc));
    soc->pct.nr_partitions = 3;
    soc->pct.partitions[0] = (struct pct_partition) { "A", PARTITION_A };
    soc->pct.partitions[1] = (struct pct_partition) { "B", PARTITION_B };
    soc->pct.partitions[2] = (struct pct_partition) { "C", PARTITION_C };
    for (unsigned i = 0; i < sizeof(queues) / sizeof(queues[0]); i++) {
        struct pct_queue *queue = &soc->pct.queues[soc->pct.nr_queues++];

        *queue = queues[i];
        queue->nframes = 4;
        queue->frame_size = 64;
    }
    pct_layout(&soc->pct, &soc->layout);
    pct_view(&soc->pct, &soc->layout, PARTITION_A, &soc->a);
    pct_view(&soc->pct, &soc->layout, PARTITION_B, &soc->b);
    pct_view(&soc->pct, &soc->layout, PARTITION_C, &soc->c);
}

#endif
