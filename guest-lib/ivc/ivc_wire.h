/* SPDX-License-Identifier: MIT */
/*
 * The IVC channel in memory: what two guests, and any other implementation
 * of the hypervisor's protocol, agree on. See docs/specs/channel.md.
 *
 * Little-endian. Compiles in the kernel, in QEMU and in user space.
 */
#ifndef VSOC_IVC_WIRE_H
#define VSOC_IVC_WIRE_H

#ifdef __KERNEL__
#include <linux/build_bug.h>
#include <linux/stddef.h>
#include <linux/types.h>
#else
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#endif

/*
 * Each of the two directions of a channel starts with this header; nframes
 * frames of frame_size bytes follow. The halves are 64 bytes each so that the
 * two writers never share a cache line.
 */
struct ivc_header {
    /* Written by the direction's transmitter only. */
    uint32_t tx_count;      /* frames sent, modulo 2^32 */
    uint32_t tx_state;      /* enum ivc_state */
    uint8_t tx_reserved[56];
    /* Written by the direction's receiver only. */
    uint32_t rx_count;      /* frames consumed, modulo 2^32 */
    uint8_t rx_reserved[60];
};

#define IVC_HEADER_SIZE 128u

/*
 * The state of the transmitter of a direction. The values are the wire's;
 * zeroed memory is therefore an established channel with empty queues.
 */
enum ivc_state {
    /* Frames move. The peer may have gone back to SYNC meanwhile. */
    IVC_ESTABLISHED = 0,
    /* Wants a reset. The peer may still be moving frames. */
    IVC_SYNC = 1,
    /* Has seen the peer's SYNC and cleared its own counts. */
    IVC_ACK = 2,
};

static_assert(sizeof(struct ivc_header) == IVC_HEADER_SIZE, "header size");
static_assert(offsetof(struct ivc_header, tx_count) == 0, "tx.count");
static_assert(offsetof(struct ivc_header, tx_state) == 4, "tx.state");
static_assert(offsetof(struct ivc_header, rx_count) == 64, "rx.count");

#endif
