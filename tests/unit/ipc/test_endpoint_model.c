/* SPDX-License-Identifier: MIT */
/*
 * Two endpoints through interleavings of calls, deaths and restarts.
 *
 * Two applications share a channel. Each does, in an order that a chooser
 * decides, what an application may do: open, reset, look (GetEvent), read,
 * write, die, also in the middle of a call, and begin anew; while one is inside
 * a call the other may act at each point where the call looks outside. The
 * chooser is random, or walks all sequences up to a bound. After that the
 * deaths end and both go on, each looking only when it was woken.
 *
 * What is checked, always:
 * - frames arrive whole, in order, none twice;
 * - no connection delivers frames of another one;
 * - a frame is lost only if its receiver died or reset, or its sender reset,
 *   since its sender's connection began to be made: never by its sender's death;
 * - an error of a departure is told once, to who took part before, and no other;
 * - in the end both are connected, and frames flow both ways.
 */
#include <errno.h>
#include <glib.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include "ipc/endpoint.h"
#include "ivc/ivc_wire.h"
#include "mem_link.h"
#include "nvsciipc.h"

#define FRAME_SIZE 64
#define MAX_FRAMES 128
#define MAX_CHOICES 512

/* What was sent, by one side. */
struct sent {
    unsigned epoch;             /* the sender's connection */
    bool certain;               /* the write returned */
    bool delivered;
};

struct frame {
    uint32_t side;
    uint32_t number;            /* in that side's log */
    uint32_t filler[14];
};

struct app {
    struct endpoint *endpoint;  /* NULL: not running */
    bool inside;                /* in a call */
    jmp_buf death;              /* out of that call */
    bool joined;
    bool owes;                  /* its Reset has to wait (rule 3) */
    bool connected;
    bool readable;              /* the last look said READ */
    bool awake;                 /* has not yet seen that there is no more */

    unsigned epoch;             /* connections so far */
    unsigned epoch_began;       /* when the look that made it began */
    unsigned died_at;           /* the last time, or 0 */
    unsigned reset_at;
    bool made_epoch;            /* this run of it did, none before */
    unsigned gave_up_at;        /* the maker of the connection reset it */
    struct sent log[MAX_FRAMES];
    unsigned nr_sent;

    /* Errors that the other one's departures had. */
    bool watching;              /* has looked since its Reset */
    uint32_t possible;          /* bits of those since it was opened */
    uint32_t owed;              /* of the last one, until it is told */
    unsigned untold;            /* how many had any */

    /* As a receiver. */
    unsigned next;              /* the lowest number that may come */
    unsigned from_epoch;        /* the sender's, of this connection; 0: none */
};

static struct world {
    struct mem_channel *channel;
    struct app app[2];
    unsigned now;
    unsigned nr_deaths;

    /* The chooser. */
    GRand *random;              /* NULL: enumerate */
    unsigned choice[MAX_CHOICES];
    unsigned options[MAX_CHOICES];
    unsigned nr_choices;
    unsigned bound;
    bool quiet;                 /* no more deaths, no more hooks */
    bool polls;                 /* looks without being woken */
    bool looks_often;           /* before every single read */
    bool answers_reset;         /* resets when told CONN_RESET */
    GString *trace;
} world;

static void note(const char *format, ...) G_GNUC_PRINTF(1, 2);
static void note(const char *format, ...)
{
    va_list args;

    if (world.trace) {
        va_start(args, format);
        g_string_append_vprintf(world.trace, format, args);
        va_end(args);
    }
}

#define CHECK(condition, ...) \
    do { \
        if (!(condition)) { \
            note("\n" __VA_ARGS__); \
            g_error("%s: %s", #condition, \
                    world.trace ? world.trace->str : "(no trace)"); \
        } \
    } while (0)

/* 0 .. options - 1; 0 is the plain course of things. */
static unsigned choose(unsigned options, unsigned percent)
{
    if (options == 1) {
        return 0;
    }
    if (world.random) {
        if ((unsigned)g_rand_int_range(world.random, 0, 100) >= percent) {
            return 0;
        }
        return (unsigned)g_rand_int_range(world.random, 0, (gint)options);
    }
    if (world.nr_choices >= world.bound) {
        return 0;
    }
    world.options[world.nr_choices] = options;
    return world.choice[world.nr_choices++];
}

