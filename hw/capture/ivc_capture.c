/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Follows queues of a running SoC in its shared memory, which it maps for
 * reading only, and writes what passes into a pcapng file. `vsoc capture`
 * starts it; docs/specs/capture.md is the specification.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "follow.h"
#include "ivc/ivc_shared.h"
#include "pace.h"
#include "pcapng.h"
#include "pct.h"
#include "pct_fdt.h"
#include "pct_layout.h"

#define FILE_BUFFER 0x100000
#define FLUSH_NS 200000000u     /* so that who reads along sees something */
#define CHECK_NS 100000000u     /* between two looks whether the SoC lives */
#define SECOND 1000000000u

struct options {
    const char *memory;
    const char *table;
    const char *output;
    bool chosen[PCT_MAX_NUM_IVC_QUEUES];    /* by queue id */
    bool any_chosen;
    uint32_t snap;
    uint64_t frames;            /* 0: no limit */
    uint64_t duration;          /* nanoseconds, 0: no limit */
    uint32_t percent;
    int pid;                    /* whose end ends the capture; 0: nobody's */
};

struct channel {
    struct follow follow;
    uint32_t interface;
    bool loopback;
    uint64_t records;
    struct capture *capture;
};

struct capture {
    struct options options;
    struct pct pct;
    struct pct_layout layout;
    const uint8_t *base;
    FILE *file;
    uint64_t *frame;            /* room for the largest one */
    size_t room;
    uint64_t frames;
    uint64_t start;             /* wall clock */
    unsigned nr_channels;
    struct channel channels[PCT_MAX_NUM_IVC_QUEUES];
};

static struct capture capture;
static _Alignas(8) unsigned char blob[PCT_FDT_MAX_SIZE + 1];
static volatile sig_atomic_t stopped;

static void stop(int number)
{
    (void)number;
    stopped = 1;
}

