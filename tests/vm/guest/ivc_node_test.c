/* SPDX-License-Identifier: MIT */
/*
 * Runs in a guest: does /dev/ivc<id> behave as docs/specs/ioctls.md says?
 * Prints TAP. hold and watch are the two sides of a test with two guests.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "nvipc_ivc.h"

/* Far longer than an interrupt takes, also in an emulated guest under load. */
#define LONG_MS 5000
/* Long enough for an interrupt that should not come to come. */
#define QUIET_MS 100

#define USAGE \
    "Usage: ivc_node_test check QUEUE LOOPBACK\n" \
    "       ivc_node_test hold QUEUE\n" \
    "       ivc_node_test watch QUEUE SECONDS\n" \
    "\n" \
    "check  tests the nodes: QUEUE is a queue to another partition, LOOPBACK\n" \
    "       the even one of a loopback pair. Nobody may have them open, and\n" \
    "       the far end of QUEUE is not needed. Prints TAP.\n" \
    "hold   opens QUEUE, prints \"holding\", and keeps it until it is killed.\n" \
    "watch  opens QUEUE, prints \"status STATE GENERATION\", and again at each\n" \
    "       notification, for SECONDS.\n"

static unsigned queue_id;
static unsigned loop_id;    /* even; its far end is loop_id + 1 */

static unsigned nr_tests;
static unsigned nr_failed;
static bool test_failed;

__attribute__((format(printf, 2, 3)))
static void fail(int line, const char *format, ...)
{
    va_list args;

    test_failed = true;
    printf("# line %d: ", line);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
}

