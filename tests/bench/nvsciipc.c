// SPDX-License-Identifier: MIT
/*
 * INTER_THREAD and INTER_PROCESS, used as an application uses them: read until
 * there is no more, wait, GetEvent, read.
 */
#include "bench.h"

#include <errno.h>
#include <nvscievent.h>
#include <nvsciipc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <unistd.h>

enum way { SELECT, EVENT, POLL };

struct end {
    NvSciIpcEndpoint handle;
    int32_t fd;
    NvSciEventLoopService *service;
    NvSciEventNotifier *notifier;
    char *configuration;
};

static _Noreturn void refuse(const char *what, NvSciError error)
{
    fprintf(stderr, "bench: %s: NvSciError 0x%x\n", what, (unsigned)error);
    exit(1);
}

static void check(const char *what, NvSciError error)
{
    if (error != NvSciError_Success) {
        refuse(what, error);
    }
}

/* The configuration's path; where TMPDIR says, and scripts/bench removes it. */
static void *prepare(void)
{
    const char *folder = getenv("TMPDIR");
    char *path = NULL;
    int fd;

    if (asprintf(&path, "%s/vsoc-bench-XXXXXX", folder ? folder : "/tmp") < 0) {
        fail("memory");
    }
    fd = mkstemp(path);
    if (fd < 0) {
        fail(path);
    }
    dprintf(fd, "INTER_%s bench_0 bench_1 %d %zu\n",
            run.threads ? "THREAD" : "PROCESS", BENCH_NFRAMES, run.size);
    close(fd);
    setenv("NVSCIIPC_CFG", path, 1);
    if (run.threads) {
        check("NvSciIpcInit", NvSciIpcInit());
    }
    return path;
}

static void wait_select(struct end *end)
{
    fd_set set;

    FD_ZERO(&set);
    FD_SET(end->fd, &set);
    if (select(end->fd + 1, &set, NULL, NULL, NULL) < 0) {
        fail("select");
    }
}

static void wait_event(struct end *end)
{
    check("WaitForEvent",
          end->service->WaitForEvent(end->notifier,
                                     NV_SCI_EVENT_INFINITE_WAIT));
}

/* Whatever it was, the application looks for what it wants. */
static void get_event(struct end *end)
{
    uint32_t events;

    check("NvSciIpcGetEventSafe", NvSciIpcGetEventSafe(end->handle, &events));
    if (events & NV_SCI_IPC_EVENT_CONN_RESET) {
        fprintf(stderr, "bench: the far side went away\n");
        exit(1);
    }
}

static void wait(struct end *end, enum way way)
{
    switch (way) {
    case SELECT:
        wait_select(end);
        get_event(end);
        break;
    case EVENT:
        wait_event(end);
        get_event(end);
        break;
    case POLL:
        relax();
        break;
    }
}

static void connect_end(struct end *end)
{
    uint32_t events = 0;

    check("NvSciIpcResetEndpointSafe", NvSciIpcResetEndpointSafe(end->handle));
    for (;;) {
        check("NvSciIpcGetEventSafe",
              NvSciIpcGetEventSafe(end->handle, &events));
        if (events & (NV_SCI_IPC_EVENT_READ | NV_SCI_IPC_EVENT_WRITE)) {
            return;
        }
        wait_select(end);
    }
}

static void *join(void *configuration, unsigned side, enum way way)
{
    struct end *end = allocate(sizeof(*end));
    const char *name = side == 0 ? "bench_0" : "bench_1";

    end->configuration = side == 0 ? configuration : NULL;
    if (!run.threads) {
        check("NvSciIpcInit", NvSciIpcInit());
    }
    if (way == EVENT) {
        check("NvSciEventLoopServiceCreateSafe",
              NvSciEventLoopServiceCreateSafe(1, NULL, &end->service));
        check("NvSciIpcOpenEndpointWithEventService",
              NvSciIpcOpenEndpointWithEventService(
                  name, &end->handle, &end->service->EventService));
        check("NvSciIpcGetEventNotifier",
              NvSciIpcGetEventNotifier(end->handle, &end->notifier));
    } else {
        check("NvSciIpcOpenEndpoint",
              NvSciIpcOpenEndpoint(name, &end->handle));
    }
    check("NvSciIpcGetLinuxEventFd",
          NvSciIpcGetLinuxEventFd(end->handle, &end->fd));
    connect_end(end);
    if (way == POLL) {
        check("NvSciIpcEnableNotification",
              NvSciIpcEnableNotification(end->handle, false));
    }
    return end;
}

static void send(struct end *end, const void *frame, enum way way)
{
    uint32_t bytes;
    NvSciError error;

    while ((error = NvSciIpcWriteSafe(end->handle, frame, (uint32_t)run.size,
                                      &bytes)) != NvSciError_Success) {
        if (error != NvSciError_InsufficientMemory) {
            refuse("NvSciIpcWriteSafe", error);
        }
        wait(end, way);
    }
}

static void receive(struct end *end, void *frame, enum way way)
{
    uint32_t bytes;
    NvSciError error;

    while ((error = NvSciIpcReadSafe(end->handle, frame, (uint32_t)run.size,
                                     &bytes)) != NvSciError_Success) {
        if (error != NvSciError_InsufficientMemory) {
            refuse("NvSciIpcReadSafe", error);
        }
        wait(end, way);
    }
}

static void leave(void *me)
{
    struct end *end = me;

    if (end->notifier) {
        end->notifier->Delete(end->notifier);
    }
    NvSciIpcCloseEndpoint(end->handle);
    if (end->service) {
        end->service->EventService.Delete(&end->service->EventService);
    }
    if (!run.threads) {
        NvSciIpcDeinit();
    }
    if (end->configuration) {
        unlink(end->configuration);
    }
    free(end);
}

#define WAY(lower, WAY_)                                                \
    static void *join_##lower(void *shared, unsigned side)              \
    {                                                                   \
        return join(shared, side, WAY_);                                \
    }                                                                   \
    static void send_##lower(void *me, const void *frame)               \
    {                                                                   \
        send(me, frame, WAY_);                                          \
    }                                                                   \
    static void receive_##lower(void *me, void *frame)                  \
    {                                                                   \
        receive(me, frame, WAY_);                                       \
    }                                                                   \
    const struct transport transport_nvsciipc_##lower = {               \
        .name = "nvsciipc-" #lower,                                     \
        .prepare = prepare,                                             \
        .join = join_##lower,                                           \
        .send = send_##lower,                                           \
        .receive = receive_##lower,                                     \
        .leave = leave,                                                 \
    }

WAY(select, SELECT);
WAY(event, EVENT);
WAY(poll, POLL);
