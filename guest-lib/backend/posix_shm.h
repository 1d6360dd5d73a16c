/* SPDX-License-Identifier: MIT */
/*
 * What INTER_THREAD and INTER_PROCESS share: a channel's memory and message
 * queues, and which ends this process has open.
 * docs/specs/intra-vm.md is the specification.
 */
#ifndef VSOC_POSIX_SHM_H
#define VSOC_POSIX_SHM_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "backend/backend.h"

/* Who may meet: as long as a path, two names and a domain. */
#define SHM_KEY_SIZE (PATH_MAX + 2 * CONF_NAME_SIZE + 64)

struct domain;
struct memory;
struct process;

/* A channel that has been made, or whose descriptors were sent to us. */
struct shm_channel {
    struct memory *memory;
    uint64_t offset;            /* of the channel in it */
    int mq[2];                  /* mq[e] wakes end e; -1: none */
};

/* An end that this process has open. */
struct shm_end {
    struct shm_end *next;
    unsigned number;
    int64_t gid;
    uint32_t nframes;
    uint32_t frame_size;
    struct shm_channel channel;
    char *map;                  /* status page and directions */
    size_t map_size;
    bool met;                   /* the far end has been open */
    bool inherited;             /* we are the child of a fork */
    /* INTER_PROCESS: */
    struct domain *domain;      /* NULL: INTER_THREAD */
    struct process *far;        /* NULL: not met, dead, or in this process */

    uint64_t hash;              /* of the key; 60 bits */
    size_t key_length;
    char key[];
};

/*
 * Guards every list of open things in this process, and their reference
 * counts. Held for moments only; the broker takes it. shm_opening serialises
 * opens, which may wait for other processes, and comes first.
 */
void shm_lock(void);
void shm_unlock(void);
void shm_opening_lock(void);
void shm_opening_unlock(void);

/* What the child of a fork has to give back besides; set once, at load. */
void shm_at_fork(void (*child)(void));

/* The group that the configuration names, or root. */
bool shm_may_use(const struct conf_entry *entry);

/* Says on standard error what failed, and which limit is to be raised. */
int shm_failure(int error, const char *what);

/* NULL: no memory. */
struct shm_end *shm_end_new(const struct conf_entry *entry, unsigned number);

/* The lock is held in what follows, but for the last functions. */

/* An end of the same channel. */
struct shm_end *shm_find(const struct shm_end *like, unsigned number);
/* The next one in no order; NULL: the first. */
struct shm_end *shm_next(struct shm_end *end);

/* A new channel, mapped. */
int shm_create(struct shm_end *end);
/* That of `far`, which this process has open. */
int shm_join_local(struct shm_end *end, struct shm_end *far);
/*
 * A channel from elsewhere: takes the descriptors, also when it fails. -EPROTO
 * if they are not what they should be.
 */
int shm_join(struct shm_end *end, int memory, uint64_t offset, int mq0,
             int mq1);
int shm_memory_fd(const struct shm_end *end);

/* The far end has been opened by somebody, or its holder is gone. */
void shm_far_opened(struct shm_end *end);
void shm_far_departed(struct shm_end *end);

/* From now on it is found. Fills the link. */
void shm_publish(struct shm_end *end, struct link *link,
                 const struct backend *backend);
/* Not found any more, and departed, as the far end is told. */
void shm_withdraw(struct shm_end *end);
/* Gives the channel back, whatever it has of it by now. */
void shm_leave(struct shm_end *end);
/* After shm_leave(). */
void shm_end_free(struct shm_end *end);

/* The backends' own functions; no lock. */
void shm_notify(struct link *link);
bool shm_ack(struct link *link);
void shm_wake(struct link *link);
struct far_status shm_far_status(struct link *link);

#endif
