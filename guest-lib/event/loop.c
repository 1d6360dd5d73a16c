/* SPDX-License-Identifier: MIT */
/*
 * The loop service: one epoll set, its table of notifiers, and the wait.
 *
 * Sources are watched edge-triggered, so an event is reported once for each
 * time it happens and never because nobody drained it. What a wait harvests
 * for notifiers that it was not asked about is kept in their pending flag, so
 * a wait on some loses no event of the others.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "loop.h"

#define HARVEST 64      /* events taken by one system call */

/* epoll's cookie. A stale one no longer matches its slot's generation. */
static uint64_t token_of(uint32_t slot, uint32_t generation)
{
    return (uint64_t)generation << 32 | slot;
}

/* NULL if it was deleted meanwhile. */
static struct notifier *notifier_of(const struct service *service,
                                    uint64_t token)
{
    uint32_t slot = (uint32_t)token;
    uint32_t generation = (uint32_t)(token >> 32);

    if (slot >= service->nr_slots ||
        service->slots[slot].generation != generation) {
        return NULL;
    }
    return service->slots[slot].notifier;
}

static NvSciError free_slot(struct service *service, uint32_t *index)
{
    size_t size = service->nr_slots;

    for (size_t i = 0; i < size; i++) {
        if (!service->slots[i].notifier) {
            *index = (uint32_t)i;
            return NvSciError_Success;
        }
    }

    size_t grown = size ? size * 2 : 8;
    struct slot *slots = realloc(service->slots, grown * sizeof(*slots));

    if (!slots) {
        return NvSciError_InsufficientMemory;
    }
    for (size_t i = size; i < grown; i++) {
        slots[i] = (struct slot){0};
    }
    service->slots = slots;
    service->nr_slots = grown;
    *index = (uint32_t)size;
    return NvSciError_Success;
}

/*
 * Gives it a slot and watches its source. What was closed by its owner has no
 * event any more, and is let in all the same. The lock is held; on failure the
 * notifier is as it was.
 */
