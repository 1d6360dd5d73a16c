/* SPDX-License-Identifier: MIT */
/*
 * A peer that rewrites every word it can reach, between any two calls.
 *
 * The directions are allocations of their exact size and the run is under a
 * sanitizer, or under guard pages without one. Whatever the peer writes: no byte
 * outside is touched, each call ends, and once it behaves again the channel works.
 */
#include <sys/mman.h>
#include <unistd.h>

#include "channel.h"

/* The last byte of a direction is the last one of its page. */
static uint8_t *guarded(size_t size, void **base, size_t *length)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    uint8_t *memory;

    *length = (size + page - 1) / page * page + 2 * page;
    memory = mmap(NULL, *length, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    g_assert_true(memory != MAP_FAILED);
    g_assert_cmpint(mprotect(memory + page, *length - 2 * page,
                             PROT_READ | PROT_WRITE), ==, 0);
    *base = memory;
    return memory + *length - page - size;
}

static uint32_t any_word(GRand *random, const struct ivc *end)
{
    switch (g_rand_int_range(random, 0, 6)) {
    case 0:
        return (uint32_t)g_rand_int_range(random, 0, 4);
    case 1:
        return g_rand_int(random);
    case 2:
        return end->tx.count + (uint32_t)g_rand_int_range(random, -9, 9);
    case 3:
        return end->rx.count + (uint32_t)g_rand_int_range(random, -9, 9);
    case 4:
        return UINT32_MAX;
    default:
        return end->rx.count + end->nframes;
    }
}

/* All words, ours too: it can write the whole area. */
static void rewrite(struct channel *channel, GRand *random)
{
    for (unsigned i = 0; i < 2; i++) {
        struct ivc_header *h = header(channel, i);
        uint32_t *words[] = { &h->tx_count, &h->tx_state, &h->rx_count };

        for (unsigned w = 0; w < 3; w++) {
            if (g_rand_boolean(random)) {
                *words[w] = any_word(random, &channel->end[0]);
            }
        }
    }
}

static void one_call(struct channel *channel, GRand *random)
{
    struct ivc *end = &channel->end[0];
    uint32_t position = end->rx.position;
    uint8_t copy[64];
    const void *read;
    void *write;
    bool bell = false;

    switch (g_rand_int_range(random, 0, 8)) {
    case 0:
        if (ivc_tx_frame(end, &write) == IVC_OK) {
            rewrite(channel, random);
            memset(write, 0xaa, end->frame_size);
        }
        break;
    case 1:
        ivc_tx_advance(end, &bell);
        break;
    case 2:
        if (ivc_rx_frame(end, &read) == IVC_OK) {
            rewrite(channel, random);
            memcpy(copy, read, end->frame_size);
        }
        break;
    case 3:
        if (ivc_rx_advance(end, &bell) == IVC_OK) {
            g_assert_cmpuint(end->rx.position, ==,
                             (position + 1) % end->nframes);
        }
        break;
    case 4:
        ivc_rx_discard(end);
        break;
    case 5:
        if (g_rand_int_range(random, 0, 20) == 0) {
            ivc_reset(end);
        }
        break;
    case 6:
        attach(channel, 1);     /* the peer's own bookkeeping is nothing */
        break;
    default:
        look(channel, 0);
        break;
    }
    g_assert_cmpuint(end->tx.position, <, end->nframes);
    g_assert_cmpuint(end->rx.position, <, end->nframes);
}

static void behave(struct channel *channel)
{
    uint32_t value = 0;
    bool bell = false;

    memset(header(channel, 0), 0, IVC_HEADER_SIZE);
    attach(channel, 1);
    channel->end[1].state = IVC_SYNC;   /* whatever was there was a lie */
    ivc_reset(&channel->end[0]);
    ivc_reset(&channel->end[1]);
    for (unsigned n = 0; n < 8; n++) {
        look(channel, n % 2);
    }
    g_assert_true(channel->end[0].up);
    g_assert_true(channel->end[1].up);
    for (unsigned e = 0; e < 2; e++) {
        g_assert_cmpint(send(channel, e, 0x1234 + e, &bell), ==, IVC_OK);
        g_assert_cmpint(receive(channel, !e, &value, &bell), ==, IVC_OK);
        g_assert_cmpuint(value, ==, 0x1234 + e);
    }
}

