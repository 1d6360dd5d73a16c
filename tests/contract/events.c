/* SPDX-License-Identifier: MIT */
/*
 * The contract of libnvscievent, and of endpoints in it: each function, each
 * error, with the native event of a real endpoint and with local ones.
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "contract.h"

#define WAIT_US (PATIENCE_MS * 1000LL)
#define SOON_US (QUIET_MS * 1000LL)

static NvSciEventLoopService *service;
static NvSciIpcEndpoint near_end;
static NvSciEventNotifier *native;
static NvSciLocalEvent *local;

static NvSciEventLoopService *service_new(void)
{
    NvSciEventLoopService *new_service;

    check_ok(NvSciEventLoopServiceCreate(1, &new_service));
    return new_service;
}

static void service_delete(NvSciEventLoopService *old_service)
{
    old_service->EventService.Delete(&old_service->EventService);
}

static NvSciError wait_one(NvSciEventNotifier *notifier, int64_t us)
{
    return service->WaitForEvent(notifier, us);
}

/* No event of the native notifier is under way or kept. */
static void calm(void)
{
    settle(near_end);
    while (wait_one(native, SOON_US) == NvSciError_Success) {
        settle(near_end);
    }
}

static void begin(void)
{
    service = service_new();
    check_ok(service->EventService.CreateLocalEvent(&service->EventService,
                                                    &local));
    check_ok(NvSciIpcOpenEndpointWithEventService(
        contract.near_name, &near_end, &service->EventService));
    check_ok(NvSciIpcGetEventNotifier(near_end, &native));
    far_ok(FAR_OPEN, 0);
    check_ok(NvSciIpcResetEndpointSafe(near_end));
    far_ok(FAR_RESET, 0);
    meet(near_end);
    calm();
}

static void end(void)
{
    native->Delete(native);
    check_ok(NvSciIpcCloseEndpointSafe(near_end, true));
    local->eventNotifier->Delete(local->eventNotifier);
    local->Delete(local);
    service_delete(service);
    far_ok(FAR_CLOSE, 1);
}

static void take(uint32_t expected)
{
    uint32_t word, bytes;

    wait_events(near_end, READ);
    check_ok(NvSciIpcReadSafe(near_end, &word, sizeof(word), &bytes));
    check_equal(word, expected);
}

static void test_begin(void)
{
    check_ok(NvSciIpcInit());
    far_begin();
}

static void test_create(void)
{
    NvSciEventLoopService *made = NULL;
    bool compatible;
    int config;

    check_error(NvSciEventLoopServiceCreate(0, &made), BadParameter);
    check_error(NvSciEventLoopServiceCreate(2, &made), BadParameter);
    check_error(NvSciEventLoopServiceCreate(1, NULL), BadParameter);
    check_error(NvSciEventLoopServiceCreateSafe(1, &config, &made),
                BadParameter);
    check_error(NvSciEventLoopServiceCreateSafe(2, NULL, &made), BadParameter);
    check_error(NvSciEventLoopServiceCreateSafe(1, NULL, NULL), BadParameter);
    check_error(NvSciEventLoopServiceCreateSafeX(1, &config, &made),
                BadParameter);
    check_error(NvSciEventLoopServiceCreateSafeX(0, NULL, &made),
                BadParameter);
    check_error(NvSciEventLoopServiceCreateSafeX(1, NULL, NULL), BadParameter);
    check(made == NULL);
    check_ok(NvSciEventLoopServiceCreateSafe(1, NULL, &made));
    service_delete(made);
    check_error(NvSciEventCheckVersionCompatibility(1, 0, NULL), BadParameter);
    check_ok(NvSciEventCheckVersionCompatibility(
        NvSciEventMajorVersion, NvSciEventMinorVersion, &compatible));
    check(compatible);
    check_ok(NvSciEventCheckVersionCompatibility(
        NvSciEventMajorVersion, NvSciEventMinorVersion + 1, &compatible));
    check(!compatible);
    check_ok(NvSciEventCheckVersionCompatibility(
        NvSciEventMajorVersion + 1, 0, &compatible));
    check(!compatible);
}

