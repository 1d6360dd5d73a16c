// SPDX-License-Identifier: MIT
/*
 * Measures one transport once: round trips, or a stream, between two threads
 * or processes. Prints one JSON object. scripts/bench runs it many times.
 */
#include "bench.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX_COUNT 100000000
#define MAX_SIZE (1u << 20)
#define PATIENCE_S 120

struct run run = { .size = 64 };

static const struct transport *const transports[] = {
    &transport_nvsciipc_select,
    &transport_nvsciipc_event,
    &transport_nvsciipc_poll,
    &transport_ring_mqueue,
    &transport_ring_eventfd,
    &transport_ring_spin,
    &transport_pipe,
    &transport_seqpacket,
    &transport_mqueue,
    &transport_unix,
    &transport_tcp,
#ifdef HAVE_ZEROMQ
    &transport_zeromq,
#endif
};

#define NR_TRANSPORTS (sizeof(transports) / sizeof(transports[0]))

static struct {
    const struct transport *transport;  /* NULL: memcpy */
    bool stream;
    uint64_t count;
    uint64_t warm_up;
    int cpu[2];                         /* -1: wherever */
} plan = { .count = 10000, .warm_up = 1000, .cpu = { -1, -1 } };

static void *shared;

void fail(const char *what)
{
    fprintf(stderr, "bench: %s: %s\n", what, strerror(errno));
    exit(1);
}

void not_here(const char *what)
{
    fprintf(stderr, "bench: not here: %s: %s\n", what, strerror(errno));
    exit(77);
}

void *allocate(size_t size)
{
    /* Of a cache line's alignment, as frames in a queue are. */
    void *memory = aligned_alloc(64, (size + 63) / 64 * 64);

    if (!memory) {
        fail("memory");
    }
    memset(memory, 0, size);
    return memory;
}

void relax(void)
{
    if (run.one_cpu) {
        sched_yield();
    } else {
#if defined(__x86_64__)
        __builtin_ia32_pause();
#elif defined(__aarch64__)
        __asm__ volatile("yield");
#endif
    }
}

static uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void pin(unsigned side)
{
    cpu_set_t set;

    if (plan.cpu[side] < 0) {
        return;
    }
    CPU_ZERO(&set);
    CPU_SET(plan.cpu[side], &set);
    if (sched_setaffinity(0, sizeof(set), &set) < 0) {
        fail("the CPU of --cpus");
    }
}

/* Frames are numbered from 0 on, in each direction. */
struct side {
    void *me;
    uint8_t *frame;
    uint64_t sent;
    uint64_t received;
};

static void send_one(struct side *side)
{
    memcpy(side->frame, &side->sent, sizeof(side->sent));
    side->sent++;
    plan.transport->send(side->me, side->frame);
}

static void receive_one(struct side *side)
{
    uint64_t number;

    plan.transport->receive(side->me, side->frame);
    memcpy(&number, side->frame, sizeof(number));
    if (number != side->received) {
        fprintf(stderr, "bench: frame %" PRIu64 " came in the place of frame %"
                PRIu64 "\n", number, side->received);
        exit(1);
    }
    side->received++;
}

/*
 * The four that are measured. They have names of their own, so that callgrind
 * can be told to count nothing else.
 */
#define MEASURED static __attribute__((noinline)) void

MEASURED send_all(struct side *side, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        send_one(side);
    }
    receive_one(side);      /* all have arrived */
}

MEASURED receive_all(struct side *side, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        receive_one(side);
    }
    send_one(side);
}

MEASURED answer(struct side *side, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        receive_one(side);
        send_one(side);
    }
}

MEASURED ask(struct side *side, uint64_t count, uint64_t *ns)
{
    uint64_t before = now_ns();

    for (uint64_t i = 0; i < count; i++) {
        send_one(side);
        receive_one(side);

        uint64_t after = now_ns();

        ns[i] = after - before;
        before = after;
    }
}

static void join(struct side *side, unsigned number)
{
    pin(number);
    *side = (struct side) { .frame = allocate(run.size) };
    side->me = plan.transport->join(shared, number);
}

static void leave(struct side *side)
{
    plan.transport->leave(side->me);
    free(side->frame);
}

static void *far_side(void *unused)
{
    struct side side;

    join(&side, 1);
    if (plan.stream) {
        receive_all(&side, plan.warm_up);
        receive_all(&side, plan.count);
    } else {
        answer(&side, plan.warm_up);
        answer(&side, plan.count);
    }
    leave(&side);
    return unused;
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

static void print_stream(const char *name, uint64_t ns)
{
    printf("{\"transport\": \"%s\", \"mode\": \"stream\", \"size\": %zu, "
           "\"count\": %" PRIu64 ", \"frame_ns\": %.1f}\n", name, run.size,
           plan.count, (double)ns / (double)plan.count);
}

static void near_side(void)
{
    uint64_t *ns = allocate((plan.count + plan.warm_up + 1) * sizeof(*ns));
    struct side side;

    join(&side, 0);
    if (plan.stream) {
        send_all(&side, plan.warm_up);

        uint64_t before = now_ns();

        send_all(&side, plan.count);
        print_stream(plan.transport->name, now_ns() - before);
    } else {
        ask(&side, plan.warm_up, ns);
        ask(&side, plan.count, ns);
        qsort(ns, plan.count, sizeof(*ns), compare);
        printf("{\"transport\": \"%s\", \"mode\": \"pingpong\", "
               "\"size\": %zu, \"count\": %" PRIu64 ", "
               "\"median_ns\": %" PRIu64 ", \"p99_ns\": %" PRIu64 "}\n",
               plan.transport->name, run.size, plan.count, ns[plan.count / 2],
               ns[(plan.count * 99 - 1) / 100]);
    }
    leave(&side);
    free(ns);
}

/* What no transport that copies in and out can beat. */
static void measure_memcpy(void)
{
    uint8_t *queue = allocate(BENCH_NFRAMES * run.size);
    uint8_t *frame = allocate(run.size);
    uint64_t before = 0;

    pin(0);
    for (uint64_t i = 0; i < plan.warm_up + plan.count; i++) {
        uint8_t *place = queue + i % BENCH_NFRAMES * run.size;

        if (i == plan.warm_up) {
            before = now_ns();
        }
        memcpy(place, frame, run.size);
        /* The compiler may believe neither copy to be for nothing. */
        __asm__ volatile("" : : "r"(place) : "memory");
        memcpy(frame, place, run.size);
        __asm__ volatile("" : : "r"(frame) : "memory");
    }
    print_stream("memcpy", now_ns() - before);
    free(queue);
    free(frame);
}

static void run_threads(void)
{
    pthread_t far;

    errno = pthread_create(&far, NULL, far_side, NULL);
    if (errno != 0) {
        fail("a thread");
    }
    near_side();
    pthread_join(far, NULL);
}

static void run_processes(void)
{
    pid_t parent = getpid();
    pid_t far = fork();
    int status;

    if (far < 0) {
        fail("a process");
    }
    if (far == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent) {
            _exit(1);
        }
        alarm(PATIENCE_S);
        far_side(NULL);
        exit(0);
    }
    near_side();
    if (waitpid(far, &status, 0) != far || status != 0) {
        fprintf(stderr, "bench: the far side failed\n");
        exit(1);
    }
}

