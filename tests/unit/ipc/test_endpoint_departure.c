/* SPDX-License-Identifier: MIT */
/* Peers that die or close: what the survivor gets, in which order. */
#include "pair.h"

static void test_frames_then_reset(void)
{
    struct pair pair;

    pair_begin(&pair, 4);
    pair_connect(&pair);
    for (uint32_t n = 0; n < 3; n++) {
        assert_put(pair.b, n);
    }
    pair_kill(&pair, 1);
    g_assert_true(rung(&pair, 0));
    for (uint32_t n = 0; n < 3; n++) {
        g_assert_cmphex(endpoint_get_event(pair.a) & READ, ==, READ);
        assert_get(pair.a, n);
    }
    assert_event(pair.a, RESET);
    assert_event(pair.a, 0);
    g_assert_cmpuint(state_of(&pair, 0), ==, IVC_SYNC);
    assert_get_fails(pair.a, -ECONNRESET);
    g_assert_cmpint(put(pair.a, 1), ==, -ECONNRESET);
    pair_end(&pair);
}

/* It reads until there is no more and then sleeps: it has to be told by read. */
static void test_reader_is_told(void)
{
    struct pair pair;
    const void *frame;

    for (unsigned in_place = 0; in_place < 2; in_place++) {
        pair_begin(&pair, 4);
        pair_connect(&pair);
        assert_put(pair.b, 5);
        pair_kill(&pair, 1);
        g_assert_cmphex(endpoint_get_event(pair.a) & READ, ==, READ);
        g_assert_false(rung(&pair, 0));
        assert_get(pair.a, 5);
        g_assert_false(rung(&pair, 0));
        if (in_place) {
            g_assert_cmpint(endpoint_read_frame(pair.a, &frame), ==,
                            -ECONNRESET);
        } else {
            assert_get_fails(pair.a, -ECONNRESET);
        }
        /* A thread that sleeps on the descriptor is woken to see it, too. */
        g_assert_true(rung(&pair, 0));
        assert_event(pair.a, RESET);
        g_assert_false(rung(&pair, 0));
        pair_end(&pair);
    }
}

/* The same for one who stops at the last frame, the death being known. */
static void test_sleeper_is_woken(void)
{
    struct pair pair;

    pair_begin(&pair, 4);
    pair_connect(&pair);
    assert_put(pair.b, 1);
    assert_put(pair.b, 2);
    pair_kill(&pair, 1);
    pair_open(&pair, 1);
    endpoint_reset(pair.b);
    assert_event(pair.a, READ);
    assert_get(pair.a, 1);
    g_assert_false(rung(&pair, 0));
    assert_get(pair.a, 2);
    g_assert_true(rung(&pair, 0));
    assert_event(pair.a, RESET);
    pair_end(&pair);
}

static void test_nothing_unread(void)
{
    struct pair pair;

    pair_begin(&pair, 4);
    pair_connect(&pair);
    assert_put(pair.a, 1);
    pair_kill(&pair, 1);
    assert_event(pair.a, RESET);
    assert_event(pair.a, 0);
    pair_end(&pair);
}

/* Close is announced like a death, with or without clearing. */
static void test_close_after_write(void)
{
    for (unsigned clear = 0; clear < 2; clear++) {
        struct pair pair;

        pair_begin(&pair, 2);
        pair_connect(&pair);
        assert_put(pair.a, 1);
        assert_put(pair.a, 2);
        assert_put(pair.b, 3);
        endpoint_close(pair.b, clear);
        pair.b = NULL;
        g_assert_cmpuint(own_header(&pair, 0)->tx_count, ==, 2);
        g_assert_cmpuint(pair.channel->direction[1][64], ==, clear ? 2 : 0);
        g_assert_cmphex(endpoint_get_event(pair.a) & READ, ==, READ);
        assert_get(pair.a, 3);
        assert_event(pair.a, RESET);
        pair_end(&pair);
    }
}

