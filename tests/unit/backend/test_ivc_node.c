/* SPDX-License-Identifier: MIT */
/*
 * INTER_VM and INTER_CHIP against a driver that this file plays: open, ioctl and
 * mmap of the backends come here (the linker's --wrap), with every answer that a
 * driver must not give, and every step failing in turn. Nothing may leak.
 */
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "backend/backend.h"
#include "driver/uapi/nvipc_ivc.h"

#define PAGE 4096u
#define AREA 65536u

int __wrap_open(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...);
int __wrap_ioctl(int fd, unsigned long request, ...);
void *__wrap_mmap(void *address, size_t size, int protection, int flags,
                  int fd, off_t offset);
void *__wrap_mmap64(void *address, size_t size, int protection, int flags,
                    int fd, off_t offset);
int __wrap_munmap(void *address, size_t size);
int __real_munmap(void *address, size_t size);
int __wrap_eventfd(unsigned int count, int flags);
int __real_eventfd(unsigned int count, int flags);
uid_t __wrap_geteuid(void);
int __wrap_group_member(gid_t gid);

/* The driver's side, and which of its steps fails with what. */
static struct driver {
    struct nvipc_ivc_info info;
    int open_error, info_error, area_error, noti_error, eventfd_error,
        set_eventfd_error;
    bool nobody;            /* not root, not in any group */
    gid_t group;

    char path[64];
    int node;               /* open, or -1 */
    int eventfd;            /* as set */
    uint8_t *area;
    uint32_t *noti;
    unsigned mapped;
} driver;

/* The two backends: each case is given one of them. */
static const struct kind {
    const char *name;
    const struct backend *backend;
    const char *path;           /* of number 25 */
    bool can_disable_notification;
} kinds[] = {
    { "inter-vm", &backend_inter_vm, "/dev/ivc25", true },
    { "inter-chip", &backend_inter_chip, "/dev/c2c25", false },
};

static int fail(int error)
{
    errno = error;
    return -1;
}

int __wrap_open(const char *path, int flags, ...)
{
    g_assert_cmphex(flags & (O_ACCMODE | O_CLOEXEC), ==, O_RDWR | O_CLOEXEC);
    g_strlcpy(driver.path, path, sizeof(driver.path));
    if (driver.open_error) {
        return fail(driver.open_error);
    }
    g_assert_cmpint(driver.node, ==, -1);
    driver.node = memfd_create("ivc", 0);
    g_assert_cmpint(ftruncate(driver.node, AREA + PAGE), ==, 0);
    return driver.node;
}

int __wrap_open64(const char *path, int flags, ...)
{
    return __wrap_open(path, flags);
}

int __wrap_ioctl(int fd, unsigned long request, ...)
{
    va_list args;
    void *argument;

    va_start(args, request);
    argument = va_arg(args, void *);
    va_end(args);
    g_assert_cmpint(fd, ==, driver.node);
    switch (request) {
    case NVIPC_IVC_IOCTL_GET_INFO:
        if (driver.info_error) {
            return fail(driver.info_error);
        }
        memcpy(argument, &driver.info, sizeof(driver.info));
        return 0;
    case NVIPC_IVC_IOCTL_SET_EVENTFD:
        if (driver.set_eventfd_error) {
            return fail(driver.set_eventfd_error);
        }
        driver.eventfd = *(int32_t *)argument;
        return 0;
    default:
        g_assert_not_reached();
    }
}

void *__wrap_mmap(void *address, size_t size, int protection, int flags,
                  int fd, off_t offset)
{
    int error = offset == 0 ? driver.area_error : driver.noti_error;
    void *mapped;

    g_assert_null(address);
    g_assert_cmpint(fd, ==, driver.node);
    g_assert_cmphex(protection, ==, PROT_READ | PROT_WRITE);
    g_assert_cmphex(flags, ==, MAP_SHARED);
    if (offset == 0) {
        g_assert_cmpuint(size, ==, driver.info.area_size);
    } else {
        g_assert_cmpuint(offset, ==, driver.info.area_size);
        g_assert_cmpuint(size, ==, PAGE);
    }
    if (error) {
        fail(error);
        return MAP_FAILED;
    }
    mapped = aligned_alloc(PAGE, size);
    memset(mapped, 0, size);
    driver.mapped++;
    if (offset == 0) {
        driver.area = mapped;
    } else {
        driver.noti = mapped;
    }
    return mapped;
}

void *__wrap_mmap64(void *address, size_t size, int protection, int flags,
                    int fd, off_t offset)
{
    return __wrap_mmap(address, size, protection, flags, fd, offset);
}

int __wrap_munmap(void *address, size_t size)
{
    g_assert_true((address == driver.area && size == driver.info.area_size) ||
                  (address == driver.noti && size == PAGE));
    driver.mapped--;
    free(address);
    return 0;
}

