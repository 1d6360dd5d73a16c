/* SPDX-License-Identifier: MIT */
/* The guide's loop that waits for several events by WaitForMultipleEvents(). */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include <nvscievent.h>
#include <nvsciipc.h>

#include "guide.h"

/* One a thread: only one at a time may wait on a service. */
static NvSciEventLoopService *services[2];

/* Writes to all these endpoints, or reads from them. */
static void move_frames(NvSciEventLoopService *service,
                        const char *const *names, unsigned nr, bool writes)
{
    const uint32_t wanted = writes ? NV_SCI_IPC_EVENT_WRITE :
                                     NV_SCI_IPC_EVENT_READ;
    const int64_t timeout = NV_SCI_EVENT_INFINITE_WAIT;
    NvSciIpcEndpoint endpoints[GUIDE_MAX];
    NvSciEventNotifier *notifiers[GUIDE_MAX];
    struct NvSciIpcEndpointInfo infos[GUIDE_MAX];
    bool new_events[GUIDE_MAX];
    uint32_t numbers[GUIDE_MAX] = { 0 };
    unsigned finished = 0;
    void *bufs[GUIDE_MAX];
    NvSciError err;

    for (unsigned inx = 0; inx < nr; inx++) {
        err = NvSciIpcOpenEndpointWithEventService(
            names[inx], &endpoints[inx], &service->EventService);
        if (err != NvSciError_Success) {
            guide_fail("NvSciIpcOpenEndpointWithEventService", err);
        }
        err = NvSciIpcGetEventNotifier(endpoints[inx], &notifiers[inx]);
        if (err != NvSciError_Success) {
            guide_fail("NvSciIpcGetEventNotifier", err);
        }
        err = NvSciIpcGetEndpointInfo(endpoints[inx], &infos[inx]);
        if (err != NvSciError_Success) {
            guide_fail("NvSciIpcGetEndpointInfo", err);
        }
        printf("%s: nframes = %u, frame_size = %u\n", names[inx],
               infos[inx].nframes, infos[inx].frame_size);
        NvSciIpcResetEndpoint(endpoints[inx]);
        bufs[inx] = malloc(infos[inx].frame_size);
        new_events[inx] = true;
    }
    while (finished < nr) {
        bool got_event = false;

        for (unsigned inx = 0; inx < nr; inx++) {
            uint32_t size = infos[inx].frame_size, event;
            int32_t bytes;

            if (!new_events[inx] || numbers[inx] == guide.frames) {
                continue;
            }
            err = NvSciIpcGetEvent(endpoints[inx], &event);
            if (err != NvSciError_Success) {
                guide_fail("NvSciIpcGetEvent", err);
            }
            if (event & wanted) {
                if (writes) {
                    guide_fill(bufs[inx], size, numbers[inx]);
                    err = NvSciIpcWrite(endpoints[inx], bufs[inx], size,
                                        &bytes);
                } else {
                    err = NvSciIpcRead(endpoints[inx], bufs[inx], size,
                                       &bytes);
                }
                if (err != NvSciError_Success || (uint32_t)bytes != size) {
                    guide_fail("NvSciIpcWrite or NvSciIpcRead", err);
                }
                guide_verify(bufs[inx], size, numbers[inx]++);
                finished += numbers[inx] == guide.frames;
                got_event = true;
            }
        }
        if (got_event) {
            continue;
        }
        err = service->WaitForMultipleEvents(notifiers, nr, timeout,
                                             new_events);
        if (err != NvSciError_Success) {
            guide_fail("WaitForMultipleEvents", err);
        }
    }
    for (unsigned inx = 0; inx < nr; inx++) {
        free(bufs[inx]);
        notifiers[inx]->Delete(notifiers[inx]);
        NvSciIpcCloseEndpoint(endpoints[inx]);
    }
}

static void *writer(void *unused)
{
    (void)unused;
    move_frames(services[0], guide.write, guide.nr_write, true);
    return NULL;
}

static void *reader(void *unused)
{
    (void)unused;
    move_frames(services[1], guide.read, guide.nr_read, false);
    return NULL;
}

int main(int argc, char **argv)
{
    NvSciError err;

    guide_parse(argc, argv, "The guide's loop on several events");
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