static _Noreturn void usage(FILE *out, int code)
{
    fprintf(out,
            "usage: bench --transport NAME [OPTION]...\n"
            "\n"
            "Measures one transport once and prints one JSON object.\n"
            "\n"
            "  --transport NAME  memcpy (with --stream)");
    for (size_t i = 0; i < NR_TRANSPORTS; i++) {
        fprintf(out, ",%s%s", i % 4 ? " " : "\n                    ",
                transports[i]->name);
    }
    fprintf(out,
            "\n"
            "  --stream          a stream; else round trips\n"
            "  --size BYTES      of a frame: a multiple of 64 (64)\n"
            "  --count N         frames or round trips (10000)\n"
            "  --warm-up N       before those (1000)\n"
            "  --threads         the sides are threads; else processes\n"
            "  --cpus A,B        the CPU of each side; else any\n"
            "  --list            the transports' names\n"
            "\n"
            "Exit code: 1 failed; 2 usage; 77 this system has or allows no "
            "such transport.\n");
    exit(code);
}

static uint64_t number(const char *text, uint64_t least, uint64_t most)
{
    char *end;
    uint64_t value;

    errno = 0;
    value = strtoull(text, &end, 10);
    if (errno != 0 || text[0] < '0' || text[0] > '9' || *end != '\0' ||
        value < least || value > most) {
        fprintf(stderr, "bench: %s is no number from %" PRIu64 " to %" PRIu64
                "\n", text, least, most);
        exit(2);
    }
    return value;
}

static bool choose(const char *name)
{
    if (strcmp(name, "memcpy") == 0) {
        return true;
    }
    for (size_t i = 0; i < NR_TRANSPORTS; i++) {
        if (strcmp(name, transports[i]->name) == 0) {
            plan.transport = transports[i];
            return true;
        }
    }
    fprintf(stderr, "bench: there is no transport %s (--list)\n", name);
    return false;
}

static void read_cpus(const char *text)
{
    if (sscanf(text, "%d,%d", &plan.cpu[0], &plan.cpu[1]) != 2 ||
        plan.cpu[0] < 0 || plan.cpu[1] < 0 || plan.cpu[0] >= CPU_SETSIZE ||
        plan.cpu[1] >= CPU_SETSIZE) {
        fprintf(stderr, "bench: --cpus takes two numbers: 0,1\n");
        exit(2);
    }
    run.one_cpu = plan.cpu[0] == plan.cpu[1];
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        { "transport", required_argument, NULL, 't' },
        { "stream", no_argument, NULL, 's' },
        { "size", required_argument, NULL, 'z' },
        { "count", required_argument, NULL, 'c' },
        { "warm-up", required_argument, NULL, 'w' },
        { "threads", no_argument, NULL, 'h' + 256 },
        { "cpus", required_argument, NULL, 'p' },
        { "list", no_argument, NULL, 'l' },
        { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 },
    };
    bool chosen = false;
    int option;

    while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        switch (option) {
        case 't':
            if (!choose(optarg)) {
                return 2;
            }
            chosen = true;
            break;
        case 's':
            plan.stream = true;
            break;
        case 'z':
            run.size = (size_t)number(optarg, 64, MAX_SIZE);
            break;
        case 'c':
            plan.count = number(optarg, 1, MAX_COUNT);
            break;
        case 'w':
            plan.warm_up = number(optarg, 0, MAX_COUNT);
            break;
        case 'h' + 256:
            run.threads = true;
            break;
        case 'p':
            read_cpus(optarg);
            break;
        case 'l':
            for (size_t i = 0; i < NR_TRANSPORTS; i++) {
                puts(transports[i]->name);
            }
            return 0;
        case 'h':
            usage(stdout, 0);
        default:
            usage(stderr, 2);
        }
    }
    if (optind < argc || !chosen || run.size % 64 != 0 ||
        (!plan.transport && !plan.stream)) {
        usage(stderr, 2);
    }
    alarm(PATIENCE_S);
    if (!plan.transport) {
        measure_memcpy();
        return 0;
    }
    shared = plan.transport->prepare();
    if (run.threads) {
        run_threads();
    } else {
        run_processes();
    }
    free(shared);
    return 0;
}