static void stop_running(unsigned side)
{
    struct app *app = &world.app[side];

    app->endpoint = NULL;
    app->joined = false;
    app->owes = false;
    app->connected = false;
    app->readable = false;
    app->from_epoch = 0;
    app->made_epoch = false;
    app->watching = false;
    app->possible = 0;
    app->owed = 0;
    app->untold = 0;
    app->died_at = ++world.now;
}

/* Leaves everything as it is: locks, memory, what was half done. */
static void die(unsigned side)
{
    static const uint32_t reasons[] = { 0, 0x2, 0x8, 0x1 };
    struct app *app = &world.app[side];
    struct app *other = &world.app[!side];
    struct endpoint *endpoint = app->endpoint;
    uint32_t errors = reasons[world.nr_deaths++ % G_N_ELEMENTS(reasons)];

    note(" %c:die/%x", 'A' + side, errors);
    mem_channel_fail(world.channel, side, errors);
    other->possible |= errors;
    other->untold += errors != 0;
    other->owed = other->watching ? errors : 0;
    stop_running(side);
    free(endpoint);
}

static void count_reset(unsigned side)
{
    struct app *app = &world.app[side];

    app->reset_at = ++world.now;
    if (app->made_epoch) {
        app->gave_up_at = app->reset_at;
    }
}

static uint32_t published(unsigned side)
{
    const struct ivc_header *own =
        (const void *)world.channel->direction[!side];

    return own->tx_state;
}

/* A Reset that had to wait has come; perhaps in the middle of a call. */
static void note_settled(unsigned side)
{
    if (world.app[side].owes && published(side) != IVC_ESTABLISHED) {
        world.app[side].owes = false;
        count_reset(side);
    }
}

static void app_open(unsigned side)
{
    struct app *app = &world.app[side];
    struct conf_entry entry = mem_channel_entry(world.channel, side);

    note(" %c:open", 'A' + side);
    CHECK(endpoint_open(&app->endpoint, &mem_link, &entry, 0) == 0);
    app->awake = true;
}

static void app_reset(unsigned side)
{
    struct app *app = &world.app[side];

    note(" %c:reset", 'A' + side);
    count_reset(side);
    app->joined = true;
    app->awake = true;
    app->connected = false;
    app->readable = false;
    app->from_epoch = 0;
    endpoint_reset(app->endpoint);
    app->owes = published(side) == IVC_ESTABLISHED;
    /* Again: the other may have acted before it was published. */
    count_reset(side);
}

/* Whether this frame of the sender's latest connection may never come. */
static bool may_be_lost(unsigned sender, const struct sent *sent)
{
    const struct app *app = &world.app[sender];
    const struct app *receiver = &world.app[!sender];
    unsigned since = app->epoch_began;

    return !sent->certain || receiver->died_at > since ||
           receiver->reset_at > since || app->gave_up_at > since;
}

/* Every frame below `until` has been delivered, or may be lost. */
static void judge(unsigned sender, unsigned until)
{
    struct app *receiver = &world.app[!sender];

    note_settled(!sender);
    for (; receiver->next < until; receiver->next++) {
        const struct sent *sent = &world.app[sender].log[receiver->next];

        CHECK(may_be_lost(sender, sent), "frame %u of %c is lost",
              receiver->next, 'A' + sender);
    }
}

/* Whether ASYNC_ERROR is due may not be told from here; that it is true may. */
static void take_errors(unsigned side, bool told)
{
    struct app *app = &world.app[side];
    uint32_t errors = endpoint_take_errors(app->endpoint);

    CHECK((errors != 0) == told);
    CHECK((errors & ~app->possible) == 0);
    app->owed &= ~errors;
    if (told) {
        CHECK(app->untold-- > 0, "an error is told twice");
    }
}

