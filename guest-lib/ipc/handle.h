/* SPDX-License-Identifier: MIT */
/*
 * Handles: the numbers that applications hold instead of endpoints, and the
 * locks of what they stand for.
 *
 * Any number at all may be asked for; one that was never given out, or was
 * removed, finds nothing. All calls are thread-safe.
 */
#ifndef VSOC_HANDLE_H
#define VSOC_HANDLE_H

#include <stdbool.h>
#include <stdint.h>

#define HANDLE_MAX 500          /* endpoints a process */

struct endpoint;

/* Whether handle_add would succeed; callers of the two take turns. */
bool handle_room(void);

/* A new handle, never 0; 0 if there is no room. */
uint64_t handle_add(struct endpoint *endpoint);

/* What a call does with an endpoint: one thread at a time a way. */
enum handle_use {
    HANDLE_TX = 1,              /* sends */
    HANDLE_RX = 2,              /* receives */
    HANDLE_BOTH = HANDLE_TX | HANDLE_RX,
};

/*
 * The endpoint, for this use, and kept from being closed until handle_put with
 * the same use; or NULL. Waits while another thread has it for a use in common.
 */
struct endpoint *handle_get(uint64_t handle, enum handle_use use);
void handle_put(uint64_t handle, enum handle_use use);

/*
 * Takes the handle back; from now on it finds nothing. Waits until nobody is
 * between get and put. The endpoint is the caller's; NULL: no such handle.
 */
struct endpoint *handle_remove(uint64_t handle);

/* The same for any handle; NULL: there are none. */
struct endpoint *handle_remove_any(void);

/*
 * Around a fork, in the thread that forks: before; after, in the parent; after,
 * in the child, whose handles all go stale, each endpoint being handed over.
 */
void handle_fork_prepare(void);
void handle_fork_parent(void);
void handle_fork_child(void (*abandon)(struct endpoint *endpoint));

#endif