/* A test goes on after a failed check, so that it tidies up. */
#define CHECK(condition) \
    do { \
        if (!(condition)) { \
            fail(__LINE__, "%s (errno %d)", #condition, errno); \
        } \
    } while (0)

#define CHECK_EQ(got, want) \
    do { \
        long long got_ = (long long)(got), want_ = (long long)(want); \
        if (got_ != want_) { \
            fail(__LINE__, "%s is %lld, not %lld", #got, got_, want_); \
        } \
    } while (0)

/* A call that must fail with this errno. */
#define CHECK_ERRNO(call, want) \
    do { \
        errno = 0; \
        long long got_ = (long long)(call); \
        if (got_ != -1 || errno != (want)) { \
            fail(__LINE__, "%s is %lld, errno %d (%s), not %d", #call, got_, \
                 errno, strerror(errno), (want)); \
        } \
    } while (0)

static void run(const char *name, void (*test)(void))
{
    test_failed = false;
    test();
    nr_tests++;
    nr_failed += test_failed;
    printf("%s %u - %s\n", test_failed ? "not ok" : "ok", nr_tests, name);
    fflush(stdout);
}

/* Without what a test stands on, the rest has no meaning. */
__attribute__((noreturn, format(printf, 1, 2)))
static void bail_out(const char *format, ...)
{
    va_list args;

    printf("Bail out! ");
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
    exit(1);
}

static int open_node(unsigned id)
{
    char path[32];

    snprintf(path, sizeof(path), "/dev/ivc%u", id);
    return open(path, O_RDWR | O_CLOEXEC);
}

static int must_open(unsigned id)
{
    int fd = open_node(id);

    if (fd < 0) {
        bail_out("/dev/ivc%u: %s", id, strerror(errno));
    }
    return fd;
}

static struct nvipc_ivc_info info_of(int fd)
{
    struct nvipc_ivc_info info;

    if (ioctl(fd, NVIPC_IVC_IOCTL_GET_INFO, &info) != 0) {
        bail_out("GET_INFO: %s", strerror(errno));
    }
    return info;
}

static void *must_map(int fd, size_t size, off_t offset)
{
    void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
                    offset);

    if (at == MAP_FAILED) {
        bail_out("mmap of %zu at %lld: %s", size, (long long)offset,
                 strerror(errno));
    }
    return at;
}

static size_t page_size(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

static volatile uint32_t *map_noti(int fd)
{
    return must_map(fd, page_size(), info_of(fd).area_size);
}

static void unmap_noti(volatile uint32_t *noti)
{
    munmap((void *)(uintptr_t)noti, page_size());
}

static uint32_t status_of(volatile uint32_t *noti)
{
    return noti[NVIPC_IVC_NOTI_STATUS / 4];
}

static uint32_t far_state(uint32_t status)
{
    return status & NVIPC_IVC_FAR_STATE;
}

static uint32_t far_generation(uint32_t status)
{
    return status >> NVIPC_IVC_FAR_GEN_SHIFT;
}

/* What poll says of the node; 0 if nothing came in this time. */
static int poll_node(int fd, int timeout_ms)
{
    struct pollfd item = { .fd = fd, .events = POLLIN };

    if (poll(&item, 1, timeout_ms) < 0) {
        bail_out("poll: %s", strerror(errno));
    }
    return item.revents;
}

static int set_eventfd(int node, int event)
{
    return ioctl(node, NVIPC_IVC_IOCTL_SET_EVENTFD, &event);
}

/* How often it was signalled; 0 if not in this time. */
static uint64_t take_eventfd(int event, int timeout_ms)
{
    uint64_t count = 0;

    if (poll_node(event, timeout_ms) == 0) {
        return 0;
    }
    return read(event, &count, sizeof(count)) == sizeof(count) ? count : 0;
}

static int new_eventfd(void)
{
    int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

    if (event < 0) {
        bail_out("eventfd: %s", strerror(errno));
    }
    return event;
}

static long sysfs_number(unsigned id, const char *attribute)
{
    char path[64];
    char rest;
    long value;
    FILE *file;

    snprintf(path, sizeof(path), "/sys/class/ivc/ivc%u/%s", id, attribute);
    file = fopen(path, "r");
    if (!file) {
        return -1;
    }
    if (fscanf(file, "%ld%c", &value, &rest) != 2 || rest != '\n') {
        value = -2;
    }
    fclose(file);
    return value;
}

/* Runs a function in a child; returns waitpid()'s status. */
static int in_child(void (*body)(void *), void *opaque)
{
    int status;
    pid_t child;

    fflush(stdout);
    child = fork();
    if (child < 0) {
        bail_out("fork: %s", strerror(errno));
    }
    if (child == 0) {
        body(opaque);
        _exit(0);
    }
    if (waitpid(child, &status, 0) != child) {
        bail_out("waitpid: %s", strerror(errno));
    }
    return status;
}

/* A child that has opened a node (with its area mapped) and sits on it. */
static pid_t start_holder(unsigned id)
{
    int ready[2];
    char byte;
    pid_t child;

    fflush(stdout);
    if (pipe(ready) != 0 || (child = fork()) < 0) {
        bail_out("no child: %s", strerror(errno));
    }
    if (child == 0) {
        int fd = open_node(id);
        volatile uint32_t *area;

        if (fd < 0) {
            _exit(1);
        }
        area = must_map(fd, info_of(fd).area_size, 0);
        (void)area[0];
        if (write(ready[1], "", 1) != 1) {
            _exit(1);
        }
        for (;;) {
            pause();
        }
    }
    close(ready[1]);
    if (read(ready[0], &byte, 1) != 1) {
        bail_out("the child cannot open /dev/ivc%u", id);
    }
    close(ready[0]);
    return child;
}

static void kill_holder(pid_t child)
{
    kill(child, SIGKILL);
    if (waitpid(child, NULL, 0) != child) {
        bail_out("waitpid: %s", strerror(errno));
    }
}

static void test_info(void)
{
    int fd = must_open(queue_id);
    struct nvipc_ivc_info info;

    memset(&info, 0xff, sizeof(info));
    CHECK_EQ(ioctl(fd, NVIPC_IVC_IOCTL_GET_INFO, &info), 0);
    CHECK(info.nframes > 0);
    CHECK(info.frame_size > 0 && info.frame_size % 64 == 0);
    CHECK_EQ(info.queue_size,
             128 + (uint64_t)info.nframes * info.frame_size);
    CHECK_EQ(info.area_size % 0x10000, 0);
    CHECK((uint64_t)info.queue_offset + 2 * (uint64_t)info.queue_size <=
          info.area_size);
    CHECK(info.noti_type == NVIPC_IVC_NOTI_TRAP ||
          info.noti_type == NVIPC_IVC_NOTI_MSI);
    CHECK(info.noti_ipa != 0 && info.noti_ipa % 0x10000 == 0);
    /* The holes: nothing of the kernel's memory comes along. */
    for (size_t i = 0; i < sizeof(info); i++) {
        bool hole = (i > 20 && i < 24) || i >= 36;

        CHECK(!hole || ((const unsigned char *)&info)[i] == 0);
    }

    CHECK_EQ(sysfs_number(queue_id, "id"), queue_id);
    CHECK_EQ(sysfs_number(queue_id, "nframes"), info.nframes);
    CHECK_EQ(sysfs_number(queue_id, "frame_size"), info.frame_size);
    close(fd);
}

static void test_vmid(void)
{
    int fd = must_open(queue_id);
    __u32 vmid = UINT32_MAX;

    CHECK_EQ(ioctl(fd, NVIPC_IVC_IOCTL_GET_VMID, &vmid), 0);
    CHECK(vmid < 16);
    CHECK(sysfs_number(queue_id, "peer") >= 0);
    CHECK(sysfs_number(queue_id, "peer") != (long)vmid);
    CHECK_EQ(sysfs_number(loop_id, "peer"), vmid);
    close(fd);
}

static void test_enotty(void)
{
    int fd = must_open(queue_id);
    char buffer[64];

    CHECK_ERRNO(ioctl(fd, _IO(0xAA, 1), buffer), ENOTTY);
    CHECK_ERRNO(ioctl(fd, _IO(0xAA, 4), buffer), ENOTTY);
    CHECK_ERRNO(ioctl(fd, _IOWR(0xAA, 1, __u32), buffer), ENOTTY);
    CHECK_ERRNO(ioctl(fd, _IOW(0xAA, 0x41, __s32), buffer), ENOTTY);
    CHECK_ERRNO(ioctl(fd, _IOR(0xAB, 3, __u32), buffer), ENOTTY);
    CHECK_ERRNO(ioctl(fd, 0x5401 /* TCGETS */, buffer), ENOTTY);
    close(fd);
}

static void test_efault(void)
{
    int fd = must_open(queue_id);

    CHECK_ERRNO(ioctl(fd, NVIPC_IVC_IOCTL_GET_INFO, NULL), EFAULT);
    CHECK_ERRNO(ioctl(fd, NVIPC_IVC_IOCTL_GET_VMID, (void *)8), EFAULT);
    CHECK_ERRNO(ioctl(fd, NVIPC_IVC_IOCTL_SET_EVENTFD, NULL), EFAULT);
    close(fd);
}

static void test_read_write(void)
{
    int fd = must_open(queue_id);
    char byte = 0;

    CHECK_ERRNO(read(fd, &byte, 1), EPERM);
    CHECK_ERRNO(write(fd, &byte, 1), EPERM);
    CHECK_ERRNO(read(fd, &byte, 0), EPERM);
    close(fd);
}

static void open_expecting_busy(void *opaque)
{
    (void)opaque;
    if (open_node(queue_id) >= 0 || errno != EBUSY) {
        _exit(1);
    }
}

static void test_exclusive(void)
{
    int fd;

    CHECK_EQ(sysfs_number(queue_id, "reserved"), 0);
    fd = must_open(queue_id);
    CHECK_EQ(sysfs_number(queue_id, "reserved"), 1);
    CHECK_ERRNO(open_node(queue_id), EBUSY);
    CHECK_EQ(in_child(open_expecting_busy, NULL), 0);
    close(fd);
    CHECK_EQ(sysfs_number(queue_id, "reserved"), 0);
    close(must_open(queue_id));
}

static void test_mmap_sizes(void)
{
    int fd = must_open(queue_id);
    size_t area = info_of(fd).area_size;
    size_t page = page_size();
    const struct {
        size_t size;
        off_t offset;
    } bad[] = {
        { page, 0 },
        { area - page, 0 },
        { area + page, 0 },
        { area, (off_t)page },
        { area - page, (off_t)page },
        { 2 * page, (off_t)area },
        { page, (off_t)(area + page) },
        { page, (off_t)(area - page) },
        { page, 1LL << 40 },
        { page, -(off_t)page },
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        void *at = mmap(NULL, bad[i].size, PROT_READ | PROT_WRITE, MAP_SHARED,
                        fd, bad[i].offset);

        /* With 64 KiB pages some of these are right for a small area. */
        if ((bad[i].size == area && bad[i].offset == 0) ||
            (bad[i].size == page && bad[i].offset == (off_t)area)) {
            munmap(at, bad[i].size);
            continue;
        }
        /* The kernel itself refuses what wraps. */
        if (at != MAP_FAILED || (errno != EINVAL && errno != EOVERFLOW)) {
            fail(__LINE__, "mmap of %zu at %lld: errno %d", bad[i].size,
                 (long long)bad[i].offset, errno);
        }
    }
    munmap(must_map(fd, area, 0), area);
    munmap(must_map(fd, page, (off_t)area), page);
    close(fd);
}

static void test_mmap_kinds(void)
{
    int fd = must_open(queue_id);
    size_t area = info_of(fd).area_size;
    void *at;

    CHECK_ERRNO((intptr_t)mmap(NULL, area, PROT_READ | PROT_WRITE,
                               MAP_PRIVATE, fd, 0), EINVAL);
    CHECK_ERRNO((intptr_t)mmap(NULL, area, PROT_READ, MAP_PRIVATE, fd, 0),
                EINVAL);
    CHECK_ERRNO((intptr_t)mmap(NULL, area, PROT_READ | PROT_EXEC, MAP_SHARED,
                               fd, 0), EPERM);
    at = must_map(fd, area, 0);
    CHECK_ERRNO(mprotect(at, area, PROT_READ | PROT_EXEC), EACCES);
    CHECK_ERRNO((intptr_t)mremap(at, area, 2 * area, MREMAP_MAYMOVE), EFAULT);
    CHECK_ERRNO(madvise(at, area, MADV_DOFORK), EINVAL);
    munmap(at, area);
    close(fd);
}

/* Every byte of the area is there, and both of a loopback see the same. */
static void test_area(void)
{
    int even = must_open(loop_id);
    int odd = must_open(loop_id + 1);
    struct nvipc_ivc_info a = info_of(even);
    struct nvipc_ivc_info b = info_of(odd);
    size_t words = a.area_size / 4;
    uint32_t *x, *y;
    size_t wrong = 0;

    CHECK(a.rx_first);
    CHECK(!b.rx_first);
    CHECK_EQ(a.area_size, b.area_size);
    CHECK_EQ(a.queue_offset, b.queue_offset);
    x = must_map(even, a.area_size, 0);
    y = must_map(odd, b.area_size, 0);
    for (size_t i = 0; i < words; i++) {
        x[i] = (uint32_t)i * 2654435761u;
    }
    for (size_t i = 0; i < words; i++) {
        wrong += y[i] != (uint32_t)i * 2654435761u;
    }
    CHECK_EQ(wrong, 0);
    memset(y, 0, b.area_size);
    munmap(x, a.area_size);
    munmap(y, b.area_size);
    close(even);
    close(odd);
}

static void touch(void *opaque)
{
    (void)*(volatile uint32_t *)opaque;
}

static void test_fork_mapping(void)
{
    int fd = must_open(queue_id);
    size_t area = info_of(fd).area_size;
    uint32_t *at = must_map(fd, area, 0);
    volatile uint32_t *noti = map_noti(fd);
    int status;

    (void)*(volatile uint32_t *)at;
    status = in_child(touch, at);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
    status = in_child(touch, (void *)(uintptr_t)noti);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
    unmap_noti(noti);
    munmap(at, area);
    close(fd);
}

static void test_fork_descriptor(void)
{
    int fd = must_open(queue_id);
    pid_t child;

    fflush(stdout);
    child = fork();
    if (child < 0) {
        bail_out("fork: %s", strerror(errno));
    }
    if (child == 0) {
        for (;;) {
            pause();
        }
    }
    close(fd);
    CHECK_ERRNO(open_node(queue_id), EBUSY);
    kill_holder(child);
    close(must_open(queue_id));
}

static void test_mapping_holds(void)
{
    int fd = must_open(queue_id);
    size_t area = info_of(fd).area_size;
    void *at = must_map(fd, area, 0);

    close(fd);
    CHECK_ERRNO(open_node(queue_id), EBUSY);
    munmap(at, area);
    close(must_open(queue_id));
}

static void test_noti_page(void)
{
    int fd = must_open(queue_id);
    volatile uint32_t *noti = map_noti(fd);
    uint32_t status = status_of(noti);

    CHECK_EQ(noti[NVIPC_IVC_NOTI_RING / 4], 0);
    CHECK(far_state(status) <= NVIPC_IVC_FAR_GONE);
    CHECK_EQ(status & 0xfc, 0);
    /* It cannot be written. */
    noti[NVIPC_IVC_NOTI_STATUS / 4] = ~status;
    CHECK_EQ(status_of(noti), status);
    unmap_noti(noti);
    close(fd);
}

/* Opens both ends of the loopback and swallows what came before. */
static void open_pair(int pair[2])
{
    for (int i = 0; i < 2; i++) {
        pair[i] = must_open(loop_id + (unsigned)i);
    }
    for (int i = 0; i < 2; i++) {
        while (poll_node(pair[i], QUIET_MS) != 0) {
        }
    }
}

static void close_pair(int pair[2])
{
    close(pair[0]);
    close(pair[1]);
}

static void test_poll_batch(void)
{
    int pair[2];

    open_pair(pair);
    for (int i = 0; i < 2; i++) {
        int from = pair[i];
        int to = pair[1 - i];

        CHECK_EQ(ioctl(from, NVIPC_IVC_IOCTL_NOTIFY_REMOTE), 0);
        CHECK_EQ(poll_node(to, LONG_MS), POLLIN);
        CHECK_EQ(poll_node(to, 0), 0);

        for (int n = 0; n < 10; n++) {
            CHECK_EQ(ioctl(from, NVIPC_IVC_IOCTL_NOTIFY_REMOTE), 0);
        }
        usleep(QUIET_MS * 1000);
        CHECK_EQ(poll_node(to, 0), POLLIN);
        CHECK_EQ(poll_node(to, QUIET_MS), 0);
        /* And nothing at our own end. */
        CHECK_EQ(poll_node(from, QUIET_MS), 0);
    }
    close_pair(pair);
}

static void test_ring(void)
{
    int pair[2];

    open_pair(pair);
    for (int i = 0; i < 2; i++) {
        volatile uint32_t *noti = map_noti(pair[i]);

        noti[NVIPC_IVC_NOTI_RING / 4] = 0;
        CHECK_EQ(poll_node(pair[1 - i], LONG_MS), POLLIN);
        noti[NVIPC_IVC_NOTI_RING / 4] = UINT32_MAX;
        CHECK_EQ(poll_node(pair[1 - i], LONG_MS), POLLIN);
        CHECK_EQ(poll_node(pair[1 - i], QUIET_MS), 0);
        CHECK_EQ(poll_node(pair[i], 0), 0);
        unmap_noti(noti);
    }
    close_pair(pair);
}

/* Each notification, also while nobody polls, is one signal. */
static void test_eventfd(void)
{
    int event = new_eventfd();
    int pair[2];

    open_pair(pair);
    CHECK_EQ(set_eventfd(pair[1], event), 0);
    CHECK_EQ(take_eventfd(event, QUIET_MS), 0);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(ioctl(pair[0], NVIPC_IVC_IOCTL_NOTIFY_REMOTE), 0);
        CHECK_EQ(take_eventfd(event, LONG_MS), 1);
    }
    CHECK_EQ(take_eventfd(event, QUIET_MS), 0);
    /* Each is consumed by itself. */
    CHECK_EQ(poll_node(pair[1], 0), POLLIN);
    close_pair(pair);
    close(event);
}

static void test_eventfd_replaced(void)
{
    int old = new_eventfd();
    int new = new_eventfd();
    int pair[2];

    open_pair(pair);
    CHECK_EQ(set_eventfd(pair[1], old), 0);
    CHECK_EQ(set_eventfd(pair[1], new), 0);
    ioctl(pair[0], NVIPC_IVC_IOCTL_NOTIFY_REMOTE);
    CHECK_EQ(take_eventfd(new, LONG_MS), 1);
    CHECK_EQ(take_eventfd(old, 0), 0);

    CHECK_EQ(set_eventfd(pair[1], -1), 0);
    CHECK_EQ(set_eventfd(pair[1], -1), 0);
    ioctl(pair[0], NVIPC_IVC_IOCTL_NOTIFY_REMOTE);
    CHECK_EQ(poll_node(pair[1], LONG_MS), POLLIN);
    CHECK_EQ(take_eventfd(new, 0), 0);

    /* The node holds it: closing our descriptor first is no harm. */
    CHECK_EQ(set_eventfd(pair[1], old), 0);
    close(old);
    ioctl(pair[0], NVIPC_IVC_IOCTL_NOTIFY_REMOTE);
    CHECK((poll_node(pair[1], LONG_MS) & POLLIN) != 0);

    /* It goes with the file. */
    CHECK_EQ(set_eventfd(pair[1], new), 0);
    close(pair[1]);
    pair[1] = must_open(loop_id + 1);
    ioctl(pair[0], NVIPC_IVC_IOCTL_NOTIFY_REMOTE);
    CHECK_EQ(poll_node(pair[1], LONG_MS), POLLIN);
    CHECK_EQ(take_eventfd(new, 0), 0);
    close_pair(pair);
    close(new);
}

static void test_eventfd_refused(void)
{
    int fd = must_open(queue_id);
    int ends[2];

    if (pipe(ends) != 0) {
        bail_out("pipe: %s", strerror(errno));
    }
    CHECK_ERRNO(set_eventfd(fd, 9999), EBADF);
    CHECK_ERRNO(set_eventfd(fd, -2), EBADF);
    CHECK_ERRNO(set_eventfd(fd, ends[0]), EINVAL);
    CHECK_ERRNO(set_eventfd(fd, fd), EINVAL);
    close(ends[0]);
    close(ends[1]);
    close(fd);
}

static void test_epoll(void)
{
    int event = new_eventfd();
    int poller = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event item = { .events = EPOLLIN };
    int pair[2];

    open_pair(pair);
    CHECK_EQ(set_eventfd(pair[1], event), 0);
    ioctl(pair[0], NVIPC_IVC_IOCTL_NOTIFY_REMOTE);
    CHECK_EQ(poll_node(pair[1], LONG_MS), POLLIN);
    /* Added after the fact, and still reported, as often as it is asked. */
    CHECK_EQ(epoll_ctl(poller, EPOLL_CTL_ADD, event, &item), 0);
    CHECK_EQ(epoll_wait(poller, &item, 1, LONG_MS), 1);
    CHECK_EQ(epoll_wait(poller, &item, 1, LONG_MS), 1);
    CHECK_EQ(take_eventfd(event, 0), 1);
    CHECK_EQ(epoll_wait(poller, &item, 1, QUIET_MS), 0);
    close(poller);
    close(event);
    close_pair(pair);
}

struct toggler {
    int node;
    int event;
    atomic_bool stop;
};

static void *toggle(void *opaque)
{
    struct toggler *toggler = opaque;

    while (!atomic_load(&toggler->stop)) {
        set_eventfd(toggler->node, toggler->event);
        set_eventfd(toggler->node, -1);
    }
    return NULL;
}

/* The handler and SET_EVENTFD at once; a fault would show in the kernel log. */
static void test_eventfd_race(void)
{
    struct toggler toggler = { .event = new_eventfd() };
    volatile uint32_t *noti;
    pthread_t thread;
    time_t end = time(NULL) + 2;
    int pair[2];

    open_pair(pair);
    toggler.node = pair[1];
    noti = map_noti(pair[0]);
    if (pthread_create(&thread, NULL, toggle, &toggler) != 0) {
        bail_out("no thread");
    }
    while (time(NULL) < end) {
        noti[NVIPC_IVC_NOTI_RING / 4] = 1;
    }
    atomic_store(&toggler.stop, true);
    pthread_join(thread, NULL);
    CHECK_EQ(set_eventfd(pair[1], toggler.event), 0);
    while (take_eventfd(toggler.event, QUIET_MS) != 0) {
    }
    noti[NVIPC_IVC_NOTI_RING / 4] = 1;
    CHECK_EQ(take_eventfd(toggler.event, LONG_MS), 1);
    unmap_noti(noti);
    close(toggler.event);
    close_pair(pair);
}

static void test_rung_while_closed(void)
{
    int even = must_open(loop_id);
    int odd;

    CHECK_EQ(ioctl(even, NVIPC_IVC_IOCTL_NOTIFY_REMOTE), 0);
    odd = must_open(loop_id + 1);
    CHECK_EQ(poll_node(odd, LONG_MS), POLLIN);
    CHECK_EQ(poll_node(odd, QUIET_MS), 0);
    close(odd);
    close(even);
}

/* A close, and a death, are announced: STATUS, generation, notification. */
static void test_status(void)
{
    int event = new_eventfd();
    int even = must_open(loop_id);
    volatile uint32_t *noti = map_noti(even);
    uint32_t before, after;
    pid_t holder;
    int odd;

    odd = must_open(loop_id + 1);
    CHECK_EQ(set_eventfd(even, event), 0);
    while (take_eventfd(event, QUIET_MS) != 0) {
    }
    before = status_of(noti);
    CHECK_EQ(far_state(before), NVIPC_IVC_FAR_OPEN);
    close(odd);
    CHECK(take_eventfd(event, LONG_MS) > 0);
    after = status_of(noti);
    CHECK_EQ(far_state(after), NVIPC_IVC_FAR_GONE);
    CHECK_EQ(far_generation(after),
             (far_generation(before) + 1) & 0xffffff);

    holder = start_holder(loop_id + 1);
    before = status_of(noti);
    CHECK_EQ(far_state(before), NVIPC_IVC_FAR_OPEN);
    CHECK_EQ(far_generation(before), far_generation(after));
    take_eventfd(event, QUIET_MS);
    kill_holder(holder);
    CHECK(take_eventfd(event, LONG_MS) > 0);
    after = status_of(noti);
    CHECK_EQ(far_state(after), NVIPC_IVC_FAR_GONE);
    CHECK_EQ(far_generation(after),
             (far_generation(before) + 1) & 0xffffff);
    /* waitpid() said that it is dead: the node is free. */
    close(must_open(loop_id + 1));

    unmap_noti(noti);
    close(even);
    close(event);
}

static int check(void)
{
    int fd = must_open(queue_id);

    close(fd);
    run("GET_INFO agrees with itself and with sysfs", test_info);
    run("GET_VMID and peer", test_vmid);
    run("other ioctls are ENOTTY", test_enotty);
    run("a bad pointer is EFAULT", test_efault);
    run("read and write are EPERM", test_read_write);
    run("a second open is EBUSY", test_exclusive);
    run("mmap takes the exact sizes only", test_mmap_sizes);
    run("no private, executable, growing or inheritable mapping",
        test_mmap_kinds);
    run("a loopback pair shares one whole area", test_area);
    run("a forked child has no mapping", test_fork_mapping);
    run("a forked child's descriptor keeps the node open",
        test_fork_descriptor);
    run("a mapping keeps the node open", test_mapping_holds);
    run("the notification page has RING and STATUS", test_noti_page);
    run("poll reports a batch once, at the far end only", test_poll_batch);
    run("a store to RING notifies", test_ring);
    run("an eventfd is signalled at each notification", test_eventfd);
    run("an eventfd is replaced, removed, dropped with the file",
        test_eventfd_replaced);
    run("what is no eventfd is refused", test_eventfd_refused);
    run("an eventfd works with epoll", test_epoll);
    run("SET_EVENTFD while notifications arrive", test_eventfd_race);
    run("rung while closed, seen after open", test_rung_while_closed);
    run("close and kill -9 are announced to the far end", test_status);
    printf("1..%u\n", nr_tests);
    return nr_failed != 0;
}

__attribute__((noreturn))
static void hold(void)
{
    int fd = must_open(queue_id);
    volatile uint32_t *area = must_map(fd, info_of(fd).area_size, 0);

    (void)area[0];
    puts("holding");
    fflush(stdout);
    for (;;) {
        pause();
    }
}

static int watch(unsigned seconds)
{
    int event = new_eventfd();
    int fd = must_open(queue_id);
    volatile uint32_t *noti = map_noti(fd);
    time_t end = time(NULL) + (time_t)seconds;
    time_t now;

    if (set_eventfd(fd, event) != 0) {
        bail_out("SET_EVENTFD: %s", strerror(errno));
    }
    while ((now = time(NULL)) < end) {
        uint32_t status = status_of(noti);

        printf("status %u %u\n", far_state(status), far_generation(status));
        fflush(stdout);
        take_eventfd(event, (int)(end - now) * 1000);
    }
    return 0;
}

/* A whole number of at most max, or the end of the program. */
static unsigned number(const char *text, unsigned max)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);

    if (*text < '0' || *text > '9' || *end != '\0' || value > max) {
        fprintf(stderr, "ivc_node_test: %s is not a number from 0 to %u\n",
                text, max);
        exit(2);
    }
    return (unsigned)value;
}

int main(int argc, char **argv)
{
    const char *command = argc > 1 ? argv[1] : "";

    if (strcmp(command, "--help") == 0 || strcmp(command, "-h") == 0) {
        fputs(USAGE, stdout);
        return 0;
    }
    if (strcmp(command, "check") == 0 && argc == 4) {
        queue_id = number(argv[2], 511);
        loop_id = number(argv[3], 511);
        if (loop_id % 2 != 0) {
            fprintf(stderr, "ivc_node_test: %u is odd; give the even queue of "
                    "the loopback pair\n", loop_id);
            return 2;
        }
        return check();
    }
    if (strcmp(command, "hold") == 0 && argc == 3) {
        queue_id = number(argv[2], 511);
        hold();
    }
    if (strcmp(command, "watch") == 0 && argc == 4) {
        queue_id = number(argv[2], 511);
        return watch(number(argv[3], 86400));
    }
    fputs(USAGE, stderr);
    return 2;
}
