/* SPDX-License-Identifier: MIT */
/* What GetEvent says while nobody dies; frames; bells. */
#include "pair.h"

static void test_before_reset(void)
{
    struct pair pair;
    uint32_t value = 0;
    const void *read;
    void *write;

    pair_begin(&pair, 4);
    for (unsigned n = 0; n < 3; n++) {
        assert_event(pair.a, 0);
        g_assert_cmpint(put(pair.a, 1), ==, -ECONNRESET);
        assert_get_fails(pair.a, -ECONNRESET);
        g_assert_cmpint(endpoint_read_frame(pair.a, &read), ==, -ECONNRESET);
        g_assert_cmpint(endpoint_write_frame(pair.a, &write), ==, -ECONNRESET);
        g_assert_cmpint(endpoint_read_advance(pair.a), ==, -ECONNRESET);
        g_assert_cmpint(endpoint_write_advance(pair.a), ==, -ECONNRESET);
        /* Nor does a peer that wants a reset get an answer. */
        endpoint_reset(pair.b);
        assert_event(pair.b, 0);
        g_assert_cmpuint(state_of(&pair, 0), ==, IVC_ESTABLISHED);
    }
    /* The bell is drained all the same: who waits on it must not spin. */
    assert_event(pair.a, 0);
    g_assert_false(rung(&pair, 0));
    g_assert_cmpint(endpoint_write(pair.a, &value, FRAME_SIZE + 1), ==,
                    -EINVAL);
    pair_end(&pair);
}

static void test_connect(void)
{
    struct pair pair;

    pair_begin(&pair, 4);
    pair_connect(&pair);
    assert_event(pair.a, WRITE | EMPTY);
    assert_event(pair.b, WRITE | EMPTY);
    g_assert_false(rung(&pair, 0));
    g_assert_false(rung(&pair, 1));
    pair_end(&pair);
}

/* Each looks only when rung, whoever comes first. */
static void test_connect_by_bells(void)
{
    for (unsigned first = 0; first < 2; first++) {
        struct pair pair;
        uint32_t seen[2] = { 0, 0 };

        pair_begin(&pair, 4);
        endpoint_reset(first == 0 ? pair.a : pair.b);
        endpoint_reset(first == 0 ? pair.b : pair.a);
        for (unsigned n = 0; n < 10; n++) {
            for (unsigned e = 0; e < 2; e++) {
                if (rung(&pair, e)) {
                    seen[e] |= endpoint_get_event(e == 0 ? pair.a : pair.b);
                }
            }
        }
        g_assert_cmphex(seen[0], ==, EST | WRITE | EMPTY);
        g_assert_cmphex(seen[1], ==, EST | WRITE | EMPTY);
        g_assert_false(rung(&pair, 0));
        g_assert_false(rung(&pair, 1));
        pair_end(&pair);
    }
}

static void test_levels(void)
{
    struct pair pair;

    pair_begin(&pair, 2);
    pair_connect(&pair);
    assert_put(pair.a, 1);
    assert_event(pair.a, WRITE);
    assert_put(pair.a, 2);
    assert_event(pair.a, 0);
    g_assert_cmpint(put(pair.a, 3), ==, -EAGAIN);
    assert_event(pair.b, READ | WRITE | EMPTY);
    assert_event(pair.b, READ | WRITE | EMPTY);
    assert_get(pair.b, 1);
    assert_event(pair.a, WRITE);
    assert_get(pair.b, 2);
    assert_event(pair.a, WRITE | EMPTY);
    assert_event(pair.b, WRITE | EMPTY);
    assert_get_fails(pair.b, -EAGAIN);
    pair_end(&pair);
}

static void test_bells(void)
{
    struct pair pair;

    pair_begin(&pair, 2);
    pair_connect(&pair);
    assert_put(pair.a, 1);
    g_assert_true(rung(&pair, 1));          /* the queue was empty */
    assert_event(pair.b, READ | WRITE | EMPTY);
    assert_put(pair.a, 2);
    g_assert_false(rung(&pair, 1));
    assert_get(pair.b, 1);
    g_assert_true(rung(&pair, 0));          /* the queue was full */
    assert_event(pair.a, WRITE);
    assert_get(pair.b, 2);
    g_assert_false(rung(&pair, 0));
    pair_end(&pair);
}

static void test_polling_mode(void)
{
    struct pair pair;

    pair_begin(&pair, 2);
    g_assert_cmpint(endpoint_enable_notification(pair.a, false), ==, 0);
    pair_connect(&pair);                    /* the handshake rings */
    assert_put(pair.a, 1);
    assert_put(pair.a, 2);
    g_assert_false(rung(&pair, 1));
    assert_get(pair.b, 1);
    /* Who sleeps since must be woken for what came in silence. */
    g_assert_cmpint(endpoint_enable_notification(pair.a, true), ==, 0);
    g_assert_true(rung(&pair, 1));
    assert_event(pair.b, READ | WRITE | EMPTY);
    assert_get(pair.b, 2);
    assert_put(pair.a, 3);
    g_assert_true(rung(&pair, 1));
    pair_end(&pair);
}

/* A backend whose far end moves only when rung. */
static void test_no_polling_mode(void)
{
    struct backend loud = mem_link;
    struct pair pair;

    loud.can_disable_notification = false;
    pair_begin(&pair, 2);
    ((struct link *)endpoint_link(pair.a))->backend = &loud;
    pair_connect(&pair);
    for (unsigned n = 0; n < 2; n++) {
        g_assert_cmpint(endpoint_enable_notification(pair.a, n != 0), ==,
                        -EOPNOTSUPP);
    }
    g_assert_false(rung(&pair, 1));
    assert_put(pair.a, 1);
    g_assert_true(rung(&pair, 1));
    pair_end(&pair);
}

