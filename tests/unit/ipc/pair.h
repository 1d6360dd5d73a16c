/* SPDX-License-Identifier: MIT */
/* Two endpoints on one channel in memory, and what tests do with them. */
#ifndef VSOC_TEST_PAIR_H
#define VSOC_TEST_PAIR_H

#include <errno.h>
#include <glib.h>
#include <stdlib.h>
#include <string.h>

#include "ipc/endpoint.h"
#include "ivc/ivc_wire.h"
#include "mem_link.h"
#include "nvsciipc.h"

#define READ NV_SCI_IPC_EVENT_READ
#define WRITE NV_SCI_IPC_EVENT_WRITE
#define EMPTY NV_SCI_IPC_EVENT_WRITE_EMPTY
#define EST NV_SCI_IPC_EVENT_CONN_EST
#define RESET NV_SCI_IPC_EVENT_CONN_RESET
#define ASYNC NV_SCI_IPC_EVENT_ASYNC_ERROR

#define FRAME_SIZE 64

struct pair {
    struct mem_channel *channel;
    struct endpoint *a;         /* end 0 */
    struct endpoint *b;         /* end 1 */
};

static inline struct endpoint *pair_open(struct pair *pair, unsigned end)
{
    struct conf_entry entry = mem_channel_entry(pair->channel, end);
    struct endpoint *endpoint;

    g_assert_cmpint(endpoint_open(&endpoint, &mem_link, &entry, 0), ==, 0);
    *(end == 0 ? &pair->a : &pair->b) = endpoint;
    return endpoint;
}

static inline void pair_begin(struct pair *pair, uint32_t nframes)
{
    pair->channel = mem_channel_new(nframes, FRAME_SIZE, false);
    pair_open(pair, 0);
    pair_open(pair, 1);
}

static inline void pair_end(struct pair *pair)
{
    if (pair->a) {
        endpoint_close(pair->a, false);
    }
    if (pair->b) {
        endpoint_close(pair->b, false);
    }
    mem_channel_free(pair->channel);
}

/* This end departs, and for this reason; its endpoint leaks nothing. */
static inline void pair_fail(struct pair *pair, unsigned end, uint32_t errors)
{
    struct endpoint **endpoint = end == 0 ? &pair->a : &pair->b;

    mem_channel_fail(pair->channel, end, errors);
    free(*endpoint);
    *endpoint = NULL;
}

/* The process of this end is no more. */
static inline void pair_kill(struct pair *pair, unsigned end)
{
    pair_fail(pair, end, 0);
}

static inline bool rung(const struct pair *pair, unsigned end)
{
    return mem_channel_rung(pair->channel, end);
}

/* The header that this end sends with. */
static inline struct ivc_header *own_header(const struct pair *pair,
                                            unsigned end)
{
    return (struct ivc_header *)pair->channel->direction[!end];
}

static inline uint32_t state_of(const struct pair *pair, unsigned end)
{
    return own_header(pair, end)->tx_state;
}

#define assert_event(endpoint, expected) \
    g_assert_cmphex(endpoint_get_event(endpoint), ==, (expected))

static inline int put(struct endpoint *endpoint, uint32_t value)
{
    return endpoint_write(endpoint, &value, sizeof(value));
}

#define assert_put(endpoint, value) \
    g_assert_cmpint(put(endpoint, value), ==, 0)

/* The next frame holds this value. */
#define assert_get(endpoint, expected) \
    do { \
        uint32_t value_ = 0; \
        g_assert_cmpint(endpoint_read(endpoint, &value_, 4), ==, 0); \
        g_assert_cmpuint(value_, ==, (expected)); \
    } while (0)

#define assert_get_fails(endpoint, error) \
    do { \
        uint32_t value_ = 0; \
        g_assert_cmpint(endpoint_read(endpoint, &value_, 4), ==, (error)); \
    } while (0)

static inline void pair_connect(struct pair *pair)
{
    endpoint_reset(pair->a);
    endpoint_reset(pair->b);
    assert_event(pair->a, 0);                       /* answers: ACK */
    assert_event(pair->b, EST | WRITE | EMPTY);     /* SYNC | ACK */
    assert_event(pair->a, EST | WRITE | EMPTY);     /* ACK | ESTABLISHED */
    assert_event(pair->b, WRITE | EMPTY);
}

#endif
