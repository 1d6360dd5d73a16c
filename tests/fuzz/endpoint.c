/* SPDX-License-Identifier: MIT */
/*
 * Fuzz target: an endpoint whose peer writes what it likes, when it likes, in
 * all of the channel, comes and goes. The input is a program for the two.
 *
 * No byte outside is touched (a sanitizer says so) and each call ends. What the
 * application is told makes sense: CONN_EST and CONN_RESET take turns, nothing
 * moves outside of the two, errors were there. And whatever has been written,
 * an honest successor is met, and frames flow.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ipc/endpoint.h"
#include "mem_link.h"
#include "nvsciipc.h"

#define FRAME_SIZE 64u
#define LEVELS (NV_SCI_IPC_EVENT_READ | NV_SCI_IPC_EVENT_WRITE | \
                NV_SCI_IPC_EVENT_WRITE_EMPTY)
#define EST NV_SCI_IPC_EVENT_CONN_EST
#define RESET NV_SCI_IPC_EVENT_CONN_RESET
#define ASYNC NV_SCI_IPC_EVENT_ASYNC_ERROR
/* Looks of both ends, each for a bell, until they have met. */
#define MEETING 64u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* An application, and what it has been told. */
struct app {
    struct endpoint *endpoint;
    bool joined;                /* has reset */
    bool up;
};

static struct mem_channel *channel;
static struct app us;
static uint32_t raised;         /* errors of departures since we are open */

static void require(bool condition)
{
    if (!condition) {
        abort();
    }
}

static void app_open(struct app *app, unsigned end)
{
    struct conf_entry entry = mem_channel_entry(channel, end);

    require(endpoint_open(&app->endpoint, &mem_link, &entry, 0) == 0);
    app->joined = app->up = false;
}

static void app_reset(struct app *app)
{
    endpoint_reset(app->endpoint);
    app->joined = true;
    /* Who resets is not told of it. */
    app->up = false;
}

static uint32_t app_look(struct app *app)
{
    uint32_t events = endpoint_get_event(app->endpoint);

    require((events & ~(LEVELS | EST | RESET | ASYNC)) == 0);
    if (events & RESET) {
        require(app->up && (events & ~ASYNC) == RESET);
        app->up = false;
    }
    if (events & EST) {
        require(app->joined && !app->up);
        app->up = true;
    }
    require(app->up || (events & LEVELS) == 0);
    require(!(events & ASYNC) || raised != 0);
    return events;
}

/* Of a call that moves frames. */
static bool moved(const struct app *app, int ret)
{
    require(ret == -ECONNRESET || (app->up && (ret == 0 || ret == -EAGAIN)));
    return ret == 0;
}

static void call(uint8_t op, uint8_t argument)
{
    static uint8_t buf[FRAME_SIZE];
    const void *in;
    void *out;

    switch (op) {
    case 0:
        app_reset(&us);
        break;
    case 1:
        app_look(&us);
        break;
    case 2:
        moved(&us, endpoint_read(us.endpoint, buf, argument % FRAME_SIZE + 1));
        break;
    case 3:
        if (moved(&us, endpoint_read_frame(us.endpoint, &in))) {
            memcpy(buf, in, FRAME_SIZE);
        }
        break;
    case 4:
        moved(&us, endpoint_read_advance(us.endpoint));
        break;
    case 5:
        moved(&us, endpoint_write(us.endpoint, buf,
                                  argument % FRAME_SIZE + 1));
        break;
    case 6:
        if (moved(&us, endpoint_write_frame(us.endpoint, &out))) {
            memset(out, argument, FRAME_SIZE);
        }
        break;
    case 7:
        moved(&us, endpoint_write_advance(us.endpoint));
        break;
    case 8:
        require(endpoint_enable_notification(us.endpoint, argument & 1) == 0);
        break;
    case 9:
        require((endpoint_take_errors(us.endpoint) & ~raised) == 0);
        break;
    case 10:
        require(endpoint_read(us.endpoint, buf, FRAME_SIZE + 1) == -EINVAL &&
                endpoint_write(us.endpoint, buf, UINT32_MAX) == -EINVAL);
        break;
    case 11:
        endpoint_close(us.endpoint, argument & 1);
        app_open(&us, 0);
        raised = 0;
        break;
    default:
        break;
    }
}

