/* SPDX-License-Identifier: MIT */
/*
 * What an endpoint does when bells are lost, late, doubled or for nothing, and
 * when somebody writes to the channel who may not: docs/specs/faults.md. In the
 * end a bell sets it right, and what is read was sent.
 */
#include "pair.h"

#define NFRAMES 4u
#define ROUNDS 20u

static void bell(struct endpoint *endpoint)
{
    struct link link = *endpoint_link(endpoint);

    link.backend->notify(&link);
}

/* Each end rings, and each looks when rung; what they are told, over all. */
static void ring_both(struct pair *pair, uint32_t seen[2])
{
    seen[0] = 0;
    seen[1] = 0;
    bell(pair->a);
    bell(pair->b);
    for (unsigned n = 0; n < ROUNDS; n++) {
        if (rung(pair, 0)) {
            seen[0] |= endpoint_get_event(pair->a);
        }
        if (rung(pair, 1)) {
            seen[1] |= endpoint_get_event(pair->b);
        }
    }
    /* They do not keep each other busy. */
    g_assert_false(rung(pair, 0));
    g_assert_false(rung(pair, 1));
}

/* So many frames each way, so that counts are not those of the start. */
static void move(struct pair *pair, unsigned nr)
{
    for (unsigned n = 0; n < nr; n++) {
        assert_put(pair->a, n);
        assert_get(pair->b, n);
        assert_put(pair->b, n);
        assert_get(pair->a, n);
    }
}

static void assert_works(struct pair *pair)
{
    move(pair, 2 * NFRAMES + 1);
    assert_get_fails(pair->a, -EAGAIN);
    assert_get_fails(pair->b, -EAGAIN);
}

/* Connected, `moved` frames have gone each way, `unread` more from b to a. */
static void begin(struct pair *pair, unsigned moved, unsigned unread)
{
    pair_begin(pair, NFRAMES);
    pair_connect(pair);
    move(pair, moved);
    endpoint_get_event(pair->a);
    endpoint_get_event(pair->b);
    for (unsigned n = 0; n < unread; n++) {
        assert_put(pair->b, 100 + n);
    }
}

/* The bell of an end is lost: as if it had never been rung. */
static void lose_bell(struct pair *pair, unsigned end)
{
    g_assert_true(rung(pair, end));
    pair->channel->end[end].rung = false;
}

static void test_lost_bell(void)
{
    struct pair pair;
    uint32_t seen[2];

    begin(&pair, 3, 0);
    assert_put(pair.b, 7);
    lose_bell(&pair, 0);
    /* The next frame owes none, and the frames are there all the same. */
    assert_put(pair.b, 8);
    g_assert_false(rung(&pair, 0));
    ring_both(&pair, seen);
    g_assert_cmphex(seen[0] & (READ | RESET), ==, READ);
    assert_get(pair.a, 7);
    assert_get(pair.a, 8);
    assert_works(&pair);
    pair_end(&pair);
}

/* Of a handshake, whichever it is. */
static void test_lost_bells_of_a_handshake(void)
{
    for (unsigned lost = 0; lost < 8; lost++) {
        struct pair pair;
        uint32_t seen[2] = { 0, 0 };
        uint32_t after[2];
        unsigned nr = 0;

        pair_begin(&pair, NFRAMES);
        endpoint_reset(pair.a);
        endpoint_reset(pair.b);
        for (unsigned n = 0; n < ROUNDS; n++) {
            for (unsigned e = 0; e < 2; e++) {
                if (!rung(&pair, e)) {
                    continue;
                }
                if (nr++ == lost) {
                    lose_bell(&pair, e);
                } else {
                    seen[e] |= endpoint_get_event(e == 0 ? pair.a : pair.b);
                }
            }
        }
        ring_both(&pair, after);
        g_assert_cmphex((seen[0] | after[0]) & (EST | RESET), ==, EST);
        g_assert_cmphex((seen[1] | after[1]) & (EST | RESET), ==, EST);
        assert_works(&pair);
        pair_end(&pair);
    }
}

static void test_bells_for_nothing(void)
{
    struct pair pair;

    begin(&pair, 3, 0);
    for (unsigned n = 0; n < 5; n++) {
        bell(pair.a);
        bell(pair.b);
        assert_event(pair.a, WRITE | EMPTY);
        assert_event(pair.b, WRITE | EMPTY);
        g_assert_false(rung(&pair, 0));
        g_assert_false(rung(&pair, 1));
    }
    assert_works(&pair);
    pair_end(&pair);
}

