/* SPDX-License-Identifier: MIT */
/*
 * The IVC info page: what the hypervisor tells a guest of its queues.
 * Little-endian. Compiles in the kernel, in QEMU and in user space.
 */
#ifndef VSOC_IVC_INFO_PAGE_H
#define VSOC_IVC_INFO_PAGE_H

#ifdef __KERNEL__
#include <linux/build_bug.h>
#include <linux/stddef.h>
#include <linux/types.h>
#else
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#endif

#define IVC_INFO_PAGE_SIZE 0x10000u

/* Ours: peers[1] of a channel to another chip, + the remote device number. */
#define IVC_INFO_C2C_PEER 0x100u

/* followed by areas[nr_areas], queues[nr_queues], mempools[nr_mempools] */
struct ivc_info_page {
    uint32_t nr_queues;
    uint32_t nr_areas;
    uint32_t nr_mempools;
    uint32_t padding;
    uint64_t trap_region_base_ipa;
    uint64_t trap_region_size;
    uint64_t trap_ipa_stride;
    uint64_t msi_region_base_ipa;
    uint64_t msi_region_size;
    uint64_t msi_ipa_stride;
};

/*
 * Ours: areas[i] is the area of queues[i], so nr_areas == nr_queues; the two
 * queues of a loopback pair name the same area.
 */
struct ivc_shared_area {
    uint64_t pa;
    uint64_t size;
    uint32_t guest;             /* the peer */
    uint16_t free_irq_start;
    uint16_t free_irq_count;
};

struct tegra_hv_queue_data {
    uint32_t id;
    uint32_t peers[2];
    uint32_t size;              /* of ONE direction, header included */
    uint32_t nframes;
    uint32_t frame_size;
    uint32_t offset;            /* of the queue in its area */
    uint16_t irq;               /* ours: MSI-X vector of this device */
    uint16_t raise_irq;         /* ours: slot in the notification region */
    uint64_t trap_ipa;          /* 0 when msi_ipa is to be used */
    uint64_t msi_ipa;           /* 0 when trap_ipa is to be used */
};

struct ivc_mempool {
    uint64_t pa;
    uint64_t size;
    uint32_t id;
    uint32_t peer_vmid;
};

static_assert(sizeof(struct ivc_info_page) == 64, "info page head");
static_assert(sizeof(struct ivc_shared_area) == 24, "area");
static_assert(offsetof(struct tegra_hv_queue_data, irq) == 28, "irq");
static_assert(offsetof(struct tegra_hv_queue_data, trap_ipa) == 32, "trap_ipa");
static_assert(sizeof(struct tegra_hv_queue_data) == 48, "queue data");
static_assert(sizeof(struct ivc_mempool) == 24, "mempool");

#endif
