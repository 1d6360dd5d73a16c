/* SPDX-License-Identifier: MIT */
/*
 * The contract of libnvsciipc: each function, each error that every backend
 * has, and the events. Waits and wake-ups are in wakeups.c, event services in
 * events.c.
 */
#include <grp.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "contract.h"

#define STRANGER 4000000001u    /* a user and a group that there are not */
#define NOBODYS_GROUP 4000000002u
#define MAX_CFG (16 << 20)      /* docs/specs/configuration.md */

static NvSciIpcEndpoint near_end;
static NvSciIpcEndpointInfo info;
static int32_t fd;
static unsigned char *frame;            /* info.frame_size + 1 bytes */

/* Each call that takes a handle, with sound pointers, to read or to write. */
enum call {
    READ_SAFE,
    READ_OLD,
    READ_FRAME,
    READ_ADVANCE,
    WRITE_SAFE,
    WRITE_OLD,
    WRITE_FRAME,
    WRITE_ADVANCE,
    ENDPOINT_INFO,
    EVENT_FD,
    GET_EVENT,
    GET_EVENT_SAFE,
    ASYNC_ERRORS,
    NOTIFICATION,
    NOTIFIER,
    RESET_SAFE,
    CLOSE_SAFE,
    NR_CALLS,
};

static NvSciError call(enum call which, NvSciIpcEndpoint handle)
{
    static unsigned char buf[64];
    static const volatile void *read_frame;
    static volatile void *write_frame;
    NvSciEventNotifier *notifier;
    NvSciIpcEndpointInfo geometry;
    uint32_t word = 77;
    int32_t count = 77;
    NvSciError error;

    switch (which) {
    case READ_SAFE:
        error = NvSciIpcReadSafe(handle, buf, 4, &word);
        check_equal(word, error == NvSciError_Success ? 4 : 0);
        return error;
    case READ_OLD:
        error = NvSciIpcRead(handle, buf, 4, &count);
        check_equal(count, error == NvSciError_Success ? 4 : 0);
        return error;
    case READ_FRAME:
        error = NvSciIpcReadGetNextFrame(handle, &read_frame);
        check_equal(read_frame != NULL, error == NvSciError_Success);
        return error;
    case READ_ADVANCE:
        return NvSciIpcReadAdvance(handle);
    case WRITE_SAFE:
        error = NvSciIpcWriteSafe(handle, buf, 4, &word);
        check_equal(word, error == NvSciError_Success ? 4 : 0);
        return error;
    case WRITE_OLD:
        error = NvSciIpcWrite(handle, buf, 4, &count);
        check_equal(count, error == NvSciError_Success ? 4 : 0);
        return error;
    case WRITE_FRAME:
        error = NvSciIpcWriteGetNextFrame(handle, &write_frame);
        check_equal(write_frame != NULL, error == NvSciError_Success);
        return error;
    case WRITE_ADVANCE:
        return NvSciIpcWriteAdvance(handle);
    case ENDPOINT_INFO:
        return NvSciIpcGetEndpointInfo(handle, &geometry);
    case EVENT_FD:
        return NvSciIpcGetLinuxEventFd(handle, &count);
    case GET_EVENT:
        error = NvSciIpcGetEvent(handle, &word);
        check(error == NvSciError_Success || word == 0);
        return error;
    case GET_EVENT_SAFE:
        error = NvSciIpcGetEventSafe(handle, &word);
        check(error == NvSciError_Success || word == 0);
        return error;
    case ASYNC_ERRORS:
        return NvSciIpcGetAsyncErrors(handle, &word);
    case NOTIFICATION:
        return NvSciIpcEnableNotification(handle, true);
    case NOTIFIER:
        return NvSciIpcGetEventNotifier(handle, &notifier);
    case RESET_SAFE:
        return NvSciIpcResetEndpointSafe(handle);
    case CLOSE_SAFE:
    case NR_CALLS:
        break;
    }
    return NvSciIpcCloseEndpointSafe(handle, true);
}

/* All that move frames, in this state of the channel. */
static void check_moves(enum call first, enum call last, NvSciError error)
{
    for (enum call i = first; i <= last; i++) {
        check_equal(call(i, near_end), error);
    }
}

static uint32_t events(void)
{
    uint32_t now;

    check_ok(NvSciIpcGetEventSafe(near_end, &now));
    return now;
}

static uint32_t read_word(void)
{
    uint32_t word, bytes;

    frame_here(near_end);
    check_ok(NvSciIpcReadSafe(near_end, &word, sizeof(word), &bytes));
    check_equal(bytes, sizeof(word));
    return word;
}

