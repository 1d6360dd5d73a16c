/* SPDX-License-Identifier: MIT */
/*
 * hv-ivc and hv-c2c as a guest sees them: PCI identity, BARs, registers.
 * docs/specs/hv-ivc.md and hv-c2c.md are the specification. Compiles in the
 * kernel and QEMU.
 */
#ifndef VSOC_HV_IVC_REGS_H
#define VSOC_HV_IVC_REGS_H

#define HV_IVC_PCI_VENDOR_ID 0x1234     /* QEMU's experimental vendor id */
#define HV_IVC_PCI_DEVICE_ID 0x4956     /* "IV" */
#define HV_C2C_PCI_DEVICE_ID 0x4332     /* "C2": the same but for the below */
#define HV_IVC_PCI_REVISION  1

#define HV_IVC_BAR_REGS  0      /* registers and info page, 32-bit */
#define HV_IVC_BAR_MSIX  1      /* MSI-X table and PBA, 32-bit */
#define HV_IVC_BAR_AREAS 2      /* queue areas, 64-bit prefetchable */
#define HV_IVC_BAR_NOTI  4      /* notification pages, 64-bit */

/* BAR0: aligned 32-bit accesses. */
#define HV_IVC_REG_ID        0x00   /* RO HV_IVC_ID */
#define HV_IVC_REG_VERSION   0x04   /* RO HV_IVC_VERSION */
#define HV_IVC_REG_PARTITION 0x08   /* RO partition (VM) id */
#define HV_IVC_REG_LINK      0x0c   /* RO HV_IVC_LINK_* */
#define HV_IVC_REG_NR_QUEUES 0x10   /* RO queues of this partition */
#define HV_IVC_REG_INFO      0x14   /* RO offset of the info page in BAR0 */
#define HV_IVC_REG_INFO_SIZE 0x18   /* RO bytes of the info page in use */
#define HV_IVC_REG_PANIC     0x1c   /* WO the guest's kernel has panicked */
/* RW one register a queue, in the info page's order: HV_IVC_ENDPOINT_OPEN */
#define HV_IVC_REG_ENDPOINT(slot) (0x1000 + 4 * (slot))

#define HV_IVC_ID      0x43564948   /* "HIVC" */
#define HV_C2C_ID      0x43324348   /* "HC2C" */
#define HV_IVC_VERSION 0x00010000   /* major << 16 | minor */

#define HV_IVC_LINK_UP 0x1          /* ivshmem-server, or the far chip, is there */
#define HV_IVC_ENDPOINT_OPEN 0x1    /* this queue is held open here */

#define HV_IVC_INFO_OFFSET 0x10000
#define HV_IVC_BAR_REGS_SIZE 0x20000

/* Areas and notification pages lie apart by the largest guest page size. */
#define HV_IVC_PAGE 0x10000

/* In a notification page: the same words as NVIPC_IVC_NOTI_*. */
#define HV_IVC_NOTI_RING   0x0      /* WO notify the peer; reads 0 */
#define HV_IVC_NOTI_STATUS 0x4      /* RO status of the far end */

/* The status of an end of a queue: state, and how often it was left. */
#define HV_IVC_STATE_MASK    0x3u
#define HV_IVC_STATE_UNKNOWN 0u
#define HV_IVC_STATE_OPEN    1u
#define HV_IVC_STATE_GONE    2u
#define HV_IVC_ERRORS_SHIFT  4      /* hv-c2c: why it was left, HV_C2C_ERROR_* */
#define HV_IVC_ERRORS_MASK   0xfu
#define HV_IVC_GEN_SHIFT     8

/* The API's asynchronous error bits, in their order. */
#define HV_C2C_ERROR_TRANSFER   0x1u    /* messages were lost or repeated */
#define HV_C2C_ERROR_LINK       0x2u    /* the connection broke */
#define HV_C2C_ERROR_VALIDATION 0x8u    /* a violation, or a refusal */

#endif