static void app_look(unsigned side)
{
    struct app *app = &world.app[side];
    unsigned began = ++world.now;
    uint32_t events;

    note(" %c:look", 'A' + side);
    events = endpoint_get_event(app->endpoint);
    note("=%x", events);
    note_settled(side);
    if (!app->joined) {
        CHECK(events == 0);
    }
    take_errors(side, events & NV_SCI_IPC_EVENT_ASYNC_ERROR);
    events &= ~NV_SCI_IPC_EVENT_ASYNC_ERROR;
    app->watching = app->joined;
    if (events & NV_SCI_IPC_EVENT_CONN_RESET) {
        CHECK(events == NV_SCI_IPC_EVENT_CONN_RESET);
        CHECK(app->connected);
        app->connected = false;
        app->from_epoch = 0;
    }
    if (events & NV_SCI_IPC_EVENT_CONN_EST) {
        CHECK(!app->connected);
        app->connected = true;
        /* Frames of the connection before are there by now, or never. */
        judge(side, app->nr_sent);
        app->epoch++;
        app->epoch_began = began;
        app->made_epoch = true;
    }
    if (events & (NV_SCI_IPC_EVENT_READ | NV_SCI_IPC_EVENT_WRITE |
                  NV_SCI_IPC_EVENT_WRITE_EMPTY)) {
        CHECK(app->connected);
    }
    /* It wants frames: without READ it sleeps, whatever else it was told. */
    app->readable = (events & NV_SCI_IPC_EVENT_READ) != 0;
    app->awake = app->readable;
    if ((events & NV_SCI_IPC_EVENT_CONN_RESET) && world.answers_reset) {
        app_reset(side);
    }
}

static void app_write(unsigned side)
{
    struct app *app = &world.app[side];
    struct frame frame = { .side = side, .number = app->nr_sent };
    struct sent *sent = &app->log[app->nr_sent];
    int ret;

    for (unsigned i = 0; i < G_N_ELEMENTS(frame.filler); i++) {
        frame.filler[i] = frame.number * 31 + i;
    }
    CHECK(app->nr_sent < MAX_FRAMES);
    *sent = (struct sent) { .epoch = app->epoch };
    app->nr_sent++;
    note(" %c:write", 'A' + side);
    ret = endpoint_write(app->endpoint, &frame, sizeof(frame));
    note("=%u:%d", frame.number, ret);
    CHECK(ret == 0 || ret == -EAGAIN || ret == -ECONNRESET);
    CHECK(ret != -ECONNRESET || !app->connected);
    if (ret == 0) {
        CHECK(app->connected);
        sent->certain = true;
    } else {
        app->nr_sent--;
    }
}

static void app_read(unsigned side)
{
    struct app *app = &world.app[side];
    struct app *sender = &world.app[!side];
    struct frame frame;
    int ret;

    note(" %c:read", 'A' + side);
    ret = endpoint_read(app->endpoint, &frame, sizeof(frame));
    note("=%d", ret);
    CHECK(ret == 0 || ret == -EAGAIN || ret == -ECONNRESET);
    if (ret != 0) {
        app->readable = false;
        /* Told so, it looks; else it sleeps without another look. */
        app->awake = ret == -ECONNRESET;
        return;
    }
    note("#%u", frame.number);
    CHECK(app->connected);
    CHECK(frame.side == !side);
    CHECK(frame.number < sender->nr_sent);
    for (unsigned i = 0; i < G_N_ELEMENTS(frame.filler); i++) {
        CHECK(frame.filler[i] == frame.number * 31 + i);
    }
    CHECK(frame.number >= app->next, "frame %u again", frame.number);
    judge(!side, frame.number);
    CHECK(app->from_epoch == 0 ||
          app->from_epoch == sender->log[frame.number].epoch,
          "frame %u is of another connection", frame.number);
    app->from_epoch = sender->log[frame.number].epoch;
    sender->log[frame.number].delivered = true;
    app->next = frame.number + 1;
    /* Reads on, until it is told that there is no more; or looks first. */
    app->readable = !world.looks_often;
}

typedef void action(unsigned side);

/* In a call of its own, out of which it can die. */
static void run(unsigned side, action *act)
{
    struct app *app = &world.app[side];

    app->inside = true;
    if (setjmp(app->death) == 0) {
        act(side);
    }
    app->inside = false;
}

