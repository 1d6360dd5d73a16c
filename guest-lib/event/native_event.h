/* SPDX-License-Identifier: MIT */
/*
 * The seam between libnvsciipc and libnvscievent: what a native event is.
 *
 * libnvsciipc makes one of these for an endpoint and hands it to the service's
 * CreateNativeEventNotifier(); neither library links to the other.
 */
#ifndef VSOC_NATIVE_EVENT_H
#define VSOC_NATIVE_EVENT_H

#include <stdatomic.h>

#include "nvscievent.h"

struct NvSciNativeEvent {
    /*
     * Readable when the event has happened. Its owner drains it, the loop only
     * waits for the edge: each notification wakes one wait, whether or not the
     * one before was drained. -1 once the owner has closed it.
     */
    atomic_int fd;
    /* Called once, by the notifier's Delete: the owner's share ends apart. */
    void (*release)(struct NvSciNativeEvent *event);
};

#endif
