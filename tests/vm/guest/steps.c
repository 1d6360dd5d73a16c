/* SPDX-License-Identifier: MIT */
/*
 * Does the steps named on its command line with NvSciIpc endpoints, each with a
 * time limit, and says on stdout what it did. The VM tests' peer; it knows the
 * public interface only.
 *
 *   open:NAME      open an endpoint and use it from here on; use:NAME go back to it
 *   fail:NAME:CODE opening it must fail with this NvSciError
 *   info:N:SIZE    it has N frames of SIZE bytes
 *   reset          reset it; est: wait until CONN_EST came
 *   send:TAG:FIRST:COUNT, recv:TAG:FIRST:COUNT
 *                  frames with these numbers, each byte of them checked
 *   both:OUT:IN:COUNT  COUNT frames each way at once, with tags OUT and IN
 *   drain:TAG:FIRST    receive until CONN_RESET comes, at least one frame
 *   rest:TAG:FIRST     the same, but there may be none
 *   flood:TAG:FIRST    send until CONN_RESET comes
 *   lost           CONN_RESET comes, and no frame before it
 *   again          after CONN_RESET: wait until CONN_EST came
 *   errors:MASK    ASYNC_ERROR has come since the last time, and these bits are
 *                  there; 0: it has not
 *   quiet:MS       nothing may arrive for so long
 *   empty          wait until all sent frames were read
 *   go:FILE        wait until this file is there, and remove it
 *   close, sleep:MS, hold (for ever), die (SIGKILL), limit:SECONDS (default 30)
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <nvsciipc.h>

#define MAX_ENDPOINTS 8
#define EDGES (NV_SCI_IPC_EVENT_CONN_EST | NV_SCI_IPC_EVENT_CONN_RESET | \
               NV_SCI_IPC_EVENT_ASYNC_ERROR)

struct end {
    char name[NVSCIIPC_MAX_ENDPOINT_NAME];
    NvSciIpcEndpoint handle;
    struct NvSciIpcEndpointInfo info;
    int32_t fd;
    uint32_t edges;     /* came and were not waited for yet */
    uint32_t levels;    /* of the last look */
    uint64_t *frame;
    bool open;
};

static struct end ends[MAX_ENDPOINTS];
static struct end *end;
static const char *step;
static double limit = 30;

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

__attribute__((format(printf, 1, 2), noreturn))
static void fail(const char *format, ...)
{
    va_list ap;

    fflush(stdout);
    fprintf(stderr, "%s: step %s: ", end ? end->name : "steps", step);
    va_start(ap, format);
    vfprintf(stderr, format, ap);
    va_end(ap);
    fputc('\n', stderr);
    exit(1);
}

static void expect(NvSciError error, const char *what)
{
    if (error != NvSciError_Success) {
        fail("%s: NvSciError 0x%x", what, (unsigned)error);
    }
}

/* Looks at all open endpoints: a handshake needs both ends to look. */
static void look(void)
{
    for (int i = 0; i < MAX_ENDPOINTS; i++) {
        uint32_t events;

        if (ends[i].open) {
            expect(NvSciIpcGetEventSafe(ends[i].handle, &events), "GetEvent");
            ends[i].edges |= events & EDGES;
            ends[i].levels = events & ~(uint32_t)EDGES;
        }
    }
}

/* Sleeps until something may have changed, or fails at the deadline. */
static void wait_until(double deadline)
{
    struct pollfd fds[MAX_ENDPOINTS];
    nfds_t n = 0;
    double left = deadline - now();

    if (left <= 0) {
        fail("not within %g s (edges 0x%x, levels 0x%x)", limit,
             end->edges, end->levels);
    }
    for (int i = 0; i < MAX_ENDPOINTS; i++) {
        if (ends[i].open) {
            fds[n++] = (struct pollfd){ .fd = ends[i].fd, .events = POLLIN };
        }
    }
    if (poll(fds, n, (int)(left * 1000) + 1) < 0 && errno != EINTR) {
        fail("poll: %s", strerror(errno));
    }
}

