/* SPDX-License-Identifier: MIT */
/* libnvscievent through its public interface: waits, handlers, lifetimes. */
#include <errno.h>
#include <glib.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "native_event.h"
#include "nvscievent.h"

#define MS 1000         /* microseconds */
#define SOON (20 * MS)
#define LONG (10000 * MS)

#define ok(call) g_assert_cmpint((call), ==, NvSciError_Success)
#define fails(call, error) g_assert_cmpint((call), ==, NvSciError_##error)

/* The endpoint's part: an eventfd that its owner drains. */
struct native {
    NvSciNativeEvent event;
    int fd;
    unsigned released;
};

static void native_release(NvSciNativeEvent *event)
{
    ((struct native *)event)->released++;
}

static void native_open(struct native *native)
{
    native->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    atomic_init(&native->event.fd, native->fd);
    native->event.release = native_release;
    native->released = 0;
}

static void native_notify(struct native *native)
{
    uint64_t one = 1;

    g_assert_cmpint(write(native->fd, &one, sizeof(one)), ==, sizeof(one));
}

static bool native_drain(struct native *native)
{
    uint64_t count;

    return read(native->fd, &count, sizeof(count)) == sizeof(count);
}

static NvSciEventLoopService *service_new(void)
{
    NvSciEventLoopService *service;

    ok(NvSciEventLoopServiceCreate(1, &service));
    return service;
}

static NvSciEventNotifier *notifier_new(NvSciEventLoopService *service,
                                        struct native *native)
{
    NvSciEventNotifier *notifier;

    native_open(native);
    ok(service->EventService.CreateNativeEventNotifier(
        &service->EventService, &native->event, &notifier));
    return notifier;
}

static void native_close(struct native *native, NvSciEventNotifier *notifier)
{
    notifier->Delete(notifier);
    g_assert_cmpuint(native->released, ==, 1);
    close(native->fd);
}

static void test_create(void)
{
    NvSciEventLoopService *service;
    NvSciTimerEvent *timer;
    NvSciEventLoop *loop;
    NvSciLocalEvent *event;
    int config;

    fails(NvSciEventLoopServiceCreate(0, &service), BadParameter);
    fails(NvSciEventLoopServiceCreate(2, &service), BadParameter);
    fails(NvSciEventLoopServiceCreate(1, NULL), BadParameter);
    fails(NvSciEventLoopServiceCreateSafe(1, &config, &service), BadParameter);
    fails(NvSciEventLoopServiceCreateSafeX(1, &config, &service),
          BadParameter);

    ok(NvSciEventLoopServiceCreateSafe(1, NULL, &service));
    fails(service->CreateEventLoop(service, &loop), NotSupported);
    fails(service->EventService.CreateTimerEvent(&service->EventService,
                                                 &timer), NotSupported);
    fails(service->EventService.CreateLocalEvent(NULL, &event), BadParameter);
    fails(service->EventService.CreateLocalEvent(&service->EventService, NULL),
          BadParameter);
    service->EventService.Delete(&service->EventService);
}

static void test_version(void)
{
    bool compatible;

    fails(NvSciEventCheckVersionCompatibility(1, 4, NULL), BadParameter);
    ok(NvSciEventCheckVersionCompatibility(1, 4, &compatible));
    g_assert_true(compatible);
    ok(NvSciEventCheckVersionCompatibility(1, 0, &compatible));
    g_assert_true(compatible);
    ok(NvSciEventCheckVersionCompatibility(1, 5, &compatible));
    g_assert_false(compatible);
    ok(NvSciEventCheckVersionCompatibility(2, 0, &compatible));
    g_assert_false(compatible);
}

static void test_timeout(void)
{
    NvSciEventLoopService *service = service_new();
    struct native native;
    NvSciEventNotifier *notifier = notifier_new(service, &native);
    int64_t begin = g_get_monotonic_time();

    fails(service->WaitForEvent(notifier, 0), Timeout);
    fails(service->WaitForEvent(notifier, SOON + 1), Timeout);
    g_assert_cmpint(g_get_monotonic_time() - begin, >=, SOON);
    fails(service->WaitForEvent(notifier, -2), BadParameter);
    fails(service->WaitForEvent(NULL, 0), BadParameter);

    native_close(&native, notifier);
    service->EventService.Delete(&service->EventService);
}

