/* SPDX-License-Identifier: MIT */
/*
 * INTER_THREAD: both ends in one process. Nobody else can reach them.
 */
#include "backend/backend.h"

#include <errno.h>

#include "backend/posix_shm.h"

static void inter_thread_close(struct link *link)
{
    struct shm_end *end = link->priv;

    shm_lock();
    if (!end->inherited) {
        shm_withdraw(end);
        shm_leave(end);
    }
    shm_end_free(end);
    shm_unlock();
    link->priv = NULL;
}

static int inter_thread_open(struct link *link, const struct conf_entry *entry,
                             unsigned number)
{
    struct shm_end *end;
    struct shm_end *far;
    int ret;

    if (!shm_may_use(entry)) {
        return -EPERM;
    }
    end = shm_end_new(entry, number);
    if (!end) {
        return -ENOMEM;
    }
    shm_lock();
    far = shm_find(end, !number);
    if (shm_find(end, number)) {
        ret = -EBUSY;
    } else {
        ret = far ? shm_join_local(end, far) : shm_create(end);
    }
    if (ret == 0) {
        shm_publish(end, link, &backend_inter_thread);
    } else {
        shm_leave(end);
        shm_end_free(end);
    }
    shm_unlock();
    return ret;
}

const struct backend backend_inter_thread = {
    .open = inter_thread_open,
    .notify = shm_notify,
    .ack = shm_ack,
    .wake = shm_wake,
    .far_status = shm_far_status,
    .close = inter_thread_close,
    .can_disable_notification = true,
};