int __wrap_eventfd(unsigned int count, int flags)
{
    g_assert_cmphex(flags, ==, EFD_CLOEXEC | EFD_NONBLOCK);
    return driver.eventfd_error ? fail(driver.eventfd_error) :
                                  __real_eventfd(count, flags);
}

uid_t __wrap_geteuid(void)
{
    return driver.nobody ? 1000 : 0;
}

int __wrap_group_member(gid_t gid)
{
    return gid == driver.group;
}

/* A sound driver, and how many descriptors are open. */
static unsigned begin(void)
{
    unsigned open = 0;

    memset(&driver, 0, sizeof(driver));
    driver.node = -1;
    driver.info = (struct nvipc_ivc_info) {
        .nframes = 5, .frame_size = 128, .queue_offset = 1024,
        .queue_size = 128 + 5 * 128, .area_size = AREA, .rx_first = true,
        .noti_type = NVIPC_IVC_NOTI_TRAP,
    };
    for (int fd = 0; fd < 64; fd++) {
        open += fcntl(fd, F_GETFD) >= 0;
    }
    return open;
}

static void end(unsigned open)
{
    for (int fd = 0; fd < 64; fd++) {
        open -= fcntl(fd, F_GETFD) >= 0;
    }
    g_assert_cmpuint(open, ==, 0);
    g_assert_cmpuint(driver.mapped, ==, 0);
}

static int open_it(const struct kind *kind, struct link *link)
{
    struct conf_entry entry = { .id = 25, .gid = CONF_NO_GID };

    return kind->backend->open(link, &entry, 0);
}

static void test_sound(const void *opaque)
{
    const struct kind *kind = opaque;
    for (unsigned first = 0; first < 2; first++) {
        unsigned open = begin();
        struct link link;
        uint8_t *queue;

        driver.info.rx_first = first;
        g_assert_cmpint(open_it(kind, &link), ==, 0);
        g_assert_cmpstr(driver.path, ==, kind->path);
        queue = driver.area + 1024;
        g_assert_true(link.backend == kind->backend);
        g_assert_true(link.rx == (first ? queue : queue + 768));
        g_assert_true(link.tx == (first ? queue + 768 : queue));
        g_assert_cmpuint(link.nframes, ==, 5);
        g_assert_cmpuint(link.frame_size, ==, 128);
        g_assert_cmpint(link.event_fd, ==, driver.eventfd);
        g_assert_true(link.backend->can_disable_notification ==
                      kind->can_disable_notification);
        link.backend->close(&link);
        end(open);
    }
}

static void test_events(const void *opaque)
{
    const struct kind *kind = opaque;
    unsigned open = begin();
    struct link link;
    struct pollfd poll_fd = { .events = POLLIN };

    g_assert_cmpint(open_it(kind, &link), ==, 0);
    poll_fd.fd = link.event_fd;
    g_assert_cmpint(poll(&poll_fd, 1, 0), ==, 0);
    g_assert_false(link.backend->ack(&link));
    for (unsigned n = 0; n < 3; n++) {      /* several are one */
        g_assert_cmpint(eventfd_write(driver.eventfd, 1), ==, 0);
    }
    g_assert_cmpint(poll(&poll_fd, 1, 0), ==, 1);
    g_assert_true(link.backend->ack(&link));
    g_assert_false(link.backend->ack(&link));
    link.backend->wake(&link);
    g_assert_cmpint(poll(&poll_fd, 1, 0), ==, 1);
    g_assert_true(link.backend->ack(&link));
    link.backend->close(&link);
    end(open);
}

static void test_notification_page(const void *opaque)
{
    const struct kind *kind = opaque;
    unsigned open = begin();
    struct link link;
    struct far_status far;

    g_assert_cmpint(open_it(kind, &link), ==, 0);
    memset(driver.noti, 0xff, PAGE);
    driver.noti[0] = 0;
    driver.noti[1] = 0;
    link.backend->notify(&link);
    g_assert_cmpuint(driver.noti[0], !=, 0);
    g_assert_cmpuint(driver.noti[1], ==, 0);
    far = link.backend->far_status(&link);
    g_assert_false(far.gone);
    g_assert_cmpuint(far.generation, ==, 0);
    driver.noti[1] = 7u << 8 | NVIPC_IVC_FAR_OPEN;
    far = link.backend->far_status(&link);
    g_assert_false(far.gone);
    g_assert_cmpuint(far.generation, ==, 7);
    driver.noti[1] = 0xffffffu << 8 | NVIPC_IVC_FAR_GONE;
    far = link.backend->far_status(&link);
    g_assert_true(far.gone);
    g_assert_cmpuint(far.generation, ==, 0xffffff);
    g_assert_cmphex(far.errors, ==, 0);
    driver.noti[1] = 8u << 8 | 0xau << 4 | NVIPC_IVC_FAR_OPEN;
    far = link.backend->far_status(&link);
    g_assert_false(far.gone);
    g_assert_cmpuint(far.generation, ==, 8);
    g_assert_cmphex(far.errors, ==, 0xa);
    link.backend->close(&link);
    end(open);
}

