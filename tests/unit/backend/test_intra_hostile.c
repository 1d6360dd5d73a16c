/* SPDX-License-Identifier: MIT */
/*
 * A peer with all rights that a peer has: it rewrites the memory, fills and
 * empties the queues, and sends nonsense to the broker.
 */
#include "peers.h"

#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backend/backend.h"
#include "backend/posix_shm.h"

static char *origin;

static struct conf_entry entry_of(enum conf_backend backend)
{
    return (struct conf_entry) {
        .backend = backend, .name = { "a", "b" }, .nframes = 4,
        .frame_size = 64, .gid = CONF_NO_GID, .origin = origin,
    };
}

static const struct backend *const backends[] = {
    &backend_inter_thread, &backend_inter_process,
};

static void open_both(const struct backend *backend, struct link link[2])
{
    struct conf_entry entry = entry_of(backend == &backend_inter_thread ?
                                       CONF_INTER_THREAD : CONF_INTER_PROCESS);

    for (unsigned i = 0; i < 2; i++) {
        g_assert_cmpint(backend->open(&link[i], &entry, i), ==, 0);
    }
}

static bool readable(const struct link *link)
{
    struct pollfd pollfd = { .fd = link->event_fd, .events = POLLIN };

    return poll(&pollfd, 1, 0) == 1;
}

/* What a link is, without a ring on it. */
static void test_link(void)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(backends); i++) {
        const struct backend *backend = backends[i];
        struct link link[2];
        struct far_status far;
        struct conf_entry entry;

        open_both(backend, link);
        g_assert_true(memcmp(link[0].rx, "\0\0\0\0", 4) == 0);
        strcpy(link[0].tx, "to the second");
        g_assert_cmpstr(link[1].rx, ==, "to the second");
        strcpy(link[1].tx, "to the first");
        g_assert_cmpstr(link[0].rx, ==, "to the first");
        g_assert_false(backend->ack(&link[0]));
        for (unsigned n = 0; n < 3; n++) {
            backend->notify(&link[1]);
        }
        g_assert_true(readable(&link[0]));
        g_assert_false(readable(&link[1]));
        g_assert_true(backend->ack(&link[0]));
        g_assert_false(backend->ack(&link[0]));
        backend->wake(&link[0]);
        g_assert_true(readable(&link[0]));
        g_assert_true(backend->ack(&link[0]));
        far = backend->far_status(&link[0]);
        g_assert_false(far.gone);
        g_assert_cmpuint(far.generation, ==, 0);
        for (unsigned n = 1; n < 4; n++) {
            backend->close(&link[1]);
            g_assert_true(backend->ack(&link[0]));
            far = backend->far_status(&link[0]);
            g_assert_true(far.gone);
            g_assert_cmpuint(far.generation, ==, n);
            entry = entry_of(i == 0 ? CONF_INTER_THREAD : CONF_INTER_PROCESS);
            g_assert_cmpint(backend->open(&link[1], &entry, 1), ==, 0);
            far = backend->far_status(&link[0]);
            g_assert_false(far.gone);
            g_assert_cmpuint(far.generation, ==, n);
            /* The memory is the same one. */
            g_assert_cmpstr(link[1].rx, ==, "to the second");
        }
        backend->close(&link[0]);
        backend->close(&link[1]);
    }
}

/* A peer can take away none of it. */
static void test_memory_stays(void)
{
    struct link link[2];
    struct shm_end *end;
    struct stat status;
    int fd;

    open_both(&backend_inter_process, link);
    end = link[0].priv;
    fd = shm_memory_fd(end);
    g_assert_cmpint(fstat(fd, &status), ==, 0);
    g_assert_cmpuint(status.st_mode & 0777, ==, 0600);
    g_assert_cmpint(ftruncate(fd, 0), ==, -1);
    g_assert_cmpint(errno, ==, EPERM);
    /* Nor keep its successor from writing. */
    g_assert_cmpint(fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE), ==, -1);
    g_assert_cmpint(fstat(end->channel.mq[0], &status), ==, 0);
    g_assert_cmpuint(status.st_mode & 0777, ==, 0600);
    /* A hole is no end: it reads as zeros, and may be written. */
    g_assert_cmpint(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                              0, status.st_size + 65536), ==, 0);
    strcpy(link[0].tx, "written");
    g_assert_cmpstr(link[1].rx, ==, "written");
    backend_inter_process.close(&link[0]);
    backend_inter_process.close(&link[1]);
}

