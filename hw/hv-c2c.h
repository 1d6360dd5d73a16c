/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Channels to another chip as a PCI device: QOM type and state. */
#ifndef VSOC_HV_C2C_H
#define VSOC_HV_C2C_H

#include "chardev/char-fe.h"
#include "exec/memory.h"
#include "qemu/main-loop.h"
#include "qemu/notify.h"
#include "qemu/timer.h"
#include "qom/object.h"

#include "c2c-channel.h"
#include "c2c-proto.h"
#include "hv-pci.h"

#define TYPE_HV_C2C "hv-c2c"
OBJECT_DECLARE_SIMPLE_TYPE(HvC2cState, HV_C2C)

/* What a channel tells us of comes with this. */
typedef struct HvC2cSlot {
    HvC2cState *c2c;
    unsigned slot;
} HvC2cSlot;

struct HvC2cState {
    HvPciState hv;          /* its table is that of our channels, by slot */

    /* properties */
    CharBackend link_chr;
    char *devices;
    uint32_t keepalive_ms;

    /* the channels, by slot */
    MemoryRegion memory;
    struct pct_c2c table[PCT_MAX_NUM_C2C];
    struct c2c_channel *channels;
    HvC2cSlot slots[PCT_MAX_NUM_C2C];

    /* the link */
    bool connected;         /* the chardev is */
    bool up;                /* and the peer has said a HELLO that fits */
    bool cut;               /* a tester has pulled the cable */
    struct c2c proto;
    uint8_t *in;            /* the message that comes in */
    uint8_t *out;           /* what goes out, from out_done to out_size */
    size_t out_capacity;
    size_t out_done;
    size_t out_size;
    unsigned turn;          /* whose channel's turn it is to send */
    guint watch;            /* waits for the chardev to take more; or 0 */
    QEMUBH *send_bh;        /* goes on sending after a fair share */
    QEMUBH *hang_up_bh;     /* not inside the chardev's own call */
    QEMUTimer *keepalive;
    int64_t last_in_ms;
    int64_t last_out_ms;
    char *link_error;       /* why it is down; or "" */
    uint64_t connections;

    Notifier shutdown_notifier;
};

#endif