static void write_word(uint32_t word)
{
    uint32_t bytes;

    check_ok(NvSciIpcWriteSafe(near_end, &word, sizeof(word), &bytes));
    check_equal(bytes, sizeof(word));
}

static uint32_t far_read(void)
{
    frame_there();
    return far_ok(FAR_READ, 0);
}

static void open_near(void)
{
    check_ok(NvSciIpcOpenEndpoint(contract.near_name, &near_end));
    check_ok(NvSciIpcGetEndpointInfo(near_end, &info));
    check_ok(NvSciIpcGetLinuxEventFd(near_end, &fd));
    frame = realloc(frame, info.frame_size + 1);
    check(frame != NULL);
}

static void begin(void)
{
    open_near();
    far_ok(FAR_OPEN, 0);
    check_ok(NvSciIpcResetEndpointSafe(near_end));
    far_ok(FAR_RESET, 0);
    meet(near_end);
}

static void end(void)
{
    check_ok(NvSciIpcCloseEndpointSafe(near_end, true));
    far_ok(FAR_CLOSE, 1);
}

/* CONN_RESET comes alone. Until then levels may. */
static void wait_reset(void)
{
    int64_t limit = now_us() + PATIENCE_MS * 1000LL;
    uint32_t now;

    while (((now = events()) & RESET) == 0) {
        check((now & EST) == 0);
        check(now_us() < limit);
        readable(fd, 100);
    }
    check_equal(now, RESET);
}

static void wait_far_reset(void)
{
    int64_t limit = now_us() + PATIENCE_MS * 1000LL;
    uint32_t now;

    while (((now = far_ok(FAR_GET_EVENT, 0)) & RESET) == 0) {
        check(now_us() < limit);
        far_ok(FAR_READABLE, 100);
    }
    check_equal(now, RESET);
}

static void test_before_init(void)
{
    NvSciEventLoopService *service;
    NvSciIpcEndpoint handle = 77;

    for (unsigned i = 0; i < NR_CALLS; i++) {
        check_error(call(i, 1), NotInitialized);
    }
    check_error(NvSciIpcOpenEndpoint(contract.near_name, &handle),
                NotInitialized);
    check_ok(NvSciEventLoopServiceCreate(1, &service));
    check_error(NvSciIpcOpenEndpointWithEventService(
                    contract.near_name, &handle, &service->EventService),
                NotInitialized);
    service->EventService.Delete(&service->EventService);
    check_equal(handle, 77);
    NvSciIpcResetEndpoint(1);
    NvSciIpcCloseEndpoint(1);
    NvSciIpcDeinit();
}

/* The configuration, with each line for a group that this process is not of. */
static void put_groups(int out)
{
    const char *path = getenv("NVSCIIPC_CFG");
    FILE *cfg = fopen(path ? path : "/etc/nvsciipc.cfg", "re");
    char line[300];

    check(cfg != NULL);
    while (fgets(line, sizeof(line), cfg)) {
        line[strcspn(line, "\n")] = '\0';
        if (line[0] != '\0') {
            check(dprintf(out, "%s %u\n", line, NOBODYS_GROUP) > 0);
        }
    }
    fclose(cfg);
}

/* As root may do anything, nobody plays this in a child. */
static void play_stranger(const char *cfg, int writable)
{
    NvSciIpcEndpoint handle = 77;

    alarm(30);
    if (geteuid() == 0) {
        check_equal(setgroups(0, NULL), 0);
        check_equal(setresgid(STRANGER, STRANGER, STRANGER), 0);
        check_equal(setresuid(STRANGER, STRANGER, STRANGER), 0);
    }
    setenv("NVSCIIPC_CFG", cfg, 1);
    check_ok(NvSciIpcInit());
    check_error(NvSciIpcOpenEndpoint(contract.near_name, &handle),
                NotPermitted);
    check_equal(handle, 77);
    NvSciIpcDeinit();
    /* Now that nobody may read it. */
    check_equal(write(writable, "", 1), 1);
    while (access(cfg, R_OK) == 0) {
        usleep(1000);
    }
    check_error(NvSciIpcInit(), NotPermitted);
    _exit(0);
}

