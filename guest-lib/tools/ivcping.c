/* SPDX-License-Identifier: MIT */
/*
 * ivcping: two of them move frames over an NvSciIpc channel, check every byte,
 * and say how long it took. Knows the public interface only; ivcping(1).
 *
 * The client says in its first frame what is to be done, so the server needs
 * the endpoint's name only. At the end the server sends its own result.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <nvsciipc.h>

enum exit_code {
    EXIT_OK = 0,
    EXIT_FAULT = 1,         /* a call failed, or a frame was not as sent */
    EXIT_USAGE = 2,
    EXIT_RESET = 3,         /* the peer went away or reset the channel */
    EXIT_TIMEOUT = 4,
};

enum mode {
    MODE_PINGPONG,
    MODE_STREAM,
    MODE_DUPLEX,
};

static const char *const mode_names[] = {"pingpong", "stream", "duplex"};

#define NR_MODES (sizeof(mode_names) / sizeof(mode_names[0]))

/* What the first and the last frame of a run hold. */
struct note {
    uint32_t magic;
    uint32_t mode;
    uint32_t size;          /* bytes of each frame that are used */
    uint32_t reserved;
    uint64_t count;
    uint64_t received;      /* the server's result */
    uint64_t errors;
};

#define NOTE_MAGIC 0x50435649u      /* "IVCP" */
#define MIN_SIZE 64u                /* every frame can hold so much */

_Static_assert(sizeof(struct note) <= MIN_SIZE, "a note fits any frame");

struct options {
    bool server;
    const char *endpoint;
    uint64_t count;
    uint32_t size;
    enum mode mode;
    double timeout;         /* seconds without a frame */
    bool json;
    bool reconnect;
};

struct result {
    uint64_t sent;
    uint64_t received;
    uint64_t errors;
    uint64_t resets;
    double seconds;
    uint32_t *trips;        /* round trips in ns, NULL but for pingpong */
};

struct channel {
    const struct options *options;
    NvSciIpcEndpoint handle;
    struct NvSciIpcEndpointInfo info;
    int32_t fd;
    uint64_t *frame;        /* frame_size bytes */
};

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

__attribute__((format(printf, 2, 3)))
static enum exit_code complain(const struct options *options,
                               const char *format, ...)
{
    va_list args;

    fprintf(stderr, "ivcping: %s: ", options->endpoint);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    return EXIT_FAULT;
}

static enum exit_code failed(const struct options *options, const char *call,
                             NvSciError error)
{
    switch (error) {
    case NvSciError_NoSuchEntry:
        return complain(options, "%s: no such endpoint: is it in the "
                        "configuration (/etc/nvsciipc.cfg or the device "
                        "tree), and its queue in the hypervisor's table?",
                        call);
    case NvSciError_Busy:
        return complain(options, "%s: somebody has it open", call);
    case NvSciError_NotPermitted:
        return complain(options, "%s: not permitted for this user", call);
    default:
        return complain(options, "%s: NvSciError 0x%x", call,
                        (unsigned)error);
    }
}

/*
 * Waits until one of the events `wanted` is there. The order matters: GetEvent
 * until there is nothing wanted, and only then sleep.
 */
static enum exit_code wait_for(struct channel *channel, uint32_t wanted)
{
    double end = now() + channel->options->timeout;

    for (;;) {
        uint32_t events;
        NvSciError error = NvSciIpcGetEventSafe(channel->handle, &events);

        if (error != NvSciError_Success) {
            return failed(channel->options, "NvSciIpcGetEventSafe", error);
        }
        if (events & NV_SCI_IPC_EVENT_CONN_RESET) {
            return EXIT_RESET;
        }
        if (events & wanted) {
            return EXIT_OK;
        }

        double left = end - now();
        struct pollfd fd = {.fd = channel->fd, .events = POLLIN};

        if (left <= 0) {
            return EXIT_TIMEOUT;
        }
        if (poll(&fd, 1, (int)(left * 1000) + 1) < 0 && errno != EINTR) {
            return complain(channel->options, "poll: %s", strerror(errno));
        }
    }
}

/* What a call that moves a frame returned: go on, or wait for room or data. */
static enum exit_code moved(struct channel *channel, const char *call,
                            NvSciError error, bool *wait)
{
    *wait = error == NvSciError_InsufficientMemory;
    if (error == NvSciError_Success || *wait) {
        return EXIT_OK;
    }
    /* GetEvent says why: it reports the peer's reset. */
    if (error == NvSciError_ConnectionReset) {
        return EXIT_RESET;
    }
    return failed(channel->options, call, error);
}

