/* SPDX-License-Identifier: MIT */
/* Resets that living peers ask for, and the handshake with a foreign one. */
#include "pair.h"

static void test_live_reset_discards(void)
{
    struct pair pair;

    pair_begin(&pair, 4);
    pair_connect(&pair);
    assert_put(pair.a, 1);
    assert_put(pair.b, 2);
    endpoint_reset(pair.a);
    assert_get_fails(pair.a, -ECONNRESET);
    g_assert_cmpint(put(pair.a, 3), ==, -ECONNRESET);
    assert_event(pair.b, RESET);
    assert_get_fails(pair.b, -ECONNRESET);
    assert_event(pair.a, EST | WRITE | EMPTY);
    assert_event(pair.b, EST | WRITE | EMPTY);
    assert_get_fails(pair.a, -EAGAIN);
    assert_get_fails(pair.b, -EAGAIN);
    pair_end(&pair);
}

static void test_both_at_once(void)
{
    struct pair pair;

    pair_begin(&pair, 4);
    pair_connect(&pair);
    endpoint_reset(pair.a);
    endpoint_reset(pair.b);
    /* Who resets himself is not told of a reset. */
    assert_event(pair.a, 0);
    assert_event(pair.b, EST | WRITE | EMPTY);
    assert_event(pair.a, EST | WRITE | EMPTY);
    pair_end(&pair);
}

/* Rule 4: the survivor answers CONN_RESET with a Reset, at any moment. */
static void test_reset_answered_by_reset(void)
{
    for (unsigned late = 0; late < 3; late++) {
        struct pair pair;

        pair_begin(&pair, 4);
        pair_connect(&pair);
        endpoint_reset(pair.b);
        assert_event(pair.a, RESET);
        if (late == 0) {
            endpoint_reset(pair.a);
        }
        assert_event(pair.b, EST | WRITE | EMPTY);
        if (late == 1) {
            endpoint_reset(pair.a);
        }
        assert_event(pair.b, WRITE | EMPTY);    /* and not another RESET */
        assert_event(pair.a, EST | WRITE | EMPTY);
        if (late == 2) {
            endpoint_reset(pair.a);             /* this one is a new one */
            assert_event(pair.b, RESET);
        }
        pair_end(&pair);
    }
}

static void test_repeated_reset_rings_again(void)
{
    struct pair pair;

    pair_begin(&pair, 4);
    endpoint_reset(pair.a);
    assert_event(pair.b, 0);        /* the bell is gone, not joined yet */
    endpoint_reset(pair.a);
    g_assert_true(rung(&pair, 1));
    g_assert_cmpuint(state_of(&pair, 0), ==, IVC_SYNC);
    pair_end(&pair);
}

/* Rule 3, with a peer that is slow to see that it is connected. */
static void test_postponed_reset_loses_nothing(void)
{
    struct pair pair;

    pair_begin(&pair, 4);
    endpoint_reset(pair.a);
    endpoint_reset(pair.b);
    assert_event(pair.a, 0);
    assert_event(pair.b, EST | WRITE | EMPTY);
    assert_put(pair.b, 1);
    assert_put(pair.b, 2);
    /* A has not looked. Three runs of B come and go, the last one stays. */
    for (unsigned n = 0; n < 3; n++) {
        pair_kill(&pair, 1);
        pair_open(&pair, 1);
        endpoint_reset(pair.b);
        assert_event(pair.b, 0);
        g_assert_cmpuint(state_of(&pair, 1), ==, IVC_ESTABLISHED);
        g_assert_cmpint(put(pair.b, 99), ==, -ECONNRESET);
    }
    g_assert_true(rung(&pair, 0));
    g_assert_cmphex(endpoint_get_event(pair.a) & ~(WRITE | EMPTY), ==,
                    EST | READ);
    g_assert_true(rung(&pair, 1));
    assert_event(pair.b, 0);
    g_assert_cmpuint(state_of(&pair, 1), ==, IVC_SYNC);
    assert_get(pair.a, 1);
    assert_event(pair.a, READ);
    assert_get(pair.a, 2);
    assert_event(pair.a, RESET);
    assert_event(pair.b, EST | WRITE | EMPTY);
    assert_event(pair.a, EST | WRITE | EMPTY);
    assert_get_fails(pair.a, -EAGAIN);
    pair_end(&pair);
}

/* A kernel's own IVC code: plays by the table, looks only when rung. */
static void test_foreign_peer(void)
{
    struct pair pair;
    struct ivc_header *peer;

    pair_begin(&pair, 4);
    endpoint_close(pair.b, false);
    pair.b = NULL;
    peer = own_header(&pair, 1);
    endpoint_reset(pair.a);
    assert_event(pair.a, 0);
    /* Never announced: whoever closed that end is gone, and yet it moves. */
    peer->tx_state = IVC_SYNC;
    assert_event(pair.a, 0);
    g_assert_cmpuint(state_of(&pair, 0), ==, IVC_ACK);
    /* It restarts, and is answered once more: it waits for the bell. */
    pair.channel->end[1].rung = false;
    pair.channel->end[0].rung = true;
    assert_event(pair.a, 0);
    g_assert_true(rung(&pair, 1));
    pair.channel->end[1].rung = false;
    assert_event(pair.a, 0);
    g_assert_false(rung(&pair, 1));     /* unasked it is not told again */
    peer->tx_count = 0;
    own_header(&pair, 0)->rx_count = 0;
    peer->tx_state = IVC_ESTABLISHED;
    assert_event(pair.a, EST | WRITE | EMPTY);
    /* That nobody is announced there is no departure. */
    pair.channel->end[0].rung = true;
    assert_event(pair.a, WRITE | EMPTY);
    memset(pair.channel->direction[0] + IVC_HEADER_SIZE, 0, FRAME_SIZE);
    peer->tx_count = 1;
    assert_event(pair.a, READ | WRITE | EMPTY);
    assert_get(pair.a, 0);
    peer->tx_state = IVC_SYNC;
    assert_event(pair.a, RESET);
    g_assert_cmpuint(state_of(&pair, 0), ==, IVC_ACK);
    pair_end(&pair);
}

static void test_hostile_geometry(void)
{
    struct mem_channel *channel = mem_channel_new(4, FRAME_SIZE, false);
    struct conf_entry entry = mem_channel_entry(channel, 0);
    static const struct { uint32_t nframes, frame_size; } bad[] = {
        { 0, 64 }, { 4, 0 }, { 4, 65 }, { 0x4000000, 64 }, { UINT32_MAX, 64 },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
        struct endpoint *endpoint = NULL;

        channel->nframes = bad[i].nframes;
        channel->frame_size = bad[i].frame_size;
        g_assert_cmpint(endpoint_open(&endpoint, &mem_link, &entry, 0), ==,
                        -EPROTO);
        g_assert_null(endpoint);
        g_assert_true(mem_channel_status(channel, 0).gone);
    }
    mem_channel_free(channel);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/endpoint/reset/live", test_live_reset_discards);
    g_test_add_func("/endpoint/reset/both-at-once", test_both_at_once);
    g_test_add_func("/endpoint/reset/answered-by-reset",
                    test_reset_answered_by_reset);
    g_test_add_func("/endpoint/reset/rings-again",
                    test_repeated_reset_rings_again);
    g_test_add_func("/endpoint/reset/postponed",
                    test_postponed_reset_loses_nothing);
    g_test_add_func("/endpoint/reset/foreign-peer", test_foreign_peer);
    g_test_add_func("/endpoint/reset/hostile-geometry", test_hostile_geometry);
    return g_test_run();
}