/* ---- words of b's that b did not write ---- */

static uint32_t *word_of_b(struct pair *pair, const char *word)
{
    if (!strcmp(word, "tx-count")) {
        return &own_header(pair, 1)->tx_count;
    }
    if (!strcmp(word, "tx-state")) {
        return &own_header(pair, 1)->tx_state;
    }
    return &own_header(pair, 0)->rx_count;
}

static void forge(struct pair *pair, const char *word, uint32_t value)
{
    __atomic_store_n(word_of_b(pair, word), value, __ATOMIC_SEQ_CST);
}

/* After a bell both know of a reset, or of nothing, and all works. */
static void assert_heals(struct pair *pair)
{
    uint32_t seen[2];

    ring_both(pair, seen);
    g_assert_cmphex(seen[0] & RESET, ==, seen[1] & RESET);
    if (seen[0] & RESET) {
        g_assert_cmphex(seen[0] & EST, ==, EST);
        g_assert_cmphex(seen[1] & EST, ==, EST);
    }
    assert_works(pair);
}

static void test_forged_state(void)
{
    static const uint32_t states[] = { IVC_SYNC, IVC_ACK, 3, UINT32_MAX };

    for (unsigned i = 0; i < G_N_ELEMENTS(states); i++) {
        for (unsigned moved = 0; moved < NFRAMES + 2; moved++) {
            struct pair pair;

            begin(&pair, moved, 0);
            forge(&pair, "tx-state", states[i]);
            assert_heals(&pair);
            pair_end(&pair);
        }
    }
}

/* And one, or both, call Reset before anybody looks. */
static void test_forged_state_and_reset(void)
{
    for (unsigned who = 1; who < 4; who++) {
        for (uint32_t state = IVC_SYNC; state <= IVC_ACK; state++) {
            for (unsigned look = 0; look < 2; look++) {
                struct pair pair;
                uint32_t seen[2];

                begin(&pair, 2, 0);
                forge(&pair, "tx-state", state);
                if (look) {
                    endpoint_get_event(pair.a);
                }
                if (who & 1) {
                    endpoint_reset(pair.a);
                }
                if (who & 2) {
                    endpoint_reset(pair.b);
                }
                ring_both(&pair, seen);
                assert_works(&pair);
                pair_end(&pair);
            }
        }
    }
}

/* While they shake hands, at any point of it, to any state. */
static void test_forged_state_of_a_handshake(void)
{
    for (unsigned at = 0; at < 8; at++) {
        for (uint32_t state = IVC_ESTABLISHED; state <= 3; state++) {
            struct pair pair;
            uint32_t seen[2];

            pair_begin(&pair, NFRAMES);
            endpoint_reset(pair.a);
            endpoint_reset(pair.b);
            for (unsigned n = 0; n < at; n++) {
                endpoint_get_event(n % 2 == 0 ? pair.a : pair.b);
            }
            forge(&pair, "tx-state", state);
            endpoint_get_event(pair.a);
            ring_both(&pair, seen);
            assert_works(&pair);
            pair_end(&pair);
        }
    }
}

/* A count that cannot be: nothing is taken for a frame, or for space. */
static void test_impossible_count(void)
{
    static const uint32_t off[] = {
        NFRAMES + 1, 1000, INT32_MAX, (uint32_t)INT32_MAX + 1, UINT32_MAX,
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(off); i++) {
        struct pair pair;

        begin(&pair, 3, 0);
        forge(&pair, "tx-count", 3 + off[i]);
        assert_get_fails(pair.a, -EAGAIN);
        g_assert_cmphex(endpoint_get_event(pair.a) & READ, ==, 0);
        assert_heals(&pair);

        forge(&pair, "rx-count", *word_of_b(&pair, "rx-count") - off[i]);
        g_assert_cmpint(put(pair.a, 1), ==, -EAGAIN);
        g_assert_cmphex(endpoint_get_event(pair.a) & WRITE, ==, 0);
        assert_heals(&pair);
        pair_end(&pair);
    }
}

/* The next frame has the true count with it. */
static void test_impossible_count_and_a_frame(void)
{
    struct pair pair;

    begin(&pair, 3, 0);
    forge(&pair, "tx-count", 1000);
    assert_put(pair.b, 7);
    assert_get(pair.a, 7);
    assert_works(&pair);
    pair_end(&pair);
}

/*
 * A count that could be. The ring cannot know: frames are read that were never
 * sent. It still ends, and then all is well.
 */
