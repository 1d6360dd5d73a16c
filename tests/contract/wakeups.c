/* SPDX-License-Identifier: MIT */
/*
 * Ping-pong with random delays, on each way to wait: no wake-up is missed, and
 * no wait returns more often than it was notified.
 *
 * A frame that goes into an empty queue is one notification, and it is all
 * that the far end sends here; so to receive N frames a side may wake up N
 * times, and a few times more for what the connection brought. Who polls has
 * switched the notifications off, and gets none; between chips they stay on.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <sys/select.h>
#include <time.h>
#include <unistd.h>

#include "contract.h"

/* Of the connection, and of a wait's end. */
#define MORE_WAKEUPS 16
#define WAIT_US (PATIENCE_MS * 1000LL)

enum wait {
    WAIT_SELECT,
    WAIT_EVENT,
    WAIT_MULTIPLE,
    WAIT_HANDLER,
    WAIT_POLLING,
};

struct side {
    bool leads;                         /* sends the ping */
    uint32_t random;
    NvSciEventLoopService *service;
    NvSciEventNotifier *notifier;
    NvSciLocalEvent *local;
    NvSciIpcEndpoint endpoint;
    int32_t fd;

    enum wait wait;
    uint32_t received;                  /* frames, on this way to wait */
    uint32_t wakeups;                   /* for the endpoint */
    /* How often the ticker has signalled, and how often that was seen. */
    _Atomic uint32_t ticks;
    _Atomic bool ticking;
    uint32_t ticks_seen;
    uint32_t tick_wakeups;
};

static struct side sides[2];            /* near, far */

static uint32_t next_random(uint32_t *random)
{
    *random ^= *random << 13;
    *random ^= *random >> 17;
    *random ^= *random << 5;
    return *random;
}

/* So that the sides meet in every order: at work, about to sleep, asleep. */
static void stumble(uint32_t *state)
{
    uint32_t random = next_random(state);
    int64_t end;

    switch (random % 8) {
    case 0:
        sched_yield();
        break;
    case 1:
        usleep(random / 8 % 60);
        break;
    case 2:
    case 3:
        end = now_us() + random / 8 % 30;
        while (now_us() < end) {
        }
        break;
    default:
        break;
    }
}

static uint32_t get_event(struct side *side)
{
    uint32_t events;

    check_ok(NvSciIpcGetEvent(side->endpoint, &events));
    return events;
}

/* A frame says on which way to wait it was sent, and that way's how many. */
static void send_frame(struct side *side)
{
    uint32_t frame[2] = { side->wait, side->received }, bytes;

    stumble(&side->random);
    check_ok(NvSciIpcWriteSafe(side->endpoint, frame, sizeof(frame), &bytes));
}

/* If there is one. */
static bool take_frame(struct side *side)
{
    uint32_t events = get_event(side), frame[2], bytes;

    check_equal(events & RESET, 0);
    if ((events & READ) == 0) {
        return false;
    }
    check_ok(NvSciIpcReadSafe(side->endpoint, frame, sizeof(frame), &bytes));
    check_equal(frame[0], side->wait);
    /* The pong has the number of pings that had come. */
    side->received++;
    check_equal(frame[1], side->leads ? side->received : side->received - 1);
    return true;
}

static void wait_select(struct side *side)
{
    struct timeval patience = { .tv_sec = PATIENCE_MS / 1000 };
    fd_set set;
    int n;

    FD_ZERO(&set);
    FD_SET(side->fd, &set);
    n = select(side->fd + 1, &set, NULL, NULL, &patience);
    /* 0: a wake-up was missed, or the other side hangs. */
    check_equal(n, 1);
    side->wakeups++;
}