/* Dead, and a successor that resets before the survivor looks. */
static void test_fast_restart(void)
{
    for (unsigned times = 1; times < 4; times++) {
        struct pair pair;

        pair_begin(&pair, 4);
        pair_connect(&pair);
        assert_put(pair.a, 8);
        assert_put(pair.b, 1);
        assert_put(pair.b, 2);
        for (unsigned n = 0; n < times; n++) {
            pair_kill(&pair, 1);
            pair_open(&pair, 1);
            endpoint_reset(pair.b);
        }
        assert_event(pair.a, READ);
        assert_event(pair.b, 0);
        assert_get(pair.a, 1);
        assert_event(pair.a, READ);
        assert_get(pair.a, 2);
        assert_event(pair.a, RESET);
        assert_event(pair.b, EST | WRITE | EMPTY);
        assert_event(pair.a, EST | WRITE | EMPTY);
        /* The frame to the dead one is not the successor's. */
        assert_get_fails(pair.b, -EAGAIN);
        assert_put(pair.a, 9);
        assert_get(pair.b, 9);
        pair_end(&pair);
    }
}

/* One bell for frames and death, and a new one for what comes after. */
static void test_bells_are_merged(void)
{
    struct pair pair;

    pair_begin(&pair, 4);
    pair_connect(&pair);
    assert_put(pair.b, 1);
    pair_kill(&pair, 1);
    assert_event(pair.a, READ | WRITE | EMPTY);     /* not known yet */
    g_assert_false(rung(&pair, 0));
    assert_get(pair.a, 1);
    g_assert_false(rung(&pair, 0));
    assert_event(pair.a, RESET);
    pair_end(&pair);
}

/* On the hot path the status is not looked at. */
static unsigned looks;

static void count_looks(void *opaque, unsigned end, enum mem_point point)
{
    (void)opaque;
    looks += end == 0 && point == MEM_BEFORE_STATUS;
}

static void test_status_costs_nothing(void)
{
    struct pair pair;

    pair_begin(&pair, 4);
    pair_connect(&pair);
    assert_event(pair.a, WRITE | EMPTY);
    looks = 0;
    pair.channel->hook = count_looks;
    for (uint32_t n = 0; n < 100; n++) {
        assert_put(pair.b, n);
        assert_event(pair.a, READ | WRITE | EMPTY);
        assert_get(pair.a, n);
        assert_put(pair.a, n);
        assert_get(pair.b, n);
    }
    g_assert_cmpuint(looks, ==, 0);
    /* All those wake-ups brought something; the next one does not. */
    assert_get_fails(pair.a, -EAGAIN);
    g_assert_cmpuint(looks, ==, 1);
    assert_get_fails(pair.a, -EAGAIN);
    assert_event(pair.a, WRITE | EMPTY);
    g_assert_cmpuint(looks, ==, 1);
    pair.channel->hook = NULL;
    pair_end(&pair);
}

/* Rule 2: what was left at ACK is no answer. */
static void test_stale_ack(void)
{
    struct pair pair;

    pair_begin(&pair, 4);
    endpoint_reset(pair.a);
    endpoint_reset(pair.b);
    assert_event(pair.b, 0);
    g_assert_cmpuint(state_of(&pair, 1), ==, IVC_ACK);
    pair_kill(&pair, 1);
    /* Dead: its ACK is not taken. */
    assert_event(pair.a, 0);
    g_assert_cmpuint(state_of(&pair, 0), ==, IVC_SYNC);
    pair_open(&pair, 1);
    g_assert_cmpuint(state_of(&pair, 1), ==, IVC_SYNC);
    g_assert_true(rung(&pair, 0));
    assert_event(pair.a, 0);
    assert_event(pair.b, 0);                    /* has not joined */
    endpoint_reset(pair.b);
    assert_event(pair.b, EST | WRITE | EMPTY);
    assert_event(pair.a, EST | WRITE | EMPTY);
    pair_end(&pair);
}

static struct pair *looking;

/* The successor holds the end, and has not yet taken the old ACK away. */
static void look_when_opened(void *opaque, unsigned end, enum mem_point point)
{
    (void)opaque;
    if (end == 1 && point == MEM_OPENED) {
        assert_event(looking->a, RESET);
        g_assert_cmpuint(state_of(looking, 0), ==, IVC_SYNC);
    }
}