static void test_infinite_refused(void)
{
    NvSciEventLoopService *service;
    struct native native;

    ok(NvSciEventLoopServiceCreateSafeX(1, NULL, &service));

    NvSciEventNotifier *notifier = notifier_new(service, &native);

    fails(service->WaitForEvent(notifier, NV_SCI_EVENT_INFINITE_WAIT),
          BadParameter);
    native_notify(&native);
    ok(service->WaitForEvent(notifier, LONG));
    native_close(&native, notifier);
    service->EventService.Delete(&service->EventService);
}

/* What came before the wait counts; each notification wakes one wait. */
static void test_before_the_wait(void)
{
    NvSciEventLoopService *service = service_new();
    struct native native;
    NvSciEventNotifier *notifier = notifier_new(service, &native);

    native_notify(&native);
    ok(service->WaitForEvent(notifier, LONG));
    /* Not drained, yet told: no spin. */
    fails(service->WaitForEvent(notifier, 0), Timeout);
    native_notify(&native);
    ok(service->WaitForEvent(notifier, LONG));
    g_assert_true(native_drain(&native));
    native_notify(&native);
    ok(service->WaitForEvent(notifier, NV_SCI_EVENT_INFINITE_WAIT));

    native_close(&native, notifier);
    service->EventService.Delete(&service->EventService);
}

/* Also what happened before there was a notifier. */
static void test_before_the_notifier(void)
{
    NvSciEventLoopService *service = service_new();
    struct native native;
    NvSciEventNotifier *notifier;

    native_open(&native);
    native_notify(&native);
    ok(service->EventService.CreateNativeEventNotifier(
        &service->EventService, &native.event, &notifier));
    ok(service->WaitForEvent(notifier, LONG));

    native_close(&native, notifier);
    service->EventService.Delete(&service->EventService);
}

static void test_multiple(void)
{
    enum { N = 200 };       /* more than one system call harvests */
    NvSciEventLoopService *service = service_new();
    static struct native natives[N];
    NvSciEventNotifier *notifiers[N];
    bool fresh[N];

    for (int i = 0; i < N; i++) {
        notifiers[i] = notifier_new(service, &natives[i]);
    }
    fails(service->WaitForMultipleEvents(notifiers, 0, 0, fresh),
          BadParameter);
    fails(service->WaitForMultipleEvents(NULL, N, 0, fresh), BadParameter);
    fails(service->WaitForMultipleEvents(notifiers, N, 0, NULL), BadParameter);

    NvSciEventNotifier *twice[2] = {notifiers[0], notifiers[0]};

    fails(service->WaitForMultipleEvents(twice, 2, 0, fresh), BadParameter);

    fails(service->WaitForMultipleEvents(notifiers, N, 0, fresh), Timeout);
    for (int i = 0; i < N; i += 2) {
        native_notify(&natives[i]);
    }
    for (int i = 0; i < N; i++) {
        fresh[i] = i % 2;
    }
    ok(service->WaitForMultipleEvents(notifiers, N, LONG, fresh));
    for (int i = 0; i < N; i++) {
        g_assert_cmpint(fresh[i], ==, i % 2 == 0);
    }
    fails(service->WaitForMultipleEvents(notifiers, N, 0, fresh), Timeout);

    for (int i = 0; i < N; i++) {
        native_close(&natives[i], notifiers[i]);
    }
    service->EventService.Delete(&service->EventService);
}

