/* SPDX-License-Identifier: MIT */
/* What the contract tests share. */
#include "contract.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

struct contract contract = { .rounds = 20000, .quiet_ms = 40 };

static const char *running = "";
static unsigned number;

static NvSciIpcEndpoint far_handle;
static NvSciIpcEndpoint control;

/* Of the control channel. */
struct message {
    uint32_t call;              /* or an answer's error */
    uint32_t argument;          /* or its value */
};

_Noreturn void check_failed(const char *file, int line, const char *what)
{
    if (contract.role != ROLE_FAR) {
        printf("not ok %u %s\n", number, running);
    }
    printf("# %s:%d: %s\n", file, line, what);
    fflush(stdout);
    fprintf(stderr, "%s:%d: %s: %s\n", file, line, running, what);
    exit(1);
}

void check_values(const char *file, int line, const char *what,
                  uint64_t value, uint64_t expected)
{
    char text[300];

    if (value != expected) {
        snprintf(text, sizeof(text), "%.200s: 0x%" PRIx64 ", not 0x%" PRIx64,
                 what, value, expected);
        check_failed(file, line, text);
    }
}

_Noreturn static void usage(FILE *out, const char *program, const char *what)
{
    fprintf(out,
            "usage: %s [OPTION] both NEAR FAR\n"
            "       %s [OPTION] near|far NEAR FAR [CONTROL CONTROL]\n\n"
            "%s, between the endpoints NEAR and FAR. \"both\" plays both of\n"
            "them in this process; else two processes or guests play one\n"
            "each, with another channel to agree on what is done.\n\n"
            "  -n ROUNDS  of ping-pong (20000)\n"
            "  -q MS      what is not there after so long will not come (40)\n"
            "  -c         the ends are on two chips\n",
            program, program, what);
    exit(out == stdout ? 0 : 2);
}

void contract_parse(int argc, char **argv, const char *what)
{
    static const char *const roles[] = { "both", "near", "far" };
    int next = 1;

    if (argc > 1 && strcmp(argv[1], "--help") == 0) {
        usage(stdout, argv[0], what);
    }
    for (; next + 1 < argc && argv[next][0] == '-'; next += 2) {
        unsigned value = (unsigned)strtoul(argv[next + 1], NULL, 10);

        if (strcmp(argv[next], "-c") == 0) {
            contract.chips = true;
            next--;
        } else if (strcmp(argv[next], "-n") == 0) {
            contract.rounds = value;
        } else if (strcmp(argv[next], "-q") == 0) {
            contract.quiet_ms = (int)value;
        } else {
            usage(stderr, argv[0], what);
        }
    }
    if (contract.rounds == 0 || contract.quiet_ms <= 0 || argc - next < 3) {
        usage(stderr, argv[0], what);
    }
    while (strcmp(argv[next], roles[contract.role]) != 0) {
        if (++contract.role > ROLE_FAR) {
            usage(stderr, argv[0], what);
        }
    }
    contract.near_name = argv[next + 1];
    contract.far_name = argv[next + 2];
    if (argc - next == 5) {
        contract.control_near = argv[next + 3];
        contract.control_far = argv[next + 4];
    }
}

int contract_run(const struct contract_case *cases, size_t nr)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("1..%zu\n", nr);
    for (size_t i = 0; i < nr; i++) {
        number = (unsigned)i + 1;
        running = cases[i].name;
        /* SIGALRM ends what hangs. */
        alarm(300);
        cases[i].run();
        printf("ok %u %s\n", number, running);
    }
    return 0;
}

int64_t now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

bool readable(int32_t fd, int ms)
{
    struct pollfd pollfd = { .fd = fd, .events = POLLIN };
    int n;

    do {
        n = poll(&pollfd, 1, ms);
    } while (n < 0 && errno == EINTR);
    return n == 1;
}

unsigned nr_descriptors(void)
{
    DIR *folder = opendir("/proc/self/fd");
    unsigned nr = 0;

    check(folder != NULL);
    while (readdir(folder)) {
        nr++;
    }
    closedir(folder);
    return nr - 3;      /* ".", "..", and the folder's own */
}