static void test_open(void)
{
    NvSciEventService *events;
    NvSciIpcEndpoint handle = 77;
    NvSciEventNotifier *second;
    int32_t fd;

    service = service_new();
    events = &service->EventService;
    check_error(NvSciIpcOpenEndpointWithEventService(NULL, &handle, events),
                BadParameter);
    check_error(NvSciIpcOpenEndpointWithEventService(contract.near_name, NULL,
                                                     events), BadParameter);
    check_error(NvSciIpcOpenEndpointWithEventService(contract.near_name,
                                                     &handle, NULL),
                BadParameter);
    check_error(NvSciIpcOpenEndpointWithEventService("no_such_name", &handle,
                                                     events), NoSuchEntry);
    check_equal(handle, 77);
    check_ok(NvSciIpcOpenEndpoint(contract.near_name, &near_end));
    check_error(NvSciIpcOpenEndpointWithEventService(contract.near_name,
                                                     &handle, events), Busy);
    check_error(NvSciIpcGetEventNotifier(near_end, &second), NotInitialized);
    check_ok(NvSciIpcCloseEndpointSafe(near_end, false));
    service_delete(service);

    begin();
    check_error(NvSciIpcGetEventNotifier(near_end, NULL), BadParameter);
    check_error(NvSciIpcGetEventNotifier(near_end ^ 1, &second), BadParameter);
    check_error(NvSciIpcGetEventNotifier(near_end, &second), InvalidState);
    native->Delete(native);
    check_ok(NvSciIpcGetEventNotifier(near_end, &native));
    /* Its descriptor is of use beside the notifier. */
    check_ok(NvSciIpcGetLinuxEventFd(near_end, &fd));
    calm();
    far_ok(FAR_WRITE, 1);
    check(readable(fd, PATIENCE_MS));
    check_ok(wait_one(native, WAIT_US));
    check(readable(fd, 0));
    take(1);
    end();
}

static void test_arguments(void)
{
    NvSciEventService *events;
    NvSciEventNotifier *made;
    NvSciLocalEvent *event;
    NvSciTimerEvent *timer;
    NvSciEventLoop *loop;
    bool fresh[2];

    begin();
    events = &service->EventService;

    NvSciEventNotifier *const one[] = { native };
    NvSciEventNotifier *const twice[] = { native, native };
    NvSciEventNotifier *const hole[] = { native, NULL };

    /* Refused before anybody looks at it. */
    NvSciNativeEvent *const some = (NvSciNativeEvent *)&made;

    check_error(events->CreateNativeEventNotifier(events, NULL, &made),
                BadParameter);
    check_error(events->CreateNativeEventNotifier(NULL, some, &made),
                BadParameter);
    check_error(events->CreateNativeEventNotifier(events, some, NULL),
                BadParameter);
    check_error(events->CreateLocalEvent(NULL, &event), BadParameter);
    check_error(events->CreateLocalEvent(events, NULL), BadParameter);
    check_error(events->CreateTimerEvent(events, &timer), NotSupported);
    check_error(events->CreateTimerEvent(events, NULL), BadParameter);
    check_error(events->CreateTimerEvent(NULL, &timer), BadParameter);
    check_error(service->CreateEventLoop(service, &loop), NotSupported);
    check_error(service->CreateEventLoop(service, NULL), BadParameter);
    check_error(service->CreateEventLoop(NULL, &loop), BadParameter);
    check_error(local->Signal(NULL), BadParameter);
    check_error(native->SetHandler(NULL, NULL, NULL, 0), BadParameter);
    check_error(wait_one(NULL, 0), BadParameter);
    check_error(wait_one(native, -2), BadParameter);
    check_error(service->WaitForMultipleEvents(NULL, 1, 0, fresh),
                BadParameter);
    check_error(service->WaitForMultipleEvents(one, 0, 0, fresh),
                BadParameter);
    check_error(service->WaitForMultipleEvents(one, 1, 0, NULL), BadParameter);
    check_error(service->WaitForMultipleEvents(one, 1, -2, fresh),
                BadParameter);
    check_error(service->WaitForMultipleEvents(twice, 2, 0, fresh),
                BadParameter);
    check_error(service->WaitForMultipleEvents(hole, 2, 0, fresh),
                BadParameter);
    check_error(service->WaitForMultipleEventsExt(NULL, one, 1, 0, fresh),
                BadParameter);
    check_error(service->WaitForMultipleEventsExt(events, NULL, 1, 0, fresh),
                BadParameter);
    check_error(service->WaitForMultipleEventsExt(events, one, 0, 0, fresh),
                BadParameter);
    check_error(service->WaitForMultipleEventsExt(events, one, 1, 0, NULL),
                BadParameter);
    check_error(service->WaitForMultipleEventsExt(events, NULL, 0, 0, fresh),
                BadParameter);
    check_error(service->WaitForMultipleEventsExt(events, one, 1, -2, fresh),
                BadParameter);
    check_error(service->WaitForMultipleEventsExt(events, NULL, 0, -2, NULL),
                BadParameter);
    check_error(service->WaitForMultipleEventsExt(events, twice, 2, 0, fresh),
                BadParameter);
    check_error(service->WaitForMultipleEventsExt(events, hole, 2, 0, fresh),
                BadParameter);
    check_error(NvSciEventMoveNotifier(NULL, events, native), BadParameter);
    check_error(NvSciEventMoveNotifier(events, NULL, native), BadParameter);
    check_error(NvSciEventMoveNotifier(events, events, NULL), BadParameter);
    end();
}

