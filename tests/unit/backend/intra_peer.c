/* SPDX-License-Identifier: MIT */
/*
 * A process with endpoints, driven by a test: a command a line on standard
 * input, an answer a line on standard output. It sees what applications see.
 */
#include <dirent.h>
#include <grp.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "nvsciipc.h"

#define MAX_ENDPOINTS 512

static NvSciIpcEndpoint handles[MAX_ENDPOINTS];

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Until an event of the mask is there, or the time is over: all that came. */
static uint32_t wait_for(NvSciIpcEndpoint handle, uint32_t mask, int64_t ms)
{
    int64_t end = now_ms() + ms;
    uint32_t all = 0;
    int32_t fd;

    if (NvSciIpcGetLinuxEventFd(handle, &fd) != NvSciError_Success) {
        return UINT32_MAX;
    }
    for (;;) {
        struct pollfd pollfd = { .fd = fd, .events = POLLIN };
        uint32_t events = 0;
        int64_t left;

        if (NvSciIpcGetEventSafe(handle, &events) != NvSciError_Success) {
            return UINT32_MAX;
        }
        all |= events;
        left = end - now_ms();
        if ((all & mask) != 0 || left <= 0) {
            return all;
        }
        poll(&pollfd, 1, (int)left);
    }
}

static unsigned count_fds(void)
{
    DIR *folder = opendir("/proc/self/fd");
    unsigned nr = 0;

    while (folder && readdir(folder)) {
        nr++;
    }
    closedir(folder);
    return nr - 3;      /* ".", "..", and the folder's own */
}

/* In a child: what becomes of an inherited handle. */
static void try_in_child(NvSciIpcEndpoint handle)
{
    int status = 0;
    pid_t child = fork();

    if (child == 0) {
        uint32_t events, bytes, value = 0;
        unsigned bad = 0;

        bad += NvSciIpcGetEventSafe(handle, &events) !=
               NvSciError_BadParameter;
        bad += NvSciIpcWriteSafe(handle, &value, sizeof(value), &bytes) !=
               NvSciError_BadParameter;
        bad += NvSciIpcReadSafe(handle, &value, sizeof(value), &bytes) !=
               NvSciError_BadParameter;
        /* Standard streams and nothing else; or what was there before. */
        _exit((int)(bad + (count_fds() != 3)));
    }
    if (child < 0 || waitpid(child, &status, 0) != child) {
        printf("-1\n");
        return;
    }
    printf("%d\n", WIFEXITED(status) ? WEXITSTATUS(status) : -1);
}

/* A child is a process like any other: it may open what nobody has. */
static void open_in_child(const char *name)
{
    int status = 0;
    pid_t child = fork();

    if (child == 0) {
        NvSciIpcEndpoint handle;
        NvSciError error = NvSciIpcOpenEndpoint(name, &handle);
        uint32_t events = 0, value = 42, bytes;

        if (error == NvSciError_Success) {
            NvSciIpcResetEndpointSafe(handle);
            events = wait_for(handle, NV_SCI_IPC_EVENT_CONN_EST, 10000);
            error = NvSciIpcWriteSafe(handle, &value, sizeof(value), &bytes);
        }
        _exit(error == NvSciError_Success ?
              (events & NV_SCI_IPC_EVENT_CONN_EST) == 0 : 2);
    }
    if (child < 0 || waitpid(child, &status, 0) != child) {
        printf("-1\n");
        return;
    }
    printf("%d\n", WIFEXITED(status) ? WEXITSTATUS(status) : -1);
}

/* A child that stays while this one goes. */
static void leave_child(void)
{
    pid_t child = fork();

    if (child == 0) {
        sleep(20);
        _exit(0);
    }
    printf("%d\n", (int)child);
}

static void become(unsigned uid, unsigned gid, unsigned group)
{
    gid_t groups[] = { group };

    if (setgroups(group != 0, groups) < 0 || setresgid(gid, gid, gid) < 0 ||
        setresuid(uid, uid, uid) < 0) {
        printf("-1\n");
        return;
    }
    /* A change of user took both. The leak sanitizer has to look into us. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    printf("%d\n", prctl(PR_SET_DUMPABLE, 1));
}

static void obey(const char *line)
{
    char name[128];
    unsigned i = 0, a = 0, b = 0;
    uint32_t value = 0, bytes;
    NvSciError error;

    if (sscanf(line, "open %u %127s", &i, name) == 2 && i < MAX_ENDPOINTS) {
        printf("%d\n", (int)NvSciIpcOpenEndpoint(name, &handles[i]));
    } else if (sscanf(line, "reset %u", &i) == 1 && i < MAX_ENDPOINTS) {
        printf("%d\n", (int)NvSciIpcResetEndpointSafe(handles[i]));
    } else if (sscanf(line, "close %u", &i) == 1 && i < MAX_ENDPOINTS) {
        printf("%d\n", (int)NvSciIpcCloseEndpointSafe(handles[i], false));
    } else if (sscanf(line, "wait %u %u %u", &i, &a, &b) == 3 &&
               i < MAX_ENDPOINTS) {
        printf("%" PRIu32 "\n", wait_for(handles[i], a, b));
    } else if (sscanf(line, "put %u %u", &i, &a) == 2 && i < MAX_ENDPOINTS) {
        value = a;
        printf("%d\n", (int)NvSciIpcWriteSafe(handles[i], &value,
                                              sizeof(value), &bytes));
    } else if (sscanf(line, "get %u", &i) == 1 && i < MAX_ENDPOINTS) {
        error = NvSciIpcReadSafe(handles[i], &value, sizeof(value), &bytes);
        if (error == NvSciError_Success) {
            printf("%" PRId64 "\n", (int64_t)value);
        } else {
            printf("%" PRId64 "\n", -(int64_t)error);
        }
    } else if (sscanf(line, "become %u %u %u", &i, &a, &b) == 3) {
        become(i, a, b);
    } else if (sscanf(line, "files %u", &a) == 1) {
        struct rlimit limit = { a, a };

        printf("%d\n", setrlimit(RLIMIT_NOFILE, &limit));
    } else if (sscanf(line, "soft-files %u", &a) == 1) {
        struct rlimit limit;

        getrlimit(RLIMIT_NOFILE, &limit);
        limit.rlim_cur = a;
        printf("%d\n", setrlimit(RLIMIT_NOFILE, &limit));
    } else if (sscanf(line, "queues %u", &a) == 1) {
        struct rlimit limit = { a, a };

        printf("%d\n", setrlimit(RLIMIT_MSGQUEUE, &limit));
    } else if (sscanf(line, "fork %u", &i) == 1 && i < MAX_ENDPOINTS) {
        try_in_child(handles[i]);
    } else if (sscanf(line, "child-opens %127s", name) == 1) {
        open_in_child(name);
    } else if (strcmp(line, "leave-child\n") == 0) {
        leave_child();
    } else if (strcmp(line, "exec\n") == 0) {
        printf("0\n");
        execl("/proc/self/exe", "intra_peer", (char *)NULL);
        printf("-1\n");
    } else if (strcmp(line, "fds\n") == 0) {
        printf("%u\n", count_fds());
    } else if (strcmp(line, "init\n") == 0) {
        printf("%d\n", (int)NvSciIpcInit());
    } else if (strcmp(line, "deinit\n") == 0) {
        NvSciIpcDeinit();
        printf("0\n");
    } else {
        printf("what?\n");
    }
}

int main(void)
{
    char line[256];

    /* Also if we are stopped then. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setvbuf(stdout, NULL, _IOLBF, 0);
    while (fgets(line, sizeof(line), stdin)) {
        obey(line);
    }
    return 0;
}