/* A wait on one loses nothing of the other. */
static void test_others_kept(void)
{
    NvSciEventLoopService *service = service_new();
    struct native a, b;
    NvSciEventNotifier *notifier_a = notifier_new(service, &a);
    NvSciEventNotifier *notifier_b = notifier_new(service, &b);

    native_notify(&b);
    fails(service->WaitForEvent(notifier_a, SOON), Timeout);
    native_notify(&a);
    ok(service->WaitForEvent(notifier_a, LONG));
    ok(service->WaitForEvent(notifier_b, LONG));
    fails(service->WaitForEvent(notifier_b, 0), Timeout);

    native_close(&a, notifier_a);
    native_close(&b, notifier_b);
    service->EventService.Delete(&service->EventService);
}

static void test_local(void)
{
    NvSciEventLoopService *service = service_new();
    NvSciLocalEvent *event;

    ok(service->EventService.CreateLocalEvent(&service->EventService, &event));
    fails(service->WaitForEvent(event->eventNotifier, 0), Timeout);
    ok(event->Signal(event));
    ok(event->Signal(event));
    ok(service->WaitForEvent(event->eventNotifier, LONG));
    fails(service->WaitForEvent(event->eventNotifier, 0), Timeout);
    ok(event->Signal(event));
    ok(service->WaitForEvent(event->eventNotifier, LONG));

    event->eventNotifier->Delete(event->eventNotifier);
    ok(event->Signal(event));
    event->Delete(event);
    service->EventService.Delete(&service->EventService);
}

/* Deletes in the wrong order harm nobody. */
static void test_delete_orders(void)
{
    NvSciEventLoopService *service = service_new();
    NvSciLocalEvent *event;
    struct native native;
    NvSciEventNotifier *notifier = notifier_new(service, &native);

    ok(service->EventService.CreateLocalEvent(&service->EventService, &event));

    NvSciEventNotifier *local = event->eventNotifier;

    ok(event->Signal(event));
    event->Delete(event);
    service->EventService.Delete(&service->EventService);
    /* The notifiers keep what they need of the service. */
    ok(service->WaitForEvent(local, LONG));
    local->Delete(local);
    native_notify(&native);
    ok(service->WaitForEvent(notifier, LONG));
    native_close(&native, notifier);
}

struct handled {
    unsigned calls;
    struct native *drain;
    NvSciEventNotifier *delete;
    NvSciEventLoopService *wait;
};

static void handler(void *cookie)
{
    struct handled *handled = cookie;

    handled->calls++;
    if (handled->drain) {
        native_drain(handled->drain);
    }
    if (handled->delete) {
        handled->delete->Delete(handled->delete);
    }
    if (handled->wait) {
        fails(handled->wait->WaitForMultipleEventsExt(
                  &handled->wait->EventService, NULL, 0, 0, NULL),
              NotSupported);
    }
}

static void test_handlers(void)
{
    NvSciEventLoopService *service = service_new();
    struct native a, b;
    NvSciEventNotifier *notifier_a = notifier_new(service, &a);
    NvSciEventNotifier *notifier_b = notifier_new(service, &b);
    struct handled handled = {.drain = &b, .wait = service};

    ok(notifier_b->SetHandler(notifier_b, handler, &handled, 0));
    native_notify(&b);
    fails(service->WaitForEvent(notifier_a, SOON), Timeout);
    g_assert_cmpuint(handled.calls, ==, 1);
    /* The handler has had that event. */
    fails(service->WaitForEvent(notifier_b, 0), Timeout);

    native_notify(&b);
    ok(service->WaitForEvent(notifier_b, LONG));
    g_assert_cmpuint(handled.calls, ==, 2);

    native_notify(&b);
    fails(service->WaitForMultipleEventsExt(&service->EventService, NULL, 0,
                                            SOON, NULL), Timeout);
    g_assert_cmpuint(handled.calls, ==, 3);
    fails(service->WaitForMultipleEventsExt(&service->EventService, NULL, 1,
                                            0, NULL), BadParameter);

    /* Unregistered: the event is kept for a wait. */
    ok(notifier_b->SetHandler(notifier_b, NULL, NULL, 0));
    native_notify(&b);
    fails(service->WaitForEvent(notifier_a, SOON), Timeout);
    g_assert_cmpuint(handled.calls, ==, 3);
    ok(service->WaitForEvent(notifier_b, 0));

    native_close(&a, notifier_a);
    native_close(&b, notifier_b);
    service->EventService.Delete(&service->EventService);
}

