/* SPDX-License-Identifier: MIT */
/*
 * What the files of libnvscievent share: a service and its notifiers.
 *
 * One lock a service guards its table and the notifiers in it. It is never
 * held while a handler runs or while a wait sleeps.
 */
#ifndef VSOC_EVENT_LOOP_H
#define VSOC_EVENT_LOOP_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "nvscievent.h"

struct service;

/* What a notifier waits on: a native event's or a local event's descriptor. */
struct source {
    int (*fd)(void *opaque);            /* -1 when it is closed */
    void (*consume)(void *opaque);      /* its event was taken; may be NULL */
    void (*release)(void *opaque);      /* the notifier is deleted */
    void *opaque;
};

struct notifier {
    NvSciEventNotifier public;          /* first: the pointers are the same */
    struct service *service;
    struct source source;
    uint32_t slot;                      /* in service->slots */
    uint32_t generation;                /* of the slot, when it was given */
    bool pending;                       /* happened, and nobody was told */
    bool owed;                          /* pending since before the handler */
    uint64_t wait;                      /* the last wait that asked for it */
    size_t index;                       /* in that wait's array */
    void (*handler)(void *cookie);
    void *cookie;
};

struct slot {
    struct notifier *notifier;          /* NULL: free */
    uint32_t generation;                /* +1 each time it is given */
};

struct service {
    NvSciEventLoopService public;       /* first */
    pthread_mutex_t lock;
    int epoll_fd;
    bool infinite_refused;              /* made by CreateSafeX */
    bool waiting;                       /* a thread is inside a wait */
    bool owing;                         /* a notifier may be owed its call */
    uint64_t wait;                      /* number of the running wait */
    unsigned users;                     /* the application and the notifiers */
    struct slot *slots;
    size_t nr_slots;
};

/* loop.c */
NvSciError service_create(bool infinite_refused,
                          NvSciEventLoopService **service);
/* Drops one user; the last one frees it. */
void service_put(struct service *service);
/*
 * Waits for one of count notifiers of the service (0: serves handlers until
 * the timeout). fresh has count elements.
 */
NvSciError service_wait(struct service *service,
                        NvSciEventNotifier *const *notifiers, size_t count,
                        int64_t microseconds, bool *fresh);
/* Enters a notifier into the service's table and epoll set. */
NvSciError service_add(struct service *service, struct notifier *notifier);
/* Takes it out again; it gets no more events. */
void service_remove(struct notifier *notifier);
/* From its service to another, with an event that nobody was told of. */
NvSciError service_move(struct notifier *notifier, struct service *to);

/* notifier.c */
NvSciError notifier_create(struct service *service,
                           const struct source *source,
                           NvSciEventNotifier **notifier);
NvSciError notifier_create_native(NvSciEventService *service,
                                  NvSciNativeEvent *event,
                                  NvSciEventNotifier **notifier);

/* local.c */
NvSciError local_event_create(NvSciEventService *service,
                              NvSciLocalEvent **event);

#endif
