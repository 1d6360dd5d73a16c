/* SPDX-License-Identifier: MIT */
/*
 * The native event of an endpoint: what an event service's notifier waits for.
 *
 * The endpoint and the notifier share it, and each may go first.
 */
#ifndef VSOC_NATIVE_H
#define VSOC_NATIVE_H

#include "native_event.h"

struct native;

/* fd: readable when the endpoint's event has happened. NULL: no memory. */
struct native *native_new(int fd);

/*
 * For a notifier, which gives it back by event->release(). NULL: there is one
 * already. Thread-safe.
 */
NvSciNativeEvent *native_take(struct native *native);

/* The endpoint is closed; before its descriptor is. */
void native_close(struct native *native);

#endif
