/* SPDX-License-Identifier: MIT */
/* The guide's loop that waits for a single event by WaitForEvent(). */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include <nvscievent.h>
#include <nvsciipc.h>

#include "guide.h"

/* One a thread: only one at a time may wait on a service. */
static NvSciEventLoopService *services[2];

/* "Preparing an endpoint with NvSciEventService for read/write" */
static void prepare(NvSciEventLoopService *service, const char *name,
                    NvSciIpcEndpoint *endpoint, NvSciEventNotifier **notifier,
                    struct NvSciIpcEndpointInfo *info)
{
    NvSciError err;

    err = NvSciIpcOpenEndpointWithEventService(name, endpoint,
                                               &service->EventService);
    if (err != NvSciError_Success) {
        guide_fail("NvSciIpcOpenEndpointWithEventService", err);
    }
    err = NvSciIpcGetEventNotifier(*endpoint, notifier);
    if (err != NvSciError_Success) {
        guide_fail("NvSciIpcGetEventNotifier", err);
    }
    err = NvSciIpcGetEndpointInfo(*endpoint, info);
    if (err != NvSciError_Success) {
        guide_fail("NvSciIpcGetEndpointInfo", err);
    }
    printf("%s: nframes = %u, frame_size = %u\n", name, info->nframes,
           info->frame_size);
    NvSciIpcResetEndpoint(*endpoint);
}

/* "Waiting for a single event": the same loop with each of the two events. */
static void move_frames(NvSciEventLoopService *service, const char *name,
                        bool writes)
{
    const uint32_t wanted = writes ? NV_SCI_IPC_EVENT_WRITE :
                                     NV_SCI_IPC_EVENT_READ;
    const int64_t timeout = NV_SCI_EVENT_INFINITE_WAIT;
    struct NvSciIpcEndpointInfo info;
    NvSciEventNotifier *notifier;
    NvSciIpcEndpoint endpoint;
    uint32_t event = 0, number = 0;
    int32_t bytes;
    NvSciError err;
    void *buf;

    prepare(service, name, &endpoint, &notifier, &info);
    buf = malloc(info.frame_size);
    while (number < guide.frames) {
        err = NvSciIpcGetEvent(endpoint, &event);
        if (err != NvSciError_Success) {
            guide_fail("NvSciIpcGetEvent", err);
        }
        if (event & wanted) {
            if (writes) {
                guide_fill(buf, info.frame_size, number);
                err = NvSciIpcWrite(endpoint, buf, info.frame_size, &bytes);
            } else {
                err = NvSciIpcRead(endpoint, buf, info.frame_size, &bytes);
            }
            if (err != NvSciError_Success ||
                (uint32_t)bytes != info.frame_size) {
                guide_fail("NvSciIpcWrite or NvSciIpcRead", err);
            }
            guide_verify(buf, info.frame_size, number++);
        } else {
            err = service->WaitForEvent(notifier, timeout);
            if (err != NvSciError_Success) {
                guide_fail("WaitForEvent", err);
            }
        }
    }
    free(buf);
    notifier->Delete(notifier);
    NvSciIpcCloseEndpoint(endpoint);
}

static void *writer(void *unused)
{
    (void)unused;
    move_frames(services[0], guide.write[0], true);
    return NULL;
}

static void *reader(void *unused)
{
    (void)unused;
    move_frames(services[1], guide.read[0], false);
    return NULL;
}

int main(int argc, char **argv)
{
    NvSciError err;

    guide_parse(argc, argv, "The guide's loop on a single event");
    for (unsigned i = 0; i < 2; i++) {
        err = NvSciEventLoopServiceCreate(1, &services[i]);
        if (err != NvSciError_Success) {
            guide_fail("NvSciEventLoopServiceCreate", err);
        }
    }
    err = NvSciIpcInit();
    if (err != NvSciError_Success) {
        guide_fail("NvSciIpcInit", err);
    }
    guide_run(writer, reader);
    NvSciIpcDeinit();
    for (unsigned i = 0; i < 2; i++) {
        services[i]->EventService.Delete(&services[i]->EventService);
    }
    return 0;
}