static void wait_edge(uint32_t edge)
{
    double deadline = now() + limit;

    for (look(); !(end->edges & edge); look()) {
        wait_until(deadline);
    }
    end->edges &= ~edge;
}

/* Every 64-bit word of a frame follows from its tag and number. */
static uint64_t word(uint32_t tag, uint32_t number, uint32_t index)
{
    uint64_t x = ((uint64_t)tag << 32 | number) * 0x9e3779b97f4a7c15u + index;

    x = (x ^ x >> 29) * 0xbf58476d1ce4e5b9u;
    return x ^ x >> 32;
}

static NvSciError write_one(uint32_t tag, uint32_t number)
{
    uint32_t bytes = 0;
    NvSciError error;

    end->frame[0] = (uint64_t)tag << 32 | number;
    for (uint32_t i = 1; i < end->info.frame_size / 8; i++) {
        end->frame[i] = word(tag, number, i);
    }
    error = NvSciIpcWriteSafe(end->handle, end->frame, end->info.frame_size,
                              &bytes);
    if (error == NvSciError_Success && bytes != end->info.frame_size) {
        fail("wrote %" PRIu32 " bytes", bytes);
    }
    return error;
}

static bool send_one(uint32_t tag, uint32_t number)
{
    NvSciError error = write_one(tag, number);

    if (error == NvSciError_InsufficientMemory) {
        return false;
    }
    expect(error, "Write");
    return true;
}

static bool receive_one(uint32_t tag, uint32_t number)
{
    uint32_t bytes = 0;
    NvSciError error = NvSciIpcReadSafe(end->handle, end->frame,
                                        end->info.frame_size, &bytes);

    if (error == NvSciError_InsufficientMemory) {
        return false;
    }
    expect(error, "Read");
    if (bytes != end->info.frame_size ||
        end->frame[0] != ((uint64_t)tag << 32 | number)) {
        fail("got %" PRIu32 " bytes, tag %" PRIu64 ", number %" PRIu64
             " in place of tag %" PRIu32 ", number %" PRIu32, bytes,
             end->frame[0] >> 32, end->frame[0] & UINT32_MAX, tag, number);
    }
    for (uint32_t i = 1; i < end->info.frame_size / 8; i++) {
        if (end->frame[i] != word(tag, number, i)) {
            fail("frame %" PRIu32 " is damaged at byte %" PRIu32, number, 8 * i);
        }
    }
    return true;
}

static void send_frames(uint32_t tag, uint32_t first, uint32_t count)
{
    double deadline = now() + limit;

    while (count > 0) {
        if (send_one(tag, first)) {
            first++;
            count--;
            continue;
        }
        look();
        if (!(end->levels & NV_SCI_IPC_EVENT_WRITE)) {
            wait_until(deadline);
        }
    }
}

static void receive_frames(uint32_t tag, uint32_t first, uint32_t count)
{
    double deadline = now() + limit;

    while (count > 0) {
        if (receive_one(tag, first)) {
            first++;
            count--;
            continue;
        }
        look();
        if (!(end->levels & NV_SCI_IPC_EVENT_READ)) {
            wait_until(deadline);
        }
    }
}

static void both(uint32_t out, uint32_t in, uint32_t count)
{
    double deadline = now() + limit;
    uint32_t sent = 0, received = 0;

    while (sent < count || received < count) {
        bool moved = false;

        while (sent < count && send_one(out, sent)) {
            sent++;
            moved = true;
        }
        while (received < count && receive_one(in, received)) {
            received++;
            moved = true;
        }
        if (!moved) {
            uint32_t wanted =
                (sent < count ? NV_SCI_IPC_EVENT_WRITE : 0) |
                (received < count ? NV_SCI_IPC_EVENT_READ : 0);

            look();
            if (!(end->levels & wanted)) {
                wait_until(deadline);
            }
        }
    }
}