static void test_permissions(void)
{
    char path[] = "/tmp/vsoc-contract-XXXXXX", byte;
    int cfg = mkstemp(path), pipes[2], status;
    pid_t child;

    check(cfg >= 0);
    put_groups(cfg);
    check_equal(fchmod(cfg, 0644), 0);
    check_equal(pipe(pipes), 0);
    child = fork();
    if (child == 0) {
        close(pipes[0]);
        play_stranger(path, pipes[1]);
    }
    check(child > 0);
    close(pipes[1]);
    (void)!read(pipes[0], &byte, 1);    /* or it has failed */
    check_equal(fchmod(cfg, 0), 0);
    check_equal(waitpid(child, &status, 0), child);
    unlink(path);
    close(cfg);
    close(pipes[0]);
    check_equal(status, 0);
}

static void test_init(void)
{
    const char *set = getenv("NVSCIIPC_CFG");
    char *cfg = set ? strdup(set) : NULL;
    char large[] = "/tmp/vsoc-contract-XXXXXX";
    int file = mkstemp(large);

    check(file >= 0);
    check_equal(ftruncate(file, MAX_CFG + 1), 0);
    close(file);
    setenv("NVSCIIPC_CFG", large, 1);
    check_error(NvSciIpcInit(), FileTooBig);
    unlink(large);
    setenv("NVSCIIPC_CFG", "/nowhere/nvsciipc.cfg", 1);
    check_error(NvSciIpcInit(), NoSuchEntry);
    setenv("NVSCIIPC_CFG", "/", 1);
    check_error(NvSciIpcInit(), IsDirectory);
    if (cfg) {
        setenv("NVSCIIPC_CFG", cfg, 1);
    } else {
        unsetenv("NVSCIIPC_CFG");
    }
    free(cfg);
    check_ok(NvSciIpcInit());
    check_error(NvSciIpcInit(), InvalidState);
    NvSciIpcDeinit();
    check_ok(NvSciIpcInit());
    far_begin();
}

static void test_version(void)
{
    bool compatible = false;

    check_ok(NvSciIpcCheckVersionCompatibility(
        NvSciIpcMajorVersion, NvSciIpcMinorVersion, &compatible));
    check(compatible);
    check_ok(NvSciIpcCheckVersionCompatibility(
        NvSciIpcMajorVersion, NvSciIpcMinorVersion + 1, &compatible));
    check(!compatible);
    check_ok(NvSciIpcCheckVersionCompatibility(
        NvSciIpcMajorVersion + 1, 0, &compatible));
    check(!compatible);
    check_error(NvSciIpcCheckVersionCompatibility(1, 0, NULL), BadParameter);
}

static void test_open(void)
{
    NvSciIpcEndpoint handle = 77;
    int32_t again;

    check_error(NvSciIpcOpenEndpoint(NULL, &handle), BadParameter);
    check_error(NvSciIpcOpenEndpoint(contract.near_name, NULL), BadParameter);
    check_error(NvSciIpcOpenEndpoint("", &handle), NoSuchEntry);
    check_error(NvSciIpcOpenEndpoint("no_such_name", &handle), NoSuchEntry);
    open_near();
    check(near_end != 0);
    check(info.nframes >= 2 && info.frame_size >= 64);
    check_equal(info.frame_size % 64, 0);
    check_ok(NvSciIpcGetLinuxEventFd(near_end, &again));
    check_equal(again, fd);
    check_error(NvSciIpcOpenEndpoint(contract.near_name, &handle), Busy);
    far_ok(FAR_OPEN, 0);
    check_error(far_end(FAR_OPEN, 0).error, Busy);
    /* The far end's name, here: held by somebody too, or not there at all. */
    check_error(NvSciIpcOpenEndpoint(contract.far_name, &handle), Busy);
    check_equal(handle, 77);
    end();
    begin();
    end();
}

/* With one descriptor more each time, until it can be opened. */
static void open_with_few(void)
{
    unsigned before = nr_descriptors(), first = free_descriptor(), more = 0;
    NvSciIpcEndpoint handle = 77;
    NvSciError error;

    do {
        limit_descriptors(first + more++);
        error = NvSciIpcOpenEndpoint(contract.near_name, &handle);
        limit_descriptors(0);
        if (error != NvSciError_Success) {
            check_error(error, TooManyOpenFiles);
            check_equal(handle, 77);
            check_equal(nr_descriptors(), before);
        }
    } while (error != NvSciError_Success && more < 32);
    check_ok(error);
    check(more > 2);
    near_end = handle;
}

static void test_descriptors(void)
{
    open_with_few();
    check_ok(NvSciIpcCloseEndpointSafe(near_end, false));
    /* It may be the far end that has most of what is needed. */
    far_ok(FAR_OPEN, 0);
    open_with_few();
    check_ok(NvSciIpcResetEndpointSafe(near_end));
    far_ok(FAR_RESET, 0);
    meet(near_end);
    end();
}

