/* SPDX-License-Identifier: MIT */
/*
 * How processes find each other, and learn of each other's death: a thread a
 * process. docs/specs/intra-vm.md, "The broker".
 */
#ifndef VSOC_BROKER_H
#define VSOC_BROKER_H

#include <sys/types.h>

#include "backend/posix_shm.h"

struct broker;
struct process;

/* The lock is held. */

/* One reference; starts it for the first one. */
int broker_get(void);
/* Where it is asked. */
const uint8_t *broker_address(void);
/* After the last one: what broker_stop() is to be called with, or NULL. */
struct broker *broker_put(void);

/*
 * Wants to know when this process dies: then the far ends of all ends that
 * have it as `far` depart. One reference.
 */
int process_watch(struct process **process, pid_t pid);
void process_drop(struct process *process);

/* The lock is not held. */

/* Waits for the thread. */
void broker_stop(struct broker *broker);

/*
 * Asks the process that holds the far end for its channel, and joins it.
 * -EAGAIN: it does not know it, or is gone: look again who holds it.
 * ms: how long at most.
 */
int broker_ask(struct shm_end *end, pid_t pid, int ms);

#endif
