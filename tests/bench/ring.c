// SPDX-License-Identifier: MIT
/*
 * The limits: the library's ring in shared memory with nothing around it, woken
 * by a message queue, by an eventfd, or not at all.
 */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <poll.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ivc/ivc.h"
#include "ivc_geometry.h"

enum way { MQUEUE, EVENTFD, SPIN };

/* The same in both sides: inherited, or one. */
struct channel {
    char *direction[2];
    int fd[2];                  /* wakes side 0, side 1 */
};

struct end {
    struct ivc ivc;
    int own;
    int far;
};

static int make_queue(unsigned side)
{
    struct mq_attr attr = { .mq_maxmsg = 1, .mq_msgsize = 1 };
    char name[64];
    int fd;

    snprintf(name, sizeof(name), "/vsoc-bench-%ld-%u", (long)getpid(), side);
    fd = mq_open(name, O_RDWR | O_CREAT | O_EXCL | O_NONBLOCK, 0600, &attr);
    if (fd < 0) {
        fail(name);
    }
    mq_unlink(name);
    return fd;
}

static void *prepare(enum way way)
{
    struct channel *channel = allocate(sizeof(*channel));
    size_t bytes = ivc_direction_size(BENCH_NFRAMES, (uint32_t)run.size);

    for (unsigned i = 0; i < 2; i++) {
        void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                            MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

        if (memory == MAP_FAILED) {
            fail("shared memory");
        }
        channel->direction[i] = memory;
        channel->fd[i] = way == MQUEUE ? make_queue(i) :
                         way == EVENTFD ? eventfd(0, 0) : -1;
        if (way == EVENTFD && channel->fd[i] < 0) {
            fail("eventfd");
        }
    }
    return channel;
}

/* Not measured: both sides just look. */
static void shake_hands(struct ivc *ivc)
{
    ivc_reset(ivc);
    while (!ivc->up) {
        uint32_t word = ivc_peer_state(ivc);

        ivc_settle(ivc, word);
        ivc_step(ivc, word);
        sched_yield();
    }
}

static void *join(void *shared, unsigned side)
{
    const struct channel *channel = shared;
    struct end *end = allocate(sizeof(*end));

    ivc_attach(&end->ivc, channel->direction[side], channel->direction[!side],
               BENCH_NFRAMES, (uint32_t)run.size);
    end->own = channel->fd[side];
    end->far = channel->fd[!side];
    shake_hands(&end->ivc);
    return end;
}

static void ring(struct end *end, enum way way)
{
    uint64_t one = 1;

    switch (way) {
    case MQUEUE:
        if (mq_send(end->far, "", 0, 0) < 0 && errno != EAGAIN) {
            fail("mq_send");
        }
        break;
    case EVENTFD:
        if (write(end->far, &one, sizeof(one)) != sizeof(one)) {
            fail("write to an eventfd");
        }
        break;
    case SPIN:
        break;
    }
}

static void wait(struct end *end, enum way way)
{
    struct pollfd readable = { .fd = end->own, .events = POLLIN };
    uint64_t count;
    char byte;

    switch (way) {
    case MQUEUE:
        if (poll(&readable, 1, -1) < 0) {
            fail("poll");
        }
        if (mq_receive(end->own, &byte, sizeof(byte), NULL) < 0) {
            fail("mq_receive");
        }
        break;
    case EVENTFD:
        /* Waits and drains at once. */
        if (read(end->own, &count, sizeof(count)) != sizeof(count)) {
            fail("read from an eventfd");
        }
        break;
    case SPIN:
        relax();
        break;
    }
}

static void send(struct end *end, const void *frame, enum way way)
{
    void *place;
    bool bell;

    while (ivc_tx_frame(&end->ivc, &place) != IVC_OK) {
        wait(end, way);
    }
    memcpy(place, frame, run.size);
    ivc_tx_advance(&end->ivc, &bell);
    if (bell) {
        ring(end, way);
    }
}

static void receive(struct end *end, void *frame, enum way way)
{
    const void *place;
    bool bell;

    while (ivc_rx_frame(&end->ivc, &place) != IVC_OK) {
        wait(end, way);
    }
    memcpy(frame, place, run.size);
    ivc_rx_advance(&end->ivc, &bell);
    if (bell) {
        ring(end, way);
    }
}

/* Memory and descriptors end with the process. */
static void leave(void *me)
{
    free(me);
}

#define WAY(lower, WAY_)                                                \
    static void *prepare_##lower(void)                                  \
    {                                                                   \
        return prepare(WAY_);                                           \
    }                                                                   \
    static void send_##lower(void *me, const void *frame)               \
    {                                                                   \
        send(me, frame, WAY_);                                          \
    }                                                                   \
    static void receive_##lower(void *me, void *frame)                  \
    {                                                                   \
        receive(me, frame, WAY_);                                       \
    }                                                                   \
    const struct transport transport_ring_##lower = {                   \
        .name = "ring-" #lower,                                         \
        .prepare = prepare_##lower,                                     \
        .join = join,                                                   \
        .send = send_##lower,                                           \
        .receive = receive_##lower,                                     \
        .leave = leave,                                                 \
    }

WAY(mqueue, MQUEUE);
WAY(eventfd, EVENTFD);
WAY(spin, SPIN);
