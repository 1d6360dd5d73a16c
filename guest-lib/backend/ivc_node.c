/* SPDX-License-Identifier: MIT */
/*
 * An IVC queue, through a node of the guest driver.
 *
 * Two descriptors an endpoint: the node, whose release tells the peer, and the
 * eventfd that the driver signals. No system call moves a frame or rings.
 */
#include "backend/ivc_node.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "driver/uapi/nvipc_ivc.h"
#include "ivc_geometry.h"

#define FRAME_CACHE_LINE 64u

struct ivc_node {
    int fd;
    void *area;
    size_t area_size;
    void *noti;             /* the notification page */
    size_t noti_size;
};

/*
 * Between queue memory, which is ordinary, and the notification page, which is
 * device memory: on aarch64 a fence between CPUs alone need not cover that.
 */
static void device_fence(void)
{
#ifdef __aarch64__
    __asm__ volatile("dmb osh" ::: "memory");
#else
    __sync_synchronize();
#endif
}

static volatile uint32_t *noti_word(const struct link *link, size_t offset)
{
    const struct ivc_node *node = link->priv;

    return (volatile uint32_t *)((char *)node->noti + offset);
}

/* The group that the configuration names, or root. */
static bool may_use(const struct conf_entry *entry)
{
    return entry->gid == CONF_NO_GID || geteuid() == 0 ||
           group_member((gid_t)entry->gid);
}

/* The driver is ours or the board's; a mistake in it must not crash us. */
static bool info_is_sound(const struct nvipc_ivc_info *info, size_t page_size)
{
    uint8_t rx_first;

    /* A bool from elsewhere may hold anything. */
    memcpy(&rx_first, (const char *)info +
           offsetof(struct nvipc_ivc_info, rx_first), 1);
    return rx_first <= 1 &&
           ivc_geometry_ok(info->nframes, info->frame_size) &&
           info->queue_size == ivc_direction_size(info->nframes,
                                                  info->frame_size) &&
           info->queue_offset % FRAME_CACHE_LINE == 0 &&
           info->area_size % page_size == 0 &&
           info->queue_offset + 2 * (uint64_t)info->queue_size <=
           info->area_size &&
           (info->noti_type == NVIPC_IVC_NOTI_TRAP ||
            info->noti_type == NVIPC_IVC_NOTI_MSI);
}

/* Of errno after a call to the driver. */
static int driver_error(void)
{
    switch (errno) {
    case ENODEV:
    case ENXIO:
        return -ENOENT;     /* a device that has left is no queue */
    case ENOTTY:
    case EINVAL:
    case EBADF:
    case EFAULT:
        return -EPROTO;     /* we and the driver do not mean the same */
    default:
        return -errno;
    }
}

static int map_shared(int fd, off_t offset, size_t size, void **address)
{
    void *mapped = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
                        offset);

    if (mapped == MAP_FAILED) {
        return driver_error();
    }
    *address = mapped;
    return 0;
}

static int map(struct ivc_node *node, const struct nvipc_ivc_info *info,
               size_t page_size)
{
    int ret = map_shared(node->fd, 0, info->area_size, &node->area);

    if (ret == 0) {
        node->area_size = info->area_size;
        ret = map_shared(node->fd, (off_t)info->area_size, page_size,
                         &node->noti);
    }
    if (ret == 0) {
        node->noti_size = page_size;
    }
    return ret;
}

void ivc_node_close(struct link *link)
{
    struct ivc_node *node = link->priv;

    /* The mappings first: the end is open as long as one of the three is. */
    if (node->noti_size != 0) {
        munmap(node->noti, node->noti_size);
    }
    if (node->area_size != 0) {
        munmap(node->area, node->area_size);
    }
    close(node->fd);
    if (link->event_fd >= 0) {
        close(link->event_fd);
    }
    free(node);
    link->priv = NULL;
}

static int open_path(const char *prefix, uint32_t id)
{
    char path[32];
    int fd;

    snprintf(path, sizeof(path), "/dev/%s%u", prefix, id);
    fd = open(path, O_RDWR | O_CLOEXEC);
    return fd >= 0 ? fd : driver_error();
}

static int set_up(struct link *link)
{
    struct ivc_node *node = link->priv;
    size_t page_size = (size_t)sysconf(_SC_PAGESIZE);
    struct nvipc_ivc_info info = { 0 };
    char *queue;
    int ret;

    if (ioctl(node->fd, NVIPC_IVC_IOCTL_GET_INFO, &info) < 0) {
        return driver_error();
    }
    if (!info_is_sound(&info, page_size)) {
        return -EPROTO;
    }
    ret = map(node, &info, page_size);
    if (ret < 0) {
        return ret;
    }
    link->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (link->event_fd < 0) {
        return -errno;
    }
    if (ioctl(node->fd, NVIPC_IVC_IOCTL_SET_EVENTFD, &link->event_fd) < 0) {
        return driver_error();
    }
    queue = (char *)node->area + info.queue_offset;
    link->rx = info.rx_first ? queue : queue + info.queue_size;
    link->tx = info.rx_first ? queue + info.queue_size : queue;
    link->nframes = info.nframes;
    link->frame_size = info.frame_size;
    return 0;
}

int ivc_node_open(struct link *link, const struct backend *backend,
                  const char *prefix, const struct conf_entry *entry)
{
    struct ivc_node *node;
    int ret;

    if (!may_use(entry)) {
        return -EPERM;
    }
    node = calloc(1, sizeof(*node));
    if (!node) {
        return -ENOMEM;
    }
    node->fd = open_path(prefix, entry->id);
    if (node->fd < 0) {
        ret = node->fd;
        free(node);
        return ret;
    }
    *link = (struct link) {
        .backend = backend, .event_fd = -1, .priv = node,
    };
    ret = set_up(link);
    if (ret < 0) {
        ivc_node_close(link);
    }
    return ret;
}

void ivc_node_notify(struct link *link)
{
    /* The queue before the bell, because the peer looks at it when rung. */
    device_fence();
    *noti_word(link, NVIPC_IVC_NOTI_RING) = 1;
}

bool ivc_node_ack(struct link *link)
{
    eventfd_t count;

    /* Non-blocking: EAGAIN says that nothing was there. */
    return eventfd_read(link->event_fd, &count) == 0;
}

void ivc_node_wake(struct link *link)
{
    /* Fails only if it is readable anyway. */
    (void)eventfd_write(link->event_fd, 1);
}

struct far_status ivc_node_far_status(struct link *link)
{
    uint32_t status = *noti_word(link, NVIPC_IVC_NOTI_STATUS);

    /*
     * The status before the queue, because a peer that is gone by now sent
     * its last frames before, and the caller looks for them next.
     */
    device_fence();
    return (struct far_status) {
        .gone = (status & NVIPC_IVC_FAR_STATE) == NVIPC_IVC_FAR_GONE,
        .generation = status >> NVIPC_IVC_FAR_GEN_SHIFT,
        .errors = status >> NVIPC_IVC_FAR_ERR_SHIFT & NVIPC_IVC_FAR_ERR_MASK,
    };
}
