/* SPDX-License-Identifier: MIT */
/* The guide's writer and reader that wait by select() on the descriptor. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/select.h>

#include <nvsciipc.h>

#include "guide.h"

/* "Prepare an NvSciIpc endpoint for read/write" */
static void prepare(const char *name, NvSciIpcEndpoint *endpoint,
                    struct NvSciIpcEndpointInfo *info, int32_t *fd)
{
    NvSciError err;

    err = NvSciIpcOpenEndpoint(name, endpoint);
    if (err != NvSciError_Success) {
        guide_fail("NvSciIpcOpenEndpoint", err);
    }
    err = NvSciIpcGetLinuxEventFd(*endpoint, fd);
    if (err != NvSciError_Success) {
        guide_fail("NvSciIpcGetLinuxEventFd", err);
    }
    err = NvSciIpcGetEndpointInfo(*endpoint, info);
    if (err != NvSciError_Success) {
        guide_fail("NvSciIpcGetEndpointInfo", err);
    }
    printf("%s: nframes = %u, frame_size = %u\n", name, info->nframes,
           info->frame_size);
    NvSciIpcResetEndpoint(*endpoint);
}

static void sleep_on(int32_t fd, fd_set *rfds)
{
    int retval = select(fd + 1, rfds, NULL, NULL, NULL);

    if (retval < 0 && errno != EINTR) {
        guide_fail("select", NvSciError_IO);
    }
}

static void *writer(void *unused)
{
    struct NvSciIpcEndpointInfo info;
    NvSciIpcEndpoint endpoint;
    uint32_t event = 0, number = 0;
    int32_t fd, bytes;
    NvSciError err;
    fd_set rfds;
    void *buf;

    (void)unused;
    prepare(guide.write[0], &endpoint, &info, &fd);
    FD_ZERO(&rfds);
    FD_SET(fd, &rfds);
    buf = malloc(info.frame_size);
    while (number < guide.frames) {
        err = NvSciIpcGetEvent(endpoint, &event);
        if (err != NvSciError_Success) {
            guide_fail("NvSciIpcGetEvent", err);
        }
        if (event & NV_SCI_IPC_EVENT_WRITE) {
            guide_fill(buf, info.frame_size, number++);
            err = NvSciIpcWrite(endpoint, buf, info.frame_size, &bytes);
            if (err != NvSciError_Success ||
                (uint32_t)bytes != info.frame_size) {
                guide_fail("NvSciIpcWrite", err);
            }
        } else {
            sleep_on(fd, &rfds);
        }
    }
    free(buf);
    NvSciIpcCloseEndpoint(endpoint);
    return NULL;
}

static void *reader(void *unused)
{
    struct NvSciIpcEndpointInfo info;
    NvSciIpcEndpoint endpoint;
    uint32_t event = 0, number = 0;
    int32_t fd, bytes;
    NvSciError err;
    fd_set rfds;
    void *buf;

    (void)unused;
    prepare(guide.read[0], &endpoint, &info, &fd);
    FD_ZERO(&rfds);
    FD_SET(fd, &rfds);
    buf = malloc(info.frame_size);
    while (number < guide.frames) {
        err = NvSciIpcGetEvent(endpoint, &event);
        if (err != NvSciError_Success) {
            guide_fail("NvSciIpcGetEvent", err);
        }
        if (event & NV_SCI_IPC_EVENT_READ) {
            err = NvSciIpcRead(endpoint, buf, info.frame_size, &bytes);
            if (err != NvSciError_Success ||
                (uint32_t)bytes != info.frame_size) {
                guide_fail("NvSciIpcRead", err);
            }
            guide_verify(buf, info.frame_size, number++);
        } else {
            sleep_on(fd, &rfds);
        }
    }
    free(buf);
    NvSciIpcCloseEndpoint(endpoint);
    return NULL;
}

int main(int argc, char **argv)
{
    NvSciError err;

    guide_parse(argc, argv, "The guide's select() loops");
    err = NvSciIpcInit();
    if (err != NvSciError_Success) {
        guide_fail("NvSciIpcInit", err);
    }
    guide_run(writer, reader);
    NvSciIpcDeinit();
    return 0;
}