static void test_frame_content(void)
{
    struct pair pair;
    char in[FRAME_SIZE + 1], out[FRAME_SIZE + 1];

    pair_begin(&pair, 3);
    pair_connect(&pair);
    memset(in, 'x', sizeof(in));
    /* Fill every frame, so that zeros later are zeros that were written. */
    for (unsigned n = 0; n < 3; n++) {
        g_assert_cmpint(endpoint_write(pair.a, in, FRAME_SIZE), ==, 0);
        g_assert_cmpint(endpoint_read(pair.b, out, FRAME_SIZE), ==, 0);
        g_assert_cmpmem(in, FRAME_SIZE, out, FRAME_SIZE);
    }
    for (uint32_t size = 0; size <= FRAME_SIZE; size++) {
        g_assert_cmpint(endpoint_write(pair.a, in, size), ==, 0);
        memset(out, '?', sizeof(out));
        g_assert_cmpint(endpoint_read(pair.b, out, FRAME_SIZE), ==, 0);
        for (uint32_t i = 0; i < FRAME_SIZE; i++) {
            g_assert_cmpint(out[i], ==, i < size ? 'x' : 0);
        }
        g_assert_cmpint(out[FRAME_SIZE], ==, '?');
    }
    /* A shorter read drops the rest of its frame, and of no other. */
    for (uint32_t size = 0; size <= FRAME_SIZE; size++) {
        assert_put(pair.a, 0x01010101);
        assert_put(pair.a, 2);
        memset(out, '?', sizeof(out));
        g_assert_cmpint(endpoint_read(pair.b, out, size), ==, 0);
        g_assert_cmpint(out[size], ==, '?');
        assert_get(pair.b, 2);
    }
    g_assert_cmpint(endpoint_write(pair.a, in, FRAME_SIZE + 1), ==, -EINVAL);
    g_assert_cmpint(endpoint_read(pair.a, out, FRAME_SIZE + 1), ==, -EINVAL);
    g_assert_cmpint(endpoint_write(pair.a, in, UINT32_MAX), ==, -EINVAL);
    assert_get_fails(pair.b, -EAGAIN);
    pair_end(&pair);
}

static void test_in_place(void)
{
    struct pair pair;
    const void *read, *again;
    void *write;

    pair_begin(&pair, 2);
    pair_connect(&pair);
    g_assert_cmpint(endpoint_write_frame(pair.a, &write), ==, 0);
    memset(write, 7, FRAME_SIZE);
    g_assert_cmpint(endpoint_read_frame(pair.b, &read), ==, -EAGAIN);
    g_assert_cmpint(endpoint_write_advance(pair.a), ==, 0);
    g_assert_true(rung(&pair, 1));
    g_assert_cmpint(endpoint_read_frame(pair.b, &read), ==, 0);
    g_assert_cmpint(endpoint_read_frame(pair.b, &again), ==, 0);
    g_assert_true(read == again);
    g_assert_cmpint(*(const char *)read, ==, 7);
    g_assert_cmpint(endpoint_read_advance(pair.b), ==, 0);
    g_assert_cmpint(endpoint_read_advance(pair.b), ==, -EAGAIN);
    assert_put(pair.a, 1);
    assert_put(pair.a, 2);
    g_assert_cmpint(endpoint_write_frame(pair.a, &write), ==, -EAGAIN);
    g_assert_cmpint(endpoint_write_advance(pair.a), ==, -EAGAIN);
    /* Unseen, which is allowed. */
    g_assert_cmpint(endpoint_read_advance(pair.b), ==, 0);
    g_assert_true(rung(&pair, 0));
    assert_get(pair.b, 2);
    pair_end(&pair);
}

/* A frame that was given out before a reset is none of the new connection. */
static void test_stale_frame_in_place(void)
{
    struct pair pair;
    const void *read;
    void *write;

    pair_begin(&pair, 4);
    pair_connect(&pair);
    assert_put(pair.b, 1);
    g_assert_cmpint(endpoint_read_frame(pair.a, &read), ==, 0);
    g_assert_cmpint(endpoint_write_frame(pair.a, &write), ==, 0);
    endpoint_reset(pair.b);
    assert_event(pair.a, RESET);
    assert_event(pair.b, EST | WRITE | EMPTY);
    assert_event(pair.a, EST | WRITE | EMPTY);
    assert_put(pair.b, 2);
    g_assert_cmpint(endpoint_write_advance(pair.a), ==, -ECONNRESET);
    g_assert_cmpint(endpoint_read_advance(pair.a), ==, -ECONNRESET);
    assert_get_fails(pair.b, -EAGAIN);
    assert_get(pair.a, 2);
    /* Once told, it begins anew. */
    g_assert_cmpint(endpoint_write_frame(pair.a, &write), ==, 0);
    g_assert_cmpint(endpoint_write_advance(pair.a), ==, 0);
    pair_end(&pair);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/endpoint/events/before-reset", test_before_reset);
    g_test_add_func("/endpoint/events/connect", test_connect);
    g_test_add_func("/endpoint/events/connect-by-bells",
                    test_connect_by_bells);
    g_test_add_func("/endpoint/events/levels", test_levels);
    g_test_add_func("/endpoint/events/bells", test_bells);
    g_test_add_func("/endpoint/events/polling-mode", test_polling_mode);
    g_test_add_func("/endpoint/events/no-polling-mode", test_no_polling_mode);
    g_test_add_func("/endpoint/events/frame-content", test_frame_content);
    g_test_add_func("/endpoint/events/in-place", test_in_place);
    g_test_add_func("/endpoint/events/stale-in-place",
                    test_stale_frame_in_place);
    return g_test_run();
}
