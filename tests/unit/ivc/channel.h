/* SPDX-License-Identifier: MIT */
/* A channel in an array, and its two ends, for the ring's tests. */
#ifndef VSOC_TEST_CHANNEL_H
#define VSOC_TEST_CHANNEL_H

#include <glib.h>
#include <stdlib.h>
#include <string.h>

#include "ivc/ivc.h"
#include "ivc_geometry.h"

struct channel {
    uint32_t nframes;
    uint32_t frame_size;
    uint8_t *direction[2];      /* end e receives in direction[e] */
    struct ivc end[2];
};

static inline struct ivc_header *header(struct channel *channel, unsigned i)
{
    return (struct ivc_header *)channel->direction[i];
}

static inline void attach(struct channel *channel, unsigned e)
{
    ivc_attach(&channel->end[e], channel->direction[e],
               channel->direction[!e], channel->nframes, channel->frame_size);
}

static inline struct channel *channel_new(uint32_t nframes,
                                          uint32_t frame_size)
{
    struct channel *channel = aligned_alloc(64, sizeof(*channel));
    size_t size = ivc_direction_size(nframes, frame_size);

    g_assert_nonnull(channel);
    g_assert_true(ivc_geometry_ok(nframes, frame_size));
    memset(channel, 0, sizeof(*channel));
    channel->nframes = nframes;
    channel->frame_size = frame_size;
    for (unsigned i = 0; i < 2; i++) {
        /* Of exactly its size: a sanitizer sees a byte beyond. */
        channel->direction[i] = aligned_alloc(64, size);
        g_assert_nonnull(channel->direction[i]);
        memset(channel->direction[i], 0, size);
    }
    attach(channel, 0);
    attach(channel, 1);
    return channel;
}

static inline void channel_free(struct channel *channel)
{
    free(channel->direction[0]);
    free(channel->direction[1]);
    free(channel);
}

/* One look at the peer, with nothing known of deaths. */
static inline enum ivc_step look(struct channel *channel, unsigned e)
{
    uint32_t peer = ivc_peer_state(&channel->end[e]);

    ivc_settle(&channel->end[e], peer);
    return ivc_step(&channel->end[e], peer);
}

static inline void connect(struct channel *channel)
{
    ivc_reset(&channel->end[0]);
    ivc_reset(&channel->end[1]);
    for (unsigned i = 0; i < 4; i++) {
        look(channel, i % 2);
    }
    g_assert_true(channel->end[0].up);
    g_assert_true(channel->end[1].up);
}

/* Sends one frame full of `value`. */
static inline enum ivc_status send(struct channel *channel, unsigned e,
                                   uint32_t value, bool *bell)
{
    void *frame;
    enum ivc_status status = ivc_tx_frame(&channel->end[e], &frame);

    if (status != IVC_OK) {
        return status;
    }
    for (uint32_t i = 0; i < channel->frame_size / 4; i++) {
        ((uint32_t *)frame)[i] = value;
    }
    return ivc_tx_advance(&channel->end[e], bell);
}

/* Takes one frame, all of which must hold the same value. */
static inline enum ivc_status receive(struct channel *channel, unsigned e,
                                      uint32_t *value, bool *bell)
{
    const void *frame;
    enum ivc_status status = ivc_rx_frame(&channel->end[e], &frame);

    if (status != IVC_OK) {
        return status;
    }
    *value = *(const uint32_t *)frame;
    for (uint32_t i = 0; i < channel->frame_size / 4; i++) {
        g_assert_cmpuint(((const uint32_t *)frame)[i], ==, *value);
    }
    return ivc_rx_advance(&channel->end[e], bell);
}

#endif
