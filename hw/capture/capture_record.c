/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The record's bytes: little-endian whatever the host is. */
#include "capture_record.h"

#include <string.h>

static void put32(uint8_t *bytes, uint32_t value)
{
    for (unsigned i = 0; i < 4; i++) {
        bytes[i] = (uint8_t)(value >> (8 * i));
    }
}

void capture_record_encode(const struct capture_record *record,
                           uint8_t bytes[CAPTURE_RECORD_SIZE])
{
    memset(bytes, 0, CAPTURE_RECORD_SIZE);
    bytes[0] = CAPTURE_VERSION;
    bytes[1] = record->kind;
    bytes[2] = record->direction;
    bytes[3] = record->flags;
    put32(bytes + 4, record->queue);
    put32(bytes + 8, record->sequence);
    put32(bytes + 12, record->lost);
    put32(bytes + 16, record->tx_count);
    put32(bytes + 20, record->rx_count);
    for (unsigned end = 0; end < 2; end++) {
        put32(bytes + 24 + 4 * end, record->state[end]);
        put32(bytes + 32 + 4 * end, record->status[end]);
        bytes[40 + end] = record->partition[end];
    }
    put32(bytes + 44, record->frame_size);
}
