/* SPDX-License-Identifier: MIT */
/* A channel in the memory of one process, with deaths to order. */
#include "mem_link.h"

#include <errno.h>
#include <glib.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "driver/uapi/nvipc_ivc.h"
#include "ivc_geometry.h"

#define MAX_CHANNELS 256

static struct mem_channel *channels[MAX_CHANNELS];

static struct mem_end *end_of(const struct link *link)
{
    return link->priv;
}

static unsigned number_of(const struct mem_end *end)
{
    return (unsigned)(end - end->channel->end);
}

static struct mem_end *far_of(const struct mem_end *end)
{
    return &end->channel->end[!number_of(end)];
}

static void call_hook(const struct mem_end *end, enum mem_point point)
{
    const struct mem_channel *channel = end->channel;

    if (channel->hook) {
        channel->hook(channel->opaque, number_of(end), point);
    }
}

static uint32_t load(const uint32_t *word)
{
    return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static void ring_end(struct mem_end *end)
{
    __atomic_store_n(&end->rung, true, __ATOMIC_RELEASE);
    if (end->event_fd >= 0) {
        g_assert_cmpint(eventfd_write(end->event_fd, 1), ==, 0);
    }
}

static void *allocate(size_t size, bool shared)
{
    void *memory;

    if (shared) {
        memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        g_assert_true(memory != MAP_FAILED);
    } else {
        memory = aligned_alloc(64, (size + 63) / 64 * 64);
        g_assert_nonnull(memory);
        memset(memory, 0, size);
    }
    return memory;
}

static void release(void *memory, size_t size, bool shared)
{
    if (shared) {
        munmap(memory, size);
    } else {
        free(memory);
    }
}

struct mem_channel *mem_channel_new(uint32_t nframes, uint32_t frame_size,
                                    bool with_fd)
{
    size_t size = ivc_direction_size(nframes, frame_size);
    struct mem_channel *channel = allocate(sizeof(*channel), with_fd);

    channel->nframes = nframes;
    channel->frame_size = frame_size;
    channel->with_fd = with_fd;
    for (unsigned i = 0; i < 2; i++) {
        /* Apart from each other, so that a sanitizer sees every overrun. */
        channel->direction[i] = allocate(size, with_fd);
        channel->end[i].channel = channel;
        channel->end[i].event_fd = with_fd ?
            eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) : -1;
    }
    for (unsigned i = 0; i < MAX_CHANNELS; i++) {
        if (!channels[i]) {
            channels[i] = channel;
            return channel;
        }
    }
    g_assert_not_reached();
}

void mem_channel_free(struct mem_channel *channel)
{
    for (unsigned i = 0; i < MAX_CHANNELS; i++) {
        if (channels[i] == channel) {
            channels[i] = NULL;
        }
    }
    for (unsigned i = 0; i < 2; i++) {
        release(channel->direction[i],
                ivc_direction_size(channel->nframes, channel->frame_size),
                channel->with_fd);
        if (channel->with_fd) {
            close(channel->end[i].event_fd);
        }
    }
    release(channel, sizeof(*channel), channel->with_fd);
}

struct conf_entry mem_channel_entry(const struct mem_channel *channel,
                                    unsigned end)
{
    struct conf_entry entry = { .backend = CONF_INTER_VM, .gid = CONF_NO_GID };

    while (channels[entry.id] != channel) {
        entry.id++;
    }
    entry.id = 2 * entry.id + end;
    return entry;
}

void mem_channel_kill(struct mem_channel *channel, unsigned end)
{
    mem_channel_fail(channel, end, 0);
}

