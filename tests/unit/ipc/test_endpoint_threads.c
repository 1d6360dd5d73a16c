/* SPDX-License-Identifier: MIT */
/*
 * Each end with a reader, a writer and one who looks at events, all at once
 * under the locks of a handle, and for the thread sanitizer; sleeping on the descriptor. A lost wake-up hangs.
 */
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <time.h>

#include "ipc/handle.h"
#include "pair.h"

#define FRAMES 50000u
#define PATIENCE 60             /* seconds */

/* pthread's locks and not GLib's, which the sanitizer does not see. */
struct side {
    struct endpoint *endpoint;
    uint64_t handle;
    pthread_mutex_t lock;
    pthread_cond_t changed;              /* the looker has looked once more */
    uint64_t looks;
    uint64_t resets;
    gint stop;
};

static void side_begin(struct side *side, struct endpoint *endpoint)
{
    memset(side, 0, sizeof(*side));
    side->endpoint = endpoint;
    side->handle = handle_add(endpoint);
    pthread_mutex_init(&side->lock, NULL);
    pthread_cond_init(&side->changed, NULL);
}

static uint32_t look(struct side *side)
{
    struct endpoint *endpoint = handle_get(side->handle, HANDLE_BOTH);
    uint32_t events = endpoint_get_event(endpoint);

    handle_put(side->handle, HANDLE_BOTH);
    return events;
}

static int send(struct side *side, uint32_t value)
{
    int ret = put(handle_get(side->handle, HANDLE_TX), value);

    handle_put(side->handle, HANDLE_TX);
    return ret;
}

static int receive(struct side *side, uint32_t *value)
{
    int ret = endpoint_read(handle_get(side->handle, HANDLE_RX), value, 4);

    handle_put(side->handle, HANDLE_RX);
    return ret;
}

static void side_end(struct side *side)
{
    g_assert_true(handle_remove(side->handle) == side->endpoint);
}

/* The one thread that waits on the descriptor; it wakes the others. */
static void *looker(void *opaque)
{
    struct side *side = opaque;
    struct pollfd poll_fd = {
        .fd = endpoint_link(side->endpoint)->event_fd, .events = POLLIN,
    };

    for (;;) {
        uint32_t events = look(side);

        pthread_mutex_lock(&side->lock);
        side->looks++;
        side->resets += (events & RESET) != 0;
        pthread_cond_broadcast(&side->changed);
        pthread_mutex_unlock(&side->lock);
        /* After the look, which takes stop()'s event away, too. */
        if (g_atomic_int_get(&side->stop)) {
            return NULL;
        }
        g_assert_cmpint(poll(&poll_fd, 1, PATIENCE * 1000), ==, 1);
    }
}

static void stop(struct side *side, GThread *thread)
{
    g_atomic_int_set(&side->stop, 1);
    eventfd_write(endpoint_link(side->endpoint)->event_fd, 1);
    g_thread_join(thread);
}

static uint64_t looks_of(struct side *side)
{
    uint64_t looks;

    pthread_mutex_lock(&side->lock);
    looks = side->looks;
    pthread_mutex_unlock(&side->lock);
    return looks;
}

/* Sleeps until there was a look that began after this count was taken. */
static void await_look(struct side *side, uint64_t since)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE;
    pthread_mutex_lock(&side->lock);
    while (side->looks == since) {
        g_assert_cmpint(pthread_cond_timedwait(&side->changed, &side->lock,
                                               &until), ==, 0);
    }
    pthread_mutex_unlock(&side->lock);
}

static void *writer(void *opaque)
{
    struct side *side = opaque;

    for (uint32_t n = 0; n < FRAMES; n++) {
        uint64_t looks = looks_of(side);
        int ret;

        while ((ret = send(side, n)) != 0) {
            g_assert_true(ret == -EAGAIN || ret == -ECONNRESET);
            await_look(side, looks);
            looks = looks_of(side);
        }
    }
    return NULL;
}