/* Nothing moves until both ends have reset. */
static void test_before_reset(void)
{
    open_near();
    check_equal(events(), 0);
    check_moves(READ_SAFE, WRITE_ADVANCE, NvSciError_ConnectionReset);
    far_ok(FAR_OPEN, 0);
    far_ok(FAR_RESET, 0);
    for (unsigned n = 0; n < 5; n++) {
        check_equal(far_ok(FAR_GET_EVENT, 0), 0);
        check_equal(events(), 0);
        check_moves(READ_SAFE, WRITE_ADVANCE, NvSciError_ConnectionReset);
        check_error(far_end(FAR_WRITE, 1).error, ConnectionReset);
    }
    NvSciIpcResetEndpoint(near_end);
    meet(near_end);
    end();

    /* The other one first. */
    open_near();
    check_ok(NvSciIpcResetEndpointSafe(near_end));
    far_ok(FAR_OPEN, 0);
    for (unsigned n = 0; n < 5; n++) {
        check_equal(events(), 0);
        check_equal(far_ok(FAR_GET_EVENT, 0), 0);
        check_moves(READ_SAFE, WRITE_ADVANCE, NvSciError_ConnectionReset);
    }
    far_ok(FAR_RESET, 0);
    meet(near_end);
    end();
}

static void test_levels(void)
{
    begin();
    for (unsigned n = 0; n < 3; n++) {
        check_equal(events(), WRITE | EMPTY);
        check_equal(far_ok(FAR_GET_EVENT, 0), WRITE | EMPTY);
    }
    write_word(1);
    frame_there();
    for (unsigned n = 0; n < 3; n++) {
        /* A frame that is being carried is not in the queue any more. */
        check_equal(events(), contract.chips ? WRITE | EMPTY : WRITE);
        check_equal(far_ok(FAR_GET_EVENT, 0), READ | WRITE | EMPTY);
    }
    check_equal(far_read(), 1);
    check_equal(far_ok(FAR_GET_EVENT, 0), WRITE | EMPTY);
    check_equal(events(), WRITE | EMPTY);
    check_equal((call(GET_EVENT, near_end)), NvSciError_Success);
    end();
}

static void test_empty(void)
{
    begin();
    check_moves(READ_SAFE, READ_ADVANCE, NvSciError_InsufficientMemory);
    check_error(far_end(FAR_READ, 0).error, InsufficientMemory);
    end();
}

/*
 * As many as the queue holds, or two queues of a channel between chips: then
 * there is no space, and none comes by itself.
 */
static uint32_t fill_up(void)
{
    uint32_t n = 0;

    do {
        for (; (events() & WRITE) != 0; n++) {
            write_word(n);
        }
    } while (contract.chips && readable(fd, QUIET_MS));
    check_equal(n, contract.chips ? 2 * info.nframes : info.nframes);
    return n;
}

static void test_full(void)
{
    uint32_t written;

    begin();
    written = fill_up();
    check_equal(events(), 0);
    check_moves(WRITE_SAFE, WRITE_ADVANCE, NvSciError_InsufficientMemory);
    settle(near_end);
    /* A read from a full queue notifies. */
    check_equal(far_read(), 0);
    check(readable(fd, PATIENCE_MS));
    check_equal(events(), WRITE);
    write_word(written);
    for (uint32_t n = 1; n <= written; n++) {
        check_equal(far_read(), n);
    }
    check_error(far_end(FAR_READ, 0).error, InsufficientMemory);
    check_equal(events(), WRITE | EMPTY);
    end();
}