__attribute__((format(printf, 1, 2), noreturn))
static void die(const char *format, ...)
{
    va_list args;

    fputs("vsoc: capture: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(1);
}

static uint64_t now(clockid_t clock)
{
    struct timespec time;

    clock_gettime(clock, &time);
    return (uint64_t)time.tv_sec * SECOND + (uint64_t)time.tv_nsec;
}

/* ---- what there is to follow ---- */

static void read_table(void)
{
    const char *path = capture.options.table;
    FILE *file = fopen(path, "rb");
    struct pct_fault fault;
    char text[PCT_FAULT_TEXT_SIZE];
    size_t size;

    if (file == NULL) {
        die("%s: cannot open: %s", path, strerror(errno));
    }
    size = fread(blob, 1, sizeof(blob), file);
    if (ferror(file)) {
        die("%s: cannot read: %s", path, strerror(errno));
    }
    fclose(file);
    if (pct_from_fdt(blob, size, &capture.pct, text, sizeof(text)) != 0) {
        die("%s: %s", path, text);
    }
    if (pct_check(&capture.pct, 0, &fault, 1) > 0) {
        pct_fault_text(&capture.pct, &fault, text, sizeof(text));
        die("%s: %s", path, text);
    }
    pct_layout(&capture.pct, &capture.layout);
}

static void map_memory(void)
{
    const char *path = capture.options.memory;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    const struct pct_board *board;
    uint64_t digest;
    struct stat file;
    void *base;

    if (fd < 0 || fstat(fd, &file) != 0) {
        die("%s: cannot open the shared memory: %s", path, strerror(errno));
    }
    if ((uint64_t)file.st_size < capture.layout.total) {
        die("%s: has %" PRIu64 " bytes, the table needs %" PRIu64, path,
            (uint64_t)file.st_size, capture.layout.total);
    }
    base = mmap(NULL, capture.layout.total, PROT_READ, MAP_SHARED, fd, 0);
    if (base == MAP_FAILED) {
        die("%s: cannot map: %s", path, strerror(errno));
    }
    close(fd);
    capture.base = base;
    board = base;
    digest = __atomic_load_n(&board->digest, __ATOMIC_ACQUIRE);
    if (digest != 0 && digest != capture.layout.digest) {
        die("%s: is the memory of another table (digest 0x%016" PRIx64
            ") than %s (0x%016" PRIx64 ")", path, digest,
            capture.options.table, capture.layout.digest);
    }
}

static bool is_chosen(uint32_t queue)
{
    return !capture.options.any_chosen || capture.options.chosen[queue];
}

static const char *name_of(uint32_t partition)
{
    return pct_find_partition(&capture.pct, partition)->name;
}

/* Queue i of the table; of a loopback pair the even one, which is both. */
static void add_channel(uint32_t i)
{
    const struct pct_queue *queue = &capture.pct.queues[i];
    const struct pct_queue_place *place = &capture.layout.places[i];
    const struct pct_board *board = (const void *)capture.base;
    struct channel *channel = &capture.channels[capture.nr_channels];
    struct follow *follow = &channel->follow;
    /* End 0, peers[0] or the even queue, receives in the first direction. */
    const uint8_t *first = capture.base + place->area + place->offset;

    channel->loopback = queue->peers[0] == queue->peers[1];
    channel->interface = capture.nr_channels++;
    channel->capture = &capture;
    follow->queue = queue->id;
    follow->nframes = queue->nframes;
    follow->frame_size = queue->frame_size;
    follow->ways[1].header = (const void *)first;
    follow->ways[0].header = (const void *)(first + place->size);
    for (unsigned end = 0; end < 2; end++) {
        follow->partition[end] = (uint8_t)queue->peers[end];
        follow->status[end] = channel->loopback ?
                              &board->status[i + end][0] :
                              &board->status[i][end];
    }
    if (queue->frame_size > capture.room) {
        capture.room = queue->frame_size;
    }
}

static void choose_channels(void)
{
    for (uint32_t i = 0; i < capture.pct.nr_queues; i++) {
        const struct pct_queue *queue = &capture.pct.queues[i];
        bool loopback = queue->peers[0] == queue->peers[1];

        if (loopback && queue->id % 2 == 1) {
            continue;
        }
        if (is_chosen(queue->id) || (loopback && is_chosen(queue->id + 1))) {
            add_channel(i);
        }
    }
    for (uint32_t id = 0; id < PCT_MAX_NUM_IVC_QUEUES; id++) {
        if (capture.options.chosen[id] &&
            pct_find_queue(&capture.pct, id) == NULL) {
            die("the table has no queue %" PRIu32, id);
        }
    }
    if (capture.room > capture.options.snap) {
        capture.room = capture.options.snap;
    }
    capture.frame = malloc(capture.room);
    if (capture.frame == NULL) {
        die("no memory for a frame of %zu bytes", capture.room);
    }
}

/* ---- the file ---- */

static void open_output(void)
{
    const char *path = capture.options.output;

    if (strcmp(path, "-") == 0) {
        capture.file = stdout;
    } else {
        capture.file = fopen(path, "we");
        if (capture.file == NULL) {
            die("%s: cannot write: %s", path, strerror(errno));
        }
    }
    setvbuf(capture.file, NULL, _IOFBF, FILE_BUFFER);
    pcapng_section(capture.file, "vsoc capture");
    for (unsigned i = 0; i < capture.nr_channels; i++) {
        const struct channel *channel = &capture.channels[i];
        const struct follow *follow = &channel->follow;
        char name[32], ends[2 * PCT_NAME_SIZE + 32];

        if (channel->loopback) {
            snprintf(name, sizeof(name), "queue %" PRIu32 "/%" PRIu32,
                     follow->queue, follow->queue + 1);
        } else {
            snprintf(name, sizeof(name), "queue %" PRIu32, follow->queue);
        }
        snprintf(ends, sizeof(ends), "%s (0) <-> %s (1)",
                 name_of(follow->partition[0]), name_of(follow->partition[1]));
        pcapng_interface(capture.file, 0, name, ends);
    }
}

static void write_record(void *opaque, const struct capture_record *record,
                         const void *frame)
{
    struct channel *channel = opaque;
    uint8_t head[CAPTURE_RECORD_SIZE];
    size_t size = 0;

    if (frame != NULL) {
        size = record->frame_size < capture.room ? record->frame_size :
               capture.room;
        capture.frames++;
    }
    channel->records++;
    capture_record_encode(record, head);
    pcapng_packet(capture.file, channel->interface, now(CLOCK_REALTIME), head,
                  sizeof(head), frame, size,
                  frame != NULL ? record->frame_size - size : 0);
}

/* ---- the loop ---- */

static bool enough(uint64_t since)
{
    const struct options *options = &capture.options;

    return stopped || ferror(capture.file) ||
           (options->frames != 0 && capture.frames >= options->frames) ||
           (options->duration != 0 &&
            now(CLOCK_MONOTONIC) - since >= options->duration);
}

static bool has_ended(int pidfd)
{
    struct pollfd poller = { .fd = pidfd, .events = POLLIN };

    return pidfd >= 0 && poll(&poller, 1, 0) > 0;
}

static bool look_at_all(void)
{
    bool news = false;

    for (unsigned i = 0; i < capture.nr_channels; i++) {
        struct channel *channel = &capture.channels[i];

        if (follow_look(&channel->follow, capture.frame, capture.room,
                        write_record, channel)) {
            news = true;
        }
    }
    return news;
}

/* Returns whether it was the SoC that ended. */
static bool run(int pidfd)
{
    uint64_t began = now(CLOCK_MONOTONIC);
    struct pace pace = {
        .percent = capture.options.percent,
        .since = began,
        .news = began,
    };
    uint64_t flushed = began, checked = began;

    while (!enough(began)) {
        bool news = look_at_all();
        uint64_t time = now(CLOCK_MONOTONIC);
        uint64_t rest;

        if (time - flushed >= FLUSH_NS) {
            fflush(capture.file);
            flushed = time;
        }
        if (time - checked >= CHECK_NS) {
            checked = time;
            if (has_ended(pidfd)) {
                look_at_all();      /* what it did last */
                return true;
            }
        }
        rest = pace_rest(&pace, time, news);
        if (rest > 0) {
            struct timespec sleep = {
                .tv_sec = (time_t)(rest / SECOND),
                .tv_nsec = (long)(rest % SECOND),
            };

            nanosleep(&sleep, NULL);
            pace_resume(&pace, now(CLOCK_MONOTONIC));
        }
    }
    return false;
}

static void finish(bool soc_ended)
{
    uint64_t end = now(CLOCK_REALTIME);
    uint64_t lost = 0;

    for (unsigned i = 0; i < capture.nr_channels; i++) {
        const struct channel *channel = &capture.channels[i];
        const struct follow_way *ways = channel->follow.ways;
        uint64_t frames = ways[0].frames + ways[1].frames;
        uint64_t dropped = ways[0].lost + ways[1].lost;

        pcapng_statistics(capture.file, channel->interface, capture.start, end,
                          frames + dropped, dropped);
        lost += dropped;
        if (channel->records > 1) {     /* more than its first state */
            fprintf(stderr, "queue %" PRIu32 ": %s -> %s: %" PRIu64
                    " frames, %" PRIu64 " lost; %s -> %s: %" PRIu64
                    " frames, %" PRIu64 " lost; %" PRIu64
                    " counts cleared by a reset\n", channel->follow.queue,
                    name_of(channel->follow.partition[0]),
                    name_of(channel->follow.partition[1]),
                    ways[0].frames, ways[0].lost,
                    name_of(channel->follow.partition[1]),
                    name_of(channel->follow.partition[0]),
                    ways[1].frames, ways[1].lost, channel->follow.resets);
        }
    }
    if (fflush(capture.file) != 0 || ferror(capture.file)) {
        die("%s: cannot write: %s", capture.options.output, strerror(errno));
    }
    fprintf(stderr, "%s: %" PRIu64 " frames of %u channels in %.1f s, %"
            PRIu64 " lost%s\n", capture.options.output, capture.frames,
            capture.nr_channels, (double)(end - capture.start) / SECOND, lost,
            soc_ended ? "; the SoC has ended" : "");
}

/* ---- the command line ---- */

static uint64_t number(const char *text, uint64_t least, uint64_t most,
                       const char *what)
{
    char *end;
    unsigned long long value;

    errno = 0;
    value = strtoull(text, &end, 10);
    if (errno != 0 || *text < '0' || *text > '9' || *end != '\0' ||
        value < least || value > most) {
        die("%s '%s' is not a number from %" PRIu64 " to %" PRIu64, what,
            text, least, most);
    }
    return value;
}

static int usage(const char *program, int status)
{
    fprintf(status == 0 ? stdout : stderr,
            "Usage: %s -m MEMORY -t TABLE -o FILE [-q ID]... [-s BYTES]\n"
            "       [-n FRAMES] [-d MILLISECONDS] [-c PERCENT] [-p PID]\n"
            "Follows queues in a SoC's shared memory and writes pcapng.\n"
            "  -m MEMORY  the file, which is only read\n"
            "  -t TABLE   the compiled table\n"
            "  -o FILE    what to write; -: standard output\n"
            "  -q ID      a queue; all if there is no -q\n"
            "  -s BYTES   keep so much of each frame\n"
            "  -n, -d     end after so many frames, milliseconds\n"
            "  -c         of one CPU it may take at most (50)\n"
            "  -p         end when this process ends\n", program);
    return status;
}

static void read_options(int argc, char **argv)
{
    struct options *options = &capture.options;
    int letter;

    options->percent = 50;
    options->snap = UINT32_MAX & ~7u;
    while ((letter = getopt(argc, argv, "m:t:o:q:s:n:d:c:p:h")) != -1) {
        switch (letter) {
        case 'm':
            options->memory = optarg;
            break;
        case 't':
            options->table = optarg;
            break;
        case 'o':
            options->output = optarg;
            break;
        case 'q':
            options->chosen[number(optarg, 0, PCT_MAX_NUM_IVC_QUEUES - 1,
                                   "queue")] = true;
            options->any_chosen = true;
            break;
        case 's':
            /* Copied in words of 8 bytes. */
            options->snap = ((uint32_t)number(optarg, 1, 1u << 30, "-s") + 7) &
                            ~7u;
            break;
        case 'n':
            options->frames = number(optarg, 1, UINT64_MAX, "-n");
            break;
        case 'd':
            options->duration = number(optarg, 1, UINT32_MAX, "-d") * 1000000;
            break;
        case 'c':
            options->percent = (uint32_t)number(optarg, 1, 100, "-c");
            break;
        case 'p':
            options->pid = (int)number(optarg, 1, INT32_MAX, "-p");
            break;
        case 'h':
            exit(usage(argv[0], 0));
        default:
            exit(usage(argv[0], 2));
        }
    }
    if (optind != argc || options->memory == NULL || options->table == NULL ||
        options->output == NULL) {
        exit(usage(argv[0], 2));
    }
}

int main(int argc, char **argv)
{
    static const int ends[] = { SIGINT, SIGTERM, SIGHUP };
    struct sigaction action = { .sa_handler = stop };
    int pidfd = -1;
    bool soc_ended;

    read_options(argc, argv);
    if (capture.options.pid != 0) {
        pidfd = (int)syscall(SYS_pidfd_open, capture.options.pid, 0);
        if (pidfd < 0) {
            die("process %d: %s", capture.options.pid, strerror(errno));
        }
    }
    read_table();
    map_memory();
    choose_channels();
    /* Not before here: until now there is nothing to end well. */
    for (unsigned i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        sigaction(ends[i], &action, NULL);
    }
    signal(SIGPIPE, SIG_IGN);       /* a reader that left is a write error */
    prctl(PR_SET_TIMERSLACK, 1000);
    open_output();
    capture.start = now(CLOCK_REALTIME);
    fprintf(stderr, "capturing %u channels into %s\n", capture.nr_channels,
            capture.options.output);
    soc_ended = run(pidfd);
    finish(soc_ended);
    return 0;
}
