/* SPDX-License-Identifier: MIT */
/*
 * Writes the trace. No lock: a line is one write at the end of the file, so
 * that threads, processes and children of a fork can share it.
 */
#include "ipc/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "conf/conf.h"
#include "ipc/errmap.h"
#include "nvsciipc.h"

#define VARIABLE "NVSCIIPC_TRACE"
#define LINE_SIZE 255               /* bytes at most, with the newline */

/*
 * How often a line is tried that a terminal does not take: it is full, or
 * another process writes. Together they bound how long a call can last.
 */
#define NR_TRIES 5
#define PAUSE_NS 1000000

/* Where lines go, or -1. */
static atomic_int trace_fd = -1;

/*
 * The descriptor of the first trace that there was. It is never closed, only
 * given another file: a thread may be about to write to it, and must not find
 * a file of the application's there. Init's.
 */
static int kept_fd = -1;

/* Of the last line only a part was taken; the next one begins a new line. */
static atomic_bool torn;

/*
 * The last failures, by endpoint and function. Two that have one place push
 * each other out, which costs lines and loses none.
 */
static _Atomic uint64_t failures[256];

bool trace_on(void)
{
    return atomic_load(&trace_fd) >= 0;
}

/* O_NONBLOCK: also a pipe that nobody reads must not stop the application. */
static int open_trace(const char *path)
{
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY |
                  O_NONBLOCK, 0600);

    if (fd < 0) {
        return -1;
    }
    if (kept_fd < 0) {
        kept_fd = fd;
        return fd;
    }
    if (dup3(fd, kept_fd, O_CLOEXEC) < 0) {
        int error = errno;

        close(fd);
        errno = error;
        return -1;
    }
    close(fd);
    return kept_fd;
}

void trace_init(void)
{
    const char *path = secure_getenv(VARIABLE);
    int fd = -1;

    if (path && path[0] != '\0') {
        fd = open_trace(path);
        if (fd < 0) {
            fprintf(stderr, "nvsciipc: " VARIABLE ": %s: %s; no trace is "
                    "written\n", path, strerror(errno));
        }
    }
    atomic_store(&trace_fd, fd);
}

/* write, but a pipe whose reader has gone kills nobody. */
static ssize_t write_unharmed(int fd, const char *text, size_t size)
{
    static const struct timespec at_once;
    sigset_t broken, pending, old;
    ssize_t written;

    sigemptyset(&broken);
    sigaddset(&broken, SIGPIPE);
    sigpending(&pending);
    pthread_sigmask(SIG_BLOCK, &broken, &old);
    written = write(fd, text, size);
    /* The application's own, if it waits already, is left to it. */
    if (written < 0 && errno == EPIPE && !sigismember(&pending, SIGPIPE)) {
        while (sigtimedwait(&broken, NULL, &at_once) < 0 && errno == EINTR) {
        }
        errno = EPIPE;
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return written;
}

/* text: a newline, which is for a line that was torn, and then a line. */
static void write_line(const char *text, size_t size)
{
    static const struct timespec pause = { .tv_nsec = PAUSE_NS };
    int fd = atomic_load(&trace_fd);
    size_t skip = atomic_exchange(&torn, false) ? 0 : 1;

    for (unsigned tries = 1; ; tries++) {
        ssize_t written = write_unharmed(fd, text + skip, size - skip);

        if (written >= 0) {
            if ((size_t)written < size - skip) {
                atomic_store(&torn, true);
            }
            return;
        }
        if ((errno != EAGAIN && errno != EINTR) || tries == NR_TRIES) {
            break;
        }
        nanosleep(&pause, NULL);
    }
    /* Dropped, and what was torn still is. */
    if (skip == 0) {
        atomic_store(&torn, true);
    }
}

/* An endpoint's name for a line: one word. */
struct name {
    char text[CONF_NAME_SIZE];
};

static struct name name_of(const char *endpoint)
{
    struct name name = { "-" };
    size_t i;

    for (i = 0; endpoint && i < CONF_NAME_SIZE - 1 && endpoint[i]; i++) {
        /* Who opens an endpoint can name it as he likes. */
        name.text[i] = endpoint[i] > ' ' && endpoint[i] <= '~' ?
                       endpoint[i] : '?';
    }
    return name;
}

__attribute__((format(printf, 2, 0)))
static void trace(const char *endpoint, const char *format, va_list args)
{
    char text[1 + LINE_SIZE + 1] = "\n";    /* a NUL after it */
    struct timespec now;
    size_t length;

    clock_gettime(CLOCK_MONOTONIC, &now);
    snprintf(text + 1, LINE_SIZE, "[%5lld.%06ld] nvsciipc[%d/%d] %s: ",
             (long long)now.tv_sec, now.tv_nsec / 1000, getpid(), gettid(),
             name_of(endpoint).text);
    length = strlen(text);
    /* Too long: its end is missing. LINE_SIZE has a NUL in place of '\n'. */
    vsnprintf(text + length, 1 + LINE_SIZE - length, format, args);
    length = strlen(text);
    text[length] = '\n';
    write_line(text, length + 1);
}

void trace_event(const char *endpoint, const char *format, ...)
{
    int error = errno;
    va_list args;

    if (trace_on()) {
        for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
            atomic_store_explicit(&failures[i], 0, memory_order_relaxed);
        }
        va_start(args, format);
        trace(endpoint, format, args);
        va_end(args);
        errno = error;
    }
}

void trace_async_error(const char *endpoint, uint32_t errors)
{
    static const struct {
        uint32_t bit;
        const char *name;
    } names[] = {
        { NV_SCI_ASYNC_PCIE_EDMA_XFER_ERROR, " PCIE_EDMA_XFER_ERROR" },
        { NV_SCI_ASYNC_PCIE_AER_UNCORRECTABLE_FATAL,
          " PCIE_AER_UNCORRECTABLE_FATAL" },
        { NV_SCI_ASYNC_PCIE_AER_UNCORRECTABLE_NONFATAL,
          " PCIE_AER_UNCORRECTABLE_NONFATAL" },
        { NV_SCI_ASYNC_PCIE_VALIDATION_ERROR, " PCIE_VALIDATION_ERROR" },
    };
    char list[160] = "";

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (errors & names[i].bit) {
            strcat(list, names[i].name);
        }
    }
    trace_event(endpoint, "ASYNC_ERROR%s%s", list[0] != '\0' ? ":" : "", list);
}

/* FNV-1a, going on from `hash`, with the NUL. */
static uint64_t add_hash(uint64_t hash, const char *text)
{
    do {
        hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
    } while (*text++ != '\0');
    return hash;
}

__attribute__((format(printf, 2, 3)))
static void trace_line(const char *endpoint, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    trace(endpoint, format, args);
    va_end(args);
}

void trace_failure(const char *endpoint, const char *what, NvSciError error)
{
    uint64_t place, failure;
    const char *name;
    int saved = errno;

    if (!trace_on()) {
        return;
    }
    place = add_hash(UINT64_C(0xcbf29ce484222325), name_of(endpoint).text);
    place = add_hash(place, what);
    failure = place + ((uint64_t)error << 32) + 1;
    place = (place ^ place >> 32) % (sizeof(failures) / sizeof(failures[0]));
    if (atomic_exchange_explicit(&failures[place], failure,
                                 memory_order_relaxed) == failure) {
        return;
    }
    name = errmap_name(error);
    if (name) {
        trace_line(endpoint, "%s: %s", what, name);
    } else {
        trace_line(endpoint, "%s: NvSciError 0x%x", what, (unsigned)error);
    }
    errno = saved;
}