/* O_NONBLOCK belongs to what both processes hold. */
static void test_never_blocks(void)
{
    struct mq_attr blocking = { 0 };
    struct link link[2];
    struct shm_end *end;

    open_both(&backend_inter_process, link);
    end = link[1].priv;
    for (unsigned i = 0; i < 2; i++) {
        g_assert_cmpint(mq_setattr(end->channel.mq[i], &blocking, NULL), ==,
                        0);
    }
    alarm(20);
    for (unsigned i = 0; i < 3; i++) {
        backend_inter_process.notify(&link[0]);
        backend_inter_process.notify(&link[1]);
    }
    for (unsigned i = 0; i < 2; i++) {
        g_assert_true(backend_inter_process.ack(&link[i]));
        g_assert_false(backend_inter_process.ack(&link[i]));
    }
    backend_inter_process.close(&link[0]);
    backend_inter_process.close(&link[1]);
    alarm(0);
}

/* While it keeps rewriting the status page, each call comes to its end. */
static gpointer scribble(gpointer map)
{
    uint32_t *page = map;

    while (__atomic_load_n(&page[1023], __ATOMIC_RELAXED) == 0) {
        for (unsigned i = 0; i < 1023; i += 16) {
            __atomic_store_n(&page[i], g_random_int(), __ATOMIC_RELAXED);
        }
    }
    return NULL;
}

static void test_status_page(void)
{
    struct conf_entry entry = entry_of(CONF_INTER_PROCESS);
    struct link link[2];
    struct shm_end *end;
    GThread *thread;
    uint32_t *page;

    open_both(&backend_inter_process, link);
    end = link[0].priv;
    page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED,
                shm_memory_fd(end), (off_t)end->channel.offset);
    g_assert_true(page != MAP_FAILED);
    alarm(60);
    thread = g_thread_new("scribble", scribble, page);
    for (unsigned n = 0; n < 2000; n++) {
        struct far_status far = backend_inter_process.far_status(&link[0]);

        g_assert_cmpuint(far.generation, <, 1u << 24);
        backend_inter_process.close(&link[1]);
        g_assert_cmpint(backend_inter_process.open(&link[1], &entry, 1), ==,
                        0);
    }
    __atomic_store_n(&page[1023], 1, __ATOMIC_RELAXED);
    g_thread_join(thread);
    munmap(page, 4096);
    backend_inter_process.close(&link[0]);
    backend_inter_process.close(&link[1]);
    alarm(0);
}

static unsigned nr_fds(void)
{
    GDir *dir = g_dir_open("/proc/self/fd", 0, NULL);
    unsigned nr = 0;

    while (g_dir_read_name(dir)) {
        nr++;
    }
    g_dir_close(dir);
    return nr;
}

/* The name that this process's broker listens at. */
static socklen_t broker_name(struct sockaddr_un *name)
{
    for (int fd = 0; fd < 1024; fd++) {
        socklen_t length = sizeof(*name);

        memset(name, 0, sizeof(*name));
        if (getsockname(fd, (struct sockaddr *)name, &length) == 0 &&
            name->sun_family == AF_UNIX &&
            g_str_has_prefix(name->sun_path + 1, "nvsciipc-")) {
            return length;
        }
    }
    g_assert_not_reached();
}

/* Any bytes, with descriptors that nobody asked for. */
static void test_broker(void)
{
    struct link link[2];
    struct sockaddr_un name;
    socklen_t length;
    struct conf_entry entry = entry_of(CONF_INTER_PROCESS);
    unsigned before;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    open_both(&backend_inter_process, link);
    length = broker_name(&name);
    before = nr_fds();
    for (unsigned n = 0; n < 3000; n++) {
        uint32_t bytes[1100];
        struct iovec iov = { bytes, g_random_int_range(0, sizeof(bytes)) };
        union {
            struct cmsghdr header;
            char room[CMSG_SPACE(4 * sizeof(int))];
        } control = { 0 };
        struct msghdr message = {
            .msg_name = &name, .msg_namelen = length,
            .msg_iov = &iov, .msg_iovlen = 1,
        };

        for (unsigned i = 0; i < G_N_ELEMENTS(bytes); i++) {
            bytes[i] = g_random_int();
        }
        bytes[0] = n % 4 != 0;
        bytes[1] = n % 3;
        if (n % 2 != 0) {
            int fds[4] = { 0, 1, 2, fd };
            unsigned nr = 1 + n % 8 / 2;

            message.msg_control = &control;
            message.msg_controllen = CMSG_SPACE(nr * sizeof(int));
            control.header.cmsg_level = SOL_SOCKET;
            control.header.cmsg_type = SCM_RIGHTS;
            control.header.cmsg_len = CMSG_LEN(nr * sizeof(int));
            memcpy(CMSG_DATA(&control.header), fds, nr * sizeof(int));
        }
        g_assert_cmpint(sendmsg(fd, &message, 0), >=, 0);
    }
    /* It answers as before, to who may ask. */
    backend_inter_process.close(&link[1]);
    g_assert_cmpint(backend_inter_process.open(&link[1], &entry, 1), ==, 0);
    for (unsigned i = 0; i < 500 && nr_fds() != before; i++) {
        g_usleep(10000);
    }
    g_assert_cmpuint(nr_fds(), ==, before);
    close(fd);
    backend_inter_process.close(&link[0]);
    backend_inter_process.close(&link[1]);
}