static void peer_comes(void)
{
    struct conf_entry entry = mem_channel_entry(channel, 1);
    struct link link;

    require(mem_link.open(&link, &entry, 0) == 0);
}

static void peer_goes(uint32_t errors)
{
    mem_channel_fail(channel, 1, errors);
    raised |= errors;
}

/* 0x10-0x1f: what the peer does that is not a word of memory. */
static void peer_act(uint8_t op, uint8_t argument, bool *there)
{
    if (op < 0x18) {
        struct link link = { .priv = &channel->end[1] };

        mem_link.notify(&link);
    } else if (*there) {
        peer_goes(argument & 0xf);
        *there = false;
    } else {
        peer_comes();
        *there = true;
    }
}

/* The six words of the headers, and now and then a frame's. */
static void peer_write(uint8_t op, uint32_t value)
{
    static const unsigned words[] = { 0, 4, 64, 128 };
    uint8_t *at = channel->direction[op & 1] + words[op >> 1 & 3];

    if (op & 0x80) {            /* a little more or less than what is there */
        uint32_t now;

        memcpy(&now, at, 4);
        value = now + (value & 15) - 7;
    }
    memcpy(at, &value, 4);
}

static void play(const uint8_t *data, const uint8_t *end, bool *there)
{
    while (end - data >= 2) {
        uint8_t op = *data++;

        if (op < 0x10) {
            call(op, *data++);
        } else if (op < 0x20) {
            peer_act(op, *data++, there);
        } else if (end - data >= 4) {
            uint32_t value;

            memcpy(&value, data, 4);
            data += 4;
            peer_write(op, op & 0x40 ? value : value % 6);
        } else {
            break;
        }
    }
}

static void exchange(struct app *from, struct app *to, uint32_t word)
{
    uint32_t got = 0;

    require(endpoint_write(from->endpoint, &word, sizeof(word)) == 0);
    require((app_look(to) & NV_SCI_IPC_EVENT_READ) != 0);
    require(endpoint_read(to->endpoint, &got, sizeof(got)) == 0);
    require(got == word);
    require(endpoint_read(to->endpoint, &got, sizeof(got)) == -EAGAIN);
}

/* As applications do: what is there is read, also of one who is gone. */
static void app_serve(struct app *app)
{
    uint32_t word;

    if (app_look(app) & NV_SCI_IPC_EVENT_READ) {
        while (moved(app, endpoint_read(app->endpoint, &word, sizeof(word)))) {
        }
    }
}

static void meet_successor(void)
{
    struct app successor;
    unsigned looks = 0;

    app_open(&successor, 1);
    app_reset(&successor);
    if (!us.joined) {
        app_reset(&us);
    }
    while (mem_channel_rung(channel, 0) || mem_channel_rung(channel, 1)) {
        require(++looks < MEETING);
        if (mem_channel_rung(channel, looks & 1)) {
            app_serve(looks & 1 ? &successor : &us);
        }
    }
    require(us.up && successor.up);
    exchange(&us, &successor, 1);
    exchange(&successor, &us, 2);
    endpoint_close(successor.endpoint, false);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bool there = false;

    if (size < 2) {
        return 0;
    }
    channel = mem_channel_new(1 + data[0] % 8, FRAME_SIZE, false);
    raised = 0;
    app_open(&us, 0);
    play(data + 1, data + size, &there);
    if (there) {
        peer_goes(0);
    }
    meet_successor();
    endpoint_close(us.endpoint, size & 1);
    mem_channel_free(channel);
    return 0;
}
