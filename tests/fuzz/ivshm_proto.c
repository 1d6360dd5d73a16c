/* SPDX-License-Identifier: MIT */
/*
 * A hostile ivshmem-server: each line of the input is a message, a number and
 * whether a descriptor comes with it ("3 fd"). Whatever comes, descriptors
 * are handed on or closed, and indexes stay within their arrays.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ivshm-proto.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds) {
        abort();
    }
}

/* What we have been told of, in the simplest form that can be checked. */
static int64_t expected[IVSHM_MAX_PEERS];

static void check(const struct ivshm *ivshm, const struct ivshm_event *event)
{
    switch (event->type) {
    case IVSHM_EVENT_REFUSED:
        must(ivshm->state == IVSHM_BROKEN && ivshm->error[0] != '\0');
        break;
    case IVSHM_EVENT_ID:
        expected[IVSHM_SELF] = event->id;
        break;
    case IVSHM_EVENT_VECTOR:
        must(event->peer < IVSHM_MAX_PEERS);
        must(event->vector < IVSHM_MAX_VECTORS);
        must(event->id <= IVSHM_MAX_ID);
        /* A new client has a free index and starts at vector 0. */
        must(event->peer == IVSHM_SELF ||
             (expected[event->peer] == -1) == (event->vector == 0));
        must(expected[event->peer] == -1 || expected[event->peer] == event->id);
        expected[event->peer] = event->id;
        break;
    case IVSHM_EVENT_GONE:
        must(event->peer < IVSHM_MAX_PEERS && event->peer != IVSHM_SELF);
        must(expected[event->peer] == event->id);
        expected[event->peer] = -1;
        break;
    default:
        break;
    }
    for (unsigned i = 0; i < IVSHM_MAX_PEERS; i++) {
        must(ivshm->peers[i].id == expected[i]);
        must(expected[i] < 0 ||
             ivshm_find(ivshm, (uint32_t)expected[i]) == (int)i);
    }
}

static void take(struct ivshm *ivshm, const char *line)
{
    static int null = -1;
    char *rest;
    int64_t number = strtoll(line, &rest, 10);
    int fd = -1;
    struct ivshm_event event;

    if (strstr(rest, "fd")) {
        if (null < 0) {
            null = open("/dev/null", O_RDWR | O_CLOEXEC);
        }
        fd = dup(null);
        must(fd >= 0);
    }
    event = ivshm_message(ivshm, number, fd);
    if (event.fd >= 0) {
        must(event.fd == fd);
        must(close(fd) == 0);
    } else if (fd >= 0) {
        must(fcntl(fd, F_GETFD) < 0);
    }
    check(ivshm, &event);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ivshm ivshm;
    char line[32];
    size_t length = 0;

    ivshm_init(&ivshm);
    for (unsigned i = 0; i < IVSHM_MAX_PEERS; i++) {
        expected[i] = -1;
    }
    for (size_t i = 0; i < size; i++) {
        if (data[i] != '\n' && length < sizeof(line) - 1) {
            line[length++] = (char)data[i];
            continue;
        }
        line[length] = '\0';
        length = 0;
        take(&ivshm, line);
    }
    return 0;
}