static void test_sizes(void)
{
    uint32_t bytes = 77;
    int32_t count = 77;

    begin();
    /* Each place of the queue has had something in it. */
    for (uint32_t n = 0; n < info.nframes; n++) {
        far_ok(FAR_FILL, 0xa5);
    }
    for (uint32_t n = 0; n < info.nframes; n++) {
        frame[info.frame_size] = 1;
        frame_here(near_end);
        check_ok(NvSciIpcReadSafe(near_end, frame, info.frame_size, &bytes));
        check_equal(bytes, info.frame_size);
        for (uint32_t i = 0; i < info.frame_size; i++) {
            check_equal(frame[i], 0xa5);
        }
        check_equal(frame[info.frame_size], 1);
    }
    /* Zeros fill the rest. */
    far_ok(FAR_WRITE, 0x01020304);
    frame_here(near_end);
    check_ok(NvSciIpcRead(near_end, frame, info.frame_size, &count));
    check_equal(count, info.frame_size);
    for (uint32_t i = 4; i < info.frame_size; i++) {
        check_equal(frame[i], 0);
    }
    /* What is not asked for is dropped. */
    far_ok(FAR_FILL, 1);
    far_ok(FAR_FILL, 2);
    far_ok(FAR_FILL, 3);
    frame[1] = 99;
    frame_here(near_end);
    check_ok(NvSciIpcReadSafe(near_end, frame, 1, &bytes));
    check_equal(bytes, 1);
    check_equal(frame[0], 1);
    check_equal(frame[1], 99);
    frame_here(near_end);
    check_ok(NvSciIpcReadSafe(near_end, frame, 0, &bytes));
    check_equal(bytes, 0);
    check_equal(read_word(), 0x03030303);

    far_ok(FAR_WRITE, 5);
    check_error(NvSciIpcReadSafe(near_end, frame, info.frame_size + 1, &bytes),
                BadParameter);
    check_equal(bytes, 0);
    check_error(NvSciIpcRead(near_end, frame, info.frame_size + 1, &count),
                BadParameter);
    check_equal(count, 0);
    check_error(NvSciIpcRead(near_end, frame, SIZE_MAX, &count), BadParameter);
    check_error(NvSciIpcRead(near_end, frame, (size_t)UINT32_MAX + 5, &count),
                BadParameter);
    check_equal(read_word(), 5);
    check_error(NvSciIpcWriteSafe(near_end, frame, info.frame_size + 1,
                                  &bytes), BadParameter);
    check_equal(bytes, 0);
    check_error(NvSciIpcWrite(near_end, frame, info.frame_size + 1, &count),
                BadParameter);
    check_equal(count, 0);
    check_error(NvSciIpcWrite(near_end, frame, SIZE_MAX, &count),
                BadParameter);
    check_error(NvSciIpcWrite(near_end, frame, (size_t)UINT32_MAX + 5, &count),
                BadParameter);
    check_error(far_end(FAR_READ, 0).error, InsufficientMemory);
    memset(frame, 7, info.frame_size);
    check_ok(NvSciIpcWriteSafe(near_end, frame, 0, &bytes));
    check_ok(NvSciIpcWrite(near_end, frame, info.frame_size, &count));
    check_equal(count, info.frame_size);
    check_equal(far_read(), 0);
    check_equal(far_read(), 0x07070707);
    end();
}

static void test_in_place(void)
{
    const volatile void *in, *same;
    volatile void *out;

    begin();
    far_ok(FAR_FILL, 0x11);
    far_ok(FAR_FILL, 0x22);
    frame_here(near_end);
    check_ok(NvSciIpcReadGetNextFrame(near_end, &in));
    check_ok(NvSciIpcReadGetNextFrame(near_end, &same));
    check(in == same);
    for (uint32_t i = 0; i < info.frame_size; i++) {
        check_equal(((const volatile unsigned char *)in)[i], 0x11);
    }
    check_ok(NvSciIpcReadAdvance(near_end));
    /* Without a look at it. */
    frame_here(near_end);
    check_ok(NvSciIpcReadAdvance(near_end));
    check_error(NvSciIpcReadAdvance(near_end), InsufficientMemory);

    check_ok(NvSciIpcWriteGetNextFrame(near_end, &out));
    memset((void *)(uintptr_t)out, 0x33, info.frame_size);
    check_error(far_end(FAR_READ, 0).error, InsufficientMemory);
    check_ok(NvSciIpcWriteAdvance(near_end));
    check_equal(far_read(), 0x33333333);
    end();
}