/* Rule 8: an ACK that was there before our SYNC is no answer to it. */
static void test_old_ack_is_no_answer(void)
{
    struct pair pair;

    pair_begin(&pair, 4);
    endpoint_reset(pair.a);
    endpoint_reset(pair.b);
    assert_event(pair.b, 0);
    assert_event(pair.a, EST | WRITE | EMPTY);
    g_assert_cmpuint(state_of(&pair, 1), ==, IVC_ACK);
    pair_kill(&pair, 1);
    looking = &pair;
    pair.channel->hook = look_when_opened;
    pair_open(&pair, 1);
    pair.channel->hook = NULL;
    endpoint_reset(pair.b);
    assert_event(pair.b, 0);
    assert_event(pair.a, EST | WRITE | EMPTY);
    assert_event(pair.b, EST | WRITE | EMPTY);
    pair_end(&pair);
}

/* Dies when it is established and the survivor is not: row 3 is taken. */
static void test_death_behind_an_ack(void)
{
    for (unsigned frames = 0; frames < 3; frames++) {
        struct pair pair;

        pair_begin(&pair, 4);
        endpoint_reset(pair.a);
        endpoint_reset(pair.b);
        assert_event(pair.a, 0);
        assert_event(pair.b, EST | WRITE | EMPTY);
        for (uint32_t n = 0; n < frames; n++) {
            assert_put(pair.b, n);
        }
        pair_kill(&pair, 1);
        if (frames == 0) {
            /* A connection of which nothing was seen: not a word of it. */
            assert_event(pair.a, 0);
        } else {
            g_assert_cmphex(endpoint_get_event(pair.a) & (EST | READ), ==,
                            EST | READ);
            for (uint32_t n = 0; n < frames; n++) {
                assert_get(pair.a, n);
            }
            assert_event(pair.a, RESET);
        }
        g_assert_cmpuint(state_of(&pair, 0), ==, IVC_SYNC);
        pair_end(&pair);
    }
}

/* Rule 7: a successor takes the ACK that its predecessor was given. */
static void test_ack_taken_by_successor(void)
{
    for (unsigned dies = 0; dies < 2; dies++) {
        struct pair pair;

        pair_begin(&pair, 4);
        endpoint_reset(pair.a);
        endpoint_reset(pair.b);
        assert_event(pair.a, 0);
        g_assert_cmpuint(state_of(&pair, 0), ==, IVC_ACK);
        pair_kill(&pair, 1);
        pair_open(&pair, 1);
        endpoint_reset(pair.b);
        assert_event(pair.b, EST | WRITE | EMPTY);
        assert_put(pair.b, 1);
        if (dies) {
            pair_kill(&pair, 1);
            g_assert_cmphex(endpoint_get_event(pair.a) & (EST | READ), ==,
                            EST | READ);
            assert_get(pair.a, 1);
            assert_event(pair.a, RESET);
        } else {
            /* It lives: nothing is reset. */
            assert_event(pair.a, EST | READ | WRITE | EMPTY);
            assert_get(pair.a, 1);
            assert_event(pair.a, WRITE | EMPTY);
            assert_put(pair.b, 2);
            assert_get(pair.a, 2);
            assert_event(pair.b, WRITE | EMPTY);
        }
        pair_end(&pair);
    }
}

/* The successor comes just after the survivor has seen that nobody is there. */
static void replace_when_seen(void *opaque, unsigned end, enum mem_point point)
{
    (void)opaque;
    if (end == 0 && point == MEM_AFTER_STATUS) {
        looking->channel->hook = NULL;
        for (unsigned n = 0; n < 2; n++) {
            pair_open(looking, 1);
            if (n == 0) {
                pair_kill(looking, 1);
            }
        }
        endpoint_reset(looking->b);
        assert_event(looking->b, EST | WRITE | EMPTY);
    }
}

