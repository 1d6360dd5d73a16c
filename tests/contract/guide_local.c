/* SPDX-License-Identifier: MIT */
/*
 * The guide's local event: a thread signals, another one waits, and answers in
 * the same way. No endpoint, and no libnvsciipc.
 */
#include <pthread.h>
#include <stdint.h>

#include <nvscievent.h>

#include "guide.h"

/* A service and an event a thread. */
static struct local {
    NvSciEventLoopService *service;
    NvSciLocalEvent *event;
} ping, pong;

static void create(struct local *local)
{
    NvSciError err;

    err = NvSciEventLoopServiceCreate(1, &local->service);
    if (err != NvSciError_Success) {
        guide_fail("NvSciEventLoopServiceCreate", err);
    }
    err = local->service->EventService.CreateLocalEvent(
        &local->service->EventService, &local->event);
    if (err != NvSciError_Success) {
        guide_fail("CreateLocalEvent", err);
    }
}

static void send(struct local *local)
{
    NvSciError err = local->event->Signal(local->event);

    if (err != NvSciError_Success) {
        guide_fail("Signal", err);
    }
}

static void receive(struct local *local)
{
    NvSciError err = local->service->WaitForEvent(
        local->event->eventNotifier, NV_SCI_EVENT_INFINITE_WAIT);

    if (err != NvSciError_Success) {
        guide_fail("WaitForEvent", err);
    }
}

static void clean_up(struct local *local)
{
    local->event->eventNotifier->Delete(local->event->eventNotifier);
    local->event->Delete(local->event);
    local->service->EventService.Delete(&local->service->EventService);
}

static void *receiver(void *unused)
{
    (void)unused;
    for (uint32_t n = 0; n < guide.frames; n++) {
        receive(&ping);
        send(&pong);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    pthread_t thread;

    guide_parse(argc, argv, "The guide's local event, --frames times");
    create(&ping);
    create(&pong);
    if (pthread_create(&thread, NULL, receiver, NULL) != 0) {
        guide_fail("pthread_create", NvSciError_Unknown);
    }
    for (uint32_t n = 0; n < guide.frames; n++) {
        send(&ping);
        receive(&pong);
    }
    pthread_join(thread, NULL);
    clean_up(&ping);
    clean_up(&pong);
    return 0;
}