static void test_null_pointers(void)
{
    char buf[4] = "";
    uint32_t bytes = 77;
    int32_t count = 77;

    begin();
    check_error(NvSciIpcReadSafe(near_end, NULL, 4, &bytes), BadParameter);
    check_error(NvSciIpcReadSafe(near_end, buf, 4, NULL), BadParameter);
    check_error(NvSciIpcRead(near_end, NULL, 4, &count), BadParameter);
    check_error(NvSciIpcRead(near_end, buf, 4, NULL), BadParameter);
    check_error(NvSciIpcReadGetNextFrame(near_end, NULL), BadParameter);
    check_error(NvSciIpcWriteSafe(near_end, NULL, 4, &bytes), BadParameter);
    check_error(NvSciIpcWriteSafe(near_end, buf, 4, NULL), BadParameter);
    check_error(NvSciIpcWrite(near_end, NULL, 4, &count), BadParameter);
    check_error(NvSciIpcWrite(near_end, buf, 4, NULL), BadParameter);
    check_error(NvSciIpcWriteGetNextFrame(near_end, NULL), BadParameter);
    check_error(NvSciIpcGetEndpointInfo(near_end, NULL), BadParameter);
    check_error(NvSciIpcGetLinuxEventFd(near_end, NULL), BadParameter);
    check_error(NvSciIpcGetEvent(near_end, NULL), BadParameter);
    check_error(NvSciIpcGetEventSafe(near_end, NULL), BadParameter);
    check_error(NvSciIpcGetAsyncErrors(near_end, NULL), BadParameter);
    check_error(NvSciIpcGetEventNotifier(near_end, NULL), BadParameter);
    check_equal(bytes, 0);
    check_equal(count, 0);
    check_error(far_end(FAR_READ, 0).error, InsufficientMemory);
    end();
}

static void test_handles(void)
{
    NvSciIpcEndpoint closed;
    uint64_t random = 88172645463325252;

    begin();
    closed = near_end;
    check_ok(NvSciIpcCloseEndpointSafe(near_end, false));
    open_near();
    check(near_end != closed);
    for (unsigned i = 0; i < NR_CALLS; i++) {
        check_error(call(i, closed), BadParameter);
        check_error(call(i, 0), BadParameter);
        check_error(call(i, UINT64_MAX), BadParameter);
        for (unsigned n = 0; n < 1000; n++) {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            check_error(call(i, random), BadParameter);
        }
    }
    NvSciIpcResetEndpoint(closed);
    NvSciIpcCloseEndpoint(closed);
    end();
}

static void test_event_fd(void)
{
    begin();
    check(!readable(fd, QUIET_MS));
    for (uint32_t n = 1; n < 4; n++) {
        far_ok(FAR_WRITE, n);
        check(readable(fd, PATIENCE_MS));
        check(readable(fd, 0));
        /* GetEvent drains it, and the frame is still there. */
        check_equal(events(), READ | WRITE | EMPTY);
        check(!readable(fd, QUIET_MS));
        check_equal(read_word(), n);
    }
    end();
}

/* Between chips it cannot be had, and changes nothing. */
static void test_no_notification(void)
{
    for (uint32_t n = 0; n < 2; n++) {
        check_error(NvSciIpcEnableNotification(near_end, n), NotSupported);
        check_error(far_end(FAR_NOTIFICATION, n).error, NotSupported);
        far_ok(FAR_WRITE, n);
        check(readable(fd, PATIENCE_MS));
        check_equal(read_word(), n);
        settle(near_end);
    }
}

static void test_notification(void)
{
    begin();
    if (contract.chips) {
        test_no_notification();
        end();
        return;
    }
    far_ok(FAR_NOTIFICATION, 0);
    far_ok(FAR_WRITE, 1);
    check(!readable(fd, QUIET_MS));
    check_equal(events(), READ | WRITE | EMPTY);
    check_equal(read_word(), 1);
    far_ok(FAR_WRITE, 2);
    check(!readable(fd, QUIET_MS));
    /* And what came in silence is told of. */
    far_ok(FAR_NOTIFICATION, 1);
    check(readable(fd, PATIENCE_MS));
    check_equal(events(), READ | WRITE | EMPTY);
    check_equal(read_word(), 2);
    check_ok(NvSciIpcEnableNotification(near_end, false));
    write_word(3);
    check_equal(far_ok(FAR_READABLE, QUIET_MS), false);
    check_equal(far_read(), 3);
    check_ok(NvSciIpcEnableNotification(near_end, true));
    settle(near_end);
    write_word(4);
    check_equal(far_ok(FAR_READABLE, PATIENCE_MS), true);
    check_equal(far_read(), 4);
    end();
}

static void test_async_errors(void)
{
    uint32_t errors = 77;

    begin();
    check_ok(NvSciIpcGetAsyncErrors(near_end, &errors));
    check_equal(errors, 0);
    end();
}

/* Nothing of the time before is left, either way. */
static void check_fresh(void)
{
    meet(near_end);
    check_equal(events(), WRITE | EMPTY);
    check_error(far_end(FAR_READ, 0).error, InsufficientMemory);
    far_ok(FAR_WRITE, 41);
    write_word(42);
    check_equal(read_word(), 41);
    check_equal(far_read(), 42);
}

