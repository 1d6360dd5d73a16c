/* SPDX-License-Identifier: MIT */
/* Frames through the ring, in one thread: order, limits, bells, wrap. */
#include "channel.h"

static void test_before_reset(void)
{
    struct channel *channel = channel_new(4, 64);
    const void *read;
    void *write;
    bool bell = false;

    /* Zeroed memory is established on the wire; to us it is not. */
    g_assert_cmpint(ivc_tx_frame(&channel->end[0], &write), ==, IVC_DOWN);
    g_assert_cmpint(ivc_rx_frame(&channel->end[0], &read), ==, IVC_DOWN);
    g_assert_cmpint(ivc_tx_advance(&channel->end[0], &bell), ==, IVC_DOWN);
    g_assert_cmpint(ivc_rx_advance(&channel->end[0], &bell), ==, IVC_DOWN);
    g_assert_false(ivc_rx_discard(&channel->end[0]));
    g_assert_false(ivc_tx_drained(&channel->end[0]));
    g_assert_cmpint(look(channel, 0), ==, IVC_STEP_NOTHING);
    channel_free(channel);
}

static void test_order(gconstpointer data)
{
    uint32_t nframes = GPOINTER_TO_UINT(data);
    struct channel *channel = channel_new(nframes, 192);
    uint32_t sent = 0, received = 0, value = 0;
    bool bell = false;

    connect(channel);
    /* Every fill level, and the positions go round many times. */
    for (unsigned n = 0; n < 20 * nframes; n++) {
        uint32_t burst = n % (nframes + 1);

        for (uint32_t i = 0; i < burst; i++) {
            g_assert_cmpint(send(channel, 0, sent, &bell), ==, IVC_OK);
            g_assert_true(bell == (i == 0));
            sent++;
        }
        if (burst == nframes) {
            g_assert_cmpint(send(channel, 0, 0, &bell), ==, IVC_WAIT);
            g_assert_cmpint(ivc_tx_advance(&channel->end[0], &bell), ==,
                            IVC_WAIT);
        }
        g_assert_true(ivc_tx_drained(&channel->end[0]) == (burst == 0));
        for (uint32_t i = 0; i < burst; i++) {
            g_assert_cmpint(receive(channel, 1, &value, &bell), ==, IVC_OK);
            g_assert_true(bell == (burst == nframes && i == 0));
            g_assert_cmpuint(value, ==, received);
            received++;
        }
        g_assert_cmpint(receive(channel, 1, &value, &bell), ==, IVC_WAIT);
        g_assert_cmpint(ivc_rx_advance(&channel->end[1], &bell), ==, IVC_WAIT);
    }
    channel_free(channel);
}

static void test_both_ways(void)
{
    struct channel *channel = channel_new(3, 64);
    uint32_t value = 0;
    bool bell = false;

    connect(channel);
    for (uint32_t n = 0; n < 10; n++) {
        g_assert_cmpint(send(channel, 0, n, &bell), ==, IVC_OK);
        g_assert_cmpint(send(channel, 1, ~n, &bell), ==, IVC_OK);
        g_assert_cmpint(receive(channel, 0, &value, &bell), ==, IVC_OK);
        g_assert_cmpuint(value, ==, ~n);
        g_assert_cmpint(receive(channel, 1, &value, &bell), ==, IVC_OK);
        g_assert_cmpuint(value, ==, n);
    }
    channel_free(channel);
}

/* Both counts of a direction, as if that many frames had passed. */
static void wind(struct channel *channel, uint32_t count)
{
    struct ivc_header *h = header(channel, 1);

    channel->end[0].tx.count = h->tx_count = count;
    channel->end[1].rx.count = h->rx_count = count;
}

static void test_count_wrap(void)
{
    struct channel *channel = channel_new(5, 64);
    uint32_t value = 0;
    bool bell = false;

    connect(channel);
    wind(channel, UINT32_MAX - 7);
    for (uint32_t n = 0; n < 40; n += 5) {
        for (uint32_t i = 0; i < 5; i++) {
            g_assert_cmpint(send(channel, 0, n + i, &bell), ==, IVC_OK);
            g_assert_true(bell == (i == 0));
        }
        g_assert_cmpint(send(channel, 0, 0, &bell), ==, IVC_WAIT);
        for (uint32_t i = 0; i < 5; i++) {
            g_assert_cmpint(receive(channel, 1, &value, &bell), ==, IVC_OK);
            g_assert_true(bell == (i == 0));
            g_assert_cmpuint(value, ==, n + i);
        }
    }
    g_assert_cmpuint(header(channel, 1)->tx_count, <, 100);
    channel_free(channel);
}

static void test_discard(void)
{
    struct channel *channel = channel_new(3, 64);
    uint32_t value = 0;
    bool bell = false;

    connect(channel);
    g_assert_false(ivc_rx_discard(&channel->end[1]));
    for (uint32_t n = 0; n < 12; n++) {
        for (uint32_t i = 0; i <= n % 3; i++) {
            g_assert_cmpint(send(channel, 0, i, &bell), ==, IVC_OK);
        }
        g_assert_true(ivc_rx_discard(&channel->end[1]));
        g_assert_true(ivc_tx_drained(&channel->end[0]));
        /* The position has moved as far as the count. */
        g_assert_cmpint(send(channel, 0, n, &bell), ==, IVC_OK);
        g_assert_cmpint(receive(channel, 1, &value, &bell), ==, IVC_OK);
        g_assert_cmpuint(value, ==, n);
    }
    channel_free(channel);
}

static void test_halves_apart(void)
{
    const size_t tx = offsetof(struct ivc, tx);
    const size_t rx = offsetof(struct ivc, rx);
    const size_t up = offsetof(struct ivc, up);

    /* No cache line is written by the reader and used by the writer. */
    g_assert_cmpuint(tx % 64, ==, 0);
    g_assert_cmpuint(rx / 64, !=, tx / 64);
    g_assert_cmpuint(up / 64, !=, tx / 64);
    g_assert_cmpuint(up / 64, !=, rx / 64);
    g_assert_cmpuint(sizeof(struct ivc_half), <=, 64);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/ivc/ring/before-reset", test_before_reset);
    g_test_add_data_func("/ivc/ring/order-1", GUINT_TO_POINTER(1), test_order);
    g_test_add_data_func("/ivc/ring/order-7", GUINT_TO_POINTER(7), test_order);
    g_test_add_data_func("/ivc/ring/order-64", GUINT_TO_POINTER(64),
                         test_order);
    g_test_add_func("/ivc/ring/both-ways", test_both_ways);
    g_test_add_func("/ivc/ring/count-wrap", test_count_wrap);
    g_test_add_func("/ivc/ring/discard", test_discard);
    g_test_add_func("/ivc/ring/halves-apart", test_halves_apart);
    return g_test_run();
}
