/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Queues as a guest sees them: what the PCI devices have in common.
 *
 * An abstract device with the BARs, the info page, MSI-X, the table and what
 * QMP shows. A device derived from it says where the areas lie, and what a
 * ring and an opened or closed queue mean. Everything runs under the big QEMU
 * lock.
 */
#ifndef VSOC_HV_PCI_H
#define VSOC_HV_PCI_H

#include "exec/memory.h"
#include "hw/pci/pci_device.h"
#include "qobject/qdict.h"
#include "qom/object.h"

#include "../guest-lib/ivc/ivc_wire.h"
#include "../pct/pct_layout.h"
#include "hv-fault.h"

#define TYPE_HV_PCI "hv-pci"
OBJECT_DECLARE_TYPE(HvPciState, HvPciClass, HV_PCI)

/* One queue of our partition. */
typedef struct HvPciSlot {
    bool open;              /* what the guest wrote to ENDPOINT */
    uint64_t rings_out;     /* stores to RING */
    uint64_t rings_in;      /* doorbells that came for it */
    uint64_t interrupts;    /* MSI-X messages, for whatever reason */
    HvFaultCounters faults;
} HvPciSlot;

struct HvPciState {
    PCIDevice parent_obj;

    /* properties */
    char *pct_path;
    char *partition_name;

    /* the table, set by realize and constant from then on */
    struct pct pct;
    struct pct_layout layout;
    struct pct_view view;

    bool panicked;          /* and said so, since the last reset */

    uint8_t *base;          /* of the areas, layout.total bytes; or NULL */

    /* what the guest sees */
    MemoryRegion regs_bar;
    MemoryRegion areas_bar;
    MemoryRegion *areas;    /* aliases of the memory, one an area */
    MemoryRegion noti_bar;
    HvPciSlot slots[PCT_MAX_NUM_IVC_QUEUES];
    uint8_t *info;          /* the info page, written for these bases: */
    uint64_t info_area_base;
    uint64_t info_noti_base;

    HvFaults faults;        /* what a tester has asked for */

    Error *migration_blocker;
};

struct HvPciClass {
    PCIDeviceClass parent_class;

    uint32_t id;            /* what the register ID reads */
    bool (*link_up)(HvPciState *s);
    /* A tester pulls the cable, or puts it back. */
    void (*set_link)(HvPciState *s, bool up);
    /* The guest stored to RING. */
    void (*ring)(HvPciState *s, unsigned slot);
    /* slots[slot].open has changed. */
    void (*set_open)(HvPciState *s, unsigned slot);
    /* The register STATUS. */
    uint32_t (*far_status)(HvPciState *s, unsigned slot);
    /* Its interrupt is about to be raised; or NULL. */
    void (*interrupting)(HvPciState *s, unsigned slot);
    /* Adds what only this device knows of a queue to what QMP shows. */
    void (*show)(HvPciState *s, unsigned slot, QDict *dict);
};

/* Steps of realize, in this order; each returns false after setting errp. */

/* The properties are there; reads the table and judges it. */
bool hv_pci_read_table(HvPciState *s, Error **errp);

/* Sets view.partition from the property. */
bool hv_pci_choose_partition(HvPciState *s, Error **errp);

/* Lays out the table, or what the device has made of it, for the partition. */
void hv_pci_view(HvPciState *s);

bool hv_pci_init_msix(HvPciState *s, Error **errp);

/* memory holds the areas at their places of the layout; s->base is set. */
bool hv_pci_init_bars(HvPciState *s, MemoryRegion *memory, Error **errp);

/* Undoes what realize did up to any point; memory regions go with us. */
void hv_pci_cleanup(HvPciState *s);

/* ---- for a running device ---- */

const char *hv_pci_partition_name(HvPciState *s);
uint32_t hv_pci_queue_id(HvPciState *s, unsigned slot);

/* A doorbell has come for the slot: interrupts, but for faults. */
void hv_pci_doorbell(HvPciState *s, unsigned slot);

/* Raises the slot's MSI-X vector in the guest. */
void hv_pci_interrupt(HvPciState *s, unsigned slot);

/* A direction of a slot's queue: the one that its guest receives in, or not. */
struct ivc_header *hv_pci_direction(HvPciState *s, unsigned slot, bool rx);

#endif
