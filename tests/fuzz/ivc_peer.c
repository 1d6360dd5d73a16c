/* SPDX-License-Identifier: MIT */
/*
 * Fuzz target: one end of a channel whose peer writes what it likes, when it
 * likes, in all of the memory. The input is a program for the two of them.
 *
 * No byte outside the two directions is touched (a sanitizer says so), each call
 * ends, and positions stay in range.
 */
#include <stdlib.h>
#include <string.h>

#include "ivc/ivc.h"
#include "ivc_geometry.h"

#define FRAME_SIZE 64u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition) {
        abort();
    }
}

/* 0x00-0x0f: a call of ours; else a word of the memory, and its new value. */
static void step(struct ivc *ivc, uint8_t op)
{
    static uint8_t copy[FRAME_SIZE];
    uint32_t position = ivc->rx.position;
    const void *read;
    void *write;
    bool bell;

    switch (op) {
    case 0:
        ivc_reset(ivc);
        break;
    case 1:
        ivc_settle(ivc, ivc_peer_state(ivc));
        break;
    case 2:
        ivc_step(ivc, ivc_peer_state(ivc));
        require(ivc->up == (ivc->state == IVC_ESTABLISHED && ivc->joined &&
                            !ivc->owes_sync));
        break;
    case 3:
        if (ivc_tx_frame(ivc, &write) == IVC_OK) {
            memset(write, op, FRAME_SIZE);
        }
        break;
    case 4:
        ivc_tx_advance(ivc, &bell);
        break;
    case 5:
        if (ivc_rx_frame(ivc, &read) == IVC_OK) {
            memcpy(copy, read, FRAME_SIZE);
        }
        break;
    case 6:
        if (ivc_rx_advance(ivc, &bell) == IVC_OK) {
            require(ivc->rx.position == (position + 1) % ivc->nframes);
        }
        break;
    case 7:
        ivc_rx_discard(ivc);
        break;
    case 8:
        ivc_tx_drained(ivc);
        break;
    case 9:
        if (ivc->up) {
            ivc_desert(ivc);
            require(!ivc->up);
        }
        break;
    }
    require(ivc->tx.position < ivc->nframes);
    require(ivc->rx.position < ivc->nframes);
    require(ivc->state <= IVC_ACK || !ivc->joined);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = data + size;
    uint32_t nframes, bytes;
    uint8_t *directions[2];
    struct ivc *ivc;

    if (size < 2) {
        return 0;
    }
    nframes = 1 + *data++ % 8;
    bytes = ivc_direction_size(nframes, FRAME_SIZE);
    ivc = aligned_alloc(64, sizeof(*ivc));
    for (unsigned i = 0; i < 2; i++) {
        directions[i] = aligned_alloc(64, bytes);
        require(directions[i] != NULL);
        memset(directions[i], 0, bytes);
    }
    require(ivc != NULL);
    /* What an end before us may have left. */
    ((struct ivc_header *)directions[1])->tx_state = *data++;
    ivc_attach(ivc, directions[0], directions[1], nframes, FRAME_SIZE);
    while (data < end) {
        uint8_t op = *data++;

        if (op < 0x10) {
            step(ivc, op);
        } else if (end - data >= 4) {
            /* The six words of the headers, and now and then a frame's. */
            static const unsigned words[] = { 0, 4, 64, 128 };
            uint32_t value;

            memcpy(&value, data, 4);
            data += 4;
            if (op & 0x80) {
                value = (op & 0x40 ? ivc->rx.count : ivc->tx.count) +
                        (value & 15) - 7;
            }
            memcpy(directions[op & 1] + words[(op >> 1) & 3], &value, 4);
        }
    }
    free(directions[0]);
    free(directions[1]);
    free(ivc);
    return 0;
}