static void test_peer_resets(void)
{
    begin();
    for (unsigned n = 0; n < 3; n++) {
        far_ok(FAR_WRITE, 1);
        write_word(1);
        far_ok(FAR_RESET, 0);
        check_error(far_end(FAR_WRITE, 1).error, ConnectionReset);
        check_error(far_end(FAR_READ, 0).error, ConnectionReset);
        wait_reset();
        check_moves(READ_SAFE, WRITE_ADVANCE, NvSciError_ConnectionReset);
        /* This end resets nothing, and it comes up. */
        check_fresh();
    }
    end();
}

static void test_peer_resets_and_we_do(void)
{
    begin();
    for (unsigned n = 0; n < 3; n++) {
        far_ok(FAR_WRITE, 1);
        write_word(1);
        far_ok(FAR_RESET, 0);
        wait_reset();
        check_ok(NvSciIpcResetEndpointSafe(near_end));
        check_equal(events() & (RESET | READ), 0);
        check_moves(READ_SAFE, READ_ADVANCE, NvSciError_ConnectionReset);
        if (n == 2) {
            NvSciIpcResetEndpoint(near_end);
        }
        check_fresh();
    }
    end();
}

static void test_own_reset(void)
{
    begin();
    far_ok(FAR_WRITE, 1);
    write_word(1);
    check_ok(NvSciIpcResetEndpointSafe(near_end));
    check_moves(READ_SAFE, WRITE_ADVANCE, NvSciError_ConnectionReset);
    /* Who resets is not told of it. */
    check_equal(events(), 0);
    wait_far_reset();
    check_fresh();
    end();
}

static void test_both_reset(void)
{
    begin();
    far_ok(FAR_WRITE, 1);
    write_word(1);
    check_ok(NvSciIpcResetEndpointSafe(near_end));
    far_ok(FAR_RESET, 0);
    check_fresh();
    end();
}

static void test_stale_frames(void)
{
    const volatile void *in;
    volatile void *out;

    begin();
    far_ok(FAR_WRITE, 1);
    frame_here(near_end);
    check_ok(NvSciIpcReadGetNextFrame(near_end, &in));
    check_ok(NvSciIpcWriteGetNextFrame(near_end, &out));
    far_ok(FAR_RESET, 0);
    wait_reset();
    meet(near_end);
    far_ok(FAR_WRITE, 2);
    check_error(NvSciIpcReadAdvance(near_end), ConnectionReset);
    check_error(NvSciIpcWriteAdvance(near_end), ConnectionReset);
    check_error(far_end(FAR_READ, 0).error, InsufficientMemory);
    check_equal(read_word(), 2);
    end();
}

/* What was sent arrives, then CONN_RESET; a successor is met without Reset. */
static void test_peer_closes(void)
{
    begin();
    for (unsigned n = 0; n < 3; n++) {
        uint32_t left = n;

        for (uint32_t i = 0; i < n; i++) {
            far_ok(FAR_WRITE, i);
        }
        far_ok(FAR_CLOSE, 0);
        for (; left > 0; left--) {
            check_equal(wait_events(near_end, READ | RESET) & (READ | RESET),
                        READ);
            check_equal(read_word(), n - left);
        }
        wait_reset();
        check_moves(READ_SAFE, WRITE_ADVANCE, NvSciError_ConnectionReset);
        check_equal(events() & ~EST, 0);
        far_ok(FAR_OPEN, 0);
        far_ok(FAR_RESET, 0);
        check_fresh();
    }
    end();
}

static void test_close(void)
{
    begin();
    for (unsigned n = 0; n < 4; n++) {
        far_ok(FAR_WRITE, 1);
        write_word(n);
        if (n == 3) {
            NvSciIpcCloseEndpoint(near_end);
        } else {
            check_ok(NvSciIpcCloseEndpointSafe(near_end, n % 2));
        }
        check_error(NvSciIpcCloseEndpointSafe(near_end, false), BadParameter);
        check_equal(far_read(), n);
        wait_far_reset();
        open_near();
        check_equal(events(), 0);
        check_ok(NvSciIpcResetEndpointSafe(near_end));
        check_fresh();
    }
    end();
}

#define NR_ECHOED 3000u

static void *write_all(void *unused)
{
    (void)unused;
    for (uint32_t n = 0, bytes; n < NR_ECHOED;) {
        NvSciError error = NvSciIpcWriteSafe(near_end, &n, sizeof(n), &bytes);

        if (error == NvSciError_Success) {
            n++;
        } else if (error == NvSciError_InsufficientMemory) {
            sched_yield();
        } else {
            check_ok(error);
        }
    }
    return NULL;
}

