/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The list of active faults. */
#include "fault.h"

#include <stddef.h>

bool fault_add(struct faults *faults, const struct fault *fault)
{
    if (faults->nr == FAULT_MAX) {
        return false;
    }
    faults->list[faults->nr] = *fault;
    faults->list[faults->nr].hits = 0;
    faults->list[faults->nr].id = ++faults->last_id;
    faults->nr++;
    return true;
}

/* Keeps those that `keep` says, in their order. */
static void sift(struct faults *faults,
                 bool (*keep)(const struct fault *fault, const void *opaque),
                 const void *opaque)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < faults->nr; i++) {
        if (keep(&faults->list[i], opaque)) {
            faults->list[kept++] = faults->list[i];
        }
    }
    faults->nr = kept;
}

struct choice {
    int slot;
    int in;
};

static bool is_not_chosen(const struct fault *fault, const void *opaque)
{
    const struct choice *choice = opaque;

    return (choice->slot >= 0 && fault->slot != (unsigned)choice->slot) ||
           (choice->in >= 0 && fault->in != (choice->in != 0));
}

void fault_clear(struct faults *faults, int slot, int in)
{
    const struct choice choice = { .slot = slot, .in = in };

    sift(faults, is_not_chosen, &choice);
}

static bool is_active(const struct fault *fault, const void *opaque)
{
    const int64_t *now_ms = opaque;

    return fault->left > 0 && *now_ms < fault->until_ms;
}

void fault_expire(struct faults *faults, int64_t now_ms)
{
    sift(faults, is_active, &now_ms);
}

void fault_hit(struct fault *fault)
{
    fault->hits++;
    if (fault->left != FAULT_ENDLESS) {
        fault->left--;
    }
}

struct fault_verdict fault_doorbell(struct faults *faults, unsigned slot,
                                    bool in, int64_t now_ms)
{
    struct fault_verdict verdict = { .drop = false };

    for (unsigned i = 0; i < faults->nr; i++) {
        struct fault *fault = &faults->list[i];

        if (fault->slot != slot || fault->in != in ||
            fault->kind == FAULT_FRAME || !is_active(fault, &now_ms)) {
            continue;
        }
        fault_hit(fault);
        verdict.drop = fault->kind == FAULT_DROP;
        verdict.duplicate = fault->kind == FAULT_DUPLICATE;
        verdict.delay_ms = fault->kind == FAULT_DELAY ? fault->delay_ms : 0;
        break;
    }
    return verdict;
}
