// SPDX-License-Identifier: MIT
/* Stream sockets, as a link between chips is one: AF_UNIX, and TCP. */
#include "bench.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* fd[0] and fd[1] are the ends; each side uses its own. */
struct pair {
    int fd[2];
};

static void *join(void *shared, unsigned side)
{
    const struct pair *pair = shared;
    int *fd = allocate(sizeof(*fd));

    *fd = pair->fd[side];
    return fd;
}

/* Descriptors end with the process. */
static void leave(void *me)
{
    free(me);
}

static void send_all_of(void *me, const void *frame)
{
    const int *fd = me;
    const char *rest = frame;
    size_t left = run.size;

    while (left > 0) {
        ssize_t n = send(*fd, rest, left, MSG_NOSIGNAL);

        if (n <= 0) {
            fail("send");
        }
        rest += n;
        left -= (size_t)n;
    }
}

static void receive_all_of(void *me, void *frame)
{
    const int *fd = me;

    if (recv(*fd, frame, run.size, MSG_WAITALL) != (ssize_t)run.size) {
        fail("recv");
    }
}

static void *prepare_unix(void)
{
    struct pair *pair = allocate(sizeof(*pair));

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair->fd) < 0) {
        fail("socketpair");
    }
    return pair;
}

static void *prepare_tcp(void)
{
    struct pair *pair = allocate(sizeof(*pair));
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    socklen_t length = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    int on = 1;

    pair->fd[0] = socket(AF_INET, SOCK_STREAM, 0);
    if (listener < 0 || pair->fd[0] < 0 ||
        bind(listener, (struct sockaddr *)&address, length) < 0 ||
        listen(listener, 1) < 0 ||
        getsockname(listener, (struct sockaddr *)&address, &length) < 0 ||
        connect(pair->fd[0], (struct sockaddr *)&address, length) < 0) {
        fail("a connection to 127.0.0.1");
    }
    pair->fd[1] = accept(listener, NULL, NULL);
    if (pair->fd[1] < 0) {
        fail("accept");
    }
    close(listener);
    for (unsigned i = 0; i < 2; i++) {
        if (setsockopt(pair->fd[i], IPPROTO_TCP, TCP_NODELAY, &on,
                       sizeof(on)) < 0) {
            fail("TCP_NODELAY");
        }
    }
    return pair;
}

const struct transport transport_unix = {
    .name = "unix",
    .prepare = prepare_unix,
    .join = join,
    .send = send_all_of,
    .receive = receive_all_of,
    .leave = leave,
};

const struct transport transport_tcp = {
    .name = "tcp",
    .prepare = prepare_tcp,
    .join = join,
    .send = send_all_of,
    .receive = receive_all_of,
    .leave = leave,
};
