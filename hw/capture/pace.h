/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * When who polls should rest, and how long: never more than a share of one
 * CPU, and hardly any when nothing happens. Pure.
 */
#ifndef VSOC_PACE_H
#define VSOC_PACE_H

#include <stdbool.h>
#include <stdint.h>

/* Nanoseconds. */
#define PACE_SLICE 200000u      /* of looking without a rest */
#define PACE_PATIENCE 50000u    /* without news, before it counts as idle */
#define PACE_MIN_REST 20000u    /* when idle */
#define PACE_MAX_REST 1000000u

struct pace {
    uint32_t percent;           /* of one CPU, 1 to 100 */
    uint64_t since;             /* the last rest ended */
    uint64_t news;              /* when there was something last */
};

/* now is a monotonic time. Returns for how long to rest; 0: go on. */
uint64_t pace_rest(struct pace *pace, uint64_t now, bool news);

/* The rest is over. */
void pace_resume(struct pace *pace, uint64_t now);

#endif
