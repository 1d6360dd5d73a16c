/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Faults in a queue device: what a tester sets over QMP, and what becomes of a
 * doorbell meanwhile. docs/specs/faults.md is the specification.
 */
#ifndef VSOC_HV_FAULT_H
#define VSOC_HV_FAULT_H

#include "qemu/timer.h"
#include "qobject/qdict.h"
#include "qobject/qlist.h"

#include "fault.h"

typedef struct HvPciState HvPciState;

/* The doorbells of one queue, one way, that are late. */
typedef struct HvFaultLate {
    HvPciState *device;
    unsigned slot;
    bool in;
    QEMUTimer *timer;       /* NULL: none ever was */
    int64_t last_ms;        /* when the last of them is due */
} HvFaultLate;

typedef struct HvFaults {
    struct faults active;
    HvFaultLate *late;      /* [2 * slots], since the first delay; or NULL */
    QEMUTimer *look;        /* for frames that do not ring; or NULL */
} HvFaults;

/* What was done to a queue. */
typedef struct HvFaultCounters {
    uint64_t dropped;
    uint64_t delayed;
    uint64_t duplicated;
    uint64_t spurious;
    uint64_t corrupted;
} HvFaultCounters;

/* A doorbell while there are faults: comes through or not, now or later. */
void hv_fault_doorbell(HvPciState *s, unsigned slot, bool in);

/* The properties. */
bool hv_fault_set(HvPciState *s, const QDict *dict, Error **errp);
QList *hv_fault_list(HvPciState *s);
void hv_fault_show(const HvFaultCounters *counters, QDict *dict);

void hv_fault_cleanup(HvPciState *s);

#endif
