/* SPDX-License-Identifier: MIT */
/* Tables that tests begin with. */
#ifndef TESTS_PCT_TABLES_H
#define TESTS_PCT_TABLES_H

#include <glib.h>

#include "pct.h"

/* Partitions GID_A (2), GID_B (3), GID_C (4) and no queue. */
void table_begin(struct pct *pct);

/* Appends a queue; ids must rise. */
void table_add(struct pct *pct, uint32_t id, uint32_t peer0, uint32_t peer1,
               uint32_t nframes, uint32_t frame_size);

/*
 * Five queues: 0 is 255 (A, B), 1 and 2 are the loopback 256/257 of A, 3 is
 * 300 (B, C; by MSI), 4 is 301 (C, A).
 */
void table_good(struct pct *pct);

/* Appends a c2c device; numbers must rise. */
void table_add_c2c(struct pct *pct, uint32_t device, uint32_t owner,
                   uint32_t remote, uint32_t nframes, uint32_t frame_size);

/* The good table, and c2c devices 5, 6 (of A; remote 5, 7), 10 (B; 10). */
void table_chip(struct pct *pct);

/* Member by member: padding may differ. */
void table_assert_equal(const struct pct *a, const struct pct *b);

/*
 * Legal, of count queues (an even number at most 512), loopbacks among them,
 * and some c2c devices.
 */
void table_random(struct pct *pct, GRand *rand, uint32_t count);

#endif