static void test_ack_taken_while_looking(void)
{
    struct pair pair;

    pair_begin(&pair, 4);
    endpoint_reset(pair.a);
    endpoint_reset(pair.b);
    assert_event(pair.a, 0);
    pair_kill(&pair, 1);
    looking = &pair;
    pair.channel->hook = replace_when_seen;
    assert_event(pair.a, EST | WRITE | EMPTY);
    /* Whoever it is lives: nothing is reset, nothing lost. */
    assert_put(pair.b, 1);
    assert_event(pair.a, READ | WRITE | EMPTY);
    assert_get(pair.a, 1);
    assert_event(pair.b, WRITE | EMPTY);
    pair_end(&pair);
}

/* Just after the survivor has read the status of one who is there. */
static void replace_when_met(void *opaque, unsigned end, enum mem_point point)
{
    (void)opaque;
    if (end == 0 && point == MEM_AFTER_STATUS) {
        looking->channel->hook = NULL;
        pair_kill(looking, 1);
        pair_open(looking, 1);
        endpoint_reset(looking->b);
        /* Takes the survivor's ACK, or answers its SYNC. */
        endpoint_get_event(looking->b);
    }
}

static void test_replaced_while_shaking_hands(void)
{
    for (unsigned both_ack = 0; both_ack < 2; both_ack++) {
        struct pair pair;

        pair_begin(&pair, 4);
        endpoint_reset(pair.a);
        endpoint_reset(pair.b);
        if (both_ack) {
            /* Played: each has seen the other's SYNC before its ACK. */
            own_header(&pair, 1)->tx_state = IVC_SYNC;
            assert_event(pair.a, 0);
            own_header(&pair, 1)->tx_state = IVC_ACK;
        } else {
            assert_event(pair.b, 0);
        }
        g_assert_cmpuint(state_of(&pair, 0), ==,
                         both_ack ? IVC_ACK : IVC_SYNC);
        g_assert_cmpuint(state_of(&pair, 1), ==, IVC_ACK);
        looking = &pair;
        pair.channel->hook = replace_when_met;
        assert_event(pair.a, EST | WRITE | EMPTY);
        endpoint_get_event(pair.b);
        assert_put(pair.b, 4);
        assert_event(pair.a, READ | WRITE | EMPTY);
        assert_get(pair.a, 4);
        assert_event(pair.b, WRITE | EMPTY);
        pair_end(&pair);
    }
}

/* Between word and status one comes, sends and dies, and another one comes. */
static void pass_by(void *opaque, unsigned end, enum mem_point point)
{
    (void)opaque;
    if (end == 0 && point == MEM_BEFORE_STATUS) {
        looking->channel->hook = NULL;
        assert_event(looking->b, EST | WRITE | EMPTY);
        assert_put(looking->b, 7);
        pair_kill(looking, 1);
        pair_open(looking, 1);
    }
}

static void test_ack_taken_in_passing(void)
{
    struct pair pair;

    pair_begin(&pair, 4);
    endpoint_reset(pair.a);
    endpoint_reset(pair.b);
    assert_event(pair.a, 0);
    pair_kill(&pair, 1);
    pair_open(&pair, 1);
    endpoint_reset(pair.b);
    looking = &pair;
    pair.channel->hook = pass_by;
    assert_event(pair.a, 0);
    g_assert_true(rung(&pair, 0));
    assert_event(pair.a, EST | READ | WRITE | EMPTY);
    endpoint_reset(pair.b);
    assert_event(pair.a, READ);
    assert_get(pair.a, 7);
    assert_event(pair.a, RESET);
    pair_end(&pair);
}

/* The same, and the frames are the predecessor's: a SYNC comes after them. */
static void test_uncertain_frames_come_first(void)
{
    struct pair pair;

    pair_begin(&pair, 4);
    endpoint_reset(pair.a);
    endpoint_reset(pair.b);
    assert_event(pair.a, 0);
    assert_event(pair.b, EST | WRITE | EMPTY);
    assert_put(pair.b, 1);
    pair_kill(&pair, 1);
    pair_open(&pair, 1);
    assert_event(pair.a, EST | READ | WRITE | EMPTY);
    endpoint_reset(pair.b);                     /* the same generation */
    assert_event(pair.a, READ);
    assert_get(pair.a, 1);
    assert_event(pair.a, RESET);
    assert_event(pair.b, EST | WRITE | EMPTY);
    assert_event(pair.a, EST | WRITE | EMPTY);
    pair_end(&pair);
}

