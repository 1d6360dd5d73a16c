/* SPDX-License-Identifier: MIT */
/* The handshake: every row of the table, and what our ends add to it. */
#include "channel.h"

#define NR_PEER_STATES 5        /* 3 and 0xffffffff are nobody's */

static const uint32_t peer_states[NR_PEER_STATES] = {
    IVC_ESTABLISHED, IVC_SYNC, IVC_ACK, 3, UINT32_MAX,
};

/* What the specification says, in its order. */
static const struct row {
    uint32_t state;
    enum ivc_step step;
    bool clears;
} rows[3][NR_PEER_STATES] = {
    [IVC_ESTABLISHED] = {
        { IVC_ESTABLISHED, IVC_STEP_NOTHING, false },
        { IVC_ACK, IVC_STEP_ACK, true },
        { IVC_ESTABLISHED, IVC_STEP_NOTHING, false },
        { IVC_ESTABLISHED, IVC_STEP_NOTHING, false },
        { IVC_ESTABLISHED, IVC_STEP_NOTHING, false },
    },
    [IVC_SYNC] = {
        { IVC_SYNC, IVC_STEP_NOTHING, false },
        { IVC_ACK, IVC_STEP_ACK, true },
        { IVC_ESTABLISHED, IVC_STEP_OPENED, true },
        { IVC_SYNC, IVC_STEP_NOTHING, false },
        { IVC_SYNC, IVC_STEP_NOTHING, false },
    },
    [IVC_ACK] = {
        { IVC_ESTABLISHED, IVC_STEP_CONFIRMED, false },
        { IVC_ACK, IVC_STEP_ACK, true },
        { IVC_ESTABLISHED, IVC_STEP_CONFIRMED, false },
        { IVC_ACK, IVC_STEP_NOTHING, false },
        { IVC_ACK, IVC_STEP_NOTHING, false },
    },
};

/* Brings end 0 to a state by the ways that lead there, counts unequal to 0. */
static struct channel *channel_at(uint32_t state)
{
    struct channel *channel = channel_new(3, 64);
    struct ivc *end = &channel->end[0];

    connect(channel);
    if (state != IVC_ESTABLISHED) {
        ivc_reset(end);
        ivc_settle(end, IVC_ESTABLISHED);
        if (state == IVC_ACK) {
            g_assert_cmpint(ivc_step(end, IVC_SYNC), ==, IVC_STEP_ACK);
        }
    }
    g_assert_cmpuint(end->state, ==, state);
    g_assert_cmpuint(header(channel, 1)->tx_state, ==, state);
    end->tx.count = header(channel, 1)->tx_count = 5;
    end->rx.count = header(channel, 0)->rx_count = 6;
    end->tx.position = 2;
    end->rx.position = 1;
    return channel;
}

static void test_table(void)
{
    for (uint32_t own = 0; own < 3; own++) {
        for (unsigned p = 0; p < NR_PEER_STATES; p++) {
            const struct row *row = &rows[own][p];
            struct channel *channel = channel_at(own);
            struct ivc *end = &channel->end[0];

            header(channel, 0)->tx_state = peer_states[p];
            g_assert_cmpuint(ivc_peer_state(end), ==, peer_states[p]);
            g_assert_cmpint(ivc_step(end, ivc_peer_state(end)), ==, row->step);
            g_assert_cmpuint(end->state, ==, row->state);
            g_assert_cmpuint(header(channel, 1)->tx_state, ==, row->state);
            g_assert_true(end->up == (row->state == IVC_ESTABLISHED));
            g_assert_cmpuint(header(channel, 1)->tx_count, ==,
                             row->clears ? 0 : 5);
            g_assert_cmpuint(header(channel, 0)->rx_count, ==,
                             row->clears ? 0 : 6);
            g_assert_cmpuint(end->tx.position, ==, row->clears ? 0 : 2);
            g_assert_cmpuint(end->rx.position, ==, row->clears ? 0 : 1);
            /* The peer's words are the peer's. */
            g_assert_cmpuint(header(channel, 0)->tx_state, ==, peer_states[p]);
            channel_free(channel);
        }
    }
}

static void test_silent_before_reset(void)
{
    for (unsigned p = 0; p < NR_PEER_STATES; p++) {
        struct channel *channel = channel_new(3, 64);

        header(channel, 0)->tx_state = peer_states[p];
        g_assert_cmpint(look(channel, 0), ==, IVC_STEP_NOTHING);
        g_assert_cmpuint(header(channel, 1)->tx_state, ==, IVC_ESTABLISHED);
        g_assert_false(channel->end[0].up);
        channel_free(channel);
    }
}