void mem_channel_fail(struct mem_channel *channel, unsigned end,
                      uint32_t errors)
{
    uint32_t status = load(&channel->end[end].status);

    g_assert_cmpuint(status & NVIPC_IVC_FAR_STATE, ==, NVIPC_IVC_FAR_OPEN);
    status = ((status >> NVIPC_IVC_FAR_GEN_SHIFT) + 1) <<
             NVIPC_IVC_FAR_GEN_SHIFT | errors << NVIPC_IVC_FAR_ERR_SHIFT |
             NVIPC_IVC_FAR_GONE;
    channel->end[end].owner = 0;
    __atomic_store_n(&channel->end[end].status, status, __ATOMIC_RELEASE);
    ring_end(&channel->end[!end]);
}

bool mem_channel_rung(const struct mem_channel *channel, unsigned end)
{
    return __atomic_load_n(&channel->end[end].rung, __ATOMIC_ACQUIRE);
}

struct far_status mem_channel_status(const struct mem_channel *channel,
                                     unsigned end)
{
    uint32_t status = load(&channel->end[end].status);

    return (struct far_status) {
        .gone = (status & NVIPC_IVC_FAR_STATE) == NVIPC_IVC_FAR_GONE,
        .generation = status >> NVIPC_IVC_FAR_GEN_SHIFT,
        .errors = status >> NVIPC_IVC_FAR_ERR_SHIFT & NVIPC_IVC_FAR_ERR_MASK,
    };
}

static int mem_open(struct link *link, const struct conf_entry *entry,
                    unsigned which)
{
    struct mem_channel *channel = entry->id / 2 < MAX_CHANNELS ?
                                  channels[entry->id / 2] : NULL;
    unsigned number = entry->id % 2;
    struct mem_end *end;
    uint32_t status;

    g_assert_cmpuint(which, ==, 0);
    if (!channel) {
        return -ENOENT;
    }
    end = &channel->end[number];
    status = load(&end->status);
    do {
        if ((status & NVIPC_IVC_FAR_STATE) == NVIPC_IVC_FAR_OPEN) {
            return -EBUSY;
        }
    } while (!__atomic_compare_exchange_n(
                 &end->status, &status,
                 (status & ~NVIPC_IVC_FAR_STATE) | NVIPC_IVC_FAR_OPEN, false,
                 __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE));
    end->owner = getpid();
    *link = (struct link) {
        .backend = &mem_link,
        .rx = channel->direction[number],
        .tx = channel->direction[!number],
        .nframes = channel->nframes,
        .frame_size = channel->frame_size,
        .event_fd = end->event_fd,
        .priv = end,
    };
    call_hook(end, MEM_OPENED);
    return 0;
}

static void mem_notify(struct link *link)
{
    call_hook(end_of(link), MEM_BEFORE_BELL);
    ring_end(far_of(end_of(link)));
}

static bool mem_ack(struct link *link)
{
    struct mem_end *end = end_of(link);
    bool rung;
    eventfd_t count;

    if (end->event_fd >= 0) {
        __atomic_store_n(&end->rung, false, __ATOMIC_RELEASE);
        rung = eventfd_read(end->event_fd, &count) == 0;
    } else {
        rung = __atomic_exchange_n(&end->rung, false, __ATOMIC_ACQ_REL);
    }
    call_hook(end, MEM_ACKED);
    return rung;
}

static void mem_wake(struct link *link)
{
    ring_end(end_of(link));
}

static struct far_status mem_far_status(struct link *link)
{
    struct mem_end *end = end_of(link);
    struct far_status far;

    call_hook(end, MEM_BEFORE_STATUS);
    far = mem_channel_status(end->channel, !number_of(end));
    call_hook(end, MEM_AFTER_STATUS);
    return far;
}

static void mem_close(struct link *link)
{
    struct mem_end *end = end_of(link);

    /* What a forked child gives back, the parent still holds. */
    if (end->owner == getpid()) {
        mem_channel_kill(end->channel, number_of(end));
    }
}

const struct backend mem_link = {
    .open = mem_open,
    .notify = mem_notify,
    .ack = mem_ack,
    .wake = mem_wake,
    .far_status = mem_far_status,
    .close = mem_close,
    .can_disable_notification = true,
};
