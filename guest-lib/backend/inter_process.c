/* SPDX-License-Identifier: MIT */
/*
 * INTER_PROCESS: ends in any two processes of a user, or of a group.
 * docs/specs/intra-vm.md, "Opening".
 */
#include "backend/backend.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "backend/broker.h"
#include "backend/claim.h"
#include "backend/posix_shm.h"

/* What others do while they hold a channel's set-up takes less than 1 ms. */
#define PATIENCE_MS 2000
#define PAUSE_NS 1000000

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void pause_shortly(void)
{
    const struct timespec pause = { .tv_nsec = PAUSE_NS };

    nanosleep(&pause, NULL);
}

static enum claim_what claim_of(unsigned number)
{
    return number == 0 ? CLAIM_END_0 : CLAIM_END_1;
}

static int claim_set_up(const struct shm_end *end, int64_t deadline)
{
    int ret;

    while ((ret = claim_take(end->domain, end->hash,
                             CLAIM_SET_UP)) == -EBUSY &&
           now_ms() < deadline) {
        pause_shortly();
    }
    if (ret == -EBUSY) {
        fprintf(stderr, "nvsciipc: process %ld has been opening an end of "
                "this channel for %d ms and does not go on\n",
                (long)claim_holder(end->domain, end->hash, CLAIM_SET_UP),
                PATIENCE_MS);
        ret = -EIO;
    }
    return ret;
}

/* The lock is held. */
static void leave(struct shm_end *end)
{
    process_drop(end->far);
    end->far = NULL;
    shm_leave(end);
}

/* The set-up and the own end are ours. */
static int meet(struct shm_end *end, int64_t deadline)
{
    struct shm_end *far;
    pid_t holder = 0;
    int ret = 0;

    shm_lock();
    far = shm_find(end, !end->number);
    if (far) {
        ret = shm_join_local(end, far);
        if (ret == 0) {
            /* Whoever it had met in another process is that no more. */
            process_drop(far->far);
            far->far = NULL;
        }
    } else {
        holder = claim_holder(end->domain, end->hash,
                              claim_of(!end->number));
        if (holder == 0) {
            ret = shm_create(end);
        }
    }
    shm_unlock();
    if (holder < 0) {
        fprintf(stderr, "nvsciipc: the other end is held by a process that is "
                "not to be seen from here; another container?\n");
        return -EIO;
    }
    return holder == 0 ? ret : broker_ask(end, holder,
                                          (int)(deadline - now_ms()));
}

/* Takes the claims to the set-up and the own end, and a channel. */
static int set_up(struct shm_end *end)
{
    int64_t deadline = now_ms() + PATIENCE_MS;
    int ret = claim_set_up(end, deadline);

    if (ret == 0) {
        ret = claim_take(end->domain, end->hash, claim_of(end->number));
    }
    if (ret < 0) {
        return ret;
    }
    while ((ret = meet(end, deadline)) == -EAGAIN && now_ms() < deadline) {
        shm_lock();
        leave(end);
        shm_unlock();
        pause_shortly();
    }
    if (ret == -EAGAIN) {
        fprintf(stderr, "nvsciipc: process %ld holds the other end and does "
                "not answer\n",
                (long)claim_holder(end->domain, end->hash,
                                   claim_of(!end->number)));
        ret = -EIO;
    }
    if (ret < 0) {
        claim_drop(end->domain, end->hash, claim_of(end->number));
    }
    return ret;
}

/* The lock is held; what is returned is for broker_stop(). */
static struct broker *give_back(struct shm_end *end)
{
    leave(end);
    domain_put(end->domain);
    shm_end_free(end);
    return broker_put();
}

/* The lock is held. */
static int reach_others(struct shm_end *end)
{
    int ret = domain_get(&end->domain, end->gid);

    if (ret == 0) {
        ret = broker_get();
        if (ret < 0) {
            domain_put(end->domain);
        }
    }
    return ret;
}

static int open_end(struct shm_end *end, struct link *link)
{
    struct broker *idle = NULL;
    int ret;

    shm_lock();
    if (shm_find(end, end->number)) {
        shm_unlock();
        shm_end_free(end);
        return -EBUSY;
    }
    ret = reach_others(end);
    shm_unlock();
    if (ret < 0) {
        shm_end_free(end);
        return ret;
    }
    ret = domain_publish(end->domain, broker_address());
    if (ret == 0) {
        ret = set_up(end);
    } else {
        shm_failure(-ret, "the lock file cannot be written");
    }
    shm_lock();
    if (ret == 0) {
        shm_publish(end, link, &backend_inter_process);
    }
    /* Only now: who opens the far end next has to find us. */
    claim_drop(end->domain, end->hash, CLAIM_SET_UP);
    if (ret < 0) {
        idle = give_back(end);
    }
    shm_unlock();
    broker_stop(idle);
    return ret;
}

static int inter_process_open(struct link *link, const struct conf_entry *entry,
                              unsigned number)
{
    struct shm_end *end;
    int ret;

    if (!shm_may_use(entry)) {
        return -EPERM;
    }
    end = shm_end_new(entry, number);
    if (!end) {
        return -ENOMEM;
    }
    /* Record locks do not keep our own threads apart. */
    shm_opening_lock();
    ret = open_end(end, link);
    shm_opening_unlock();
    return ret;
}

static void inter_process_close(struct link *link)
{
    struct shm_end *end = link->priv;
    struct broker *idle;

    link->priv = NULL;
    shm_lock();
    if (end->inherited) {
        shm_unlock();
        shm_end_free(end);
        return;
    }
    shm_withdraw(end);
    /* Departed, before the next one may come. */
    claim_drop(end->domain, end->hash, claim_of(end->number));
    idle = give_back(end);
    shm_unlock();
    broker_stop(idle);
}

const struct backend backend_inter_process = {
    .open = inter_process_open,
    .notify = shm_notify,
    .ack = shm_ack,
    .wake = shm_wake,
    .far_status = shm_far_status,
    .close = inter_process_close,
    .can_disable_notification = true,
};