/* An ACK that stands stays good for whoever comes. */
static void test_peer_gone_at_ack(void)
{
    struct pair pair;

    pair_begin(&pair, 4);
    endpoint_reset(pair.a);
    endpoint_reset(pair.b);
    assert_event(pair.a, 0);
    pair_kill(&pair, 1);
    assert_event(pair.a, 0);
    g_assert_cmpuint(state_of(&pair, 0), ==, IVC_ACK);
    pair_open(&pair, 1);
    assert_event(pair.a, 0);
    endpoint_reset(pair.b);
    assert_event(pair.b, EST | WRITE | EMPTY);
    assert_event(pair.a, EST | WRITE | EMPTY);
    pair_end(&pair);
}

/* An error is told with CONN_RESET, once, and its bits are there once. */
static void test_error_with_reset(void)
{
    struct pair pair;

    pair_begin(&pair, 4);
    pair_connect(&pair);
    g_assert_cmphex(endpoint_take_errors(pair.a), ==, 0);
    pair_fail(&pair, 1, 0x2);
    g_assert_cmphex(endpoint_take_errors(pair.a), ==, 0);   /* not noticed */
    assert_event(pair.a, RESET | ASYNC);
    assert_event(pair.a, 0);
    g_assert_cmphex(endpoint_take_errors(pair.a), ==, 0x2);
    g_assert_cmphex(endpoint_take_errors(pair.a), ==, 0);
    /* And it is over: a new connection, which ends in good order. */
    pair_open(&pair, 1);
    endpoint_reset(pair.b);
    assert_event(pair.a, 0);
    assert_event(pair.b, EST | WRITE | EMPTY);
    assert_event(pair.a, EST | WRITE | EMPTY);
    pair_kill(&pair, 1);
    assert_event(pair.a, RESET);
    g_assert_cmphex(endpoint_take_errors(pair.a), ==, 0);
    pair_end(&pair);
}

/* With the frames that are left, if there are any: before CONN_RESET. */
static void test_error_before_frames(void)
{
    struct pair pair;

    pair_begin(&pair, 4);
    pair_connect(&pair);
    assert_put(pair.b, 1);
    assert_put(pair.b, 2);
    pair_fail(&pair, 1, 0x8);
    pair_open(&pair, 1);                        /* its SYNC tells of it */
    endpoint_reset(pair.b);
    assert_event(pair.a, READ | ASYNC);
    assert_get(pair.a, 1);
    assert_event(pair.a, READ);
    assert_get(pair.a, 2);
    assert_event(pair.a, RESET);
    g_assert_cmphex(endpoint_take_errors(pair.a), ==, 0x8);
    pair_end(&pair);
}

/* A reader that noticed it by reading is told of it all the same. */
static void test_error_noticed_by_read(void)
{
    struct pair pair;

    pair_begin(&pair, 4);
    pair_connect(&pair);
    assert_put(pair.b, 1);
    pair_fail(&pair, 1, 0x1);
    assert_event(pair.a, READ | WRITE | EMPTY);
    assert_get(pair.a, 1);
    assert_get_fails(pair.a, -ECONNRESET);
    g_assert_true(rung(&pair, 0));
    /* Who asks for it does so before it was told: then there is no more. */
    g_assert_cmphex(endpoint_take_errors(pair.a), ==, 0x1);
    assert_event(pair.a, RESET);
    pair_end(&pair);
}

/* Bits of several departures are all kept; each is told of. */
static void test_errors_add_up(void)
{
    static const uint32_t errors[] = { 0x1, 0x8, 0x2 };
    struct pair pair;

    pair_begin(&pair, 4);
    pair_connect(&pair);
    for (unsigned i = 0; i < G_N_ELEMENTS(errors); i++) {
        pair_fail(&pair, 1, errors[i]);
        assert_event(pair.a, RESET | ASYNC);
        pair_open(&pair, 1);
        endpoint_reset(pair.b);
        assert_event(pair.a, 0);
        assert_event(pair.b, EST | WRITE | EMPTY);
        assert_event(pair.a, EST | WRITE | EMPTY);
    }
    g_assert_cmphex(endpoint_take_errors(pair.a), ==, 0xb);
    pair_end(&pair);
}