static void test_infinite(void)
{
    NvSciEventLoopService *safe;
    NvSciEventNotifier *notifier;
    bool fresh;

    begin();
    check_ok(NvSciEventLoopServiceCreateSafeX(1, NULL, &safe));
    check_ok(NvSciEventMoveNotifier(&service->EventService,
                                    &safe->EventService, native));
    notifier = native;
    check_error(safe->WaitForEvent(native, NV_SCI_EVENT_INFINITE_WAIT),
                BadParameter);
    check_error(safe->WaitForMultipleEvents(&notifier, 1,
                                            NV_SCI_EVENT_INFINITE_WAIT,
                                            &fresh), BadParameter);
    check_error(safe->WaitForMultipleEventsExt(
                    &safe->EventService, NULL, 0, NV_SCI_EVENT_INFINITE_WAIT,
                    NULL), BadParameter);
    check_ok(NvSciEventMoveNotifier(&safe->EventService,
                                    &service->EventService, native));
    service_delete(safe);
    /* The other kinds may; what is there ends it. */
    far_ok(FAR_WRITE, 1);
    check_ok(wait_one(native, NV_SCI_EVENT_INFINITE_WAIT));
    take(1);
    end();
}

static void test_timeouts(void)
{
    static const int64_t times[] = { 0, 1, 999, 1500, 20000, 100000 };
    NvSciEventNotifier *both[2];
    bool fresh[2];

    begin();
    both[0] = native;
    both[1] = local->eventNotifier;
    for (unsigned i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        int64_t start = now_us();

        check_error(wait_one(native, times[i]), Timeout);
        check(now_us() - start >= times[i]);
        start = now_us();
        fresh[0] = fresh[1] = true;
        check_error(service->WaitForMultipleEvents(both, 2, times[i], fresh),
                    Timeout);
        check(now_us() - start >= times[i]);
        check(!fresh[0] && !fresh[1]);
        start = now_us();
        check_error(service->WaitForMultipleEventsExt(
                        &service->EventService, NULL, 0, times[i], NULL),
                    Timeout);
        check(now_us() - start >= times[i]);
    }
    end();
}

