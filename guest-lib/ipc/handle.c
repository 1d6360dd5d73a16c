/* SPDX-License-Identifier: MIT */
/*
 * Handle <-> endpoint: slots with a generation and a count of those inside.
 *
 * A handle is slot + 1 in its low bits and the slot's generation above. To
 * find one takes no lock: generation, "open" and the count are one word.
 */
#include "ipc/handle.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>

#define SLOT_BITS 16
#define OPEN 0x80000000u        /* of the low half; below it the count */
#define INSIDE 0x7fffffffu

struct slot {
    /* generation << 32 | OPEN | how many are between get and put */
    _Atomic uint64_t word;
    /* Constant while OPEN; then it is the remover's. */
    struct endpoint *endpoint;
};

static struct slot slots[HANDLE_MAX];
/* Guards changes of OPEN and of endpoint. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t left = PTHREAD_COND_INITIALIZER;

static uint32_t generation_of(uint64_t word)
{
    return (uint32_t)(word >> 32);
}

/* The slot of a number, which need not be its handle any more. */
static struct slot *slot_of(uint64_t handle)
{
    uint64_t number = handle & ((1u << SLOT_BITS) - 1);

    return number >= 1 && number <= HANDLE_MAX ? &slots[number - 1] : NULL;
}

static bool is_open(uint64_t word, uint64_t handle)
{
    return (word & OPEN) != 0 &&
           generation_of(word) == handle >> SLOT_BITS;
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
        uint32_t generation = generation_of(atomic_load(&slot->word)) + 1;

        slot->endpoint = endpoint;
        atomic_store(&slot->word, (uint64_t)generation << 32 | OPEN);
        handle = (uint64_t)generation << SLOT_BITS |
                 (uint64_t)(slot - slots + 1);
    }
    pthread_mutex_unlock(&lock);
    return handle;
}

struct endpoint *handle_get(uint64_t handle)
{
    struct slot *slot = slot_of(handle);
    uint64_t word;

    if (!slot) {
        return NULL;
    }
    word = atomic_load(&slot->word);
    do {
        if (!is_open(word, handle)) {
            return NULL;
        }
    } while (!atomic_compare_exchange_weak(&slot->word, &word, word + 1));
    return slot->endpoint;
}

void handle_put(uint64_t handle)
{
    struct slot *slot = slot_of(handle);
    uint64_t word = atomic_fetch_sub(&slot->word, 1);

    if ((word & OPEN) == 0 && (word & INSIDE) == 1) {
        /* Under the lock, lest the remover is between its look and its wait. */
        pthread_mutex_lock(&lock);
        pthread_cond_broadcast(&left);
        pthread_mutex_unlock(&lock);
    }
}

/* The lock is held. */
static struct endpoint *take(struct slot *slot)
{
    struct endpoint *endpoint;

    atomic_fetch_and(&slot->word, ~(uint64_t)OPEN);
    while ((atomic_load(&slot->word) & INSIDE) != 0) {
        pthread_cond_wait(&left, &lock);
    }
    endpoint = slot->endpoint;
    slot->endpoint = NULL;
    return endpoint;
}

struct endpoint *handle_remove(uint64_t handle)
{
    struct slot *slot = slot_of(handle);
    struct endpoint *endpoint = NULL;

    if (!slot) {
        return NULL;
    }
    pthread_mutex_lock(&lock);
    if (is_open(atomic_load(&slot->word), handle)) {
        endpoint = take(slot);
    }
    pthread_mutex_unlock(&lock);
    return endpoint;
}

struct endpoint *handle_remove_any(void)
{
    struct endpoint *endpoint = NULL;

    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < HANDLE_MAX && !endpoint; i++) {
        if ((atomic_load(&slots[i].word) & OPEN) != 0) {
            endpoint = take(&slots[i]);
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
    /* Those who were inside, or waiting, are not in this process. */
    for (size_t i = 0; i < HANDLE_MAX; i++) {
        if (slots[i].endpoint) {
            abandon(slots[i].endpoint);
            slots[i].endpoint = NULL;
            atomic_store(&slots[i].word,
                         atomic_load(&slots[i].word) >> 32 << 32);
        }
    }
    pthread_cond_init(&left, NULL);
    pthread_mutex_unlock(&lock);
}