/* What happened before an end took part is not its affair. */
static void test_error_of_before(void)
{
    struct pair pair;

    pair_begin(&pair, 4);
    assert_event(pair.a, 0);
    pair_fail(&pair, 1, 0x2);
    assert_event(pair.a, 0);
    endpoint_reset(pair.a);
    assert_event(pair.a, 0);
    pair_open(&pair, 1);
    endpoint_reset(pair.b);
    assert_event(pair.a, 0);
    assert_event(pair.b, EST | WRITE | EMPTY);
    assert_event(pair.a, EST | WRITE | EMPTY);
    g_assert_cmphex(endpoint_take_errors(pair.a), ==, 0);
    pair_end(&pair);
}

/* Before the application knew of the connection: it learns of both at once. */
static void test_error_while_shaking_hands(void)
{
    struct pair pair;

    pair_begin(&pair, 4);
    endpoint_reset(pair.a);
    endpoint_reset(pair.b);
    assert_event(pair.a, 0);
    assert_event(pair.b, EST | WRITE | EMPTY);
    pair_fail(&pair, 1, 0x2);
    pair_open(&pair, 1);
    endpoint_reset(pair.b);
    assert_event(pair.a, EST | WRITE | EMPTY | ASYNC);
    assert_event(pair.b, 0);
    assert_event(pair.a, RESET);
    g_assert_cmphex(endpoint_take_errors(pair.a), ==, 0x2);
    pair_end(&pair);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/endpoint/departure/frames-then-reset",
                    test_frames_then_reset);
    g_test_add_func("/endpoint/departure/reader-is-told", test_reader_is_told);
    g_test_add_func("/endpoint/departure/sleeper-is-woken",
                    test_sleeper_is_woken);
    g_test_add_func("/endpoint/departure/nothing-unread", test_nothing_unread);
    g_test_add_func("/endpoint/departure/close-after-write",
                    test_close_after_write);
    g_test_add_func("/endpoint/departure/fast-restart", test_fast_restart);
    g_test_add_func("/endpoint/departure/bells-are-merged",
                    test_bells_are_merged);
    g_test_add_func("/endpoint/departure/status-costs-nothing",
                    test_status_costs_nothing);
    g_test_add_func("/endpoint/departure/stale-ack", test_stale_ack);
    g_test_add_func("/endpoint/departure/old-ack", test_old_ack_is_no_answer);
    g_test_add_func("/endpoint/departure/behind-an-ack",
                    test_death_behind_an_ack);
    g_test_add_func("/endpoint/departure/ack-taken-by-successor",
                    test_ack_taken_by_successor);
    g_test_add_func("/endpoint/departure/ack-taken-while-looking",
                    test_ack_taken_while_looking);
    g_test_add_func("/endpoint/departure/replaced-while-shaking-hands",
                    test_replaced_while_shaking_hands);
    g_test_add_func("/endpoint/departure/ack-taken-in-passing",
                    test_ack_taken_in_passing);
    g_test_add_func("/endpoint/departure/uncertain",
                    test_uncertain_frames_come_first);
    g_test_add_func("/endpoint/departure/gone-at-ack", test_peer_gone_at_ack);
    g_test_add_func("/endpoint/departure/error-with-reset",
                    test_error_with_reset);
    g_test_add_func("/endpoint/departure/error-before-frames",
                    test_error_before_frames);
    g_test_add_func("/endpoint/departure/error-noticed-by-read",
                    test_error_noticed_by_read);
    g_test_add_func("/endpoint/departure/errors-add-up", test_errors_add_up);
    g_test_add_func("/endpoint/departure/error-of-before",
                    test_error_of_before);
    g_test_add_func("/endpoint/departure/error-while-shaking-hands",
                    test_error_while_shaking_hands);
    return g_test_run();
}
