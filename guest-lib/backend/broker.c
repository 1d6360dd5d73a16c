/* SPDX-License-Identifier: MIT */
/*
 * The broker: answers other processes, and notices their death.
 *
 * Whoever can open the lock file of a domain may send anything here. What
 * others are told by whom is decided by the locks, which the kernel keeps.
 */
#include "backend/broker.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "backend/claim.h"

#define VERSION 1u
#define NAME_PREFIX "nvsciipc-"
#define NR_EVENTS 16
/* Requests answered before deaths are looked at again. */
#define NR_REQUESTS 16
#define NR_FDS 3                    /* memory, queue of end 0, of end 1 */
#define STACK_SIZE (512u << 10)     /* a request, and what sanitizers add */

struct request {
    uint32_t version;
    uint32_t end;                   /* the asker's */
    uint32_t nframes;
    uint32_t frame_size;
    char key[SHM_KEY_SIZE];         /* as long as the datagram says */
};

struct reply {
    uint32_t version;
    uint32_t error;                 /* 0, ENOENT, EPROTO */
    uint32_t nframes;
    uint32_t frame_size;
    uint64_t offset;
};

/* Room for the control messages that we expect. */
union control {
    struct cmsghdr align;
    char room[CMSG_SPACE(sizeof(struct ucred)) +
              CMSG_SPACE(NR_FDS * sizeof(int))];
};

struct process {
    struct process *next;
    uint64_t id;                    /* from 1; never used again, unlike the pid */
    pid_t pid;
    int pidfd;
    unsigned refs;
};

struct broker {
    pthread_t thread;
    int socket;
    int epoll;
    unsigned refs;                  /* ends */
    bool stop;
    uint8_t address[CLAIM_ADDRESS_SIZE];
};

static struct broker *broker;
static struct process *processes;
static uint64_t next_id;            /* 0 is the socket */

static socklen_t make_name(struct sockaddr_un *name,
                           const uint8_t address[CLAIM_ADDRESS_SIZE])
{
    char *text = name->sun_path + 1;
    size_t room = sizeof(name->sun_path) - 1;
    int length;
    unsigned i;

    memset(name, 0, sizeof(*name));
    name->sun_family = AF_UNIX;
    length = snprintf(text, room, NAME_PREFIX);
    for (i = 0; i < CLAIM_ADDRESS_SIZE; i++) {
        length += snprintf(text + length, room - (size_t)length, "%02x",
                           address[i]);
    }
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
                       (size_t)length);
}

/* A datagram socket that is told by the kernel who sends. */
static int make_socket(void)
{
    int on = 1;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd >= 0 &&
        setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* Processes */

static bool is_dead(const struct process *process)
{
    struct pollfd pollfd = { .fd = process->pidfd, .events = POLLIN };

    return poll(&pollfd, 1, 0) != 0;
}

int process_watch(struct process **process, pid_t pid)
{
    struct epoll_event event = { .events = EPOLLIN };
    struct process *p;

    for (p = processes; p; p = p->next) {
        /* A dead one that was not yet reported: the pid is another's. */
        if (p->pid == pid && !is_dead(p)) {
            p->refs++;
            *process = p;
            return 0;
        }
    }
    p = calloc(1, sizeof(*p));
    if (!p) {
        return -ENOMEM;
    }
    p->pid = pid;
    p->refs = 1;
    p->id = ++next_id;
    p->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    event.data.u64 = p->id;
    if (p->pidfd < 0 ||
        epoll_ctl(broker->epoll, EPOLL_CTL_ADD, p->pidfd, &event) < 0) {
        int ret = errno == ESRCH ? -EAGAIN :
                  shm_failure(errno, "no descriptor for the other process");

        if (p->pidfd >= 0) {
            close(p->pidfd);
        }
        free(p);
        return ret;
    }
    p->next = processes;
    processes = p;
    *process = p;
    return 0;
}

void process_drop(struct process *process)
{
    struct process **link = &processes;

    if (!process || --process->refs != 0) {
        return;
    }
    while (*link != process) {
        link = &(*link)->next;
    }
    *link = process->next;
    /* Closing alone would not do, if a child of a raw clone() has it too. */
    epoll_ctl(broker->epoll, EPOLL_CTL_DEL, process->pidfd, NULL);
    close(process->pidfd);
    free(process);
}

/* The lock is held. */
static void bury(uint64_t id)
{
    struct process *process = processes;
    struct shm_end *end = NULL;

    while (process && process->id != id) {
        process = process->next;
    }
    if (!process) {
        return;     /* nobody has wanted to know since the event */
    }
    process->refs++;
    while ((end = shm_next(end)) != NULL) {
        if (end->far == process) {
            shm_far_departed(end);
            end->far = NULL;
            process_drop(process);
        }
    }
    process_drop(process);
}

/* Requests */

/* The first file descriptors of a message; the rest are closed. */
static unsigned take_fds(struct msghdr *message, int fds[NR_FDS])
{
    struct cmsghdr *header;
    unsigned nr_fds = 0;

    for (header = CMSG_FIRSTHDR(message); header;
         header = CMSG_NXTHDR(message, header)) {
        size_t i, nr;

        if (header->cmsg_level != SOL_SOCKET ||
            header->cmsg_type != SCM_RIGHTS) {
            continue;
        }
        nr = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (i = 0; i < nr; i++) {
            int fd;

            memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof(fd));
            if (nr_fds < NR_FDS) {
                fds[nr_fds++] = fd;
            } else {
                close(fd);
            }
        }
    }
    return nr_fds;
}