static enum exit_code try_send(struct channel *channel, const void *data,
                               uint32_t size, bool *wait)
{
    uint32_t bytes;

    return moved(channel, "NvSciIpcWriteSafe",
                 NvSciIpcWriteSafe(channel->handle, data, size, &bytes), wait);
}

static enum exit_code try_receive(struct channel *channel, void *data,
                                  uint32_t size, bool *wait)
{
    uint32_t bytes;

    return moved(channel, "NvSciIpcReadSafe",
                 NvSciIpcReadSafe(channel->handle, data, size, &bytes), wait);
}

static enum exit_code send(struct channel *channel, const void *data,
                           uint32_t size)
{
    for (;;) {
        bool wait;
        enum exit_code code = try_send(channel, data, size, &wait);

        if (code == EXIT_OK && wait) {
            code = wait_for(channel, NV_SCI_IPC_EVENT_WRITE);
            wait = true;
        }
        if (code != EXIT_OK || !wait) {
            return code;
        }
    }
}

static enum exit_code receive(struct channel *channel, void *data,
                              uint32_t size)
{
    for (;;) {
        bool wait;
        enum exit_code code = try_receive(channel, data, size, &wait);

        if (code == EXIT_OK && wait) {
            code = wait_for(channel, NV_SCI_IPC_EVENT_READ);
            wait = true;
        }
        if (code != EXIT_OK || !wait) {
            return code;
        }
    }
}

/* The words of frame number n: no two frames, and no two words, are alike. */
static uint64_t word(uint64_t n, uint32_t i)
{
    return (n + 1) * UINT64_C(0x9e3779b97f4a7c15) ^
           (uint64_t)i * UINT64_C(0xc2b2ae3d27d4eb4f);
}

/* size is rounded down to whole words; the first one is always there. */
static void fill(struct channel *channel, uint64_t n, uint32_t size)
{
    for (uint32_t i = 0; i < size / 8; i++) {
        channel->frame[i] = word(n, i);
    }
}

static bool is_right(const struct channel *channel, uint64_t n, uint32_t size)
{
    for (uint32_t i = 0; i < size / 8; i++) {
        if (channel->frame[i] != word(n, i)) {
            return false;
        }
    }
    return true;
}

static void check(struct channel *channel, const struct note *note,
                  struct result *result)
{
    if (!is_right(channel, result->received, note->size)) {
        if (result->errors++ == 0) {
            complain(channel->options, "frame %" PRIu64
                     " is not as it was sent", result->received);
        }
    }
    result->received++;
}

static enum exit_code run_pingpong(struct channel *channel,
                                   const struct note *note,
                                   struct result *result)
{
    bool server = channel->options->server;
    enum exit_code code;

    for (uint64_t i = 0; i < note->count; i++) {
        double begin = 0;

        if (!server) {
            fill(channel, i, note->size);
            begin = now();
            code = send(channel, channel->frame, note->size);
            if (code != EXIT_OK) {
                return code;
            }
            result->sent++;
        }
        code = receive(channel, channel->frame, note->size);
        if (code != EXIT_OK) {
            return code;
        }
        if (server) {
            code = send(channel, channel->frame, note->size);
            if (code != EXIT_OK) {
                return code;
            }
            result->sent++;
        } else {
            double ns = (now() - begin) * 1e9;

            result->trips[i] = ns < UINT32_MAX ? (uint32_t)ns : UINT32_MAX;
        }
        check(channel, note, result);
    }
    return EXIT_OK;
}

/* Sends and receives at once, each as fast as the channel lets it. */
static enum exit_code run_flow(struct channel *channel,
                               const struct note *note, struct result *result,
                               uint64_t to_send, uint64_t to_receive)
{
    while (result->sent < to_send || result->received < to_receive) {
        enum exit_code code = EXIT_OK;
        uint32_t wanted = 0;
        bool full = false, empty = false;

        if (result->sent < to_send) {
            fill(channel, result->sent, note->size);
            code = try_send(channel, channel->frame, note->size, &full);
            result->sent += code == EXIT_OK && !full;
            wanted |= NV_SCI_IPC_EVENT_WRITE;
        }
        if (code == EXIT_OK && result->received < to_receive) {
            code = try_receive(channel, channel->frame, note->size, &empty);
            if (code == EXIT_OK && !empty) {
                check(channel, note, result);
            }
            wanted |= NV_SCI_IPC_EVENT_READ;
        }
        if (code == EXIT_OK &&
            (full || !(wanted & NV_SCI_IPC_EVENT_WRITE)) &&
            (empty || !(wanted & NV_SCI_IPC_EVENT_READ))) {
            code = wait_for(channel, wanted);
        }
        if (code != EXIT_OK) {
            return code;
        }
    }
    return EXIT_OK;
}

