/* SPDX-License-Identifier: MIT */
/*
 * Two ends, each with a thread that sends and a thread that receives, at full
 * speed. Who finds nothing to do sleeps until a bell: a lost one is a hang, and
 * the watchdog's.
 */
#include <errno.h>
#include <semaphore.h>
#include <time.h>

#include "channel.h"

#define FRAMES 100000u
#define PATIENCE 60             /* seconds */

struct side {
    struct channel *channel;
    unsigned end;
    sem_t *bell[2];             /* of the sender and the receiver of an end */
    sem_t *far_bell[2];
};

static void sleep_until_rung(sem_t *bell)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE;
    while (sem_timedwait(bell, &until) != 0) {
        g_assert_cmpint(errno, ==, EINTR);      /* else: a bell was lost */
    }
}

static void *sender(void *opaque)
{
    struct side *side = opaque;

    for (uint32_t n = 0; n < FRAMES; n++) {
        enum ivc_status status;
        bool bell = false;

        while ((status = send(side->channel, side->end, n, &bell)) ==
               IVC_WAIT) {
            sleep_until_rung(side->bell[0]);
        }
        g_assert_cmpint(status, ==, IVC_OK);
        if (bell) {
            sem_post(side->far_bell[1]);
        }
    }
    return NULL;
}

static void *receiver(void *opaque)
{
    struct side *side = opaque;

    for (uint32_t n = 0; n < FRAMES; n++) {
        enum ivc_status status;
        uint32_t value = 0;
        bool bell = false;

        while ((status = receive(side->channel, side->end, &value, &bell)) ==
               IVC_WAIT) {
            sleep_until_rung(side->bell[1]);
        }
        g_assert_cmpint(status, ==, IVC_OK);
        g_assert_cmpuint(value, ==, n);
        if (bell) {
            sem_post(side->far_bell[0]);
        }
    }
    return NULL;
}

static void test_stress(gconstpointer data)
{
    struct channel *channel = channel_new(GPOINTER_TO_UINT(data), 64);
    sem_t bell[2][2];
    struct side side[2];
    GThread *thread[4];

    connect(channel);
    for (unsigned e = 0; e < 2; e++) {
        side[e] = (struct side) {
            .channel = channel, .end = e,
            .bell = { &bell[e][0], &bell[e][1] },
            .far_bell = { &bell[!e][0], &bell[!e][1] },
        };
        sem_init(&bell[e][0], 0, 0);
        sem_init(&bell[e][1], 0, 0);
    }
    for (unsigned e = 0; e < 2; e++) {
        thread[2 * e] = g_thread_new("sender", sender, &side[e]);
        thread[2 * e + 1] = g_thread_new("receiver", receiver, &side[e]);
    }
    for (unsigned i = 0; i < 4; i++) {
        g_thread_join(thread[i]);
    }
    channel_free(channel);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_data_func("/ivc/stress/1", GUINT_TO_POINTER(1), test_stress);
    g_test_add_data_func("/ivc/stress/7", GUINT_TO_POINTER(7), test_stress);
    g_test_add_data_func("/ivc/stress/64", GUINT_TO_POINTER(64), test_stress);
    return g_test_run();
}