static bool may_look(unsigned side)
{
    return world.polls || world.app[side].awake ||
           mem_channel_rung(world.channel, side);
}

/* One act of this side, if it has any to choose from. */
static void act(unsigned side, unsigned percent)
{
    struct app *app = &world.app[side];
    action *acts[8];
    unsigned nr = 0;

    if (!app->endpoint) {
        acts[nr++] = app_open;
    } else if (!app->joined) {
        acts[nr++] = app_reset;
        if (may_look(side)) {
            acts[nr++] = app_look;
        }
        acts[nr++] = die;
    } else {
        if (app->readable) {
            acts[nr++] = app_read;
        }
        if (may_look(side)) {
            acts[nr++] = app_look;
        }
        if (app->connected) {
            acts[nr++] = app_write;
        }
        acts[nr++] = die;
        if (world.random && g_rand_int_range(world.random, 0, 30) == 0) {
            acts[nr++] = app_reset;
        }
    }
    if (nr > 1 && acts[0] == die) {
        acts[0] = acts[1];
        acts[1] = die;
    }
    run(side, acts[choose(nr, percent)]);
}

/* In the middle of a call of `end`. */
static void on_hook(void *opaque, unsigned end, enum mem_point point)
{
    struct app *app = &world.app[end];
    unsigned other = !end;

    (void)opaque;
    if (world.quiet) {
        return;
    }
    /* 0: go on; 1: the other acts, and acts again maybe; 2: die here. */
    switch (choose(3, world.app[other].inside ? 5 : 25)) {
    case 1:
        if (!world.app[other].inside) {
            note(" [%d", point);
            do {
                act(other, 70);
            } while (choose(2, 60) == 1);
            note("]");
        }
        break;
    case 2:
        /* The endpoint of a half-done open is not known here: not then. */
        if (app->endpoint && app->inside && point != MEM_OPENED) {
            note(" (%d)", point);
            die(end);
            longjmp(app->death, 1);
        }
        break;
    }
}

/* Everything but the choices. */
static void begin(uint32_t nframes)
{
    memset(world.app, 0, sizeof(world.app));
    world.nr_choices = 0;
    world.now = 0;
    world.nr_deaths = 1;
    world.quiet = false;
    g_string_truncate(world.trace, 0);
    world.channel = mem_channel_new(nframes, FRAME_SIZE, false);
    world.channel->hook = on_hook;
}

/* What a patient application does after it was woken. */
static void serve(unsigned side)
{
    struct app *app = &world.app[side];

    do {
        run(side, app_look);
        while (app->readable) {
            run(side, app_read);
        }
    } while (app->awake);
}

/* Both, each looking only when woken, until nobody is. */
static void rest(void)
{
    unsigned rounds = 0;
    bool busy;

    do {
        busy = false;
        for (unsigned i = 0; i < 2; i++) {
            struct app *app = &world.app[i];

            if (app->endpoint &&
                (app->awake || mem_channel_rung(world.channel, i))) {
                serve(i);
                busy = true;
            }
        }
        CHECK(++rounds < 100, "they do not come to rest");
    } while (busy);
}

/*
 * No more accidents. Who has lost the other must know that before anybody new
 * comes, and have read what that one left; then both must meet.
 */
static void settle(void)
{
    world.quiet = true;
    note(" |");
    rest();
    for (unsigned i = 0; i < 2; i++) {
        const struct app *app = &world.app[i];

        if (!app->endpoint && world.app[!i].joined) {
            CHECK(!world.app[!i].connected, "connected to the dead");
            judge(i, app->nr_sent);
        }
        CHECK(app->owed == 0, "%c was not told of an error", 'A' + i);
    }
    note(" |");
    for (unsigned i = 0; i < 2; i++) {
        if (!world.app[i].endpoint) {
            run(i, app_open);
        }
        if (!world.app[i].joined) {
            run(i, app_reset);
        }
    }
    rest();
    CHECK(world.app[0].connected && world.app[1].connected,
          "they rest, and are not connected");
    for (unsigned i = 0; i < 2; i++) {
        judge(i, world.app[i].nr_sent);
    }
    for (unsigned n = 0; n < 8; n++) {
        for (unsigned i = 0; i < 2; i++) {
            run(i, app_write);
            CHECK(mem_channel_rung(world.channel, !i));
            serve(!i);
            CHECK(world.app[i].log[world.app[i].nr_sent - 1].delivered,
                  "a frame after the storm is lost");
        }
    }
    for (unsigned i = 0; i < 2; i++) {
        endpoint_close(world.app[i].endpoint, false);
    }
    mem_channel_free(world.channel);
}