unsigned free_descriptor(void)
{
    int fd = dup(STDERR_FILENO);

    check(fd >= 0);
    close(fd);
    return (unsigned)fd;
}

void limit_descriptors(unsigned first)
{
    static struct rlimit usual;
    struct rlimit limit;

    if (usual.rlim_max == 0) {
        check_equal(getrlimit(RLIMIT_NOFILE, &usual), 0);
    }
    limit = usual;
    if (first > 0) {
        limit.rlim_cur = first;
    }
    check_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static NvSciError fill(int byte)
{
    NvSciIpcEndpointInfo info;
    volatile void *frame;
    NvSciError error = NvSciIpcGetEndpointInfo(far_handle, &info);

    if (error == NvSciError_Success) {
        error = NvSciIpcWriteGetNextFrame(far_handle, &frame);
    }
    if (error != NvSciError_Success) {
        return error;
    }
    memset((void *)(uintptr_t)frame, byte, info.frame_size);
    return NvSciIpcWriteAdvance(far_handle);
}

static NvSciError echo(uint32_t nr)
{
    int64_t end = now_us() + PATIENCE_MS * 1000LL;
    NvSciError error = NvSciError_Success;
    bool full = false;
    uint32_t word, bytes;

    while (nr > 0 && now_us() < end) {
        if (!full) {
            error = NvSciIpcReadSafe(far_handle, &word, sizeof(word), &bytes);
        }
        full = full || error == NvSciError_Success;
        if (full) {
            error = NvSciIpcWriteSafe(far_handle, &word, sizeof(word), &bytes);
        }
        if (full && error == NvSciError_Success) {
            full = false;
            nr--;
        } else if (error == NvSciError_InsufficientMemory) {
            sched_yield();
        } else {
            return error;
        }
    }
    return nr > 0 ? NvSciError_Timeout : NvSciError_Success;
}

static struct far_answer play(enum far_call call, uint32_t argument)
{
    struct far_answer answer = { 0, 0 };
    uint32_t bytes;
    int32_t fd;

    switch (call) {
    case FAR_OPEN:
        answer.error = NvSciIpcOpenEndpoint(contract.far_name, &far_handle);
        break;
    case FAR_CLOSE:
        answer.error = NvSciIpcCloseEndpointSafe(far_handle, argument != 0);
        break;
    case FAR_RESET:
        answer.error = NvSciIpcResetEndpointSafe(far_handle);
        break;
    case FAR_GET_EVENT:
        answer.error = NvSciIpcGetEventSafe(far_handle, &answer.value);
        break;
    case FAR_WRITE:
        answer.error = NvSciIpcWriteSafe(far_handle, &argument,
                                         sizeof(argument), &bytes);
        break;
    case FAR_FILL:
        answer.error = fill((int)argument);
        break;
    case FAR_READ:
        answer.error = NvSciIpcReadSafe(far_handle, &answer.value,
                                        sizeof(answer.value), &bytes);
        break;
    case FAR_NOTIFICATION:
        answer.error = NvSciIpcEnableNotification(far_handle, argument != 0);
        break;
    case FAR_READABLE:
        answer.error = NvSciIpcGetLinuxEventFd(far_handle, &fd);
        if (answer.error == NvSciError_Success) {
            answer.value = readable(fd, (int)argument);
        }
        break;
    case FAR_ECHO:
        answer.error = echo(argument);
        break;
    case FAR_END:
        break;
    }
    return answer;
}

/* Until one of these events is there; false: CONN_RESET came instead. */
static bool control_wait(uint32_t mask)
{
    int64_t end = now_us() + PATIENCE_MS * 3000LL;
    uint32_t events;
    int32_t fd;

    check_ok(NvSciIpcGetLinuxEventFd(control, &fd));
    for (;;) {
        check_ok(NvSciIpcGetEventSafe(control, &events));
        if (events & mask) {
            return true;
        }
        if (events & RESET) {
            return false;
        }
        check(now_us() < end);
        readable(fd, 1000);
    }
}

static void control_open(const char *name)
{
    check(name != NULL);
    check_ok(NvSciIpcOpenEndpoint(name, &control));
    check_ok(NvSciIpcResetEndpointSafe(control));
    check(control_wait(EST));
}

static void control_send(uint32_t call, uint32_t argument)
{
    struct message message = { call, argument };
    uint32_t bytes;

    check_ok(NvSciIpcWriteSafe(control, &message, sizeof(message), &bytes));
}

static bool control_receive(struct message *message)
{
    uint32_t bytes;

    if (!control_wait(READ)) {
        return false;
    }
    check_ok(NvSciIpcReadSafe(control, message, sizeof(*message), &bytes));
    return true;
}

struct far_answer far_end(enum far_call call, uint32_t argument)
{
    struct message message;

    if (contract.role == ROLE_BOTH) {
        return play(call, argument);
    }
    control_send(call, argument);
    check(control_receive(&message));
    return (struct far_answer){ message.call, message.argument };
}

uint32_t far_ok(enum far_call call, uint32_t argument)
{
    struct far_answer answer = far_end(call, argument);

    check_ok(answer.error);
    return answer.value;
}

void far_begin(void)
{
    if (contract.role == ROLE_NEAR) {
        control_open(contract.control_near);
    }
}

void far_finish(void)
{
    far_ok(FAR_END, 0);
    if (contract.role == ROLE_NEAR) {
        check_ok(NvSciIpcCloseEndpointSafe(control, false));
    }
}

int far_serve(void)
{
    struct message message;

    running = "far";
    check_ok(NvSciIpcInit());
    control_open(contract.control_far);
    while (control_receive(&message)) {
        struct far_answer answer = play(message.call, message.argument);

        control_send(answer.error, answer.value);
    }
    NvSciIpcDeinit();
    return 0;
}

void frame_here(NvSciIpcEndpoint near_end)
{
    if (contract.chips) {
        check_equal(wait_events(near_end, READ | RESET) & RESET, 0);
    }
}

void frame_there(void)
{
    int64_t end = now_us() + PATIENCE_MS * 1000LL;

    while (contract.chips) {
        uint32_t events = far_ok(FAR_GET_EVENT, 0);

        check_equal(events & RESET, 0);
        if (events & READ) {
            return;
        }
        check(now_us() < end);
        far_ok(FAR_READABLE, 200);
    }
}

void settle(NvSciIpcEndpoint near_end)
{
    uint32_t events;
    int32_t fd;

    check_ok(NvSciIpcGetLinuxEventFd(near_end, &fd));
    do {
        check_ok(NvSciIpcGetEventSafe(near_end, &events));
        far_ok(FAR_GET_EVENT, 0);
    } while (readable(fd, QUIET_MS) || far_ok(FAR_READABLE, QUIET_MS));
}

void meet(NvSciIpcEndpoint near_end)
{
    int64_t end = now_us() + PATIENCE_MS * 1000LL;
    uint32_t here = 0, there = 0, events;

    while (!(here & there & EST)) {
        check(now_us() < end);
        check_ok(NvSciIpcGetEventSafe(near_end, &events));
        /* CONN_EST comes once, and with it the levels. */
        if (events & EST) {
            check((here & EST) == 0 && (events & WRITE) != 0);
        }
        here |= events;
        there |= far_ok(FAR_GET_EVENT, 0);
    }
    settle(near_end);
}

uint32_t wait_events(NvSciIpcEndpoint near_end, uint32_t mask)
{
    int64_t end = now_us() + PATIENCE_MS * 1000LL;
    uint32_t events = 0, all = 0;
    int32_t fd;

    check_ok(NvSciIpcGetLinuxEventFd(near_end, &fd));
    for (;;) {
        check_ok(NvSciIpcGetEventSafe(near_end, &events));
        all |= events;
        if (all & mask) {
            return all;
        }
        check(now_us() < end);
        readable(fd, 200);
    }
}
