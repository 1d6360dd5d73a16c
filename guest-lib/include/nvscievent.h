/* SPDX-License-Identifier: MIT */
/*
 * The NvSciEventService interface (libnvscievent): waiting for endpoints,
 * signals between threads, and both at once.
 *
 * Layouts and symbol names are ABI. Source and binary compatible with programs
 * that were built for the board.
 *
 * Threads: every call may be made from any thread, but only one thread at a
 * time may wait on one service; a second one gets NotSupported. Waiting from
 * inside a handler is not allowed.
 */
#ifndef INCLUDED_NVSCIEVENT_H
#define INCLUDED_NVSCIEVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "nvscierror.h"

#ifdef __cplusplus
extern "C" {
#endif

/** The version of this interface; see NvSciEventCheckVersionCompatibility. */
static const uint32_t NvSciEventMajorVersion = 1U;
static const uint32_t NvSciEventMinorVersion = 4U;

/** A timeout that never ends. */
#define NV_SCI_EVENT_INFINITE_WAIT -1
/** How many priorities there are for handlers: 0 to this - 1. Ignored here. */
#define NV_SCI_EVENT_PRIORITIES 4

/* Seen through pointers only. */
typedef struct NvSciNativeEvent NvSciNativeEvent;
typedef struct NvSciTimerEvent NvSciTimerEvent;
typedef struct NvSciEventLoop NvSciEventLoop;

typedef struct NvSciEventNotifier NvSciEventNotifier;
typedef struct NvSciLocalEvent NvSciLocalEvent;
typedef struct NvSciEventService NvSciEventService;
typedef struct NvSciEventLoopService NvSciEventLoopService;

/** A signal from one thread of the process to another. */
struct NvSciLocalEvent {
    /** Made with the event. Delete it before the event. */
    NvSciEventNotifier *eventNotifier;

    /**
     * Signals the event. Never blocks; may be called from any thread. Signals
     * that nobody has waited for yet count as one.
     *
     * Success; BadParameter: thisLocalEvent is NULL.
     */
    NvSciError (*Signal)(NvSciLocalEvent *thisLocalEvent);

    /** Deletes the event; its notifier must have been deleted before. */
    void (*Delete)(NvSciLocalEvent *thisLocalEvent);
};

/** Makes what can be waited for. */
struct NvSciEventService {
    /**
     * Makes a notifier for a native event. Called by libraries that own such
     * events, not by applications: see NvSciIpcGetEventNotifier.
     *
     * Success; BadParameter: a pointer is NULL; InsufficientMemory;
     * InsufficientResource: the system's limit of watched descriptors;
     * AlreadyInUse: it has a notifier in this service.
     */
    NvSciError (*CreateNativeEventNotifier)(
        NvSciEventService *thisEventService, NvSciNativeEvent *nativeEvent,
        NvSciEventNotifier **newEventNotifier);

    /**
     * Makes a local event, with its notifier.
     *
     * Success; BadParameter: a pointer is NULL; InsufficientMemory;
     * InsufficientResource: no descriptor is left.
     */
    NvSciError (*CreateLocalEvent)(NvSciEventService *thisEventService,
                                   NvSciLocalEvent **newLocalEvent);

    /** NotSupported, as on the board. */
    NvSciError (*CreateTimerEvent)(NvSciEventService *thisEventService,
                                   NvSciTimerEvent **newTimerEvent);

    /**
     * Deletes the service. Notifiers that are left keep what they need until
     * they are deleted themselves.
     */
    void (*Delete)(NvSciEventService *thisEventService);
};

/** Tells of one event. */
struct NvSciEventNotifier {
    /**
     * Sets what is called, with the cookie, when the event happens; NULL sets
     * nothing. It runs inside the wait calls, in the thread that waits, also
     * when that one waits for another notifier.
     *
     * priority: ignored here, as on the board's Linux.
     * Success; BadParameter: thisEventNotifier is NULL.
     */
    NvSciError (*SetHandler)(NvSciEventNotifier *thisEventNotifier,
                             void (*callback)(void *cookie), void *cookie,
                             uint32_t priority);

    /**
     * Deletes the notifier; before its local event, and before its endpoint is
     * closed. Does not wait for a handler that is running.
     */
    void (*Delete)(NvSciEventNotifier *thisEventNotifier);
};

/** A service that is waited on by a call, rather than by a thread of its own. */
struct NvSciEventLoopService {
    /** Makes the events to wait for; also deletes the service. */
    NvSciEventService EventService;

    /** NotSupported, as on the board. */
    NvSciError (*CreateEventLoop)(NvSciEventLoopService *eventLoopService,
                                  NvSciEventLoop **newEventLoop);

    /**
     * Waits until the notifier's event happens. One that happened before the
     * call and was not waited for yet counts. Handlers run meanwhile.
     *
     * microseconds: 0 looks only; NV_SCI_EVENT_INFINITE_WAIT has no end (a
     * BadParameter for a service made by CreateSafeX).
     * Success: it happened. Timeout. InterruptedCall: by a signal.
     * BadParameter: NULL, or a time below -1. NotSupported: another thread
     * waits on this service, or this one does, in whose handler we are.
     * ResourceError: the system failed to wait.
     */
    NvSciError (*WaitForEvent)(NvSciEventNotifier *eventNotifier,
                               int64_t microseconds);

    /**
     * The same for several notifiers of one service; returns when at least
     * one event has happened.
     *
     * newEventArray: as many elements; true for each that happened, false for
     * the others. Errors as WaitForEvent; BadParameter also if a pointer is
     * NULL, the count 0, or a notifier of another service or there twice.
     */
    NvSciError (*WaitForMultipleEvents)(
        NvSciEventNotifier *const *eventNotifierArray,
        size_t eventNotifierCount, int64_t microseconds, bool *newEventArray);

    /**
     * The same with the service named. With a NULL array (count 0,
     * newEventArray NULL) it only runs handlers, until the time is over.
     */
    NvSciError (*WaitForMultipleEventsExt)(
        NvSciEventService *eventService,
        NvSciEventNotifier *const *eventNotifierArray,
        size_t eventNotifierCount, int64_t microseconds, bool *newEventArray);
};

/**
 * Makes an event loop service. Delete it with EventService.Delete().
 *
 * maxEventLoops: 1.
 * Success; BadParameter: newEventLoopService is NULL, or maxEventLoops is not
 * 1; InsufficientMemory; InsufficientResource: no descriptor is left.
 */
NvSciError NvSciEventLoopServiceCreate(
    size_t maxEventLoops, NvSciEventLoopService **newEventLoopService);

/** The same; config must be NULL, else BadParameter. */
NvSciError NvSciEventLoopServiceCreateSafe(
    size_t maxEventLoops, void *config,
    NvSciEventLoopService **newEventLoopService);

/** The same, but to wait without an end is a BadParameter. */
NvSciError NvSciEventLoopServiceCreateSafeX(
    size_t maxEventLoops, void *config,
    NvSciEventLoopService **newEventLoopService);

/**
 * Moves a notifier, with its handler, from one service to another.
 *
 * An event that nobody was told of moves along. Not while another thread
 * calls anything on the notifier.
 *
 * Success; BadParameter: a pointer is NULL, or the notifier is not of
 * oldEventService; InsufficientMemory, InsufficientResource: it stays.
 */
NvSciError NvSciEventMoveNotifier(NvSciEventService *oldEventService,
                                  NvSciEventService *newEventService,
                                  NvSciEventNotifier *eventNotifier);

/**
 * Whether a program built against version majorVer.minorVer of this header
 * works with this library: the majors are equal and the library's minor is
 * not smaller.
 *
 * Success; BadParameter: isCompatible is NULL.
 */
NvSciError NvSciEventCheckVersionCompatibility(uint32_t majorVer,
                                               uint32_t minorVer,
                                               bool *isCompatible);

#ifdef __cplusplus
}
#endif

#endif