static enum exit_code run(struct channel *channel, const struct note *note,
                          struct result *result)
{
    bool server = channel->options->server;

    switch (note->mode) {
    case MODE_PINGPONG:
        return run_pingpong(channel, note, result);
    case MODE_STREAM:
        return run_flow(channel, note, result, server ? 0 : note->count,
                        server ? note->count : 0);
    default:
        return run_flow(channel, note, result, note->count, note->count);
    }
}

static enum exit_code run_client(struct channel *channel,
                                 struct result *result)
{
    const struct options *options = channel->options;
    struct note note = {
        .magic = NOTE_MAGIC,
        .mode = options->mode,
        .size = options->size,
        .count = options->count,
    };
    struct note answer;
    enum exit_code code = send(channel, &note, sizeof(note));
    double begin = now();

    if (code == EXIT_OK) {
        code = run(channel, &note, result);
    }
    if (code == EXIT_OK) {
        code = receive(channel, &answer, sizeof(answer));
    }
    result->seconds = now() - begin;
    if (code != EXIT_OK) {
        return code;
    }
    if (answer.magic != NOTE_MAGIC || answer.count != note.count) {
        return complain(options, "the server's result is garbled");
    }
    if (answer.received != result->sent) {
        return complain(options, "sent %" PRIu64 " frames, and the server got "
                        "%" PRIu64, result->sent, answer.received);
    }
    result->errors += answer.errors;
    return EXIT_OK;
}

static enum exit_code run_server(struct channel *channel, struct note *note,
                                 struct result *result)
{
    enum exit_code code = receive(channel, note, sizeof(*note));
    double begin = now();

    if (code != EXIT_OK) {
        return code;
    }
    if (note->magic != NOTE_MAGIC || note->mode >= NR_MODES ||
        note->size < MIN_SIZE || note->size > channel->info.frame_size) {
        return complain(channel->options, "the first frame is not that of an "
                        "ivcping client");
    }
    code = run(channel, note, result);
    result->seconds = now() - begin;
    if (code != EXIT_OK) {
        return code;
    }

    struct note answer = *note;

    answer.received = result->received;
    answer.errors = result->errors;
    return send(channel, &answer, sizeof(answer));
}

static int by_value(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;

    return (a > b) - (a < b);
}

/* The smallest, the median, the 99th of a hundred, in microseconds. */
struct spread {
    double min, median, p99;
};

static struct spread spread_of(uint32_t *trips, uint64_t count)
{
    qsort(trips, count, sizeof(*trips), by_value);
    return (struct spread) {
        .min = trips[0] / 1e3,
        .median = trips[count / 2] / 1e3,
        .p99 = trips[(count - 1) * 99 / 100] / 1e3,
    };
}

static void report(const struct options *options, const struct note *note,
                   const struct result *result)
{
    uint64_t frames = result->sent + result->received;
    double seconds = result->seconds > 0 ? result->seconds : 1e-9;
    double per_second = (double)frames / seconds;
    double mbytes = per_second * note->size / 1e6;
    struct spread spread = {0};

    if (result->trips && result->received > 0) {
        spread = spread_of(result->trips, result->received);
    }
    if (options->json) {
        printf("{\"endpoint\": \"%s\", \"role\": \"%s\", \"mode\": \"%s\", "
               "\"size\": %" PRIu32 ", \"sent\": %" PRIu64
               ", \"received\": %" PRIu64 ", \"errors\": %" PRIu64
               ", \"resets\": %" PRIu64 ", \"seconds\": %.6f, "
               "\"frames_per_s\": %.1f, \"mbytes_per_s\": %.3f",
               options->endpoint, options->server ? "server" : "client",
               mode_names[note->mode], note->size, result->sent,
               result->received, result->errors, result->resets, seconds,
               per_second, mbytes);
        if (result->trips) {
            printf(", \"rtt_us\": {\"min\": %.1f, \"median\": %.1f, "
                   "\"p99\": %.1f}", spread.min, spread.median, spread.p99);
        }
        puts("}");
    } else {
        printf("%s: %s: sent %" PRIu64 ", received %" PRIu64
               " frames of %" PRIu32 " bytes, %" PRIu64
               " errors; %.0f frames/s, %.2f MB/s", options->endpoint,
               mode_names[note->mode], result->sent, result->received,
               note->size, result->errors, per_second, mbytes);
        if (result->trips) {
            printf("; round trip min %.1f, median %.1f, p99 %.1f us",
                   spread.min, spread.median, spread.p99);
        }
        putchar('\n');
    }
    fflush(stdout);
}

