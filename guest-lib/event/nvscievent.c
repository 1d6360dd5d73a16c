/* SPDX-License-Identifier: MIT */
/* The exported functions and the service's methods: check, then call. */
#include "loop.h"

/* There is no call that would arm a timer: the board's Linux has none. */
static NvSciError create_timer_event(NvSciEventService *service,
                                     NvSciTimerEvent **event)
{
    return service && event ? NvSciError_NotSupported
                            : NvSciError_BadParameter;
}

static NvSciError create_event_loop(NvSciEventLoopService *service,
                                    NvSciEventLoop **loop)
{
    return service && loop ? NvSciError_NotSupported : NvSciError_BadParameter;
}

static void delete(NvSciEventService *service)
{
    if (service) {
        service_put((struct service *)service);
    }
}

static NvSciError wait_for_event(NvSciEventNotifier *notifier,
                                 int64_t microseconds)
{
    bool fresh;

    if (!notifier) {
        return NvSciError_BadParameter;
    }
    return service_wait(((struct notifier *)notifier)->service, &notifier, 1,
                        microseconds, &fresh);
}

static NvSciError wait_for_multiple(NvSciEventNotifier *const *notifiers,
                                    size_t count, int64_t microseconds,
                                    bool *fresh)
{
    if (!notifiers || count == 0 || !notifiers[0] || !fresh) {
        return NvSciError_BadParameter;
    }
    return service_wait(((struct notifier *)notifiers[0])->service, notifiers,
                        count, microseconds, fresh);
}

static NvSciError wait_for_multiple_ext(NvSciEventService *service,
                                        NvSciEventNotifier *const *notifiers,
                                        size_t count, int64_t microseconds,
                                        bool *fresh)
{
    bool none = !notifiers && count == 0 && !fresh;
    bool some = notifiers && count > 0 && fresh;

    if (!service || (!none && !some)) {
        return NvSciError_BadParameter;
    }
    return service_wait((struct service *)service, notifiers, count,
                        microseconds, fresh);
}

static NvSciError create(size_t max_event_loops, const void *config,
                         bool infinite_refused, NvSciEventLoopService **out)
{
    if (max_event_loops != 1 || config || !out) {
        return NvSciError_BadParameter;
    }

    NvSciError error = service_create(infinite_refused, out);

    if (error == NvSciError_Success) {
        **out = (NvSciEventLoopService){
            .EventService = {
                .CreateNativeEventNotifier = notifier_create_native,
                .CreateLocalEvent = local_event_create,
                .CreateTimerEvent = create_timer_event,
                .Delete = delete,
            },
            .CreateEventLoop = create_event_loop,
            .WaitForEvent = wait_for_event,
            .WaitForMultipleEvents = wait_for_multiple,
            .WaitForMultipleEventsExt = wait_for_multiple_ext,
        };
    }
    return error;
}

NvSciError NvSciEventLoopServiceCreate(size_t maxEventLoops,
                                       NvSciEventLoopService **service)
{
    return create(maxEventLoops, NULL, false, service);
}

NvSciError NvSciEventLoopServiceCreateSafe(size_t maxEventLoops, void *config,
                                           NvSciEventLoopService **service)
{
    return create(maxEventLoops, config, false, service);
}

NvSciError NvSciEventLoopServiceCreateSafeX(size_t maxEventLoops, void *config,
                                            NvSciEventLoopService **service)
{
    return create(maxEventLoops, config, true, service);
}

NvSciError NvSciEventMoveNotifier(NvSciEventService *oldService,
                                  NvSciEventService *newService,
                                  NvSciEventNotifier *eventNotifier)
{
    struct notifier *notifier = (struct notifier *)eventNotifier;

    if (!oldService || !newService || !notifier ||
        notifier->service != (struct service *)oldService) {
        return NvSciError_BadParameter;
    }
    return service_move(notifier, (struct service *)newService);
}

NvSciError NvSciEventCheckVersionCompatibility(uint32_t majorVer,
                                               uint32_t minorVer,
                                               bool *isCompatible)
{
    if (!isCompatible) {
        return NvSciError_BadParameter;
    }
    *isCompatible = majorVer == NvSciEventMajorVersion &&
                    minorVer <= NvSciEventMinorVersion;
    return NvSciError_Success;
}
