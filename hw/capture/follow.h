/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Follows one channel in memory that others write: new frames, changes of
 * state and losses come out as records. Loads only, never stores.
 *
 * Pure: no allocation, no clock, no output. The ends may be hostile, may die
 * and may go on meanwhile: whatever the words say, no access leaves the
 * channel's own memory, and each look ends.
 */
#ifndef VSOC_FOLLOW_H
#define VSOC_FOLLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "capture_record.h"
#include "ivc/ivc_wire.h"

/* One direction; what stands here is private, nothing of it is shared. */
struct follow_way {
    const struct ivc_header *header;    /* and the frames behind it */
    uint32_t next;              /* sequence of the frame to come */
    uint32_t position;          /* its place; an index, so never the peers' */
    uint64_t frames;            /* captured */
    uint64_t lost;
};

struct follow {
    uint32_t queue;
    uint32_t nframes;
    uint32_t frame_size;
    uint8_t partition[2];
    const uint32_t *status[2];  /* of the ends, in the board page */
    struct follow_way ways[2];  /* [0]: end 0 sends */
    uint32_t states_seen[2];
    uint32_t status_seen[2];
    bool begun;
    uint64_t resets;            /* times that a direction's count went back */
};

/*
 * Takes one record; frame has as many bytes as the buffer of follow_look(),
 * or all of the frame if that is less. NULL unless it is one of a frame.
 */
typedef void follow_emit(void *opaque, const struct capture_record *record,
                         const void *frame);

/*
 * Looks once. Returns whether there was anything. buffer is room for the
 * first size bytes of a frame; size is a multiple of 8.
 */
bool follow_look(struct follow *follow, uint64_t *buffer, size_t size,
                 follow_emit *emit, void *opaque);

#endif