static void test_stale_ack_is_withdrawn(void)
{
    struct channel *channel = channel_new(3, 64);

    header(channel, 1)->tx_state = IVC_ACK;
    g_assert_true(ivc_attach(&channel->end[0], channel->direction[0],
                             channel->direction[1], 3, 64));
    g_assert_cmpuint(header(channel, 1)->tx_state, ==, IVC_SYNC);
    /* Other states stand until the Reset. */
    header(channel, 1)->tx_state = IVC_SYNC;
    g_assert_false(ivc_attach(&channel->end[0], channel->direction[0],
                              channel->direction[1], 3, 64));
    header(channel, 1)->tx_state = 77;
    g_assert_false(ivc_attach(&channel->end[0], channel->direction[0],
                              channel->direction[1], 3, 64));
    g_assert_cmpuint(header(channel, 1)->tx_state, ==, 77);
    ivc_reset(&channel->end[0]);
    g_assert_cmpuint(header(channel, 1)->tx_state, ==, IVC_SYNC);
    channel_free(channel);
}

static void test_reset_waits_for_owed_answer(void)
{
    struct channel *channel = channel_new(3, 64);
    struct ivc *end = &channel->end[0];

    /* An end before us was established; the peer has not seen it yet. */
    header(channel, 0)->tx_state = IVC_ACK;
    ivc_reset(end);
    g_assert_false(ivc_settle(end, ivc_peer_state(end)));
    g_assert_cmpuint(header(channel, 1)->tx_state, ==, IVC_ESTABLISHED);
    g_assert_cmpint(ivc_step(end, ivc_peer_state(end)), ==, IVC_STEP_NOTHING);
    g_assert_false(end->up);
    /* Now it has, and reads what is there. */
    header(channel, 0)->tx_state = IVC_ESTABLISHED;
    g_assert_true(ivc_settle(end, ivc_peer_state(end)));
    g_assert_cmpuint(header(channel, 1)->tx_state, ==, IVC_SYNC);
    g_assert_false(ivc_settle(end, ivc_peer_state(end)));
    channel_free(channel);
}

static void test_reset_in_handshake_changes_nothing(void)
{
    for (uint32_t own = IVC_SYNC; own <= IVC_ACK; own++) {
        struct channel *channel = channel_at(own);

        ivc_reset(&channel->end[0]);
        g_assert_cmpuint(channel->end[0].state, ==, own);
        g_assert_cmpuint(header(channel, 1)->tx_state, ==, own);
        channel_free(channel);
    }
}

static void test_reset_by_both_at_once(void)
{
    struct channel *channel = channel_new(3, 64);
    uint32_t value = 0;
    bool bell = false;

    connect(channel);
    g_assert_cmpint(send(channel, 0, 1, &bell), ==, IVC_OK);
    g_assert_cmpint(send(channel, 1, 2, &bell), ==, IVC_OK);
    connect(channel);
    for (unsigned e = 0; e < 2; e++) {
        g_assert_cmpint(receive(channel, e, &value, &bell), ==, IVC_WAIT);
    }
    for (unsigned e = 0; e < 2; e++) {
        g_assert_cmpint(send(channel, e, 3, &bell), ==, IVC_OK);
        g_assert_true(bell);
    }
    channel_free(channel);
}

static void test_desert(void)
{
    struct channel *channel = channel_new(3, 64);
    uint32_t value = 0;
    bool bell = false;

    connect(channel);
    ivc_desert(&channel->end[0]);
    g_assert_cmpuint(header(channel, 1)->tx_state, ==, IVC_SYNC);
    g_assert_cmpint(receive(channel, 0, &value, &bell), ==, IVC_DOWN);
    g_assert_cmpint(look(channel, 1), ==, IVC_STEP_ACK);
    g_assert_cmpint(look(channel, 0), ==, IVC_STEP_OPENED);
    g_assert_cmpint(look(channel, 1), ==, IVC_STEP_CONFIRMED);
    channel_free(channel);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/ivc/reset/table", test_table);
    g_test_add_func("/ivc/reset/silent-before", test_silent_before_reset);
    g_test_add_func("/ivc/reset/stale-ack", test_stale_ack_is_withdrawn);
    g_test_add_func("/ivc/reset/waits-for-owed-answer",
                    test_reset_waits_for_owed_answer);
    g_test_add_func("/ivc/reset/in-handshake",
                    test_reset_in_handshake_changes_nothing);
    g_test_add_func("/ivc/reset/both-at-once", test_reset_by_both_at_once);
    g_test_add_func("/ivc/reset/desert", test_desert);
    return g_test_run();
}
