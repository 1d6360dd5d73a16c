/* SPDX-License-Identifier: MIT */
/*
 * Two VMs supervise each other over an NvSciIpc channel: one sends numbered
 * beats, the other sends each back. A frame has a CRC; a damaged one is
 * ignored, and an unanswered beat repeated. A peer that goes is waited for.
 *
 *   heartbeat answer ENDPOINT          for ever
 *   heartbeat beat ENDPOINT COUNT      ends after COUNT answers
 */
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <nvsciipc.h>

/* A doorbell may be lost, so never sleep longer without looking at the queue. */
enum { TICK_MS = 100, ANSWER_MS = 500, TRIES = 10, PEER_MS = 60000 };

struct beat {
    uint32_t crc;           /* of what is behind it */
    uint32_t number;
    uint8_t data[56];
};

static NvSciIpcEndpoint endpoint;
static int32_t fd;
static unsigned lost;

static void expect(bool good, const char *what)
{
    if (!good) {
        fprintf(stderr, "heartbeat: %s\n", what);
        exit(1);
    }
}

static uint32_t crc_of(const struct beat *beat)
{
    const uint8_t *byte = (const uint8_t *)beat + sizeof(beat->crc);
    uint32_t crc = ~0u;

    for (size_t i = 0; i < sizeof(*beat) - sizeof(beat->crc); i++) {
        crc ^= byte[i];
        for (int bit = 0; bit < 8; bit++) {
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
        }
    }
    return ~crc;
}

/* Whether the event came in time. A channel that is lost comes up again first. */
static bool wait_for(uint32_t wanted, int ms)
{
    for (; ms > 0; ms -= TICK_MS) {
        uint32_t events;

        expect(NvSciIpcGetEventSafe(endpoint, &events) == NvSciError_Success,
               "GetEvent failed");
        if (events & NV_SCI_IPC_EVENT_CONN_RESET) {
            printf("peer lost %u\n", ++lost);
            NvSciIpcResetEndpointSafe(endpoint);
            expect(wait_for(NV_SCI_IPC_EVENT_CONN_EST, PEER_MS), "no peer");
            return false;
        }
        if (events & wanted) {
            if (events & NV_SCI_IPC_EVENT_CONN_EST) {
                puts("peer is there");
            }
            return true;
        }
        poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, TICK_MS);
    }
    return false;
}

static bool write_beat(struct beat *beat)
{
    uint32_t size;

    beat->crc = crc_of(beat);
    return wait_for(NV_SCI_IPC_EVENT_WRITE, ANSWER_MS) &&
           NvSciIpcWriteSafe(endpoint, beat, sizeof(*beat), &size) ==
           NvSciError_Success;
}

static bool read_beat(struct beat *beat)
{
    uint32_t size;

    return wait_for(NV_SCI_IPC_EVENT_READ, ANSWER_MS) &&
           NvSciIpcReadSafe(endpoint, beat, sizeof(*beat), &size) ==
           NvSciError_Success && beat->crc == crc_of(beat);
}

int main(int argc, char **argv)
{
    bool answers = argc == 3 && strcmp(argv[1], "answer") == 0;
    unsigned count, repeated = 0;
    struct beat beat;

    if (!answers && (argc != 4 || strcmp(argv[1], "beat") != 0)) {
        fputs("usage: heartbeat answer ENDPOINT | beat ENDPOINT COUNT\n", stderr);
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    expect(NvSciIpcInit() == NvSciError_Success &&
           NvSciIpcOpenEndpoint(argv[2], &endpoint) == NvSciError_Success &&
           NvSciIpcGetLinuxEventFd(endpoint, &fd) == NvSciError_Success &&
           NvSciIpcResetEndpointSafe(endpoint) == NvSciError_Success,
           "cannot open the endpoint");
    expect(wait_for(NV_SCI_IPC_EVENT_CONN_EST, PEER_MS), "there is no peer");
    while (answers) {
        if (read_beat(&beat)) {
            write_beat(&beat);
        }
    }
    count = (unsigned)atoi(argv[3]);
    for (uint32_t number = 1, tries = 0; number <= count; ) {
        memset(&beat, (int)number, sizeof(beat));
        beat.number = number;
        if (write_beat(&beat) && read_beat(&beat) && beat.number == number) {
            printf("beat %u\n", number++);
            tries = 0;
            usleep(20000);
        } else {
            repeated++;
            expect(++tries < TRIES, "no answer");
        }
    }
    printf("%u beats answered, %u repeated, peer lost %u times\n", count,
           repeated, lost);
    return NvSciIpcCloseEndpointSafe(endpoint, false) == NvSciError_Success ? 0 : 1;
}