static void flood(uint32_t tag, uint32_t first)
{
    double deadline = now() + limit;
    uint32_t number = first;

    while (!(end->edges & NV_SCI_IPC_EVENT_CONN_RESET)) {
        NvSciError error = write_one(tag, number);

        if (error == NvSciError_Success) {
            number++;
            continue;
        }
        if (error != NvSciError_InsufficientMemory &&
            error != NvSciError_ConnectionReset) {
            expect(error, "Write");
        }
        look();
        if (!end->edges && !(end->levels & NV_SCI_IPC_EVENT_WRITE)) {
            wait_until(deadline);
        }
    }
    end->edges &= ~NV_SCI_IPC_EVENT_CONN_RESET;
    printf("flooded %" PRIu32 " frames\n", number - first);
}

/* Until CONN_RESET: the frames that the peer sent before it went away. */
static void drain(uint32_t tag, uint32_t first, bool may, bool must)
{
    double deadline = now() + limit;
    uint32_t number = first;

    for (;;) {
        look();
        if (end->levels & NV_SCI_IPC_EVENT_READ) {
            if (!may) {
                fail("a frame came");
            }
            while (end->levels & NV_SCI_IPC_EVENT_READ) {
                if (receive_one(tag, number)) {
                    number++;
                }
                look();
            }
        }
        if (end->edges & NV_SCI_IPC_EVENT_CONN_RESET) {
            break;
        }
        wait_until(deadline);
    }
    end->edges &= ~NV_SCI_IPC_EVENT_CONN_RESET;
    if (must && number == first) {
        fail("CONN_RESET came before any frame");
    }
    printf("drained %" PRIu32 " frames, last %" PRIu32 "\n", number - first,
           number - 1);
}

static void check_errors(uint32_t expected)
{
    bool told = (end->edges & NV_SCI_IPC_EVENT_ASYNC_ERROR) != 0;
    uint32_t errors;

    end->edges &= ~NV_SCI_IPC_EVENT_ASYNC_ERROR;
    expect(NvSciIpcGetAsyncErrors(end->handle, &errors), "GetAsyncErrors");
    if (errors != expected || told != (expected != 0)) {
        fail("errors 0x%" PRIx32 ", %s", errors, told ? "told" : "not told");
    }
}

static void quiet(long milliseconds)
{
    double until = now() + (double)milliseconds / 1000;

    while (now() < until) {
        look();
        if (end->edges || (end->levels & NV_SCI_IPC_EVENT_READ)) {
            fail("edges 0x%x, levels 0x%x", end->edges, end->levels);
        }
        usleep(1000);
    }
}

/* Until whoever drives us says so. The endpoints sleep meanwhile. */
static void go(const char *file)
{
    double deadline = now() + limit;

    while (unlink(file) != 0) {
        if (now() > deadline) {
            fail("not within %g s", limit);
        }
        usleep(10000);
    }
}

static struct end *find(const char *name)
{
    for (int i = 0; i < MAX_ENDPOINTS; i++) {
        if (ends[i].open && strcmp(ends[i].name, name) == 0) {
            return &ends[i];
        }
    }
    fail("%s is not open", name);
}

static void open_end(const char *name)
{
    struct end *fresh = ends;

    while (fresh < ends + MAX_ENDPOINTS && fresh->open) {
        fresh++;
    }
    if (fresh == ends + MAX_ENDPOINTS) {
        fail("too many endpoints");
    }
    *fresh = (struct end){ .fd = -1 };
    end = fresh;
    snprintf(end->name, sizeof(end->name), "%s", name);
    expect(NvSciIpcOpenEndpoint(name, &end->handle), "OpenEndpoint");
    end->open = true;
    expect(NvSciIpcGetEndpointInfo(end->handle, &end->info), "GetEndpointInfo");
    expect(NvSciIpcGetLinuxEventFd(end->handle, &end->fd), "GetLinuxEventFd");
    end->frame = malloc(end->info.frame_size);
    if (!end->frame) {
        fail("no memory");
    }
}

static void close_end(void)
{
    expect(NvSciIpcCloseEndpointSafe(end->handle, false), "CloseEndpoint");
    free(end->frame);
    end->open = false;
}