/* One run from connection to report. */
static enum exit_code serve_once(struct channel *channel, uint64_t resets)
{
    const struct options *options = channel->options;
    struct note note = {.mode = options->mode, .size = options->size};
    struct result result = {.resets = resets};
    enum exit_code code;

    if (!options->server && options->mode == MODE_PINGPONG) {
        result.trips = malloc(options->count * sizeof(*result.trips));
        if (!result.trips) {
            return complain(options, "no memory for %" PRIu64 " round trips",
                            options->count);
        }
    }
    code = options->server ? run_server(channel, &note, &result) :
                             run_client(channel, &result);
    if (code == EXIT_OK) {
        report(options, &note, &result);
        code = result.errors ? EXIT_FAULT : EXIT_OK;
    }
    free(result.trips);
    return code;
}

static enum exit_code talk(struct channel *channel)
{
    const struct options *options = channel->options;
    enum exit_code code = wait_for(channel, NV_SCI_IPC_EVENT_CONN_EST);

    for (uint64_t resets = 0;;) {
        if (code == EXIT_OK) {
            code = serve_once(channel, resets);
            /* With --reconnect a server is there for the next client. */
            if (code == EXIT_OK && (!options->server || !options->reconnect)) {
                return code;
            }
        } else if (code == EXIT_RESET && options->reconnect) {
            resets++;
            fprintf(stderr, "ivcping: %s: connection reset; waiting for the "
                    "peer\n", options->endpoint);
            /* GetEvent answers the handshake: no Reset of ours. */
            do {
                code = wait_for(channel, NV_SCI_IPC_EVENT_CONN_EST);
            } while (code == EXIT_RESET);
        } else {
            break;
        }
    }
    if (code == EXIT_RESET) {
        complain(options, "connection reset by the peer");
    } else if (code == EXIT_TIMEOUT) {
        complain(options, "nothing came or went for %g s: is the peer there?",
                 options->timeout);
    }
    return code;
}

static enum exit_code start(struct channel *channel)
{
    const struct options *options = channel->options;
    NvSciError error;

    error = NvSciIpcGetEndpointInfo(channel->handle, &channel->info);
    if (error != NvSciError_Success) {
        return failed(options, "NvSciIpcGetEndpointInfo", error);
    }
    if (options->size > channel->info.frame_size) {
        complain(options, "--size %" PRIu32 ": its frames have %" PRIu32
                 " bytes", options->size, channel->info.frame_size);
        return EXIT_USAGE;
    }
    error = NvSciIpcGetLinuxEventFd(channel->handle, &channel->fd);
    if (error != NvSciError_Success) {
        return failed(options, "NvSciIpcGetLinuxEventFd", error);
    }
    channel->frame = calloc(1, channel->info.frame_size);
    if (!channel->frame) {
        return complain(options, "no memory for a frame");
    }
    error = NvSciIpcResetEndpointSafe(channel->handle);
    if (error != NvSciError_Success) {
        return failed(options, "NvSciIpcResetEndpointSafe", error);
    }
    return talk(channel);
}

static enum exit_code ping(const struct options *options)
{
    struct channel channel = {.options = options};
    NvSciError error = NvSciIpcInit();
    enum exit_code code;

    if (error != NvSciError_Success) {
        /* The library has said on stderr what is wrong. */
        return complain(options, "NvSciIpcInit: NvSciError 0x%x",
                        (unsigned)error);
    }
    error = NvSciIpcOpenEndpoint(options->endpoint, &channel.handle);
    if (error != NvSciError_Success) {
        code = failed(options, "NvSciIpcOpenEndpoint", error);
    } else {
        code = start(&channel);
        NvSciIpcCloseEndpoint(channel.handle);
        free(channel.frame);
    }
    NvSciIpcDeinit();
    return code;
}

