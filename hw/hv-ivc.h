/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The hypervisor's IVC queues as a PCI device: QOM type and state. */
#ifndef VSOC_HV_IVC_H
#define VSOC_HV_IVC_H

#include "chardev/char-fe.h"
#include "exec/memory.h"
#include "hw/pci/pci_device.h"
#include "qemu/event_notifier.h"
#include "qemu/notify.h"
#include "qom/object.h"

#include "../pct/pct_layout.h"
#include "ivshm-proto.h"

#define TYPE_HV_IVC "hv-ivc"
OBJECT_DECLARE_SIMPLE_TYPE(HvIvcState, HV_IVC)

/* One of our own ivshmem vectors, as its file descriptor handler sees it. */
typedef struct HvIvcVector {
    HvIvcState *ivc;
    unsigned vector;
} HvIvcVector;

/* A connected QEMU: the eventfds that it listens on, vectors 0..nr - 1. */
typedef struct HvIvcPeer {
    unsigned nr_vectors;
    EventNotifier vectors[PCT_MAX_VECTORS];
} HvIvcPeer;

/* One queue of our partition. */
typedef struct HvIvcSlot {
    bool open;              /* what the guest wrote to ENDPOINT */
    uint32_t told;          /* the far end's departures we interrupted for */
    uint64_t rings_out;     /* stores to RING */
    uint64_t rings_in;      /* doorbells collected */
    uint64_t interrupts;    /* MSI-X messages, for whatever reason */
} HvIvcSlot;

struct HvIvcState {
    PCIDevice parent_obj;

    /* properties */
    CharBackend server_chr;
    char *pct_path;
    char *partition_name;

    /* the table, set by realize and constant from then on */
    struct pct pct;
    struct pct_layout layout;
    struct pct_view view;

    /* the server */
    struct ivshm server;
    uint8_t message[8];     /* the message that is coming in */
    unsigned message_bytes;
    HvIvcPeer peers[IVSHM_MAX_PEERS];   /* by ivshm's index */
    HvIvcVector vectors[PCT_MAX_VECTORS];
    int memory_fd;          /* -1 once it is the memory region's */
    uint64_t memory_size;   /* of what the server gave */
    bool link;              /* the server is there */

    /* the shared region */
    MemoryRegion memory;
    uint8_t *base;          /* mapped, layout.total bytes */
    struct pct_board *board;
    uint32_t id;            /* ours, given by the server */
    bool live;              /* the partition is ours: we speak for its ends */

    /* what the guest sees */
    MemoryRegion regs_bar;
    MemoryRegion areas_bar;
    MemoryRegion *areas;    /* aliases of the region, one an area */
    MemoryRegion noti_bar;
    HvIvcSlot slots[PCT_MAX_NUM_IVC_QUEUES];
    uint8_t *info;          /* the info page, written for these bases: */
    uint64_t info_area_base;
    uint64_t info_noti_base;

    Error *migration_blocker;
    Notifier exit_notifier;
};

#endif