/* One lie a case. */
static void lie(unsigned which)
{
    struct nvipc_ivc_info *info = &driver.info;

    switch (which) {
    case 0:
        info->nframes = 0;
        break;
    case 1:
        info->frame_size = 0;
        break;
    case 2:
        info->frame_size = 129;
        break;
    case 3:
        info->nframes = 6;              /* queue_size is for 5 */
        break;
    case 4:
        info->queue_size += 64;
        break;
    case 5:
        info->queue_size = 0;
        break;
    case 6:
        info->queue_offset = 1025;
        break;
    case 7:
        info->queue_offset = AREA - 768;
        break;
    case 8:
        info->queue_offset = UINT32_MAX - 63;
        break;
    case 9:
        info->area_size = 0;
        break;
    case 10:
        info->area_size = AREA + 1;
        break;
    case 11:
        /* 2^31 + 128 bytes a direction: twice that does not fit 32 bits */
        info->nframes = 1u << 25;
        info->frame_size = 64;
        info->queue_size = 128 + (1u << 31);
        break;
    case 12:
        memset((char *)info + offsetof(struct nvipc_ivc_info, rx_first), 2, 1);
        break;
    case 13:
        info->noti_type = NVIPC_IVC_NOTI_NONE;
        break;
    case 14:
        info->noti_type = 3;
        break;
    case 15:
        memset(info, 0, sizeof(*info));
        break;
    case 16:
        memset(info, 0xff, sizeof(*info));
        break;
    default:
        g_assert_not_reached();
    }
}

static void test_lies(const void *opaque)
{
    const struct kind *kind = opaque;
    for (unsigned which = 0; which < 17; which++) {
        unsigned open = begin();
        struct link link;

        lie(which);
        g_assert_cmpint(open_it(kind, &link), ==, -EPROTO);
        end(open);
    }
}

static void test_failures(const void *opaque)
{
    const struct kind *kind = opaque;
    static const struct {
        int *step;
        int error, expected;
    } cases[] = {
        { &driver.open_error, ENOENT, -ENOENT },
        { &driver.open_error, ENODEV, -ENOENT },
        { &driver.open_error, ENXIO, -ENOENT },
        { &driver.open_error, EBUSY, -EBUSY },
        { &driver.open_error, EACCES, -EACCES },
        { &driver.open_error, EMFILE, -EMFILE },
        { &driver.info_error, ENOTTY, -EPROTO },
        { &driver.info_error, EIO, -EIO },
        { &driver.info_error, ENODEV, -ENOENT },
        { &driver.area_error, ENOMEM, -ENOMEM },
        { &driver.noti_error, EINVAL, -EPROTO },
        { &driver.eventfd_error, EMFILE, -EMFILE },
        { &driver.set_eventfd_error, ENOTTY, -EPROTO },
        { &driver.set_eventfd_error, EBADF, -EPROTO },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        unsigned open = begin();
        struct link link;

        *cases[i].step = cases[i].error;
        g_assert_cmpint(open_it(kind, &link), ==, cases[i].expected);
        end(open);
    }
}

static void test_group(const void *opaque)
{
    const struct kind *kind = opaque;
    struct conf_entry entry = { .id = 1, .gid = 30000 };

    for (unsigned who = 0; who < 3; who++) {
        unsigned open = begin();
        struct link link;

        driver.nobody = who != 0;
        driver.group = who == 2 ? 30000 : 1;
        if (who == 1) {
            g_assert_cmpint(kind->backend->open(&link, &entry, 0), ==,
                            -EPERM);
            g_assert_cmpstr(driver.path, ==, "");
        } else {
            g_assert_cmpint(kind->backend->open(&link, &entry, 0), ==, 0);
            kind->backend->close(&link);
        }
        end(open);
    }
}

static void add(const struct kind *kind, const char *name,
                GTestDataFunc function)
{
    char *path = g_strdup_printf("/%s/%s", kind->name, name);

    g_test_add_data_func(path, kind, function);
    g_free(path);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (unsigned i = 0; i < G_N_ELEMENTS(kinds); i++) {
        add(&kinds[i], "sound", test_sound);
        add(&kinds[i], "events", test_events);
        add(&kinds[i], "notification-page", test_notification_page);
        add(&kinds[i], "lies", test_lies);
        add(&kinds[i], "failures", test_failures);
        add(&kinds[i], "group", test_group);
    }
    return g_test_run();
}
