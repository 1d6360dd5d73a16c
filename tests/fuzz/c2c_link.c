/* SPDX-License-Identifier: MIT */
/*
 * A hostile chip: the input is what it sends, from the first byte on. Messages
 * go on to a channel whose guest wants to be connected. Whatever comes, what
 * is sent in return stays bounded, and credit within the queue.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "c2c-channel.h"
#include "c2c-proto.h"
#include "ivc/ivc.h"
#include "ivc_geometry.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NFRAMES 3u
#define FRAME_SIZE 64u
#define DIRECTION (IVC_DIRECTION_HEADER + NFRAMES * FRAME_SIZE)

static _Alignas(64) uint8_t direction[2][DIRECTION];
static _Alignas(64) struct c2c_channel channel;
static struct ivc guest;

static void must(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void on_interrupt(void *opaque)
{
    (void)opaque;
}

/* The guest goes on by the table, and moves a frame each way. */
static void guest_acts(void)
{
    const void *received;
    void *frame;
    bool bell = false;

    ivc_settle(&guest, ivc_peer_state(&guest));
    ivc_step(&guest, ivc_peer_state(&guest));
    if (ivc_rx_frame(&guest, &received) == IVC_OK) {
        ivc_rx_advance(&guest, &bell);
    }
    if (ivc_tx_frame(&guest, &frame) == IVC_OK) {
        ivc_tx_advance(&guest, &bell);
    }
    c2c_channel_rung(&channel);
}

/* All that is due is sent, as a link that takes everything would. */
static void send_all(void)
{
    struct c2c_due due = c2c_channel_due(&channel);
    unsigned count = 0;

    while (due.type != 0) {
        c2c_channel_sent(&channel, &due);
        due = c2c_channel_due(&channel);
        /* An end, an offer, credit, and what is in the ring. */
        must(++count <= 3 * (NFRAMES + 3));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct pct_c2c table = {
        .device = 5, .remote = 7, .nframes = NFRAMES, .frame_size = FRAME_SIZE,
    };
    static uint8_t buffer[C2C_MAX_CONTROL];
    struct c2c c2c;
    size_t at = 0;

    must(c2c_buffer_size(&table, 1) <= sizeof(buffer));
    memset(direction, 0, sizeof(direction));
    c2c_init(&c2c, &table, 1, buffer);
    c2c_channel_init(&channel, direction[0], direction[1], NFRAMES, FRAME_SIZE,
                     on_interrupt, NULL);
    c2c_channel_set_open(&channel, true);
    ivc_attach(&guest, direction[1], direction[0], NFRAMES, FRAME_SIZE);
    ivc_reset(&guest);
    guest_acts();

    while (at < size) {
        struct c2c_message message;
        size_t used = c2c_feed(&c2c, data + at, size - at, &message);

        must(used > 0 && used <= size - at);
        at += used;
        if (message.type == C2C_HELLO) {
            c2c_channel_connect(&channel);
        } else if (message.type >= C2C_OPEN) {
            const char *wrong = c2c_channel_take(&channel, &message);

            if (wrong) {
                c2c_end(&c2c, 0, wrong);
            }
        }
        must(channel.credit <= NFRAMES && channel.granted <= NFRAMES);
        must(channel.lost == 0);
        send_all();
        guest_acts();
        send_all();
    }
    if (c2c.state == C2C_ENDED) {
        must(c2c.error[0] != '\0');
    }
    c2c_channel_cut(&channel, c2c.errors);
    guest_acts();
    must(c2c_channel_due(&channel).type == 0);
    return 0;
}