/* For the endpoint or a tick, whichever comes. */
static void wait_multiple(struct side *side)
{
    NvSciEventNotifier *const notifiers[] = {
        side->local->eventNotifier, side->notifier,
    };
    bool fresh[2] = { false, false };

    check_ok(side->service->WaitForMultipleEvents(notifiers, 2, WAIT_US,
                                                  fresh));
    check(fresh[0] || fresh[1]);
    if (fresh[0]) {
        side->ticks_seen = side->ticks;
        side->tick_wakeups++;
    }
    side->wakeups += fresh[1];
}

static void wait_frame(struct side *side)
{
    switch (side->wait) {
    case WAIT_SELECT:
        wait_select(side);
        break;
    case WAIT_EVENT:
        check_ok(side->service->WaitForEvent(side->notifier, WAIT_US));
        side->wakeups++;
        break;
    case WAIT_MULTIPLE:
        wait_multiple(side);
        break;
    case WAIT_POLLING:
        sched_yield();
        side->wakeups += readable(side->fd, 0);
        break;
    case WAIT_HANDLER:
        check(false);
    }
}

static void receive(struct side *side)
{
    int64_t end = now_us() + WAIT_US;

    while (!take_frame(side)) {
        check(now_us() < end);
        stumble(&side->random);
        wait_frame(side);
    }
}

/* Inside a wait for the local event; that is signalled when all has come. */
static void on_event(void *cookie)
{
    struct side *side = cookie;

    side->wakeups++;
    /* What comes behind the last frame is for the next way to wait. */
    while (side->received < contract.rounds && take_frame(side)) {
        bool last = side->received == contract.rounds;

        if (!side->leads || !last) {
            send_frame(side);
        }
        if (last) {
            check_ok(side->local->Signal(side->local));
            return;
        }
    }
}

static void play_by_handler(struct side *side)
{
    uint32_t seen;
    NvSciError error;

    check_ok(side->notifier->SetHandler(side->notifier, on_event, side, 0));
    if (side->leads) {
        send_frame(side);
    }
    do {
        seen = side->received;
        error = side->service->WaitForEvent(side->local->eventNotifier,
                                            WAIT_US);
        /* A wait ends when it ends; that frames came is no missed one. */
    } while (error == NvSciError_Timeout && side->received != seen);
    check_ok(error);
    check_equal(side->received, contract.rounds);
    check_ok(side->notifier->SetHandler(side->notifier, NULL, NULL, 0));
}

static void *tick(void *opaque)
{
    struct side *side = opaque;
    uint32_t random = 123456789;

    while (side->ticking) {
        side->ticks++;
        check_ok(side->local->Signal(side->local));
        usleep(next_random(&random) % 300);
    }
    return NULL;
}

/* With a thread that signals; at the end no signal is left unseen. */
static void play_with_ticks(struct side *side, void (*play)(struct side *))
{
    pthread_t ticker;

    side->ticks = side->ticks_seen = side->tick_wakeups = 0;
    side->ticking = true;
    check_equal(pthread_create(&ticker, NULL, tick, side), 0);
    play(side);
    side->ticking = false;
    pthread_join(ticker, NULL);
    if (side->ticks_seen != side->ticks) {
        check_ok(side->service->WaitForEvent(side->local->eventNotifier,
                                             WAIT_US));
        side->tick_wakeups++;
    }
    check(side->tick_wakeups > 0 && side->tick_wakeups <= side->ticks);
    /* None that was seen comes again. */
    if (side->service->WaitForEvent(side->local->eventNotifier, 0) !=
        NvSciError_Timeout) {
        check(side->tick_wakeups + 1 <= side->ticks);
    }
}

static void play_rounds(struct side *side)
{
    for (uint32_t i = 0; i < contract.rounds; i++) {
        if (side->leads) {
            send_frame(side);
            receive(side);
        } else {
            receive(side);
            send_frame(side);
        }
    }
}