static void test_rewriting_peer(void)
{
    GRand *random = g_rand_new_with_seed(7);

    for (unsigned n = 0; n < 300; n++) {
        uint32_t nframes = (uint32_t)g_rand_int_range(random, 1, 9);
        struct channel *channel = channel_new(nframes, 64);
        uint8_t *plain[2];
        void *base[2];
        size_t length[2];

        for (unsigned i = 0; i < 2; i++) {
            plain[i] = channel->direction[i];
            channel->direction[i] =
                guarded(ivc_direction_size(nframes, 64), &base[i], &length[i]);
            attach(channel, i);
        }
        attach(channel, 0);
        if (g_rand_boolean(random)) {
            connect(channel);
        } else {
            ivc_reset(&channel->end[0]);
        }
        for (unsigned step = 0; step < 1000; step++) {
            rewrite(channel, random);
            one_call(channel, random);
        }
        behave(channel);
        for (unsigned i = 0; i < 2; i++) {
            munmap(base[i], length[i]);
            channel->direction[i] = plain[i];
        }
        channel_free(channel);
    }
    g_rand_free(random);
}

static void test_overfull_is_empty_and_full(void)
{
    static const uint32_t lies[] = { 5, 6, 1000, 0x80000000, UINT32_MAX };
    struct channel *channel = channel_new(4, 64);
    uint32_t value = 0;
    bool bell = false;

    connect(channel);
    for (unsigned i = 0; i < G_N_ELEMENTS(lies); i++) {
        header(channel, 0)->tx_count = lies[i];
        g_assert_cmpint(receive(channel, 0, &value, &bell), ==, IVC_WAIT);
        g_assert_cmpint(ivc_rx_advance(&channel->end[0], &bell), ==, IVC_WAIT);
        g_assert_false(ivc_rx_discard(&channel->end[0]));
        header(channel, 1)->rx_count = 0 - lies[i];
        g_assert_cmpint(send(channel, 0, 0, &bell), ==, IVC_WAIT);
    }
    header(channel, 0)->tx_count = 4;
    header(channel, 1)->rx_count = 0;
    g_assert_cmpint(receive(channel, 0, &value, &bell), ==, IVC_OK);
    g_assert_cmpint(send(channel, 0, 0, &bell), ==, IVC_OK);
    channel_free(channel);
}

/* Our own words are never read back: the peer can write them, too. */
static void test_own_words_rewritten(void)
{
    struct channel *channel = channel_new(4, 64);
    uint32_t value = 0;
    bool bell = false;

    connect(channel);
    header(channel, 1)->tx_count = 99;
    header(channel, 1)->tx_state = IVC_ACK;
    header(channel, 0)->rx_count = 77;
    g_assert_cmpint(send(channel, 0, 1, &bell), ==, IVC_OK);
    g_assert_cmpuint(header(channel, 1)->tx_count, ==, 1);
    g_assert_cmpint(send(channel, 1, 2, &bell), ==, IVC_WAIT);
    header(channel, 0)->rx_count = 0;
    g_assert_cmpint(send(channel, 1, 2, &bell), ==, IVC_OK);
    g_assert_cmpint(receive(channel, 0, &value, &bell), ==, IVC_OK);
    g_assert_cmpuint(header(channel, 0)->rx_count, ==, 1);
    g_assert_cmpuint(value, ==, 2);
    channel_free(channel);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/ivc/hostile/rewriting-peer", test_rewriting_peer);
    g_test_add_func("/ivc/hostile/overfull", test_overfull_is_empty_and_full);
    g_test_add_func("/ivc/hostile/own-words", test_own_words_rewritten);
    return g_test_run();
}