static void *reader(void *opaque)
{
    struct side *side = opaque;

    for (uint32_t n = 0; n < FRAMES; n++) {
        uint64_t looks = looks_of(side);
        uint32_t value = 0;
        int ret;

        while ((ret = receive(side, &value)) != 0) {
            g_assert_true(ret == -EAGAIN || ret == -ECONNRESET);
            await_look(side, looks);
            looks = looks_of(side);
        }
        g_assert_cmpuint(value, ==, n);
    }
    return NULL;
}

static void test_duplex(gconstpointer data)
{
    struct pair pair;
    struct side side[2];
    GThread *lookers[2], *movers[4];

    pair.channel = mem_channel_new(GPOINTER_TO_UINT(data), FRAME_SIZE, true);
    side_begin(&side[0], pair_open(&pair, 0));
    side_begin(&side[1], pair_open(&pair, 1));
    endpoint_reset(pair.a);
    endpoint_reset(pair.b);
    for (unsigned e = 0; e < 2; e++) {
        lookers[e] = g_thread_new("looker", looker, &side[e]);
        movers[2 * e] = g_thread_new("writer", writer, &side[e]);
        movers[2 * e + 1] = g_thread_new("reader", reader, &side[e]);
    }
    for (unsigned i = 0; i < 4; i++) {
        g_thread_join(movers[i]);
    }
    for (unsigned e = 0; e < 2; e++) {
        stop(&side[e], lookers[e]);
        g_assert_cmpuint(side[e].resets, ==, 0);
        side_end(&side[e]);
    }
    pair_end(&pair);
}

/* One end comes and goes; the other has threads in it all the time. */
static void *nervous_reader(void *opaque)
{
    struct side *side = opaque;
    uint32_t last = 0;

    while (!g_atomic_int_get(&side->stop)) {
        uint32_t value = 0;

        if (receive(side, &value) == 0) {
            g_assert_cmpuint(value, >, last);
            last = value;
        }
    }
    return NULL;
}

static void *nervous_writer(void *opaque)
{
    struct side *side = opaque;

    while (!g_atomic_int_get(&side->stop)) {
        send(side, 1);
    }
    return NULL;
}

static void test_restarts(void)
{
    struct pair pair;
    struct side side;
    GThread *threads[3];
    uint32_t next = 1;
    struct pollfd poll_fd = { .events = POLLIN };

    pair.channel = mem_channel_new(4, FRAME_SIZE, true);
    side_begin(&side, pair_open(&pair, 0));
    endpoint_reset(pair.a);
    threads[0] = g_thread_new("looker", looker, &side);
    threads[1] = g_thread_new("reader", nervous_reader, &side);
    threads[2] = g_thread_new("writer", nervous_writer, &side);
    for (unsigned n = 0; n < 200; n++) {
        pair_open(&pair, 1);
        poll_fd.fd = endpoint_link(pair.b)->event_fd;
        endpoint_reset(pair.b);
        while (!(endpoint_get_event(pair.b) & EST)) {
            g_assert_cmpint(poll(&poll_fd, 1, PATIENCE * 1000), ==, 1);
        }
        while (put(pair.b, next) == 0) {
            next++;
        }
        if (n % 2) {
            endpoint_close(pair.b, n % 4 == 1);
            pair.b = NULL;
        } else {
            pair_kill(&pair, 1);
        }
    }
    for (unsigned i = 0; i < 3; i++) {
        stop(&side, threads[i]);
    }
    side_end(&side);
    pair_end(&pair);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_data_func("/endpoint/threads/duplex-1", GUINT_TO_POINTER(1),
                         test_duplex);
    g_test_add_data_func("/endpoint/threads/duplex-5", GUINT_TO_POINTER(5),
                         test_duplex);
    g_test_add_data_func("/endpoint/threads/duplex-64", GUINT_TO_POINTER(64),
                         test_duplex);
    g_test_add_func("/endpoint/threads/restarts", test_restarts);
    return g_test_run();
}