/* The words after the first colon, at most 3; missing ones are "". */
static void split(const char *text, char words[4][64])
{
    memset(words, 0, sizeof(char[4][64]));
    for (int i = 0; i < 4; i++) {
        size_t length = strcspn(text, ":");

        if (length >= 64) {
            fail("too long");
        }
        memcpy(words[i], text, length);
        text += length;
        if (*text == '\0') {
            return;
        }
        text++;
    }
    fail("too many words");
}

static void run_step(void)
{
    char w[4][64];
    uint32_t a, b, c;

    split(step, w);
    a = (uint32_t)strtoul(w[1], NULL, 0);
    b = (uint32_t)strtoul(w[2], NULL, 0);
    c = (uint32_t)strtoul(w[3], NULL, 0);

    if (strcmp(w[0], "open") == 0) {
        open_end(w[1]);
    } else if (strcmp(w[0], "fail") == 0) {
        NvSciIpcEndpoint handle;
        NvSciError error = NvSciIpcOpenEndpoint(w[1], &handle);

        if ((uint32_t)error != b) {
            fail("NvSciError 0x%x", (unsigned)error);
        }
    } else if (strcmp(w[0], "go") == 0) {
        go(w[1]);
    } else if (strcmp(w[0], "limit") == 0) {
        limit = a;
    } else if (strcmp(w[0], "sleep") == 0) {
        usleep(a * 1000);
    } else if (strcmp(w[0], "use") == 0) {
        end = find(w[1]);
    } else if (!end || !end->open) {
        fail("no endpoint is open");
    } else if (strcmp(w[0], "info") == 0) {
        if (end->info.nframes != a || end->info.frame_size != b) {
            fail("%" PRIu32 " frames of %" PRIu32, end->info.nframes,
                 end->info.frame_size);
        }
    } else if (strcmp(w[0], "reset") == 0) {
        expect(NvSciIpcResetEndpointSafe(end->handle), "ResetEndpoint");
    } else if (strcmp(w[0], "est") == 0 || strcmp(w[0], "again") == 0) {
        wait_edge(NV_SCI_IPC_EVENT_CONN_EST);
    } else if (strcmp(w[0], "errors") == 0) {
        check_errors(a);
    } else if (strcmp(w[0], "send") == 0) {
        send_frames(a, b, c);
    } else if (strcmp(w[0], "recv") == 0) {
        receive_frames(a, b, c);
    } else if (strcmp(w[0], "both") == 0) {
        both(a, b, c);
    } else if (strcmp(w[0], "drain") == 0) {
        drain(a, b, true, true);
    } else if (strcmp(w[0], "rest") == 0) {
        drain(a, b, true, false);
    } else if (strcmp(w[0], "flood") == 0) {
        flood(a, b);
    } else if (strcmp(w[0], "lost") == 0) {
        drain(0, 0, false, false);
    } else if (strcmp(w[0], "quiet") == 0) {
        quiet(a);
    } else if (strcmp(w[0], "empty") == 0) {
        double deadline = now() + limit;

        /* Nothing announces WRITE_EMPTY to a sleeper. */
        for (look(); !(end->levels & NV_SCI_IPC_EVENT_WRITE_EMPTY); look()) {
            if (now() > deadline) {
                fail("not within %g s", limit);
            }
            usleep(1000);
        }
    } else if (strcmp(w[0], "close") == 0) {
        close_end();
    } else if (strcmp(w[0], "hold") == 0) {
        for (;;) {
            pause();
        }
    } else if (strcmp(w[0], "die") == 0) {
        kill(getpid(), SIGKILL);
    } else {
        fail("unknown");
    }
}

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    step = "init";
    expect(NvSciIpcInit(), "NvSciIpcInit");
    for (int i = 1; i < argc; i++) {
        double start = now();

        step = argv[i];
        run_step();
        printf("%s ok %.3f\n", step, now() - start);
    }
    for (end = ends; end < ends + MAX_ENDPOINTS; end++) {
        step = "close at the end";
        if (end->open) {
            close_end();
        }
    }
    NvSciIpcDeinit();
    return 0;
}
