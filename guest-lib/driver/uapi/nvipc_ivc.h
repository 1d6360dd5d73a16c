/* SPDX-License-Identifier: MIT */
/*
 * The user interface of /dev/ivc<id> and /dev/c2c<device>, one node a queue.
 * See docs/specs/ioctls.md.
 */
#ifndef VSOC_NVIPC_IVC_H
#define VSOC_NVIPC_IVC_H

#include <linux/ioctl.h>
#include <linux/types.h>

#ifdef __KERNEL__
#include <linux/build_bug.h>
#include <linux/stddef.h>
#else
#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#endif

/* How the peer of a queue is notified (nvipc_ivc_info.noti_type). */
#define NVIPC_IVC_NOTI_NONE 0
#define NVIPC_IVC_NOTI_TRAP 1
#define NVIPC_IVC_NOTI_MSI  2

/* The board's layout: do not change. */
struct nvipc_ivc_info {
	__u32 nframes;
	__u32 frame_size;	/* bytes */
	__u32 queue_offset;	/* of the queue in its area, bytes */
	__u32 queue_size;	/* of ONE direction, bytes */
	__u32 area_size;	/* bytes; what mmap at offset 0 takes */
	bool  rx_first;		/* true: we receive in the first direction */
	__u64 noti_ipa;		/* where a store notifies the peer */
	__u16 noti_irq;
	__u16 noti_type;	/* NVIPC_IVC_NOTI_* */
};

static_assert(offsetof(struct nvipc_ivc_info, rx_first) == 20, "rx_first");
static_assert(offsetof(struct nvipc_ivc_info, noti_ipa) == 24, "noti_ipa");
static_assert(offsetof(struct nvipc_ivc_info, noti_irq) == 32, "noti_irq");
static_assert(offsetof(struct nvipc_ivc_info, noti_type) == 34, "noti_type");
static_assert(sizeof(struct nvipc_ivc_info) == 40, "nvipc_ivc_info");

#define NVIPC_IVC_IOCTL_MAGIC 0xAA

#define NVIPC_IVC_IOCTL_GET_INFO \
	_IOWR(NVIPC_IVC_IOCTL_MAGIC, 1, struct nvipc_ivc_info)
#define NVIPC_IVC_IOCTL_NOTIFY_REMOTE _IO(NVIPC_IVC_IOCTL_MAGIC, 2)
#define NVIPC_IVC_IOCTL_GET_VMID _IOR(NVIPC_IVC_IOCTL_MAGIC, 3, __u32)

/*
 * Ours, not the board's: signal this eventfd at every notification, or stop
 * (-1). poll() on the node reports a batch once and so consumes it; an eventfd
 * stays readable until it is drained, which epoll and select both need.
 */
#define NVIPC_IVC_IOCTL_SET_EVENTFD _IOW(NVIPC_IVC_IOCTL_MAGIC, 0x40, __s32)

/*
 * The notification page, mapped at offset area_size (one page). Aligned 32-bit
 * accesses only.
 */
#define NVIPC_IVC_NOTI_RING   0x0	/* write any value: notify the peer */
#define NVIPC_IVC_NOTI_STATUS 0x4	/* read: the far end, as below (ours) */

/* NVIPC_IVC_NOTI_STATUS: what the hypervisor knows of the far end. */
#define NVIPC_IVC_FAR_STATE      0x3u
#define NVIPC_IVC_FAR_UNKNOWN    0u	/* nothing was said yet */
#define NVIPC_IVC_FAR_OPEN       1u	/* somebody holds it open */
#define NVIPC_IVC_FAR_GONE       2u	/* who held it has died or closed it */
#define NVIPC_IVC_FAR_ERR_SHIFT  4	/* bits 7..4, chip-to-chip: why it went */
#define NVIPC_IVC_FAR_ERR_MASK   0xfu	/* NV_SCI_ASYNC_PCIE_*; 0 a mere close */
#define NVIPC_IVC_FAR_GEN_SHIFT  8	/* bits 31..8: departures, modulo 2^24 */

#endif
