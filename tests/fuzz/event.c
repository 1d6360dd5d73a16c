/* SPDX-License-Identifier: MIT */
/*
 * Fuzz target: libnvscievent in one thread. The input is a program of calls; a
 * model of "happened, and nobody was told" says what each wait must report.
 */
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "native_event.h"
#include "nvscievent.h"

#define NR_SERVICES 2
#define NR_EVENTS 8         /* even ones are native, odd ones local */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct event {
    NvSciNativeEvent native;
    NvSciLocalEvent *local;
    NvSciEventNotifier *notifier;   /* NULL: there is none now */
    unsigned service;
    int fd;                 /* of a native one */
    bool undrained;         /* fd is readable */
    bool happened;          /* the model: nobody was told */
    bool handled;           /* has a handler */
    unsigned calls;         /* of it, in this wait */
};

static NvSciEventLoopService *services[NR_SERVICES];
static struct event events[NR_EVENTS];

static void require(bool condition)
{
    if (!condition) {
        abort();
    }
}

static void released(NvSciNativeEvent *event)
{
    (void)event;            /* it is one of events[] */
}

static void handler(void *cookie)
{
    ((struct event *)cookie)->calls++;
}

static bool is_native(const struct event *event)
{
    return (event - events) % 2 == 0;
}

static void create(struct event *event, unsigned service)
{
    NvSciEventService *at = &services[service]->EventService;

    if (event->notifier) {
        return;
    }
    if (is_native(event)) {
        event->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        require(event->fd >= 0);
        atomic_init(&event->native.fd, event->fd);
        event->native.release = released;
        require(at->CreateNativeEventNotifier(at, &event->native,
                                              &event->notifier) ==
                NvSciError_Success);
    } else {
        require(at->CreateLocalEvent(at, &event->local) ==
                NvSciError_Success);
        event->notifier = event->local->eventNotifier;
    }
    event->service = service;
    event->undrained = false;
    event->happened = false;
    event->handled = false;
}

/* early: the owner goes before the notifier, which must not matter. */
static void delete(struct event *event, bool early)
{
    if (!event->notifier) {
        return;
    }
    if (early && is_native(event)) {
        atomic_store(&event->native.fd, -1);
        close(event->fd);
    } else if (early) {
        event->local->Delete(event->local);
    }
    event->notifier->Delete(event->notifier);
    event->notifier = NULL;
    if (!early && is_native(event)) {
        close(event->fd);
    } else if (!early) {
        event->local->Delete(event->local);
    }
}

static void notify(struct event *event)
{
    if (!event->notifier) {
        return;
    }
    if (is_native(event)) {
        require(eventfd_write(event->fd, 1) == 0);
        event->undrained = true;
    } else {
        require(event->local->Signal(event->local) == NvSciError_Success);
    }
    event->happened = true;
}

static void drain(struct event *event)
{
    eventfd_t count;

    /*
     * Before anybody was told: the event has still happened, but an edge that
     * was not harvested is gone with it. Applications drain by GetEvent, which
     * looks at the queue after.
     */
    if (event->notifier && is_native(event) && !event->happened) {
        require((eventfd_read(event->fd, &count) == 0) == event->undrained);
        event->undrained = false;
    }
}

static void move(struct event *event)
{
    unsigned to = !event->service;

    if (!event->notifier) {
        return;
    }
    require(NvSciEventMoveNotifier(&services[event->service]->EventService,
                                   &services[to]->EventService,
                                   event->notifier) == NvSciError_Success);
    event->service = to;
    /* What is readable is told anew: better twice than never. */
    event->happened |= event->undrained;
}

static void set_handler(struct event *event, bool on)
{
    if (event->notifier) {
        require(event->notifier->SetHandler(event->notifier,
                                            on ? handler : NULL, event, 0) ==
                NvSciError_Success);
        event->handled = on;
    }
}

/* mask: which events the wait is for, as far as they are of the service. */
static void wait(unsigned service, uint8_t mask)
{
    NvSciEventNotifier *notifiers[NR_EVENTS];
    struct event *wanted[NR_EVENTS];
    bool fresh[NR_EVENTS];
    bool any = false;
    size_t count = 0;
    NvSciError error;

    for (unsigned i = 0; i < NR_EVENTS; i++) {
        events[i].calls = 0;
        if (events[i].notifier && events[i].service == service &&
            (mask >> i & 1)) {
            fresh[count] = !events[i].happened;
            wanted[count] = &events[i];
            notifiers[count++] = events[i].notifier;
            any |= events[i].happened;
        }
    }
    error = services[service]->WaitForMultipleEventsExt(
        &services[service]->EventService, count ? notifiers : NULL, count, 0,
        count ? fresh : NULL);
    require(error == (any ? NvSciError_Success : NvSciError_Timeout));
    for (size_t i = 0; i < count; i++) {
        require(fresh[i] == wanted[i]->happened);
    }
    for (unsigned i = 0; i < NR_EVENTS; i++) {
        struct event *event = &events[i];

        if (!event->notifier || event->service != service) {
            continue;
        }
        /* Twice: for what an earlier wait had found, and for what came since. */
        require(event->handled && event->happened ?
                event->calls == 1 || event->calls == 2 : event->calls == 0);
        if (event->handled || (mask >> i & 1)) {
            event->happened = false;
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (unsigned i = 0; i < NR_SERVICES; i++) {
        require(NvSciEventLoopServiceCreate(1, &services[i]) ==
                NvSciError_Success);
    }
    for (size_t i = 0; i + 1 < size && i < 512; i += 2) {
        struct event *event = &events[data[i] % NR_EVENTS];
        unsigned service = data[i + 1] % NR_SERVICES;

        switch (data[i] >> 5) {
        case 0:
            create(event, service);
            break;
        case 1:
            delete(event, data[i + 1] % 2);
            break;
        case 2:
        case 3:
            notify(event);
            break;
        case 4:
            drain(event);
            break;
        case 5:
            move(event);
            break;
        case 6:
            set_handler(event, data[i + 1] % 2);
            break;
        default:
            wait((unsigned)data[i] >> 4 & 1, data[i + 1]);
            break;
        }
    }
    for (unsigned i = 0; i < NR_EVENTS; i++) {
        delete(&events[i], size % 2);
    }
    for (unsigned i = 0; i < NR_SERVICES; i++) {
        services[i]->EventService.Delete(&services[i]->EventService);
    }
    return 0;
}
