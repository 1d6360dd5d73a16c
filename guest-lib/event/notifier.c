/* SPDX-License-Identifier: MIT */
/* Notifiers: one event source each, with an optional handler. */
#include <stdlib.h>

#include "loop.h"
#include "native_event.h"

/* NULL unregisters. The interface says that Linux ignores the priority. */
static NvSciError set_handler(NvSciEventNotifier *public,
                              void (*callback)(void *cookie), void *cookie,
                              uint32_t priority)
{
    struct notifier *notifier = (struct notifier *)public;

    (void)priority;
    if (!notifier) {
        return NvSciError_BadParameter;
    }
    pthread_mutex_lock(&notifier->service->lock);
    notifier->handler = callback;
    notifier->cookie = cookie;
    /* What an earlier wait has harvested is told to the new handler, too. */
    notifier->owed = callback && notifier->pending;
    notifier->service->owing |= notifier->owed;
    pthread_mutex_unlock(&notifier->service->lock);
    return NvSciError_Success;
}

static void delete(NvSciEventNotifier *public)
{
    struct notifier *notifier = (struct notifier *)public;

    if (!notifier) {
        return;
    }

    struct service *service = notifier->service;

    service_remove(notifier);
    notifier->source.release(notifier->source.opaque);
    free(notifier);
    service_put(service);
}

NvSciError notifier_create(struct service *service,
                           const struct source *source,
                           NvSciEventNotifier **out)
{
    struct notifier *notifier = calloc(1, sizeof(*notifier));

    if (!notifier) {
        return NvSciError_InsufficientMemory;
    }
    notifier->public.SetHandler = set_handler;
    notifier->public.Delete = delete;
    notifier->source = *source;

    NvSciError error = service_add(service, notifier);

    if (error != NvSciError_Success) {
        free(notifier);
        return error;
    }
    *out = &notifier->public;
    return NvSciError_Success;
}

static int native_fd(void *opaque)
{
    struct NvSciNativeEvent *event = opaque;

    return atomic_load_explicit(&event->fd, memory_order_acquire);
}

static void native_release(void *opaque)
{
    struct NvSciNativeEvent *event = opaque;

    event->release(event);
}

NvSciError notifier_create_native(NvSciEventService *service,
                                  NvSciNativeEvent *event,
                                  NvSciEventNotifier **notifier)
{
    if (!service || !event || !notifier) {
        return NvSciError_BadParameter;
    }

    struct source source = {
        .fd = native_fd,
        .release = native_release,
        .opaque = event,
    };

    return notifier_create((struct service *)service, &source, notifier);
}