static void connect_both(void)
{
    bool quiet = world.quiet;

    world.quiet = true;
    for (unsigned i = 0; i < 2; i++) {
        run(i, app_open);
        run(i, app_reset);
    }
    for (unsigned n = 0; n < 6; n++) {
        serve(n % 2);
    }
    CHECK(world.app[0].connected && world.app[1].connected);
    note(" |");
    world.quiet = quiet;
}

static unsigned long scale(unsigned long plain)
{
    const char *times = g_getenv("VSOC_TEST_SCALE");

    return plain * (times ? strtoul(times, NULL, 10) : 1);
}

static void test_random(void)
{
    unsigned long runs = scale(30000);

    world.trace = g_string_new(NULL);
    world.random = g_rand_new_with_seed(1);
    for (unsigned long n = 0; n < runs; n++) {
        unsigned steps;

        g_rand_set_seed(world.random, (guint32)n + 1);
        begin((uint32_t)g_rand_int_range(world.random, 1, 4));
        note("seed %lu:", n + 1);
        world.polls = g_rand_int_range(world.random, 0, 3) == 0;
        world.looks_often = g_rand_boolean(world.random);
        world.answers_reset = g_rand_boolean(world.random);
        if (g_rand_boolean(world.random)) {
            connect_both();
        }
        steps = (unsigned)g_rand_int_range(world.random, 5, 60);
        while (steps-- > 0) {
            act((unsigned)g_rand_int_range(world.random, 0, 2), 100);
        }
        settle();
    }
    g_rand_free(world.random);
    world.random = NULL;
    g_string_free(world.trace, TRUE);
    world.trace = NULL;
}

/* The next sequence of choices; false: that was the last one. */
static bool next_sequence(void)
{
    while (world.nr_choices > 0) {
        unsigned last = world.nr_choices - 1;

        if (++world.choice[last] < world.options[last]) {
            return true;
        }
        world.choice[last] = 0;
        world.nr_choices--;
    }
    return false;
}

static void enumerate(bool connected, unsigned writes, unsigned bound)
{
    unsigned long runs = 0;

    world.trace = g_string_new(NULL);
    world.bound = bound;
    world.polls = false;
    world.looks_often = true;
    world.answers_reset = false;
    memset(world.choice, 0, sizeof(world.choice));
    do {
        begin(2);
        if (connected) {
            connect_both();
            world.quiet = true;
            for (unsigned n = 0; n < writes; n++) {
                run(0, app_write);
            }
            world.quiet = false;
        }
        while (world.nr_choices < bound) {
            act(choose(2, 100), 100);
        }
        settle();
        runs++;
    } while (next_sequence());
    g_test_message("%lu interleavings", runs);
    g_assert_cmpuint(runs, >, 1000);
    g_string_free(world.trace, TRUE);
    world.trace = NULL;
}

static void test_all_from_nothing(void)
{
    enumerate(false, 0, 10 + (unsigned)scale(1));
}

static void test_all_from_connected(void)
{
    enumerate(true, 0, 9 + (unsigned)scale(1));
}

static void test_all_from_unread(void)
{
    enumerate(true, 2, 9 + (unsigned)scale(1));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/endpoint/model/random", test_random);
    g_test_add_func("/endpoint/model/all-from-nothing", test_all_from_nothing);
    g_test_add_func("/endpoint/model/all-from-connected",
                    test_all_from_connected);
    g_test_add_func("/endpoint/model/all-from-unread", test_all_from_unread);
    return g_test_run();
}
