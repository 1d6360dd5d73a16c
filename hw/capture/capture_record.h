/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The record that stands before each captured frame; docs/specs/capture.md is
 * the specification.
 */
#ifndef VSOC_CAPTURE_RECORD_H
#define VSOC_CAPTURE_RECORD_H

#include <stdint.h>

#define CAPTURE_VERSION 1u
#define CAPTURE_RECORD_SIZE 48u

enum capture_kind {
    CAPTURE_FRAME = 0,
    CAPTURE_STATE = 1,
    CAPTURE_LOSS = 2,
};

/* What a state record is there for. */
#define CAPTURE_INITIAL 0x01u           /* so it was when it all began */
#define CAPTURE_STATE_CHANGED(end) (0x02u << (end))
#define CAPTURE_STATUS_CHANGED(end) (0x08u << (end))
#define CAPTURE_COUNTS_CLEARED(direction) (0x20u << (direction))

struct capture_record {
    uint8_t kind;               /* enum capture_kind */
    uint8_t direction;          /* 0: end 0 sends */
    uint8_t flags;
    uint32_t queue;
    uint32_t sequence;
    uint32_t lost;
    uint32_t tx_count;          /* of the direction */
    uint32_t rx_count;
    uint32_t state[2];          /* of the ends */
    uint32_t status[2];
    uint8_t partition[2];
    uint32_t frame_size;
};

void capture_record_encode(const struct capture_record *record,
                           uint8_t bytes[CAPTURE_RECORD_SIZE]);

#endif