/* What a wait for another one harvested is told to a handler set later. */
static void test_handler_set_late(void)
{
    NvSciEventLoopService *service = service_new();
    struct native a, b;
    NvSciEventNotifier *notifier_a = notifier_new(service, &a);
    NvSciEventNotifier *notifier_b = notifier_new(service, &b);
    struct handled handled = {.drain = &b, .wait = service};

    native_notify(&b);
    fails(service->WaitForEvent(notifier_a, SOON), Timeout);
    ok(notifier_b->SetHandler(notifier_b, handler, &handled, 0));
    fails(service->WaitForEvent(notifier_a, SOON), Timeout);
    g_assert_cmpuint(handled.calls, ==, 1);
    fails(service->WaitForEvent(notifier_b, SOON), Timeout);
    g_assert_cmpuint(handled.calls, ==, 1);
    ok(notifier_b->SetHandler(notifier_b, NULL, NULL, 0));

    /* Waited for itself: told both ways, as when it happens. */
    native_notify(&b);
    fails(service->WaitForEvent(notifier_a, SOON), Timeout);
    ok(notifier_b->SetHandler(notifier_b, handler, &handled, 0));
    ok(service->WaitForEvent(notifier_b, LONG));
    g_assert_cmpuint(handled.calls, ==, 2);
    ok(notifier_b->SetHandler(notifier_b, NULL, NULL, 0));

    /* Unset again before a wait: kept. And it moves along. */
    native_notify(&b);
    fails(service->WaitForEvent(notifier_a, SOON), Timeout);
    ok(notifier_b->SetHandler(notifier_b, handler, &handled, 0));
    ok(notifier_b->SetHandler(notifier_b, NULL, NULL, 0));
    fails(service->WaitForEvent(notifier_a, SOON), Timeout);
    g_assert_cmpuint(handled.calls, ==, 2);
    ok(notifier_b->SetHandler(notifier_b, handler, &handled, 0));

    NvSciEventLoopService *other = service_new();

    g_assert_true(native_drain(&b));
    ok(NvSciEventMoveNotifier(&service->EventService, &other->EventService,
                              notifier_b));
    handled.drain = NULL;
    handled.wait = other;
    fails(other->WaitForMultipleEventsExt(&other->EventService, NULL, 0, SOON,
                                          NULL), Timeout);
    g_assert_cmpuint(handled.calls, ==, 3);

    native_close(&a, notifier_a);
    native_close(&b, notifier_b);
    service->EventService.Delete(&service->EventService);
    other->EventService.Delete(&other->EventService);
}

/* A handler deletes itself, or the notifier that is waited for. */
static void test_delete_in_handler(void)
{
    NvSciEventLoopService *service = service_new();
    struct native a, b;
    NvSciEventNotifier *notifier_a = notifier_new(service, &a);
    NvSciEventNotifier *notifier_b = notifier_new(service, &b);
    struct handled handled = {.delete = notifier_a};

    ok(notifier_b->SetHandler(notifier_b, handler, &handled, 3));
    native_notify(&b);
    native_notify(&a);
    service->WaitForEvent(notifier_a, SOON);
    g_assert_cmpuint(handled.calls, ==, 1);

    handled.delete = notifier_b;
    native_notify(&b);
    fails(service->WaitForMultipleEventsExt(&service->EventService, NULL, 0,
                                            SOON, NULL), Timeout);
    g_assert_cmpuint(handled.calls, ==, 2);
    g_assert_cmpuint(a.released + b.released, ==, 2);
    close(a.fd);
    close(b.fd);
    service->EventService.Delete(&service->EventService);
}

