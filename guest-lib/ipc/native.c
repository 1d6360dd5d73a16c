/* SPDX-License-Identifier: MIT */
/* The native event of an endpoint. */
#include "ipc/native.h"

#include <stdlib.h>

struct native {
    NvSciNativeEvent event;     /* first */
    atomic_uint users;          /* the endpoint, and at most one notifier */
};

static void put(struct native *native)
{
    if (atomic_fetch_sub(&native->users, 1) == 1) {
        free(native);
    }
}

static void release(NvSciNativeEvent *event)
{
    put((struct native *)event);
}

struct native *native_new(int fd)
{
    struct native *native = malloc(sizeof(*native));

    if (native) {
        atomic_init(&native->event.fd, fd);
        native->event.release = release;
        atomic_init(&native->users, 1);
    }
    return native;
}

NvSciNativeEvent *native_take(struct native *native)
{
    unsigned endpoint_only = 1;

    return atomic_compare_exchange_strong(&native->users, &endpoint_only, 2) ?
           &native->event : NULL;
}

void native_close(struct native *native)
{
    /* A number that is free again may soon be somebody else's descriptor. */
    atomic_store(&native->event.fd, -1);
    put(native);
}