static void *read_all(void *unused)
{
    int64_t limit = now_us() + PATIENCE_MS * 1000LL;

    (void)unused;
    for (uint32_t n = 0, word, bytes; n < NR_ECHOED;) {
        NvSciError error = NvSciIpcReadSafe(near_end, &word, sizeof(word),
                                            &bytes);

        if (error == NvSciError_Success) {
            check_equal(word, n++);
        } else if (error == NvSciError_InsufficientMemory) {
            check(now_us() < limit);
            sched_yield();
        } else {
            check_ok(error);
        }
    }
    return NULL;
}

/* One thread writes while another reads; the far end sends it all back. */
static void test_two_threads(void)
{
    pthread_t writer, reader;

    begin();
    check_equal(pthread_create(&writer, NULL, write_all, NULL), 0);
    check_equal(pthread_create(&reader, NULL, read_all, NULL), 0);
    far_ok(FAR_ECHO, NR_ECHOED);
    pthread_join(writer, NULL);
    pthread_join(reader, NULL);
    check_error(far_end(FAR_READ, 0).error, InsufficientMemory);
    check_equal(wait_events(near_end, EMPTY) & (READ | RESET), 0);
    end();
}

static void test_fork(void)
{
    int status;
    pid_t child;

    begin();
    child = fork();
    if (child == 0) {
        alarm(30);
        for (unsigned i = 0; i < NR_CALLS; i++) {
            check_error(call(i, near_end), BadParameter);
        }
        _exit(0);
    }
    check(child > 0);
    check_equal(waitpid(child, &status, 0), child);
    check_equal(status, 0);
    /* And the parent's is as it was. */
    check_equal(events(), WRITE | EMPTY);
    write_word(1);
    check_equal(far_read(), 1);
    far_ok(FAR_WRITE, 2);
    check(readable(fd, PATIENCE_MS));
    check_equal(wait_events(near_end, READ) & RESET, 0);
    check_equal(read_word(), 2);
    end();
}

/* Deinit closes what is open; handles stay dead after the next Init. */
static void test_deinit(void)
{
    open_near();
    far_finish();
    NvSciIpcDeinit();
    for (unsigned i = 0; i < NR_CALLS; i++) {
        check_error(call(i, near_end), NotInitialized);
    }
    check_ok(NvSciIpcInit());
    check_error(call(GET_EVENT, near_end), BadParameter);
    open_near();
    NvSciIpcDeinit();
    NvSciIpcDeinit();
    free(frame);
    frame = NULL;
}

/* With an endpoint closed, left open, or none: nothing is left of it. */
static void test_init_again(void)
{
    unsigned before = nr_descriptors();

    for (unsigned n = 0; n < 60; n++) {
        check_ok(NvSciIpcInit());
        if (n % 3 != 0) {
            open_near();
        }
        if (n % 3 == 1) {
            check_ok(NvSciIpcCloseEndpointSafe(near_end, false));
        }
        NvSciIpcDeinit();
        check_equal(nr_descriptors(), before);
    }
    free(frame);
    frame = NULL;
}

int main(int argc, char **argv)
{
    static const struct contract_case cases[] = {
        { "before-init", test_before_init },
        { "permissions", test_permissions },
        { "init", test_init },          /* from here on there is a far end */
        { "version", test_version },
        { "open", test_open },
        { "descriptors", test_descriptors },
        { "before-reset", test_before_reset },
        { "levels", test_levels },
        { "empty", test_empty },
        { "full", test_full },
        { "sizes", test_sizes },
        { "in-place", test_in_place },
        { "null-pointers", test_null_pointers },
        { "handles", test_handles },
        { "event-fd", test_event_fd },
        { "notification", test_notification },
        { "async-errors", test_async_errors },
        { "peer-resets", test_peer_resets },
        { "peer-resets-and-we-do", test_peer_resets_and_we_do },
        { "own-reset", test_own_reset },
        { "both-reset", test_both_reset },
        { "stale-frames", test_stale_frames },
        { "peer-closes", test_peer_closes },
        { "close", test_close },
        { "two-threads", test_two_threads },
        { "fork", test_fork },
        { "deinit", test_deinit },      /* and here none */
        { "init-again", test_init_again },
    };

    contract_parse(argc, argv, "The contract of libnvsciipc");
    if (contract.role == ROLE_FAR) {
        return far_serve();
    }
    return contract_run(cases, sizeof(cases) / sizeof(cases[0]));
}