/* Which of a native and a local event is new. */
static void test_multiple(void)
{
    NvSciEventNotifier *both[2];
    bool fresh[2];

    begin();
    both[0] = native;
    both[1] = local->eventNotifier;
    for (uint32_t n = 1; n < 4; n++) {
        check_ok(local->Signal(local));
        check_ok(local->Signal(local));
        check_ok(service->WaitForMultipleEvents(both, 2, WAIT_US, fresh));
        check(!fresh[0] && fresh[1]);
        check_error(service->WaitForMultipleEvents(both, 2, 0, fresh),
                    Timeout);

        far_ok(FAR_WRITE, n);
        check_ok(service->WaitForMultipleEventsExt(
            &service->EventService, both, 2, WAIT_US, fresh));
        check(fresh[0] && !fresh[1]);
        take(n);
        calm();

        /* One wait tells of both, or one of each. */
        far_ok(FAR_WRITE, n + 100);
        check_ok(local->Signal(local));
        check_ok(service->WaitForMultipleEvents(both, 2, WAIT_US, fresh));
        check(fresh[1]);
        if (!fresh[0]) {
            check_ok(wait_one(native, WAIT_US));
        }
        take(n + 100);
        calm();
    }
    end();
}

/* A wait for one loses nothing of the other. */
static void test_others_kept(void)
{
    begin();
    far_ok(FAR_WRITE, 1);
    check_error(wait_one(local->eventNotifier, SOON_US), Timeout);
    check_ok(local->Signal(local));
    check_ok(wait_one(local->eventNotifier, WAIT_US));
    check_ok(wait_one(native, WAIT_US));
    take(1);
    calm();
    check_ok(local->Signal(local));
    check_error(wait_one(native, SOON_US), Timeout);
    check_ok(wait_one(local->eventNotifier, 0));
    check_error(wait_one(local->eventNotifier, 0), Timeout);
    end();
}

static unsigned handled;

static void handler(void *cookie)
{
    bool fresh;

    handled++;
    if (cookie) {
        take(*(uint32_t *)cookie);
    }
    /* Not from inside a handler. */
    check_error(wait_one(local->eventNotifier, 0), NotSupported);
    check_error(service->WaitForMultipleEvents(&native, 1, 0, &fresh),
                NotSupported);
    check_error(service->WaitForMultipleEventsExt(&service->EventService, NULL,
                                                  0, 0, NULL), NotSupported);
}

static void test_handlers(void)
{
    uint32_t word = 1;

    begin();
    handled = 0;
    check_ok(native->SetHandler(native, handler, &word,
                                NV_SCI_EVENT_PRIORITIES - 1));
    /* In a wait for another one. */
    far_ok(FAR_WRITE, word);
    check_error(wait_one(local->eventNotifier, SOON_US * 5), Timeout);
    check_equal(handled, 1);
    word = 2;
    far_ok(FAR_WRITE, word);
    check_ok(wait_one(native, WAIT_US));
    check_equal(handled, 2);
    word = 3;
    far_ok(FAR_WRITE, word);
    check_error(service->WaitForMultipleEventsExt(
                    &service->EventService, NULL, 0, SOON_US * 5, NULL),
                Timeout);
    check_equal(handled, 3);
    /* None: the event is the wait's again. */
    check_ok(native->SetHandler(native, NULL, NULL, 0));
    far_ok(FAR_WRITE, 4);
    check_ok(wait_one(native, WAIT_US));
    check_equal(handled, 3);
    take(4);
    check_ok(local->eventNotifier->SetHandler(local->eventNotifier, handler,
                                              NULL, 0));
    check_ok(local->Signal(local));
    check_ok(wait_one(local->eventNotifier, WAIT_US));
    check_equal(handled, 4);
    end();
}

static void test_move(void)
{
    NvSciEventLoopService *other;
    NvSciEventNotifier *both[2];
    bool fresh[2];

    begin();
    other = service_new();
    check_error(NvSciEventMoveNotifier(&other->EventService,
                                       &service->EventService, native),
                BadParameter);
    /* With what nobody was told of. */
    far_ok(FAR_WRITE, 1);
    check_ok(NvSciEventMoveNotifier(&service->EventService,
                                    &other->EventService, native));
    both[0] = native;
    both[1] = local->eventNotifier;
    check_error(service->WaitForMultipleEvents(both, 2, 0, fresh),
                BadParameter);
    check_error(service->WaitForMultipleEventsExt(&service->EventService, both,
                                                  1, 0, fresh), BadParameter);
    check_ok(other->WaitForEvent(native, WAIT_US));
    take(1);
    far_ok(FAR_WRITE, 2);
    check_error(wait_one(local->eventNotifier, SOON_US), Timeout);
    check_ok(other->WaitForEvent(native, WAIT_US));
    take(2);
    check_ok(NvSciEventMoveNotifier(&other->EventService,
                                    &service->EventService, native));
    service_delete(other);
    calm();
    far_ok(FAR_WRITE, 3);
    check_ok(wait_one(native, WAIT_US));
    take(3);
    end();
}

