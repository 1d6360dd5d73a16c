/* SPDX-License-Identifier: MIT */
/*
 * Handle <-> endpoint: slots with a generation, and a lock for each way.
 *
 * A handle is slot + 1 in its low bits and the slot's generation above. A
 * slot's memory is never given back, so its locks can be taken for any number
 * at all; only then it is looked at whether that is the slot's handle.
 */
#include "ipc/handle.h"

#include <pthread.h>
#include <stddef.h>

#define SLOT_BITS 16

struct slot {
    _Alignas(64) pthread_mutex_t tx;
    _Alignas(64) pthread_mutex_t rx;
    /* Written with both locks held, read with either. */
    _Alignas(64) uint64_t handle;   /* 0: none */
    struct endpoint *endpoint;      /* written with `lock` held, too */
    uint32_t generation;            /* guarded by `lock` */
};

static struct slot slots[HANDLE_MAX] = {
    [0 ... HANDLE_MAX - 1] = {
        .tx = PTHREAD_MUTEX_INITIALIZER,
        .rx = PTHREAD_MUTEX_INITIALIZER,
    },
};
/* Serialises adding and removing. Taken before a slot's locks. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* The slot of a number, which need not be its handle any more. */
static struct slot *slot_of(uint64_t handle)
{
    uint64_t number = handle & ((1u << SLOT_BITS) - 1);

    return number >= 1 && number <= HANDLE_MAX ? &slots[number - 1] : NULL;
}

static void take(struct slot *slot, enum handle_use use)
{
    if (use & HANDLE_TX) {
        pthread_mutex_lock(&slot->tx);
    }
    if (use & HANDLE_RX) {
        pthread_mutex_lock(&slot->rx);
    }
}

static void give_back(struct slot *slot, enum handle_use use)
{
    if (use & HANDLE_RX) {
        pthread_mutex_unlock(&slot->rx);
    }
    if (use & HANDLE_TX) {
        pthread_mutex_unlock(&slot->tx);
    }
}

static struct slot *free_slot(void)
{
    for (size_t i = 0; i < HANDLE_MAX; i++) {
        if (!slots[i].endpoint) {
            return &slots[i];
        }
    }
    return NULL;
}

bool handle_room(void)
{
    bool room;

    pthread_mutex_lock(&lock);
    room = free_slot() != NULL;
    pthread_mutex_unlock(&lock);
    return room;
}

uint64_t handle_add(struct endpoint *endpoint)
{
    struct slot *slot;
    uint64_t handle = 0;

    pthread_mutex_lock(&lock);
    slot = free_slot();
    if (slot) {
        slot->generation++;
        handle = (uint64_t)slot->generation << SLOT_BITS |
                 (uint64_t)(slot - slots + 1);
        take(slot, HANDLE_BOTH);
        slot->endpoint = endpoint;
        slot->handle = handle;
        give_back(slot, HANDLE_BOTH);
    }
    pthread_mutex_unlock(&lock);
    return handle;
}

struct endpoint *handle_get(uint64_t handle, enum handle_use use)
{
    struct slot *slot = slot_of(handle);

    if (!slot) {
        return NULL;
    }
    take(slot, use);
    if (slot->handle != handle) {
        give_back(slot, use);
        return NULL;
    }
    return slot->endpoint;
}

void handle_put(uint64_t handle, enum handle_use use)
{
    give_back(slot_of(handle), use);
}

/* `lock` is held. NULL: somebody else was quicker. */
static struct endpoint *empty(struct slot *slot, uint64_t handle)
{
    struct endpoint *endpoint = NULL;

    /* Waits for those inside. */
    take(slot, HANDLE_BOTH);
    if (slot->handle == handle) {
        endpoint = slot->endpoint;
        slot->endpoint = NULL;
        slot->handle = 0;
    }
    give_back(slot, HANDLE_BOTH);
    return endpoint;
}

struct endpoint *handle_remove(uint64_t handle)
{
    struct slot *slot = slot_of(handle);
    struct endpoint *endpoint = NULL;

    if (slot) {
        pthread_mutex_lock(&lock);
        endpoint = empty(slot, handle);
        pthread_mutex_unlock(&lock);
    }
    return endpoint;
}

struct endpoint *handle_remove_any(void)
{
    struct endpoint *endpoint = NULL;

    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < HANDLE_MAX && !endpoint; i++) {
        /* Nobody but us changes it now. */
        if (slots[i].endpoint) {
            endpoint = empty(&slots[i], slots[i].handle);
        }
    }
    pthread_mutex_unlock(&lock);
    return endpoint;
}

void handle_fork_prepare(void)
{
    pthread_mutex_lock(&lock);
}

void handle_fork_parent(void)
{
    pthread_mutex_unlock(&lock);
}

void handle_fork_child(void (*abandon)(struct endpoint *endpoint))
{
    for (size_t i = 0; i < HANDLE_MAX; i++) {
        struct slot *slot = &slots[i];

        /* Who was inside is not in this process, and will not unlock. */
        pthread_mutex_init(&slot->tx, NULL);
        pthread_mutex_init(&slot->rx, NULL);
        if (slot->endpoint) {
            abandon(slot->endpoint);
            slot->endpoint = NULL;
            slot->handle = 0;
        }
    }
    pthread_mutex_unlock(&lock);
}