static void play(struct side *side, enum wait wait)
{
    bool notified = wait != WAIT_POLLING || contract.chips;

    side->wait = wait;
    side->received = side->wakeups = 0;
    check_equal(NvSciIpcEnableNotification(side->endpoint, notified),
                contract.chips ? NvSciError_NotSupported :
                                 NvSciError_Success);
    switch (wait) {
    case WAIT_HANDLER:
        play_by_handler(side);
        break;
    case WAIT_MULTIPLE:
        play_with_ticks(side, play_rounds);
        break;
    default:
        play_rounds(side);
    }
    printf("# %s: %u frames, %u wake-ups\n", side->leads ? "near" : "far",
           side->received, side->wakeups);
    check(side->wakeups <=
          (notified ? side->received : 0) + MORE_WAKEUPS);
}

static void open_side(struct side *side, const char *name)
{
    side->leads = side == &sides[0];
    side->random = side->leads ? 2463534242 : 1812433253;
    check_ok(NvSciEventLoopServiceCreate(1, &side->service));
    check_ok(side->service->EventService.CreateLocalEvent(
        &side->service->EventService, &side->local));
    check_ok(NvSciIpcOpenEndpointWithEventService(
        name, &side->endpoint, &side->service->EventService));
    check_ok(NvSciIpcGetEventNotifier(side->endpoint, &side->notifier));
    check_ok(NvSciIpcGetLinuxEventFd(side->endpoint, &side->fd));
    check_ok(NvSciIpcResetEndpointSafe(side->endpoint));
}

static void connect_side(struct side *side)
{
    int64_t end = now_us() + 3 * WAIT_US;

    while ((get_event(side) & EST) == 0) {
        check(now_us() < end);
        readable(side->fd, 1000);
    }
}

static void close_side(struct side *side)
{
    side->notifier->Delete(side->notifier);
    check_ok(NvSciIpcCloseEndpointSafe(side->endpoint, false));
    side->local->eventNotifier->Delete(side->local->eventNotifier);
    side->local->Delete(side->local);
    side->service->EventService.Delete(&side->service->EventService);
}

static const enum wait order[] = {
    WAIT_SELECT, WAIT_EVENT, WAIT_MULTIPLE, WAIT_HANDLER, WAIT_POLLING,
    /* And once more: the notifications are back. */
    WAIT_EVENT,
};

/* The far side's whole life: it answers, on one way to wait after the other. */
static void *far_life(void *opaque)
{
    struct side *side = &sides[1];

    (void)opaque;
    connect_side(side);
    for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
        play(side, order[i]);
    }
    return NULL;
}

static pthread_t far_thread;
static size_t turn;

static void test_connect(void)
{
    check_ok(NvSciIpcInit());
    open_side(&sides[0], contract.near_name);
    if (contract.role == ROLE_BOTH) {
        open_side(&sides[1], contract.far_name);
        check_equal(pthread_create(&far_thread, NULL, far_life, NULL), 0);
    }
    connect_side(&sides[0]);
}

static void test_next(void)
{
    play(&sides[0], order[turn++]);
}

static void test_close(void)
{
    if (contract.role == ROLE_BOTH) {
        pthread_join(far_thread, NULL);
        close_side(&sides[1]);
    }
    close_side(&sides[0]);
    NvSciIpcDeinit();
}

int main(int argc, char **argv)
{
    static const struct contract_case cases[] = {
        { "connect", test_connect },
        { "select", test_next },
        { "WaitForEvent", test_next },
        { "WaitForMultipleEvents-native-and-local", test_next },
        { "handler", test_next },
        { "polling", test_next },
        { "WaitForEvent-after-polling", test_next },
        { "close", test_close },
    };

    contract_parse(argc, argv, "Ping-pong on each way to wait");
    if (contract.role == ROLE_FAR) {
        check_ok(NvSciIpcInit());
        open_side(&sides[1], contract.far_name);
        far_life(NULL);
        close_side(&sides[1]);
        NvSciIpcDeinit();
        return 0;
    }
    return contract_run(cases, sizeof(cases) / sizeof(cases[0]));
}