static void test_move(void)
{
    NvSciEventLoopService *one = service_new();
    NvSciEventLoopService *two = service_new();
    struct native a, b;
    NvSciEventNotifier *notifier = notifier_new(one, &a);
    NvSciEventNotifier *other = notifier_new(one, &b);
    NvSciEventNotifier *both[2] = {notifier, other};
    bool fresh[2];

    fails(NvSciEventMoveNotifier(&two->EventService, &one->EventService,
                                 notifier), BadParameter);
    fails(NvSciEventMoveNotifier(NULL, &one->EventService, notifier),
          BadParameter);

    native_notify(&a);
    fails(one->WaitForEvent(other, 0), Timeout);    /* a is pending now */
    ok(NvSciEventMoveNotifier(&one->EventService, &two->EventService,
                              notifier));
    ok(two->WaitForEvent(notifier, 0));
    fails(two->WaitForMultipleEvents(both, 2, 0, fresh), BadParameter);

    native_drain(&a);
    native_notify(&a);
    ok(two->WaitForEvent(notifier, LONG));
    one->EventService.Delete(&one->EventService);
    native_close(&a, notifier);
    native_close(&b, other);
    two->EventService.Delete(&two->EventService);
}

/* The owner closes the endpoint first: no harm, no event. */
static void test_closed_under_the_notifier(void)
{
    NvSciEventLoopService *service = service_new();
    struct native native;
    NvSciEventNotifier *notifier = notifier_new(service, &native);

    atomic_store(&native.event.fd, -1);
    close(native.fd);
    fails(service->WaitForEvent(notifier, SOON), Timeout);
    notifier->Delete(notifier);
    g_assert_cmpuint(native.released, ==, 1);
    service->EventService.Delete(&service->EventService);
}

/* And neither does the move of what nobody watches any more. */
static void test_move_closed(void)
{
    NvSciEventLoopService *one = service_new();
    NvSciEventLoopService *two = service_new();
    struct native native;
    NvSciEventNotifier *notifier = notifier_new(one, &native);

    atomic_store(&native.event.fd, -1);
    close(native.fd);
    ok(NvSciEventMoveNotifier(&one->EventService, &two->EventService,
                              notifier));
    one->EventService.Delete(&one->EventService);
    fails(two->WaitForEvent(notifier, 0), Timeout);
    two->EventService.Delete(&two->EventService);
    notifier->Delete(notifier);
    g_assert_cmpuint(native.released, ==, 1);
}

struct waiter {
    NvSciEventLoopService *service;
    NvSciEventNotifier *notifier;
    NvSciError error;
    atomic_bool running;
};

static void *waiter_main(void *opaque)
{
    struct waiter *waiter = opaque;

    atomic_store(&waiter->running, true);
    /* The test's own looks at the service may be what it meets first. */
    do {
        waiter->error = waiter->service->WaitForEvent(
            waiter->notifier, NV_SCI_EVENT_INFINITE_WAIT);
    } while (waiter->error == NvSciError_NotSupported);
    return NULL;
}

static void test_second_waiter(void)
{
    NvSciEventLoopService *service = service_new();
    struct native a, b;
    struct waiter waiter = {service, notifier_new(service, &a),
                            NvSciError_Unknown, false};
    NvSciEventNotifier *other = notifier_new(service, &b);
    pthread_t thread;

    g_assert_cmpint(pthread_create(&thread, NULL, waiter_main, &waiter), ==,
                    0);
    while (!atomic_load(&waiter.running)) {
        g_usleep(100);
    }

    NvSciError error;

    /* The thread may not have got into the wait yet. */
    do {
        error = service->WaitForEvent(other, 0);
    } while (error == NvSciError_Timeout);
    g_assert_cmpint(error, ==, NvSciError_NotSupported);
    native_notify(&a);
    pthread_join(thread, NULL);
    g_assert_cmpint(waiter.error, ==, NvSciError_Success);

    native_close(&a, waiter.notifier);
    native_close(&b, other);
    service->EventService.Delete(&service->EventService);
}

static void on_signal(int number)
{
    (void)number;
}

