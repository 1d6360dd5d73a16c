/* SPDX-License-Identifier: MIT */
/* Local events: one thread signals, a wait of the same process is told. */
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "loop.h"

struct local_event {
    NvSciLocalEvent public;     /* first */
    int fd;
    /*
     * The event and its notifier, each deleted by its own Delete; the right
     * order is notifier first, but the other one must not break anything.
     */
    atomic_uint users;
};

static void put(struct local_event *event)
{
    if (atomic_fetch_sub_explicit(&event->users, 1,
                                  memory_order_acq_rel) == 1) {
        close(event->fd);
        free(event);
    }
}

static int source_fd(void *opaque)
{
    return ((struct local_event *)opaque)->fd;
}

static void source_consume(void *opaque)
{
    uint64_t count;

    /* Keeps the counter from filling up; it is non-blocking. */
    (void)!read(((struct local_event *)opaque)->fd, &count, sizeof(count));
}

static void source_release(void *opaque)
{
    put(opaque);
}

static NvSciError signal_event(NvSciLocalEvent *public)
{
    struct local_event *event = (struct local_event *)public;
    uint64_t one = 1;

    if (!event) {
        return NvSciError_BadParameter;
    }
    /* A full counter (EAGAIN) is signalled already. */
    (void)!write(event->fd, &one, sizeof(one));
    return NvSciError_Success;
}

static void delete(NvSciLocalEvent *public)
{
    if (public) {
        put((struct local_event *)public);
    }
}

NvSciError local_event_create(NvSciEventService *service,
                              NvSciLocalEvent **out)
{
    if (!service || !out) {
        return NvSciError_BadParameter;
    }

    struct local_event *event = calloc(1, sizeof(*event));

    if (!event) {
        return NvSciError_InsufficientMemory;
    }
    event->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (event->fd < 0) {
        free(event);
        return NvSciError_InsufficientResource;
    }
    atomic_init(&event->users, 2);
    event->public.Signal = signal_event;
    event->public.Delete = delete;

    struct source source = {
        .fd = source_fd,
        .consume = source_consume,
        .release = source_release,
        .opaque = event,
    };
    NvSciError error = notifier_create((struct service *)service, &source,
                                       &event->public.eventNotifier);

    if (error != NvSciError_Success) {
        close(event->fd);
        free(event);
        return error;
    }
    *out = &event->public;
    return NvSciError_Success;
}