static void on_alarm(int number)
{
    (void)number;
}

/* Signals until one has met the wait. */
static void test_interrupted(void)
{
    struct sigaction action = { .sa_handler = on_alarm };
    struct itimerval every = { { 0, 20000 }, { 0, 20000 } }, none = { 0 };
    struct sigaction before;
    bool fresh;

    begin();
    check_equal(sigaction(SIGALRM, &action, &before), 0);
    check_equal(setitimer(ITIMER_REAL, &every, NULL), 0);
    check_error(wait_one(native, WAIT_US), InterruptedCall);
    check_error(service->WaitForMultipleEvents(&native, 1, -1, &fresh),
                InterruptedCall);
    check_error(service->WaitForMultipleEventsExt(&service->EventService, NULL,
                                                  0, WAIT_US, NULL),
                InterruptedCall);
    check_equal(setitimer(ITIMER_REAL, &none, NULL), 0);
    check_equal(sigaction(SIGALRM, &before, NULL), 0);
    alarm(300);
    end();
}

static void *wait_for_local(void *opaque)
{
    (void)opaque;
    check_ok(wait_one(local->eventNotifier, WAIT_US));
    return NULL;
}

static void test_second_waiter(void)
{
    int64_t limit = now_us() + WAIT_US;
    NvSciError error;
    pthread_t thread;
    bool fresh;

    begin();
    check_equal(pthread_create(&thread, NULL, wait_for_local, NULL), 0);
    do {
        error = wait_one(native, 0);
        check(error == NvSciError_Timeout || error == NvSciError_NotSupported);
        check(now_us() < limit);
        usleep(100);
    } while (error != NvSciError_NotSupported);
    check_error(service->WaitForMultipleEvents(&native, 1, 0, &fresh),
                NotSupported);
    check_error(service->WaitForMultipleEventsExt(&service->EventService, NULL,
                                                  0, -1, NULL), NotSupported);
    check_ok(local->Signal(local));
    pthread_join(thread, NULL);
    check_error(wait_one(native, 0), Timeout);
    end();
}

/* A peer that goes wakes who waits, and so does one that comes. */
static void test_peer_closes(void)
{
    int64_t limit = now_us() + 3 * WAIT_US;
    uint32_t seen = 0, events;

    begin();
    far_ok(FAR_CLOSE, 0);
    while ((seen & RESET) == 0) {
        check_ok(wait_one(native, WAIT_US));
        check_ok(NvSciIpcGetEventSafe(near_end, &events));
        seen |= events;
    }
    check_equal(seen & (READ | EST), 0);
    far_ok(FAR_OPEN, 0);
    far_ok(FAR_RESET, 0);
    for (seen = 0; (seen & EST) == 0;) {
        check(now_us() < limit);
        far_ok(FAR_GET_EVENT, 0);
        /* Looked at only when woken. */
        if (wait_one(native, SOON_US) == NvSciError_Success) {
            check_ok(NvSciIpcGetEventSafe(near_end, &events));
            check_equal(events & RESET, 0);
            seen |= events;
        }
    }
    end();
}

