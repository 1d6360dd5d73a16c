/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The client's side of the ivshmem-server protocol, version 0. */
#include "ivshm-proto.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void ivshm_init(struct ivshm *ivshm)
{
    memset(ivshm, 0, sizeof(*ivshm));
    for (unsigned i = 0; i < IVSHM_MAX_PEERS; i++) {
        ivshm->peers[i].id = -1;
    }
}

int ivshm_find(const struct ivshm *ivshm, uint32_t id)
{
    for (unsigned i = 0; i < ivshm->nr_peers; i++) {
        if (ivshm->peers[i].id >= 0 && (uint32_t)ivshm->peers[i].id == id) {
            return (int)i;
        }
    }
    return -1;
}

__attribute__((format(printf, 4, 5)))
static void refuse(struct ivshm *ivshm, struct ivshm_event *event, int fd,
                   const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(ivshm->error, sizeof(ivshm->error), format, args);
    va_end(args);
    if (fd >= 0) {
        close(fd);
    }
    ivshm->state = IVSHM_BROKEN;
    event->type = IVSHM_EVENT_REFUSED;
}

static void take_version(struct ivshm *ivshm, struct ivshm_event *event,
                         int64_t number, int fd)
{
    if (fd >= 0) {
        refuse(ivshm, event, fd, "it sent a descriptor with its version");
    } else if (number != IVSHM_VERSION) {
        refuse(ivshm, event, fd, "it speaks version %" PRId64
               " of the protocol, not %d", number, IVSHM_VERSION);
    } else {
        ivshm->state = IVSHM_WANT_ID;
        event->type = IVSHM_EVENT_VERSION;
    }
}

static void take_id(struct ivshm *ivshm, struct ivshm_event *event,
                    int64_t number, int fd)
{
    if (fd >= 0) {
        refuse(ivshm, event, fd, "it sent a descriptor with our id");
    } else if (number < 0 || number > IVSHM_MAX_ID) {
        refuse(ivshm, event, fd, "it gave us id %" PRId64
               ", which is not in 0..%d", number, IVSHM_MAX_ID);
    } else {
        ivshm->peers[IVSHM_SELF].id = (int32_t)number;
        ivshm->nr_peers = IVSHM_SELF + 1;
        ivshm->state = IVSHM_WANT_MEMORY;
        event->type = IVSHM_EVENT_ID;
        event->id = (uint32_t)number;
    }
}

static void take_memory(struct ivshm *ivshm, struct ivshm_event *event,
                        int64_t number, int fd)
{
    if (number != IVSHM_MEMORY) {
        refuse(ivshm, event, fd, "it sent %" PRId64
               " where the shared memory was due", number);
    } else if (fd < 0) {
        refuse(ivshm, event, fd, "it sent no descriptor of the shared memory");
    } else {
        ivshm->state = IVSHM_RUNNING;
        event->type = IVSHM_EVENT_MEMORY;
        event->fd = fd;
    }
}

static void take_vector(struct ivshm *ivshm, struct ivshm_event *event,
                        uint32_t id, int fd)
{
    int found = ivshm_find(ivshm, id);
    struct ivshm_peer *peer;
    unsigned index;

    if (found >= 0) {
        index = (unsigned)found;
    } else {
        /* The first descriptor of a newcomer: any free index will do. */
        for (index = 0; index < IVSHM_MAX_PEERS; index++) {
            if (ivshm->peers[index].id < 0) {
                break;
            }
        }
        if (index == IVSHM_MAX_PEERS) {
            refuse(ivshm, event, fd, "it has more than %u clients",
                   IVSHM_MAX_PEERS);
            return;
        }
        ivshm->peers[index].id = (int32_t)id;
        ivshm->peers[index].nr_vectors = 0;
        if (index >= ivshm->nr_peers) {
            ivshm->nr_peers = index + 1;
        }
    }

    /* The n-th descriptor is the one of vector n - 1. */
    peer = &ivshm->peers[index];
    if (peer->nr_vectors == IVSHM_MAX_VECTORS) {
        refuse(ivshm, event, fd, "it sent more than %u vectors of client %"
               PRIu32, IVSHM_MAX_VECTORS, id);
        return;
    }
    event->type = IVSHM_EVENT_VECTOR;
    event->id = id;
    event->peer = index;
    event->vector = peer->nr_vectors++;
    event->fd = fd;
}

static void take_gone(struct ivshm *ivshm, struct ivshm_event *event,
                      uint32_t id)
{
    int index = ivshm_find(ivshm, id);

    if (index < 0) {
        refuse(ivshm, event, -1, "it says that client %" PRIu32
               " left, which was not there", id);
    } else if (index == IVSHM_SELF) {
        refuse(ivshm, event, -1, "it says that we left ourselves");
    } else {
        ivshm->peers[index].id = -1;
        event->type = IVSHM_EVENT_GONE;
        event->id = id;
        event->peer = (unsigned)index;
    }
}

static void take_peer(struct ivshm *ivshm, struct ivshm_event *event,
                      int64_t number, int fd)
{
    if (number == IVSHM_MEMORY) {
        refuse(ivshm, event, fd, "it sent the shared memory twice");
    } else if (number < 0 || number > IVSHM_MAX_ID) {
        refuse(ivshm, event, fd, "it named a client %" PRId64
               ", which is not in 0..%d", number, IVSHM_MAX_ID);
    } else if (fd >= 0) {
        take_vector(ivshm, event, (uint32_t)number, fd);
    } else {
        take_gone(ivshm, event, (uint32_t)number);
    }
}

void ivshm_hangup(struct ivshm *ivshm)
{
    struct ivshm_event event;

    if (ivshm->state != IVSHM_BROKEN) {
        refuse(ivshm, &event, -1, "it closed the connection");
    }
}

struct ivshm_event ivshm_message(struct ivshm *ivshm, int64_t number, int fd)
{
    struct ivshm_event event = { .fd = -1 };

    switch (ivshm->state) {
    case IVSHM_WANT_VERSION:
        take_version(ivshm, &event, number, fd);
        break;
    case IVSHM_WANT_ID:
        take_id(ivshm, &event, number, fd);
        break;
    case IVSHM_WANT_MEMORY:
        take_memory(ivshm, &event, number, fd);
        break;
    case IVSHM_RUNNING:
        take_peer(ivshm, &event, number, fd);
        break;
    case IVSHM_BROKEN:
        /* The first fault is the one to tell of. */
        if (fd >= 0) {
            close(fd);
        }
        event.type = IVSHM_EVENT_REFUSED;
        break;
    }
    return event;
}