/* Who does not hold the other end is not given it. */
static void test_stranger(void)
{
    struct link link;
    struct conf_entry entry = entry_of(CONF_INTER_PROCESS);
    struct sockaddr_un name;
    struct pollfd pollfd = { .events = POLLIN };
    struct {
        uint32_t version, end, nframes, frame_size;
        char key[512];
    } request = { 1, 1, 4, 64, "" };
    struct {
        uint32_t version, error, nframes, frame_size;
        uint64_t offset;
    } reply;
    struct shm_end *end;
    socklen_t length;
    int on = 1;

    g_assert_cmpint(backend_inter_process.open(&link, &entry, 0), ==, 0);
    end = link.priv;
    memcpy(request.key, end->key, end->key_length);
    length = broker_name(&name);
    pollfd.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    g_assert_cmpint(setsockopt(pollfd.fd, SOL_SOCKET, SO_PASSCRED, &on,
                               sizeof(on)), ==, 0);
    g_assert_cmpint(sendto(pollfd.fd, &request, 16 + end->key_length, 0,
                           (struct sockaddr *)&name, length), >, 0);
    g_assert_cmpint(poll(&pollfd, 1, PATIENCE_MS), ==, 1);
    g_assert_cmpint(recv(pollfd.fd, &reply, sizeof(reply), 0), ==,
                    sizeof(reply));
    g_assert_cmpuint(reply.error, ==, ENOENT);
    g_assert_cmpuint(reply.nframes, ==, 0);
    g_assert_false(backend_inter_process.far_status(&link).gone);
    close(pollfd.fd);
    backend_inter_process.close(&link);
}

/* A channel for a group is the group's, whoever made it, and nobody else's. */
static void test_group(void)
{
    gid_t gid = geteuid() == 0 ? 100000 : getegid();
    struct conf_entry entry = entry_of(CONF_INTER_THREAD);
    struct stat status;
    struct shm_end *end;
    struct link link;
    int fds[3];

    entry.gid = gid;
    g_assert_cmpint(backend_inter_thread.open(&link, &entry, 0), ==, 0);
    end = link.priv;
    fds[0] = shm_memory_fd(end);
    fds[1] = end->channel.mq[0];
    fds[2] = end->channel.mq[1];
    for (unsigned i = 0; i < G_N_ELEMENTS(fds); i++) {
        g_assert_cmpint(fstat(fds[i], &status), ==, 0);
        g_assert_cmpuint(status.st_mode & 0777, ==, 0660);
        g_assert_cmpuint(status.st_gid, ==, gid);
    }
    backend_inter_thread.close(&link);
}

/*
 * What somebody left who was killed between making a queue and taking its name
 * away: another geometry, and a message of a dead run in it.
 */
static void test_left_queue(void)
{
    for (unsigned number = 0; number < 2; number++) {
        struct mq_attr attr = { .mq_maxmsg = 3, .mq_msgsize = 32 };
        struct link link[2];
        struct shm_end *end;
        char name[64];
        mqd_t left;

        open_both(&backend_inter_process, link);
        end = link[0].priv;
        snprintf(name, sizeof(name), "/nvsciipc-%u-%016llx-%u",
                 (unsigned)geteuid(), (unsigned long long)end->hash, number);
        g_assert_cmpint(mq_unlink(name), ==, -1);
        backend_inter_process.close(&link[0]);
        backend_inter_process.close(&link[1]);

        left = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &attr);
        g_assert_cmpint(left, >=, 0);
        g_assert_cmpint(mq_send(left, "stale", 5, 0), ==, 0);
        open_both(&backend_inter_process, link);
        for (unsigned i = 0; i < 2; i++) {
            g_assert_false(readable(&link[i]));
            backend_inter_process.notify(&link[!i]);
            g_assert_true(backend_inter_process.ack(&link[i]));
        }
        g_assert_cmpint(mq_getattr(left, &attr), ==, 0);
        g_assert_cmpint(attr.mq_curmsgs, ==, 1);
        mq_close(left);
        backend_inter_process.close(&link[0]);
        backend_inter_process.close(&link[1]);
        assert_nothing_left();
    }
}

int main(int argc, char **argv)
{
    int ret;

    g_test_init(&argc, &argv, NULL);
    own_queues();
    origin = g_strdup_printf("test %d", (int)getpid());
    g_test_add_func("/hostile/link", test_link);
    g_test_add_func("/hostile/memory-stays", test_memory_stays);
    g_test_add_func("/hostile/never-blocks", test_never_blocks);
    g_test_add_func("/hostile/status-page", test_status_page);
    g_test_add_func("/hostile/broker", test_broker);
    g_test_add_func("/hostile/stranger", test_stranger);
    g_test_add_func("/hostile/group", test_group);
    g_test_add_func("/hostile/left-queue", test_left_queue);
    ret = g_test_run();
    g_free(origin);
    return ret;
}