static void test_plausible_count(void)
{
    for (unsigned more = 1; more <= NFRAMES; more++) {
        struct pair pair;
        uint32_t value;
        unsigned got = 0;

        begin(&pair, 3, 0);
        forge(&pair, "tx-count", 3 + more);
        while (endpoint_read(pair.a, &value, sizeof(value)) == 0) {
            got++;
        }
        g_assert_cmpuint(got, ==, more);
        /* To b more was read than it sent. */
        g_assert_cmpint(put(pair.b, 1), ==, -EAGAIN);
        assert_heals(&pair);
        pair_end(&pair);
    }
}

/*
 * Space that is none: a frame that was not read is written over, and its reader
 * finds another in its place. When there are more than can be, it finds none.
 */
static void test_space_that_is_none(void)
{
    struct pair pair;
    uint32_t seen[2];

    begin(&pair, 3, 0);
    for (unsigned n = 0; n < NFRAMES; n++) {
        assert_put(pair.a, 50 + n);
    }
    g_assert_cmpint(put(pair.a, 90), ==, -EAGAIN);
    forge(&pair, "rx-count", 3 + NFRAMES);
    for (unsigned n = 0; n < NFRAMES; n++) {
        assert_put(pair.a, 60 + n);
    }
    assert_get_fails(pair.b, -EAGAIN);
    /* The bell of the first frame is still there. */
    assert_event(pair.b, RESET);
    ring_both(&pair, seen);
    g_assert_cmphex(seen[0] & (RESET | EST), ==, RESET | EST);
    g_assert_cmphex(seen[1] & (RESET | EST), ==, EST);
    assert_works(&pair);
    pair_end(&pair);

    /* As long as there are not too many, the reader's next Read ends it. */
    begin(&pair, 3, 0);
    assert_put(pair.a, 50);
    assert_put(pair.a, 51);
    forge(&pair, "rx-count", 5);
    assert_put(pair.a, 52);
    for (unsigned n = 0; n < 3; n++) {
        assert_get(pair.b, 50 + n);
    }
    assert_works(&pair);
    pair_end(&pair);
}

/* Who was told too much sends no frame that its peer would skip. */
static void test_no_frame_is_skipped(void)
{
    struct pair pair;
    uint32_t value;

    /* The sender is first: its count is the true one again. */
    begin(&pair, 3, 0);
    forge(&pair, "tx-count", 4);
    assert_put(pair.b, 70);
    assert_get(pair.a, 70);
    assert_get_fails(pair.a, -EAGAIN);
    assert_works(&pair);
    pair_end(&pair);

    /* The reader is first: the sender finds no space until they have reset. */
    begin(&pair, 3, 0);
    forge(&pair, "tx-count", 4);
    g_assert_cmpint(endpoint_read(pair.a, &value, sizeof(value)), ==, 0);
    for (unsigned n = 0; n < 2 * NFRAMES; n++) {
        g_assert_cmpint(put(pair.b, 70), ==, -EAGAIN);
    }
    assert_heals(&pair);
    pair_end(&pair);
}

/* Frames that wait are there again when the word is right again. */
static void test_hidden_frames(void)
{
    struct pair pair;

    begin(&pair, 3, 2);
    forge(&pair, "tx-count", 3);
    assert_get_fails(pair.a, -EAGAIN);
    assert_put(pair.b, 102);
    assert_get(pair.a, 100);
    assert_get(pair.a, 101);
    assert_get(pair.a, 102);
    assert_works(&pair);
    pair_end(&pair);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/faults/lost-bell", test_lost_bell);
    g_test_add_func("/faults/lost-handshake", test_lost_bells_of_a_handshake);
    g_test_add_func("/faults/bells-for-nothing", test_bells_for_nothing);
    g_test_add_func("/faults/state", test_forged_state);
    g_test_add_func("/faults/state-reset", test_forged_state_and_reset);
    g_test_add_func("/faults/state-handshake",
                    test_forged_state_of_a_handshake);
    g_test_add_func("/faults/impossible", test_impossible_count);
    g_test_add_func("/faults/impossible-frame",
                    test_impossible_count_and_a_frame);
    g_test_add_func("/faults/plausible", test_plausible_count);
    g_test_add_func("/faults/no-space", test_space_that_is_none);
    g_test_add_func("/faults/none-skipped", test_no_frame_is_skipped);
    g_test_add_func("/faults/hidden", test_hidden_frames);
    return g_test_run();
}
