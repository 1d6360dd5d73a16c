/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The hypervisor's IVC queues as a PCI device: QOM type and state. */
#ifndef VSOC_HV_IVC_H
#define VSOC_HV_IVC_H

#include "chardev/char-fe.h"
#include "exec/memory.h"
#include "qemu/event_notifier.h"
#include "qemu/notify.h"
#include "qom/object.h"

#include "hv-pci.h"
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

struct HvIvcState {
    HvPciState hv;

    /* the server */
    CharBackend server_chr;
    struct ivshm server;
    uint8_t message[8];     /* the message that is coming in */
    unsigned message_bytes;
    HvIvcPeer peers[IVSHM_MAX_PEERS];   /* by ivshm's index */
    HvIvcVector vectors[PCT_MAX_VECTORS];
    int memory_fd;          /* -1 once it is the memory region's */
    uint64_t memory_size;   /* of what the server gave */
    bool link;              /* the server is there */
    bool cut;               /* a tester has pulled the cable */

    /* the shared region */
    MemoryRegion memory;
    struct pct_board *board;
    uint32_t id;            /* ours, given by the server */
    bool live;              /* the partition is ours: we speak for its ends */

    /* The far ends' departures that the guest was interrupted for, by slot. */
    uint32_t told[PCT_MAX_NUM_IVC_QUEUES];

    Notifier exit_notifier;
};

#endif
