// SPDX-License-Identifier: MIT
/* ZeroMQ: a pair of sockets, inproc between threads, ipc between processes. */
#include "bench.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <zmq.h>

struct channel {
    void *context;              /* of both threads */
    char address[64];
};

struct end {
    void *context;              /* this process's own; else NULL */
    void *socket;
};

static void *new_context(void)
{
    void *context = zmq_ctx_new();

    if (!context) {
        fail("zmq_ctx_new");
    }
    return context;
}

static void *prepare(void)
{
    struct channel *channel = allocate(sizeof(*channel));

    if (run.threads) {
        channel->context = new_context();
        snprintf(channel->address, sizeof(channel->address), "inproc://bench");
    } else {
        /* An abstract name: nothing is left in a folder. */
        snprintf(channel->address, sizeof(channel->address),
                 "ipc://@vsoc-bench-%ld", (long)getpid());
    }
    return channel;
}

static void *join(void *shared, unsigned side)
{
    struct channel *channel = shared;
    struct end *end = allocate(sizeof(*end));
    void *context = channel->context;
    int frames = BENCH_NFRAMES;

    if (!context) {
        /* Here, so that ZeroMQ's own thread is pinned, too. */
        context = end->context = new_context();
    }
    end->socket = zmq_socket(context, ZMQ_PAIR);
    if (!end->socket ||
        zmq_setsockopt(end->socket, ZMQ_SNDHWM, &frames, sizeof(frames)) < 0 ||
        zmq_setsockopt(end->socket, ZMQ_RCVHWM, &frames, sizeof(frames)) < 0) {
        fail("a socket of ZeroMQ");
    }
    if ((side == 0 ? zmq_bind(end->socket, channel->address) :
                     zmq_connect(end->socket, channel->address)) < 0) {
        fail(channel->address);
    }
    return end;
}

static void send(void *me, const void *frame)
{
    struct end *end = me;

    if (zmq_send(end->socket, frame, run.size, 0) != (int)run.size) {
        fail("zmq_send");
    }
}

static void receive(void *me, void *frame)
{
    struct end *end = me;

    if (zmq_recv(end->socket, frame, run.size, 0) != (int)run.size) {
        fail("zmq_recv");
    }
}

static void leave(void *me)
{
    struct end *end = me;

    zmq_close(end->socket);
    if (end->context) {
        /* Waits until what was sent is gone. */
        zmq_ctx_term(end->context);
    }
    free(end);
}

const struct transport transport_zeromq = {
    .name = "zeromq",
    .prepare = prepare,
    .join = join,
    .send = send,
    .receive = receive,
    .leave = leave,
};