static void usage(FILE *file)
{
    fputs(
        "usage: ivcping --server ENDPOINT [--reconnect] [options]\n"
        "       ivcping --client ENDPOINT [--mode MODE] [--count N] "
        "[--size BYTES] [options]\n"
        "\n"
        "Moves frames over an NvSciIpc channel, one ivcping at each end, and\n"
        "checks every byte. The client says what is to be done.\n"
        "\n"
        "  --server ENDPOINT   wait for a client, do what it says\n"
        "  --client ENDPOINT   start a run, print what came of it\n"
        "  --mode MODE         pingpong: each frame is sent back (default)\n"
        "                      stream: the client sends\n"
        "                      duplex: both send at once\n"
        "  --count N           frames (1000)\n"
        "  --size BYTES        of each frame, a multiple of 8 from 64 on (64)\n"
        "  --timeout SECONDS   give up if no frame moves for so long (30)\n"
        "  --reconnect         when the peer is reset, wait for it and start\n"
        "                      over; a server also waits for the next client\n"
        "  --json              print the result as a JSON object\n"
        "  --help              print this\n"
        "\n"
        "Exit status: 0 all frames arrived as sent; 1 one did not, or a call\n"
        "failed; 2 usage; 3 the peer went away or was reset; 4 time-out.\n",
        file);
}

__attribute__((format(printf, 1, 2), noreturn))
static void misuse(const char *format, ...)
{
    va_list args;

    fputs("ivcping: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputs("; see ivcping --help\n", stderr);
    exit(EXIT_USAGE);
}

static uint64_t number(const char *option, const char *text, uint64_t min,
                       uint64_t max)
{
    char *end;
    unsigned long long value;

    errno = 0;
    value = strtoull(text, &end, 10);
    if (errno || *end != '\0' || text[0] < '0' || text[0] > '9' ||
        value < min || value > max) {
        misuse("%s %s: a number from %" PRIu64 " to %" PRIu64 " is due",
               option, text, min, max);
    }
    return value;
}

static double seconds(const char *text)
{
    char *end;
    double value = strtod(text, &end);

    if (*end != '\0' || end == text || !(value > 0) || value > 1e6) {
        misuse("--timeout %s: seconds, more than 0, are due", text);
    }
    return value;
}

static enum mode mode(const char *text)
{
    for (unsigned i = 0; i < NR_MODES; i++) {
        if (strcmp(text, mode_names[i]) == 0) {
            return (enum mode)i;
        }
    }
    misuse("--mode %s: pingpong, stream or duplex is due", text);
}

int main(int argc, char **argv)
{
    static const struct option long_options[] = {
        {"server", required_argument, NULL, 's'},
        {"client", required_argument, NULL, 'c'},
        {"count", required_argument, NULL, 'n'},
        {"size", required_argument, NULL, 'b'},
        {"mode", required_argument, NULL, 'm'},
        {"timeout", required_argument, NULL, 't'},
        {"reconnect", no_argument, NULL, 'r'},
        {"json", no_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    struct options options = {
        .count = 1000, .size = MIN_SIZE, .timeout = 30,
    };
    int option;

    while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        switch (option) {
        case 's':
        case 'c':
            if (options.endpoint) {
                misuse("one of --server and --client, once");
            }
            options.server = option == 's';
            options.endpoint = optarg;
            break;
        case 'n':
            /* 100 million round trips take 400 MB to remember. */
            options.count = number("--count", optarg, 1, 100000000);
            break;
        case 'b':
            options.size = (uint32_t)number("--size", optarg, MIN_SIZE,
                                            UINT32_MAX);
            if (options.size % 8 != 0) {
                misuse("--size %s: a multiple of 8 is due", optarg);
            }
            break;
        case 'm':
            options.mode = mode(optarg);
            break;
        case 't':
            options.timeout = seconds(optarg);
            break;
        case 'r':
            options.reconnect = true;
            break;
        case 'j':
            options.json = true;
            break;
        case 'h':
            usage(stdout);
            return EXIT_OK;
        default:
            /* getopt has said what is wrong. */
            fputs("see ivcping --help\n", stderr);
            return EXIT_USAGE;
        }
    }
    if (optind != argc) {
        misuse("%s: no such argument", argv[optind]);
    }
    if (!options.endpoint) {
        misuse("--server ENDPOINT or --client ENDPOINT is due");
    }
    return ping(&options);
}
