/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When to rest. */
#include "pace.h"

uint64_t pace_rest(struct pace *pace, uint64_t now, bool news)
{
    uint64_t worked = now - pace->since;
    /* Time in which somebody else had the CPU counts as ours: so be it. */
    uint64_t owed = worked * (100 - pace->percent) / pace->percent;
    uint64_t idle, rest;

    if (news) {
        pace->news = now;
    }
    idle = now - pace->news;
    if (idle < PACE_PATIENCE) {
        return worked < PACE_SLICE ? 0 : owed;
    }
    rest = idle / 8;
    if (rest < PACE_MIN_REST) {
        rest = PACE_MIN_REST;
    }
    if (rest > PACE_MAX_REST) {
        rest = PACE_MAX_REST;
    }
    return rest > owed ? rest : owed;
}

void pace_resume(struct pace *pace, uint64_t now)
{
    pace->since = now;
}