/* 0: unknown. */
static pid_t sender_of(struct msghdr *message)
{
    struct cmsghdr *header;
    struct ucred sender;

    for (header = CMSG_FIRSTHDR(message); header;
         header = CMSG_NXTHDR(message, header)) {
        if (header->cmsg_level == SOL_SOCKET &&
            header->cmsg_type == SCM_CREDENTIALS) {
            memcpy(&sender, CMSG_DATA(header), sizeof(sender));
            return sender.pid;
        }
    }
    return 0;
}

static bool holds(const struct shm_end *end, unsigned number, pid_t pid)
{
    return claim_holder(end->domain, end->hash,
                        number == 0 ? CLAIM_END_0 : CLAIM_END_1) == pid;
}

static void send_reply(const struct broker *b, const struct sockaddr_un *to,
                       socklen_t to_length, const struct reply *reply,
                       const struct shm_end *end)
{
    struct iovec iov = { (void *)reply, sizeof(*reply) };
    union control control = { 0 };
    struct msghdr message = {
        .msg_name = (void *)to, .msg_namelen = to_length,
        .msg_iov = &iov, .msg_iovlen = 1,
    };

    if (end) {
        int fds[NR_FDS] = {
            shm_memory_fd(end), end->channel.mq[0], end->channel.mq[1],
        };
        struct cmsghdr *header;

        message.msg_control = &control;
        message.msg_controllen = CMSG_SPACE(sizeof(fds));
        header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(fds));
        memcpy(CMSG_DATA(header), fds, sizeof(fds));
    }
    /* Who does not wait for it any more need not have it. */
    (void)sendmsg(b->socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* The end that is asked for, if the asker may have it. The lock is held. */
static struct shm_end *find_asked(const struct request *request, size_t length,
                                  pid_t pid)
{
    struct shm_end *end = NULL;

    while ((end = shm_next(end)) != NULL) {
        if (end->domain && end->number == !request->end &&
            end->key_length == length &&
            memcmp(end->key, request->key, length) == 0) {
            return holds(end, request->end, pid) ? end : NULL;
        }
    }
    return NULL;
}

/* The lock is held. */
static void answer(const struct broker *b, const struct request *request,
                   size_t length, pid_t pid, const struct sockaddr_un *from,
                   socklen_t from_length)
{
    struct reply reply = { .version = VERSION, .error = ENOENT };
    struct shm_end *end = find_asked(request, length, pid);
    struct process *process;

    if (end) {
        reply.nframes = end->nframes;
        reply.frame_size = end->frame_size;
        reply.offset = end->channel.offset;
        reply.error = request->nframes == end->nframes &&
                      request->frame_size == end->frame_size ? 0 : EPROTO;
    }
    if (!end || reply.error != 0) {
        send_reply(b, from, from_length, &reply, NULL);
        return;
    }
    if (process_watch(&process, pid) < 0) {
        return;     /* the asker says that it had no answer */
    }
    /* Now the pid is the one's that we watch, if it is its still. */
    if (!holds(end, request->end, pid)) {
        process_drop(process);
        return;
    }
    shm_far_opened(end);
    process_drop(end->far);
    end->far = process;
    send_reply(b, from, from_length, &reply, end);
}

/* false: there is none. */
static bool serve_request(struct broker *b)
{
    struct request request;
    struct iovec iov = { &request, sizeof(request) };
    struct sockaddr_un from;
    union control control;
    struct msghdr message = {
        .msg_name = &from, .msg_namelen = sizeof(from),
        .msg_iov = &iov, .msg_iovlen = 1,
        .msg_control = &control, .msg_controllen = sizeof(control),
    };
    ssize_t got = recvmsg(b->socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    int fds[NR_FDS];
    unsigned nr_fds;
    pid_t pid;

    if (got < 0) {
        return errno == EINTR;
    }
    nr_fds = take_fds(&message, fds);
    while (nr_fds > 0) {
        close(fds[--nr_fds]);       /* nobody asked for them */
    }
    pid = sender_of(&message);
    if ((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0 && pid > 0 &&
        (size_t)got > offsetof(struct request, key) &&
        message.msg_namelen > sizeof(sa_family_t) &&
        request.version == VERSION && request.end <= 1) {
        shm_lock();
        answer(b, &request, (size_t)got - offsetof(struct request, key), pid,
               &from, message.msg_namelen);
        shm_unlock();
    }
    return true;
}

static void *run(void *opaque)
{
    struct broker *b = opaque;
    struct epoll_event events[NR_EVENTS];
    bool stop = false;

    while (!stop) {
        int nr = epoll_wait(b->epoll, events, NR_EVENTS, -1);
        int i;

        if (nr < 0 && errno != EINTR) {
            /* The application has closed what is not its own. */
            shm_failure(errno, "other processes are not heard any more");
            break;
        }
        shm_lock();
        for (i = 0; i < nr; i++) {
            if (events[i].data.u64 != 0) {
                bury(events[i].data.u64);
            }
        }
        stop = b->stop;
        shm_unlock();
        for (i = 0; i < NR_REQUESTS && !stop && serve_request(b); i++) {
        }
    }
    return NULL;
}

/* Life of the thread */

static void broker_free(struct broker *b)
{
    if (b->epoll >= 0) {
        close(b->epoll);
    }
    if (b->socket >= 0) {
        close(b->socket);
    }
    free(b);
}

/* Everything but the thread. */
static int set_up(struct broker *b)
{
    struct epoll_event event = { .events = EPOLLIN };
    struct sockaddr_un name;
    socklen_t length;

    if (getrandom(b->address, sizeof(b->address), 0) !=
        (ssize_t)sizeof(b->address)) {
        return -EIO;
    }
    length = make_name(&name, b->address);
    b->socket = make_socket();
    if (b->socket < 0 ||
        bind(b->socket, (struct sockaddr *)&name, length) < 0) {
        return -errno;
    }
    b->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (b->epoll < 0 ||
        epoll_ctl(b->epoll, EPOLL_CTL_ADD, b->socket, &event) < 0) {
        return -errno;
    }
    return 0;
}

static int start_thread(struct broker *b)
{
    pthread_attr_t attr;
    sigset_t all, before;
    int error;

    /* The application's signals are for its own threads. */
    sigfillset(&all);
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK_SIZE);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(&b->thread, &attr, run, b);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attr);
    if (error == 0) {
        pthread_setname_np(b->thread, "nvsciipc");
    }
    return error == EAGAIN ? -ENOMEM : -error;
}

static void abandon_all(void)
{
    while (processes) {
        struct process *process = processes;

        processes = process->next;
        close(process->pidfd);
        free(process);
    }
    if (broker) {
        broker_free(broker);
        broker = NULL;
    }
    domain_abandon_all();
}

__attribute__((constructor))
static void watch_forks(void)
{
    shm_at_fork(abandon_all);
}

int broker_get(void)
{
    int ret;

    if (!broker) {
        struct broker *b = calloc(1, sizeof(*b));

        if (!b) {
            return -ENOMEM;
        }
        b->socket = -1;
        b->epoll = -1;
        ret = set_up(b);
        if (ret == 0) {
            ret = start_thread(b);
        }
        if (ret < 0) {
            broker_free(b);
            return shm_failure(-ret, "no thread for other processes");
        }
        broker = b;
    }
    broker->refs++;
    return 0;
}

const uint8_t *broker_address(void)
{
    return broker->address;
}

struct broker *broker_put(void)
{
    struct broker *b = broker;

    if (--b->refs != 0) {
        return NULL;
    }
    broker = NULL;
    b->stop = true;
    /* Makes it readable for good. */
    shutdown(b->socket, SHUT_RDWR);
    return b;
}

void broker_stop(struct broker *b)
{
    if (b) {
        pthread_join(b->thread, NULL);
        broker_free(b);
    }
}

/* Asking */

static bool send_request(int fd, const struct shm_end *end,
                         const uint8_t address[CLAIM_ADDRESS_SIZE])
{
    struct request request = {
        .version = VERSION,
        .end = end->number,
        .nframes = end->nframes,
        .frame_size = end->frame_size,
    };
    struct sockaddr_un own = { .sun_family = AF_UNIX }, to;
    socklen_t length = make_name(&to, address);

    memcpy(request.key, end->key, end->key_length);
    /* A name that the kernel chooses, to be answered at. */
    return bind(fd, (struct sockaddr *)&own, sizeof(sa_family_t)) == 0 &&
           sendto(fd, &request, offsetof(struct request, key) +
                  end->key_length, MSG_NOSIGNAL, (struct sockaddr *)&to,
                  length) >= 0;
}

/* Joins what the answer says; takes the descriptors. */
static int accept_reply(struct shm_end *end, const struct reply *reply,
                        const int fds[NR_FDS], unsigned nr_fds, pid_t pid)
{
    struct process *process;
    unsigned i;
    int ret;

    if (reply->error == EPROTO) {
        fprintf(stderr, "nvsciipc: the other end, of process %ld, has %u "
                "frames of %u bytes; the configuration here says %u of %u\n",
                (long)pid, reply->nframes, reply->frame_size, end->nframes,
                end->frame_size);
    }
    if (reply->error != 0 || nr_fds != NR_FDS) {
        for (i = 0; i < nr_fds; i++) {
            close(fds[i]);
        }
        return reply->error == ENOENT ? -EAGAIN : -EPROTO;
    }
    shm_lock();
    ret = shm_join(end, fds[0], reply->offset, fds[1], fds[2]);
    if (ret == 0) {
        ret = process_watch(&process, pid);
    }
    if (ret == 0) {
        end->far = process;
        end->met = true;
        /* Now the pid is the one's that we watch, if it is its still. */
        if (!holds(end, !end->number, pid)) {
            ret = -EAGAIN;
        }
    }
    shm_unlock();
    return ret;
}

/* -EINPROGRESS: nothing there, or nothing that counts. */
static int receive_reply(int fd, struct shm_end *end, pid_t pid)
{
    struct reply reply;
    struct iovec iov = { &reply, sizeof(reply) };
    union control control;
    struct msghdr message = {
        .msg_iov = &iov, .msg_iovlen = 1,
        .msg_control = &control, .msg_controllen = sizeof(control),
    };
    ssize_t got = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    int fds[NR_FDS];
    unsigned nr_fds;

    if (got < 0) {
        return -EINPROGRESS;
    }
    nr_fds = take_fds(&message, fds);
    if (got != sizeof(reply) || reply.version != VERSION ||
        sender_of(&message) != pid) {
        while (nr_fds > 0) {
            close(fds[--nr_fds]);
        }
        return -EINPROGRESS;
    }
    if ((message.msg_flags & MSG_CTRUNC) != 0) {
        /* The kernel could not install them all. */
        while (nr_fds > 0) {
            close(fds[--nr_fds]);
        }
        return shm_failure(EMFILE, "no descriptors for the channel");
    }
    return accept_reply(end, &reply, fds, nr_fds, pid);
}

int broker_ask(struct shm_end *end, pid_t pid, int ms)
{
    uint8_t address[CLAIM_ADDRESS_SIZE];
    int fd = make_socket();
    int ret = -EAGAIN;

    if (fd < 0) {
        return shm_failure(errno, "no socket");
    }
    /* Its queue may be full, and its number there not yet written. */
    if (domain_look_up(end->domain, pid, address) == 0 &&
        send_request(fd, end, address)) {
        struct pollfd pollfd = { .fd = fd, .events = POLLIN };

        do {
            /* In short steps: it may die, or be closing. */
            poll(&pollfd, 1, 20);
            ms -= 20;
            ret = receive_reply(fd, end, pid);
        } while (ret == -EINPROGRESS && ms > 0 &&
                 holds(end, !end->number, pid));
    }
    close(fd);
    return ret == -EINPROGRESS ? -EAGAIN : ret;
}
