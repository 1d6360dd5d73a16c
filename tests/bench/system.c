// SPDX-License-Identifier: MIT
/* What the system offers: pipe, AF_UNIX seqpacket, POSIX message queue. */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* What an unprivileged process may give a pipe, unless told otherwise. */
#define PIPE_MOST (1 << 20)

struct channel {
    int in[2];          /* where side 0, side 1 receives */
    int out[2];
};

struct end {
    int in;
    int out;
};

static void *join(void *shared, unsigned side)
{
    const struct channel *channel = shared;
    struct end *end = allocate(sizeof(*end));

    *end = (struct end) { channel->in[side], channel->out[side] };
    return end;
}

/* Descriptors end with the process. */
static void leave(void *me)
{
    free(me);
}

static void *prepare_pipe(void)
{
    struct channel *channel = allocate(sizeof(*channel));

    for (unsigned i = 0; i < 2; i++) {
        int fd[2];
        size_t bytes = BENCH_NFRAMES * run.size;

        if (pipe(fd) < 0) {
            fail("pipe");
        }
        if (fcntl(fd[0], F_SETPIPE_SZ, (int)bytes) < 0 &&
            fcntl(fd[0], F_SETPIPE_SZ, PIPE_MOST) < 0) {
            fail("the size of a pipe");
        }
        channel->in[i] = fd[0];
        channel->out[!i] = fd[1];
    }
    return channel;
}

static void send_pipe(void *me, const void *frame)
{
    const struct end *end = me;
    const char *rest = frame;
    size_t left = run.size;

    while (left > 0) {
        ssize_t n = write(end->out, rest, left);

        if (n <= 0) {
            fail("write to a pipe");
        }
        rest += n;
        left -= (size_t)n;
    }
}

static void receive_pipe(void *me, void *frame)
{
    const struct end *end = me;
    char *rest = frame;
    size_t left = run.size;

    while (left > 0) {
        ssize_t n = read(end->in, rest, left);

        if (n <= 0) {
            fail("read from a pipe");
        }
        rest += n;
        left -= (size_t)n;
    }
}

const struct transport transport_pipe = {
    .name = "pipe",
    .prepare = prepare_pipe,
    .join = join,
    .send = send_pipe,
    .receive = receive_pipe,
    .leave = leave,
};

static void *prepare_seqpacket(void)
{
    struct channel *channel = allocate(sizeof(*channel));
    int bytes = (int)(BENCH_NFRAMES * run.size);
    int fd[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fd) < 0) {
        fail("socketpair");
    }
    for (unsigned i = 0; i < 2; i++) {
        /* Not beyond net.core.wmem_max, and not below the default. */
        int now;
        socklen_t length = sizeof(now);

        if (getsockopt(fd[i], SOL_SOCKET, SO_SNDBUF, &now, &length) < 0 ||
            (now < bytes && setsockopt(fd[i], SOL_SOCKET, SO_SNDBUF, &bytes,
                                       sizeof(bytes)) < 0)) {
            fail("the size of a socket's queue");
        }
        channel->in[i] = fd[i];
        channel->out[i] = fd[i];
    }
    return channel;
}

static void send_seqpacket(void *me, const void *frame)
{
    const struct end *end = me;

    if (send(end->out, frame, run.size, MSG_NOSIGNAL) != (ssize_t)run.size) {
        fail("send");
    }
}

static void receive_seqpacket(void *me, void *frame)
{
    const struct end *end = me;

    if (recv(end->in, frame, run.size, 0) != (ssize_t)run.size) {
        fail("recv");
    }
}

const struct transport transport_seqpacket = {
    .name = "seqpacket",
    .prepare = prepare_seqpacket,
    .join = join,
    .send = send_seqpacket,
    .receive = receive_seqpacket,
    .leave = leave,
};

/* Unprivileged processes get queues of fs.mqueue.msg_max messages at most. */
static long system_limit(void)
{
    FILE *file = fopen("/proc/sys/fs/mqueue/msg_max", "re");
    long limit = 0;

    if (!file || fscanf(file, "%ld", &limit) != 1) {
        not_here("/proc/sys/fs/mqueue/msg_max");
    }
    fclose(file);
    return limit;
}

static void *prepare_mqueue(void)
{
    struct channel *channel = allocate(sizeof(*channel));
    struct mq_attr attr = {
        .mq_maxmsg = BENCH_NFRAMES,
        .mq_msgsize = (long)run.size,
    };

    for (unsigned i = 0; i < 2; i++) {
        char name[64];
        int fd;

        snprintf(name, sizeof(name), "/vsoc-bench-%ld-%u", (long)getpid(), i);
        fd = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &attr);
        if (fd < 0 && i == 0 && system_limit() < BENCH_NFRAMES) {
            attr.mq_maxmsg = system_limit();
            fprintf(stderr, "bench: mqueue holds %ld frames only "
                    "(fs.mqueue.msg_max)\n", attr.mq_maxmsg);
            fd = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &attr);
        }
        if (fd < 0) {
            not_here("a message queue of such frames (fs.mqueue.msgsize_max, "
                     "ulimit -q)");
        }
        mq_unlink(name);
        channel->in[i] = fd;
        channel->out[!i] = fd;
    }
    return channel;
}

static void send_mqueue(void *me, const void *frame)
{
    const struct end *end = me;

    if (mq_send(end->out, frame, run.size, 0) < 0) {
        fail("mq_send");
    }
}

static void receive_mqueue(void *me, void *frame)
{
    const struct end *end = me;

    if (mq_receive(end->in, frame, run.size, NULL) != (ssize_t)run.size) {
        fail("mq_receive");
    }
}

const struct transport transport_mqueue = {
    .name = "mqueue",
    .prepare = prepare_mqueue,
    .join = join,
    .send = send_mqueue,
    .receive = receive_mqueue,
    .leave = leave,
};
