/* SPDX-License-Identifier: MIT */
/*
 * Which (nframes, frame_size) are legal, and how many bytes they take.
 *
 * Asked by the PCT, the ring, the intra-VM backends and the driver alike, so
 * that no two of them can disagree. Compiles in the kernel, QEMU, user space.
 */
#ifndef VSOC_IVC_GEOMETRY_H
#define VSOC_IVC_GEOMETRY_H

#ifdef __KERNEL__
#include <linux/types.h>
#else
#include <stdbool.h>
#include <stdint.h>
#endif

#define IVC_FRAME_ALIGN 64u
#define IVC_DIRECTION_HEADER 128u

/* The sum below must not wrap, and info pages hold it in 32 bits. */
static inline bool ivc_geometry_ok(uint32_t nframes, uint32_t frame_size)
{
    return nframes != 0 && frame_size != 0 &&
           frame_size % IVC_FRAME_ALIGN == 0 &&
           (uint64_t)nframes * frame_size + IVC_DIRECTION_HEADER <=
               0xffffffffu;
}

/* Bytes of one direction: header and frames. Only for a legal geometry. */
static inline uint32_t ivc_direction_size(uint32_t nframes,
                                          uint32_t frame_size)
{
    return IVC_DIRECTION_HEADER + nframes * frame_size;
}

#endif