/* No descriptor is left: each call says so, and keeps nothing. */
static void test_descriptors(void)
{
    NvSciEventLoopService *made = NULL;
    NvSciLocalEvent *event = NULL;
    unsigned before;

    begin();
    before = nr_descriptors();
    limit_descriptors(free_descriptor());
    check_error(NvSciEventLoopServiceCreate(1, &made), InsufficientResource);
    check_error(NvSciEventLoopServiceCreateSafe(1, NULL, &made),
                InsufficientResource);
    check_error(NvSciEventLoopServiceCreateSafeX(1, NULL, &made),
                InsufficientResource);
    check_error(service->EventService.CreateLocalEvent(&service->EventService,
                                                       &event),
                InsufficientResource);
    /* What is there goes on. */
    check_ok(local->Signal(local));
    check_ok(wait_one(local->eventNotifier, 0));
    native->Delete(native);
    check_ok(NvSciIpcGetEventNotifier(near_end, &native));
    limit_descriptors(0);
    check(made == NULL && event == NULL);
    check_equal(nr_descriptors(), before);
    end();
}

static NvSciError refuse(NvSciEventService *events, NvSciNativeEvent *event,
                         NvSciEventNotifier **notifier)
{
    (void)events;
    (void)event;
    (void)notifier;
    return NvSciError_InsufficientMemory;
}

/* What the service says of a notifier is said on, and it may be asked again. */
static void test_service_refuses(void)
{
    NvSciEventService *events;

    begin();
    events = &service->EventService;

    NvSciError (*const create)(NvSciEventService *, NvSciNativeEvent *,
                               NvSciEventNotifier **) =
        events->CreateNativeEventNotifier;
    NvSciEventNotifier *none = NULL;

    native->Delete(native);
    events->CreateNativeEventNotifier = refuse;
    check_error(NvSciIpcGetEventNotifier(near_end, &none), InsufficientMemory);
    check_error(NvSciIpcGetEventNotifier(near_end, &none), InsufficientMemory);
    check(none == NULL);
    events->CreateNativeEventNotifier = create;
    check_ok(NvSciIpcGetEventNotifier(near_end, &native));
    calm();
    far_ok(FAR_WRITE, 1);
    check_ok(wait_one(native, WAIT_US));
    take(1);
    end();
}

/* The right orders, and those that must not break anything. */
static void test_delete_orders(void)
{
    NvSciEventLoopService *other;
    NvSciEventNotifier *left;

    begin();
    end();

    begin();                    /* the service before its notifiers */
    service_delete(service);
    local->eventNotifier->Delete(local->eventNotifier);
    local->Delete(local);
    native->Delete(native);
    check_ok(NvSciIpcCloseEndpointSafe(near_end, true));
    far_ok(FAR_CLOSE, 1);

    begin();                    /* the endpoint before its notifier */
    check_ok(NvSciIpcCloseEndpointSafe(near_end, true));
    check_error(wait_one(native, 0), Timeout);
    other = service_new();
    check_ok(NvSciEventMoveNotifier(&service->EventService,
                                    &other->EventService, native));
    check_error(other->WaitForEvent(native, 0), Timeout);
    service_delete(other);
    native->Delete(native);
    left = local->eventNotifier;
    local->Delete(local);       /* and the event before its own */
    check_error(wait_one(left, 0), Timeout);
    left->Delete(left);
    service_delete(service);
    far_ok(FAR_CLOSE, 1);
}

static void test_end(void)
{
    far_finish();
    NvSciIpcDeinit();
}

int main(int argc, char **argv)
{
    static const struct contract_case cases[] = {
        { "begin", test_begin },
        { "create", test_create },
        { "open", test_open },
        { "arguments", test_arguments },
        { "infinite", test_infinite },
        { "timeouts", test_timeouts },
        { "multiple", test_multiple },
        { "others-kept", test_others_kept },
        { "handlers", test_handlers },
        { "move", test_move },
        { "interrupted", test_interrupted },
        { "second-waiter", test_second_waiter },
        { "peer-closes", test_peer_closes },
        { "descriptors", test_descriptors },
        { "service-refuses", test_service_refuses },
        { "delete-orders", test_delete_orders },
        { "end", test_end },
    };

    contract_parse(argc, argv, "The contract of libnvscievent");
    if (contract.role == ROLE_FAR) {
        return far_serve();
    }
    return contract_run(cases, sizeof(cases) / sizeof(cases[0]));
}