static NvSciError enter(struct service *service, struct notifier *notifier)
{
    int fd = notifier->source.fd(notifier->source.opaque);
    uint32_t index;
    NvSciError error = free_slot(service, &index);

    if (error != NvSciError_Success) {
        return error;
    }

    uint32_t generation = ++service->slots[index].generation;
    struct epoll_event event = {
        .events = EPOLLIN | EPOLLET,
        .data.u64 = token_of(index, generation),
    };

    if (fd >= 0 &&
        epoll_ctl(service->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
        return errno == ENOMEM || errno == ENOSPC
                   ? NvSciError_InsufficientResource
               : errno == EEXIST ? NvSciError_AlreadyInUse
                                 : NvSciError_BadParameter;
    }
    service->slots[index].notifier = notifier;
    notifier->service = service;
    notifier->slot = index;
    notifier->generation = generation;
    notifier->wait = 0;
    service->users++;
    service->owing |= notifier->owed;
    return NvSciError_Success;
}

/* The other way round; the service keeps its user. The lock is held. */
static void leave(struct service *service, uint32_t index)
{
    struct notifier *notifier = service->slots[index].notifier;
    int fd = notifier->source.fd(notifier->source.opaque);

    service->slots[index].notifier = NULL;
    if (fd >= 0) {
        epoll_ctl(service->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
    }
}

NvSciError service_add(struct service *service, struct notifier *notifier)
{
    NvSciError error;

    pthread_mutex_lock(&service->lock);
    error = enter(service, notifier);
    pthread_mutex_unlock(&service->lock);
    return error;
}

void service_remove(struct notifier *notifier)
{
    struct service *service = notifier->service;

    pthread_mutex_lock(&service->lock);
    leave(service, notifier->slot);
    pthread_mutex_unlock(&service->lock);
}

NvSciError service_move(struct notifier *notifier, struct service *to)
{
    struct service *from = notifier->service;
    uint32_t index = notifier->slot;
    NvSciError error;

    if (from == to) {
        return NvSciError_Success;
    }
    /* Always in this order, because others may move the other way. */
    pthread_mutex_lock(from < to ? &from->lock : &to->lock);
    pthread_mutex_lock(from < to ? &to->lock : &from->lock);
    /*
     * In before out, so that there is no way back that could fail. What is
     * readable now is reported by the new set.
     */
    error = enter(to, notifier);
    if (error == NvSciError_Success) {
        leave(from, index);
    }
    pthread_mutex_unlock(&to->lock);
    pthread_mutex_unlock(&from->lock);
    if (error == NvSciError_Success) {
        service_put(from);
    }
    return error;
}

/* The lock is held; it is given up. */
static void unlock_and_put(struct service *service)
{
    bool last = --service->users == 0;

    pthread_mutex_unlock(&service->lock);
    if (last) {
        close(service->epoll_fd);
        pthread_mutex_destroy(&service->lock);
        free(service->slots);
        free(service);
    }
}

void service_put(struct service *service)
{
    pthread_mutex_lock(&service->lock);
    unlock_and_put(service);
}

static int64_t now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int64_t deadline(int64_t microseconds)
{
    int64_t now = now_us();

    return microseconds > INT64_MAX - now ? INT64_MAX : now + microseconds;
}

/* Sleeps at most us microseconds, or without end if it is negative. */
static int sleep_in_epoll(int epoll_fd, struct epoll_event *events,
                          int64_t us)
{
    static atomic_bool no_pwait2;

    if (us > 0 && !atomic_load_explicit(&no_pwait2, memory_order_relaxed)) {
        struct timespec timeout = {
            .tv_sec = us / 1000000,
            .tv_nsec = us % 1000000 * 1000,
        };
        int n = epoll_pwait2(epoll_fd, events, HARVEST, &timeout, NULL);

        if (n >= 0 || errno != ENOSYS) {
            return n;
        }
        atomic_store_explicit(&no_pwait2, true, memory_order_relaxed);
    }

    /* Rounded up: a wait never ends early. */
    int64_t ms = us < 0 ? -1 : us / 1000 + (us % 1000 != 0);

    return epoll_wait(epoll_fd, events, HARVEST,
                      ms > INT32_MAX ? INT32_MAX : (int)ms);
}

/* Whether the wait that runs was asked about this notifier. */
static bool is_wanted(const struct notifier *notifier)
{
    return notifier->wait == notifier->service->wait;
}

/* May delete any notifier, its own too. The lock is held, but not inside. */
static void run_handler(struct service *service, struct notifier *notifier)
{
    void (*handler)(void *cookie) = notifier->handler;
    void *cookie = notifier->cookie;

    pthread_mutex_unlock(&service->lock);
    handler(cookie);
    pthread_mutex_lock(&service->lock);
}

/* The calls due for what happened before a handler was set. */
static void pay_what_is_owed(struct service *service)
{
    if (!service->owing) {
        return;
    }
    service->owing = false;
    for (size_t i = 0; i < service->nr_slots; i++) {
        struct notifier *notifier = service->slots[i].notifier;

        if (notifier && notifier->owed) {
            notifier->owed = false;
            notifier->pending = false;
            run_handler(service, notifier);
        }
    }
}

/*
 * Notes what has happened and runs handlers; true if the wait was asked about
 * any of it. A handler may delete any notifier, its own too, so nothing that
 * was found before it is used after it.
 */
static bool harvest(struct service *service, const struct epoll_event *events,
                    int n, bool *fresh)
{
    bool any = false;

    for (int i = 0; i < n; i++) {
        struct notifier *notifier = notifier_of(service, events[i].data.u64);

        if (!notifier) {
            continue;
        }
        if (notifier->source.consume) {
            notifier->source.consume(notifier->source.opaque);
        }
        if (is_wanted(notifier)) {
            fresh[notifier->index] = true;
            any = true;
        } else if (!notifier->handler) {
            notifier->pending = true;
        }
        if (notifier->handler) {
            run_handler(service, notifier);
        }
    }
    return any;
}

/*
 * Starts a wait for these notifiers, each of this service and there once, and
 * takes what was pending for them; *any says whether there was something.
 */
static NvSciError begin_wait(struct service *service,
                             NvSciEventNotifier *const *notifiers,
                             size_t count, bool *fresh, bool *any)
{
    service->wait++;
    for (size_t i = 0; i < count; i++) {
        struct notifier *notifier = (struct notifier *)notifiers[i];

        if (!notifier || notifier->service != service ||
            is_wanted(notifier)) {
            return NvSciError_BadParameter;
        }
        notifier->wait = service->wait;
        notifier->index = i;
    }

    *any = false;
    for (size_t i = 0; i < count; i++) {
        struct notifier *notifier = (struct notifier *)notifiers[i];

        fresh[i] = notifier->pending;
        *any |= notifier->pending;
        notifier->pending = false;
    }
    return NvSciError_Success;
}

NvSciError service_wait(struct service *service,
                        NvSciEventNotifier *const *notifiers, size_t count,
                        int64_t microseconds, bool *fresh)
{
    if (microseconds < NV_SCI_EVENT_INFINITE_WAIT ||
        (microseconds < 0 && service->infinite_refused)) {
        return NvSciError_BadParameter;
    }

    pthread_mutex_lock(&service->lock);
    if (service->waiting) {
        pthread_mutex_unlock(&service->lock);
        return NvSciError_NotSupported;
    }

    bool any;
    NvSciError error = begin_wait(service, notifiers, count, fresh, &any);

    if (error != NvSciError_Success) {
        pthread_mutex_unlock(&service->lock);
        return error;
    }
    service->waiting = true;
    service->users++;           /* a handler may delete the service */
    pay_what_is_owed(service);

    int64_t end = microseconds > 0 ? deadline(microseconds) : 0;
    /* Even if there is an answer: handlers of others are served. */
    int64_t left = any ? 0 : microseconds;

    for (;;) {
        struct epoll_event events[HARVEST];

        pthread_mutex_unlock(&service->lock);
        int n = sleep_in_epoll(service->epoll_fd, events, left);
        int failure = errno;
        pthread_mutex_lock(&service->lock);

        if (n > 0 && harvest(service, events, n, fresh)) {
            any = true;
        }
        if (n == HARVEST) {
            continue;           /* there may be more of what has happened */
        }
        if (any) {
            error = NvSciError_Success;
            break;
        }
        if (n < 0) {
            error = failure == EINTR ? NvSciError_InterruptedCall
                                     : NvSciError_ResourceError;
            break;
        }
        if (microseconds >= 0) {
            left = microseconds ? end - now_us() : 0;
            if (left <= 0) {
                error = NvSciError_Timeout;
                break;
            }
        }
    }

    service->wait++;            /* nobody is wanted any more */
    service->waiting = false;
    unlock_and_put(service);
    return error;
}

NvSciError service_create(bool infinite_refused, NvSciEventLoopService **out)
{
    struct service *service = calloc(1, sizeof(*service));

    if (!service) {
        return NvSciError_InsufficientMemory;
    }
    service->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (service->epoll_fd < 0) {
        free(service);
        return NvSciError_InsufficientResource;
    }
    pthread_mutex_init(&service->lock, NULL);
    service->infinite_refused = infinite_refused;
    service->users = 1;
    service->wait = 1;          /* 0 is a notifier that was never wanted */
    *out = &service->public;
    return NvSciError_Success;
}