static void test_interrupted(void)
{
    NvSciEventLoopService *service = service_new();
    struct native native;
    struct waiter waiter = {service, notifier_new(service, &native),
                            NvSciError_Unknown, false};
    struct sigaction action = {.sa_handler = on_signal};
    struct native probe;
    NvSciEventNotifier *other = notifier_new(service, &probe);
    pthread_t thread;

    sigaction(SIGUSR1, &action, NULL);
    g_assert_cmpint(pthread_create(&thread, NULL, waiter_main, &waiter), ==,
                    0);
    while (service->WaitForEvent(other, 0) != NvSciError_NotSupported) {
    }
    /* It is inside the call; until it sleeps signals may come too early. */
    while (pthread_tryjoin_np(thread, NULL) == EBUSY) {
        pthread_kill(thread, SIGUSR1);
        g_usleep(1000);
    }
    g_assert_cmpint(waiter.error, ==, NvSciError_InterruptedCall);

    native_close(&native, waiter.notifier);
    native_close(&probe, other);
    service->EventService.Delete(&service->EventService);
}

enum { PINGS = 20000 };

struct pinger {
    NvSciEventLoopService *service;
    NvSciLocalEvent *mine, *theirs;
    bool starts;
};

static void *pinger_main(void *opaque)
{
    struct pinger *pinger = opaque;
    GRand *random = g_rand_new_with_seed(pinger->starts);

    for (int i = 0; i < PINGS; i++) {
        if (pinger->starts) {
            ok(pinger->theirs->Signal(pinger->theirs));
        }
        ok(pinger->service->WaitForEvent(pinger->mine->eventNotifier, LONG));
        for (int n = g_rand_int_range(random, 0, 200); n > 0; n--) {
            atomic_signal_fence(memory_order_seq_cst);
        }
        if (!pinger->starts) {
            ok(pinger->theirs->Signal(pinger->theirs));
        }
    }
    g_rand_free(random);
    return NULL;
}

/* No wake-up is missed: a lost one would end in a Timeout. */
static void test_ping_pong(void)
{
    NvSciEventLoopService *one = service_new();
    NvSciEventLoopService *two = service_new();
    struct pinger a = {.service = one, .starts = true};
    struct pinger b = {.service = two};
    pthread_t thread;

    ok(one->EventService.CreateLocalEvent(&one->EventService, &a.mine));
    ok(two->EventService.CreateLocalEvent(&two->EventService, &b.mine));
    a.theirs = b.mine;
    b.theirs = a.mine;
    g_assert_cmpint(pthread_create(&thread, NULL, pinger_main, &b), ==, 0);
    pinger_main(&a);
    pthread_join(thread, NULL);
    fails(one->WaitForEvent(a.mine->eventNotifier, 0), Timeout);

    a.mine->eventNotifier->Delete(a.mine->eventNotifier);
    b.mine->eventNotifier->Delete(b.mine->eventNotifier);
    a.mine->Delete(a.mine);
    b.mine->Delete(b.mine);
    one->EventService.Delete(&one->EventService);
    two->EventService.Delete(&two->EventService);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/event/create", test_create);
    g_test_add_func("/event/version", test_version);
    g_test_add_func("/event/timeout", test_timeout);
    g_test_add_func("/event/infinite-refused", test_infinite_refused);
    g_test_add_func("/event/before-the-wait", test_before_the_wait);
    g_test_add_func("/event/before-the-notifier", test_before_the_notifier);
    g_test_add_func("/event/multiple", test_multiple);
    g_test_add_func("/event/others-kept", test_others_kept);
    g_test_add_func("/event/local", test_local);
    g_test_add_func("/event/delete-orders", test_delete_orders);
    g_test_add_func("/event/handlers", test_handlers);
    g_test_add_func("/event/handler-set-late", test_handler_set_late);
    g_test_add_func("/event/delete-in-handler", test_delete_in_handler);
    g_test_add_func("/event/move", test_move);
    g_test_add_func("/event/closed-under-the-notifier",
                    test_closed_under_the_notifier);
    g_test_add_func("/event/move-closed", test_move_closed);
    g_test_add_func("/event/second-waiter", test_second_waiter);
    g_test_add_func("/event/interrupted", test_interrupted);
    g_test_add_func("/event/ping-pong", test_ping_pong);
    return g_test_run();
}
