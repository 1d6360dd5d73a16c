/* SPDX-License-Identifier: MIT */
/* Endpoints and an event service: the two libraries together. */
#include <glib.h>
#include <glib/gstdio.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mem_link.h"
#include "nvscievent.h"
#include "nvsciipc.h"

#define FRAME_SIZE 128
#define LONG (10 * 1000 * 1000)     /* microseconds */

#define assert_ok(call) g_assert_cmphex((call), ==, NvSciError_Success)
#define assert_error(call, name) \
    g_assert_cmphex((call), ==, NvSciError_##name)

static char *config;

/* One end of the channel, with a service and a notifier of its own. */
struct end {
    NvSciEventLoopService *service;
    NvSciIpcEndpoint handle;
    NvSciEventNotifier *notifier;
};

static void end_open(struct end *end, const char *name)
{
    assert_ok(NvSciEventLoopServiceCreate(1, &end->service));
    assert_ok(NvSciIpcOpenEndpointWithEventService(
        name, &end->handle, &end->service->EventService));
    assert_ok(NvSciIpcGetEventNotifier(end->handle, &end->notifier));
    assert_ok(NvSciIpcResetEndpointSafe(end->handle));
}

static void end_close(struct end *end)
{
    end->notifier->Delete(end->notifier);
    NvSciIpcCloseEndpoint(end->handle);
    end->service->EventService.Delete(&end->service->EventService);
}

struct pair {
    struct mem_channel *channel;
    struct end a, b;
};

static void pair_open(struct pair *pair)
{
    pair->channel = mem_channel_new(4, FRAME_SIZE, true);
    assert_ok(NvSciIpcInit());
    end_open(&pair->a, "a");
    end_open(&pair->b, "b");
}

static void pair_close(struct pair *pair)
{
    end_close(&pair->a);
    end_close(&pair->b);
    NvSciIpcDeinit();
    mem_channel_free(pair->channel);
}

/* The guide's loop: GetEvent until there is nothing wanted, then wait. */
static void wait_for(struct end *end, uint32_t wanted)
{
    uint32_t events;

    for (;;) {
        assert_ok(NvSciIpcGetEventSafe(end->handle, &events));
        g_assert_false(events & NV_SCI_IPC_EVENT_CONN_RESET);
        if (events & wanted) {
            return;
        }
        assert_ok(end->service->WaitForEvent(end->notifier, LONG));
    }
}

static void test_arguments(void)
{
    struct mem_channel *channel = mem_channel_new(4, FRAME_SIZE, true);
    NvSciEventLoopService *service;
    NvSciEventNotifier *notifier, *second;
    NvSciIpcEndpoint handle;
    int32_t fd;

    assert_ok(NvSciEventLoopServiceCreate(1, &service));
    assert_error(NvSciIpcOpenEndpointWithEventService(
                     "a", &handle, &service->EventService), NotInitialized);
    assert_error(NvSciIpcGetEventNotifier(1, &notifier), NotInitialized);
    assert_ok(NvSciIpcInit());
    assert_error(NvSciIpcOpenEndpointWithEventService(
                     NULL, &handle, &service->EventService), BadParameter);
    assert_error(NvSciIpcOpenEndpointWithEventService(
                     "a", NULL, &service->EventService), BadParameter);
    assert_error(NvSciIpcOpenEndpointWithEventService("a", &handle, NULL),
                 BadParameter);
    assert_error(NvSciIpcOpenEndpointWithEventService(
                     "x", &handle, &service->EventService), NoSuchEntry);

    assert_ok(NvSciIpcOpenEndpoint("a", &handle));
    assert_error(NvSciIpcGetEventNotifier(handle, &notifier), NotInitialized);
    NvSciIpcCloseEndpoint(handle);

    assert_ok(NvSciIpcOpenEndpointWithEventService("a", &handle,
                                                   &service->EventService));
    assert_error(NvSciIpcGetEventNotifier(handle, NULL), BadParameter);
    assert_ok(NvSciIpcGetEventNotifier(handle, &notifier));
    assert_error(NvSciIpcGetEventNotifier(handle, &second), InvalidState);
    assert_ok(NvSciIpcGetLinuxEventFd(handle, &fd));
    g_assert_cmpint(fd, >=, 0);
    notifier->Delete(notifier);
    assert_ok(NvSciIpcGetEventNotifier(handle, &notifier));
    notifier->Delete(notifier);
    NvSciIpcCloseEndpoint(handle);
    assert_error(NvSciIpcGetEventNotifier(handle, &notifier), BadParameter);

    NvSciIpcDeinit();
    service->EventService.Delete(&service->EventService);
    mem_channel_free(channel);
}

enum { PINGS = 20000 };

static void *echo(void *opaque)
{
    struct end *end = opaque;
    uint32_t frame, bytes;

    wait_for(end, NV_SCI_IPC_EVENT_CONN_EST);
    for (uint32_t i = 0; i < PINGS; i++) {
        wait_for(end, NV_SCI_IPC_EVENT_READ);
        assert_ok(NvSciIpcReadSafe(end->handle, &frame, 4, &bytes));
        g_assert_cmpuint(frame, ==, i);
        assert_ok(NvSciIpcWriteSafe(end->handle, &frame, 4, &bytes));
    }
    return NULL;
}

/* No wake-up is missed: a lost one would end in a Timeout. */
static void test_ping_pong(void)
{
    struct pair pair;
    pthread_t thread;
    uint32_t frame, bytes;

    pair_open(&pair);
    g_assert_cmpint(pthread_create(&thread, NULL, echo, &pair.b), ==, 0);
    wait_for(&pair.a, NV_SCI_IPC_EVENT_CONN_EST);
    for (uint32_t i = 0; i < PINGS; i++) {
        assert_ok(NvSciIpcWriteSafe(pair.a.handle, &i, 4, &bytes));
        wait_for(&pair.a, NV_SCI_IPC_EVENT_READ);
        assert_ok(NvSciIpcReadSafe(pair.a.handle, &frame, 4, &bytes));
        g_assert_cmpuint(frame, ==, i);
    }
    pthread_join(thread, NULL);
    /* And it does not spin: what was told is not told again. */
    while (pair.a.service->WaitForEvent(pair.a.notifier, 0) ==
           NvSciError_Success) {
        uint32_t events;

        assert_ok(NvSciIpcGetEventSafe(pair.a.handle, &events));
    }
    pair_close(&pair);
}

/* One service for both ends and a local event. */
static void test_mixed(void)
{
    struct mem_channel *channel = mem_channel_new(4, FRAME_SIZE, true);
    const char *names[] = {"a", "b"};
    NvSciEventLoopService *service;
    NvSciIpcEndpoint handles[2];
    NvSciEventNotifier *notifiers[3];
    NvSciLocalEvent *local;
    bool fresh[3], up[2] = {false};
    uint32_t events;

    assert_ok(NvSciEventLoopServiceCreate(1, &service));
    assert_ok(NvSciIpcInit());
    for (int i = 0; i < 2; i++) {
        assert_ok(NvSciIpcOpenEndpointWithEventService(
            names[i], &handles[i], &service->EventService));
        assert_ok(NvSciIpcGetEventNotifier(handles[i], &notifiers[i]));
        assert_ok(NvSciIpcResetEndpointSafe(handles[i]));
    }
    assert_ok(service->EventService.CreateLocalEvent(&service->EventService,
                                                     &local));
    notifiers[2] = local->eventNotifier;

    while (!up[0] || !up[1]) {
        assert_ok(service->WaitForMultipleEvents(notifiers, 3, LONG, fresh));
        g_assert_false(fresh[2]);
        for (int i = 0; i < 2; i++) {
            if (fresh[i]) {
                assert_ok(NvSciIpcGetEventSafe(handles[i], &events));
                up[i] |= (events & NV_SCI_IPC_EVENT_CONN_EST) != 0;
            }
        }
    }
    while (service->WaitForMultipleEvents(notifiers, 3, 0, fresh) ==
           NvSciError_Success) {
        assert_ok(NvSciIpcGetEventSafe(handles[0], &events));
        assert_ok(NvSciIpcGetEventSafe(handles[1], &events));
    }
    assert_ok(local->Signal(local));
    assert_ok(service->WaitForMultipleEvents(notifiers, 3, LONG, fresh));
    g_assert_true(!fresh[0] && !fresh[1] && fresh[2]);

    for (int i = 0; i < 3; i++) {
        notifiers[i]->Delete(notifiers[i]);
    }
    local->Delete(local);
    NvSciIpcDeinit();
    service->EventService.Delete(&service->EventService);
    mem_channel_free(channel);
}

/* The wrong order: endpoint first. The notifier waits for nothing then. */
static void test_closed_before_the_notifier(void)
{
    struct pair pair;

    pair_open(&pair);
    NvSciIpcCloseEndpoint(pair.a.handle);
    /* What had happened before may still be told, once. */
    (void)pair.a.service->WaitForEvent(pair.a.notifier, 0);
    assert_error(pair.a.service->WaitForEvent(pair.a.notifier, 1000),
                 Timeout);
    pair_close(&pair);
}

/* The child of a fork must not take its parent's descriptor out of the set. */
static void test_fork(void)
{
    struct pair pair;
    uint32_t events;
    int status;

    pair_open(&pair);

    pid_t child = fork();

    if (child == 0) {
        pair.a.notifier->Delete(pair.a.notifier);
        _exit(NvSciIpcGetEventSafe(pair.a.handle, &events) ==
              NvSciError_BadParameter ? 0 : 1);
    }
    g_assert_cmpint(waitpid(child, &status, 0), ==, child);
    g_assert_cmpint(status, ==, 0);

    /* b's Reset has rung a, or a look at it will. */
    assert_ok(NvSciIpcGetEventSafe(pair.a.handle, &events));
    assert_ok(NvSciIpcGetEventSafe(pair.b.handle, &events));
    assert_ok(pair.a.service->WaitForEvent(pair.a.notifier, LONG));
    pair_close(&pair);
}

int main(int argc, char **argv)
{
    char *folder;
    int result;

    g_test_init(&argc, &argv, NULL);
    folder = g_dir_make_tmp("nvsciipc-XXXXXX", NULL);
    g_assert_nonnull(folder);
    config = g_build_filename(folder, "nvsciipc.cfg", NULL);
    g_assert_true(g_file_set_contents(config, "INTER_VM a 0\nINTER_VM b 1\n",
                                      -1, NULL));
    g_setenv("NVSCIIPC_CFG", config, TRUE);

    g_test_add_func("/event-service/arguments", test_arguments);
    g_test_add_func("/event-service/ping-pong", test_ping_pong);
    g_test_add_func("/event-service/mixed", test_mixed);
    g_test_add_func("/event-service/closed-before-the-notifier",
                    test_closed_before_the_notifier);
    g_test_add_func("/event-service/fork", test_fork);
    result = g_test_run();

    g_unlink(config);
    g_rmdir(folder);
    g_free(config);
    g_free(folder);
    return result;
}
