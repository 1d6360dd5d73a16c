/* SPDX-License-Identifier: MIT */
/*
 * The exported functions: check arguments, find the handle, call the endpoint.
 *
 * What fails is traced off the way of what succeeds, and with no lock held.
 */
#include "nvsciipc.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "backend/backend.h"
#include "ipc/database.h"
#include "ipc/endpoint.h"
#include "ipc/errmap.h"
#include "ipc/handle.h"
#include "ipc/trace.h"

/* Who serves a record. */
static const struct backend *const backends[] = {
    [CONF_INTER_THREAD] = &backend_inter_thread,
    [CONF_INTER_PROCESS] = &backend_inter_process,
    [CONF_INTER_VM] = &backend_inter_vm,
    [CONF_INTER_CHIP] = &backend_inter_chip,
};

/* Serialises Init, Deinit and Open. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct database *database;       /* NULL: not initialised */
static atomic_bool initialized;         /* the same, without the lock */
static bool watching_forks;

static void before_fork(void)
{
    pthread_mutex_lock(&lock);
    handle_fork_prepare();
}

static void after_fork_in_parent(void)
{
    handle_fork_parent();
    pthread_mutex_unlock(&lock);
}

static void after_fork_in_child(void)
{
    handle_fork_child(endpoint_abandon);
    pthread_mutex_unlock(&lock);
}

/* The lock is held. */
static int load_configuration(void)
{
    const char *path = secure_getenv("NVSCIIPC_CFG");

    if (path && path[0] != '\0') {
        return database_load(&database, path, NULL);
    }
    return database_load(&database, DATABASE_DEFAULT_PATH, &device_tree_linux);
}

NvSciError NvSciIpcInit(void)
{
    NvSciError error = NvSciError_Success;

    pthread_mutex_lock(&lock);
    if (database) {
        error = NvSciError_InvalidState;
    } else if (!watching_forks &&
               pthread_atfork(before_fork, after_fork_in_parent,
                              after_fork_in_child) != 0) {
        error = NvSciError_InsufficientMemory;
    } else {
        watching_forks = true;
        trace_init();
        error = errmap(load_configuration());
        atomic_store(&initialized, database != NULL);
    }
    if (error == NvSciError_Success) {
        trace_event(NULL, "NvSciIpcInit: %u endpoints configured in %s",
                    database_size(database), database_origin(database));
    }
    pthread_mutex_unlock(&lock);
    if (error != NvSciError_Success) {
        trace_failure(NULL, __func__, error);
    }
    return error;
}

void NvSciIpcDeinit(void)
{
    struct endpoint *endpoint;

    pthread_mutex_lock(&lock);
    if (database) {
        atomic_store(&initialized, false);
        trace_event(NULL, "NvSciIpcDeinit");
        while ((endpoint = handle_remove_any()) != NULL) {
            trace_event(endpoint_name(endpoint), "closed");
            endpoint_close(endpoint, false);
        }
        database_free(database);
        database = NULL;
    }
    pthread_mutex_unlock(&lock);
}

/* What the trace says of an endpoint that was opened. */
struct opened {
    const char *backend;
    uint32_t nframes;
    uint32_t frame_size;
};

/* The lock is held. service: NULL, or what will wait for the endpoint. */
static int open_by_name(const char *name, NvSciEventService *service,
                        NvSciIpcEndpoint *handle, struct opened *opened)
{
    unsigned end;
    const struct conf_entry *entry = database_find(database, name, &end);
    struct endpoint *endpoint;
    int ret;

    if (!entry) {
        return -ENOENT;
    }
    if (!handle_room()) {
        return -EUSERS;
    }
    ret = endpoint_open(&endpoint, backends[entry->backend], entry, end);
    if (ret == 0 && service) {
        ret = endpoint_serve(endpoint, service);
        if (ret < 0) {
            endpoint_close(endpoint, false);
        }
    }
    if (ret == 0) {
        opened->backend = conf_backend_name(entry->backend);
        opened->nframes = endpoint_link(endpoint)->nframes;
        opened->frame_size = endpoint_link(endpoint)->frame_size;
        *handle = handle_add(endpoint);
    }
    return ret;
}

static NvSciError open_endpoint(const char *name, bool pointers_ok,
                                NvSciEventService *service,
                                NvSciIpcEndpoint *handle)
{
    struct opened opened = { .backend = NULL };
    NvSciError error;

    pthread_mutex_lock(&lock);
    if (!database) {
        error = NvSciError_NotInitialized;
    } else if (!pointers_ok) {
        error = NvSciError_BadParameter;
    } else {
        error = errmap(open_by_name(name, service, handle, &opened));
    }
    pthread_mutex_unlock(&lock);
    if (error == NvSciError_Success) {
        trace_event(name, "opened, %s, %" PRIu32 " x %" PRIu32,
                    opened.backend, opened.nframes, opened.frame_size);
    } else {
        trace_failure(name, "open failed", error);
    }
    return error;
}

NvSciError NvSciIpcOpenEndpoint(const char *endpoint, NvSciIpcEndpoint *handle)
{
    return open_endpoint(endpoint, endpoint && handle, NULL, handle);
}

NvSciError NvSciIpcOpenEndpointWithEventService(
    const char *endpoint, NvSciIpcEndpoint *handle,
    NvSciEventService *eventService)
{
    return open_endpoint(endpoint, endpoint && handle && eventService,
                         eventService, handle);
}

/* What is wrong with a handle that finds nothing. */
static NvSciError no_endpoint(void)
{
    return atomic_load(&initialized) ? NvSciError_BadParameter :
                                       NvSciError_NotInitialized;
}

/* Of an endpoint that may be closed before the trace is written. */
struct name {
    char text[CONF_NAME_SIZE];
};

__attribute__((cold, noinline))
static NvSciError fail(NvSciIpcEndpoint handle, enum handle_use use,
                       const struct endpoint *endpoint, NvSciError error,
                       const char *function)
{
    struct name name;

    strcpy(name.text, endpoint_name(endpoint));
    handle_put(handle, use);
    trace_failure(name.text, function, error);
    return error;
}

__attribute__((cold, noinline))
static NvSciError refuse(NvSciIpcEndpoint handle, enum handle_use use,
                         const struct endpoint *endpoint, const char *function)
{
    NvSciError error;

    if (endpoint) {
        return fail(handle, use, endpoint, NvSciError_BadParameter, function);
    }
    error = no_endpoint();
    trace_failure(NULL, function, error);
    return error;
}

/*
 * Opens every call: `pointers_ok` is what has to be true of its arguments.
 * Success: *endpoint is held for this use until leave.
 */
__attribute__((always_inline))
static inline NvSciError enter(NvSciIpcEndpoint handle, enum handle_use use,
                               bool pointers_ok, struct endpoint **endpoint,
                               const char *function)
{
    *endpoint = handle_get(handle, use);
    if (*endpoint && pointers_ok) {
        return NvSciError_Success;
    }
    return refuse(handle, use, *endpoint, function);
}

/* Closes a call that was entered: what it returns. ret: the endpoint's. */
__attribute__((always_inline))
static inline NvSciError leave(NvSciIpcEndpoint handle, enum handle_use use,
                               const struct endpoint *endpoint, int ret,
                               const char *function)
{
    if (ret == 0) {
        handle_put(handle, use);
        return NvSciError_Success;
    }
    /* That there is no frame, or no space, is no fault, and often so. */
    if (ret == -EAGAIN) {
        handle_put(handle, use);
        return errmap(ret);
    }
    return fail(handle, use, endpoint, errmap(ret), function);
}

NvSciError NvSciIpcCloseEndpointSafe(NvSciIpcEndpoint handle, bool clear)
{
    struct endpoint *endpoint = handle_remove(handle);

    if (!endpoint) {
        return refuse(handle, HANDLE_BOTH, NULL, __func__);
    }
    /* Before the peer can tell that. */
    trace_event(endpoint_name(endpoint), "closed");
    endpoint_close(endpoint, clear);
    return NvSciError_Success;
}

void NvSciIpcCloseEndpoint(NvSciIpcEndpoint handle)
{
    (void)NvSciIpcCloseEndpointSafe(handle, false);
}

NvSciError NvSciIpcResetEndpointSafe(NvSciIpcEndpoint handle)
{
    struct endpoint *endpoint;
    NvSciError error = enter(handle, HANDLE_BOTH, true, &endpoint, __func__);

    if (error == NvSciError_Success) {
        /* Before the peer can tell that, though locked therefore. */
        trace_event(endpoint_name(endpoint), "reset");
        endpoint_reset(endpoint);
        handle_put(handle, HANDLE_BOTH);
    }
    return error;
}

void NvSciIpcResetEndpoint(NvSciIpcEndpoint handle)
{
    (void)NvSciIpcResetEndpointSafe(handle);
}

NvSciError NvSciIpcReadSafe(NvSciIpcEndpoint handle, void *buf, uint32_t size,
                            uint32_t *bytes)
{
    struct endpoint *endpoint;
    NvSciError error = enter(handle, HANDLE_RX, buf && bytes,
                             &endpoint, __func__);

    if (error == NvSciError_Success) {
        error = leave(handle, HANDLE_RX, endpoint,
                      endpoint_read(endpoint, buf, size), __func__);
    }
    if (bytes) {
        *bytes = error == NvSciError_Success ? size : 0;
    }
    return error;
}

NvSciError NvSciIpcRead(NvSciIpcEndpoint handle, void *buf, size_t size,
                        int32_t *bytes)
{
    uint32_t read = 0;
    NvSciError error;

    /* Too large for *bytes: as a frame that large would be. */
    error = NvSciIpcReadSafe(handle, size <= INT32_MAX ? buf : NULL,
                             (uint32_t)size, bytes ? &read : NULL);
    if (bytes) {
        *bytes = (int32_t)read;
    }
    return error;
}

NvSciError NvSciIpcReadGetNextFrame(NvSciIpcEndpoint handle,
                                    const volatile void **buf)
{
    struct endpoint *endpoint;
    NvSciError error = enter(handle, HANDLE_RX, buf != NULL,
                             &endpoint, __func__);
    const void *frame = NULL;

    if (error == NvSciError_Success) {
        error = leave(handle, HANDLE_RX, endpoint,
                      endpoint_read_frame(endpoint, &frame), __func__);
    }
    if (buf) {
        *buf = frame;
    }
    return error;
}

NvSciError NvSciIpcReadAdvance(NvSciIpcEndpoint handle)
{
    struct endpoint *endpoint;
    NvSciError error = enter(handle, HANDLE_RX, true, &endpoint, __func__);

    if (error == NvSciError_Success) {
        error = leave(handle, HANDLE_RX, endpoint,
                      endpoint_read_advance(endpoint), __func__);
    }
    return error;
}

NvSciError NvSciIpcWriteSafe(NvSciIpcEndpoint handle, const void *buf,
                             uint32_t size, uint32_t *bytes)
{
    struct endpoint *endpoint;
    NvSciError error = enter(handle, HANDLE_TX, buf && bytes,
                             &endpoint, __func__);

    if (error == NvSciError_Success) {
        error = leave(handle, HANDLE_TX, endpoint,
                      endpoint_write(endpoint, buf, size), __func__);
    }
    if (bytes) {
        *bytes = error == NvSciError_Success ? size : 0;
    }
    return error;
}

NvSciError NvSciIpcWrite(NvSciIpcEndpoint handle, const void *buf, size_t size,
                         int32_t *bytes)
{
    uint32_t written = 0;
    NvSciError error;

    error = NvSciIpcWriteSafe(handle, size <= INT32_MAX ? buf : NULL,
                              (uint32_t)size, bytes ? &written : NULL);
    if (bytes) {
        *bytes = (int32_t)written;
    }
    return error;
}

NvSciError NvSciIpcWriteGetNextFrame(NvSciIpcEndpoint handle,
                                     volatile void **buf)
{
    struct endpoint *endpoint;
    NvSciError error = enter(handle, HANDLE_TX, buf != NULL,
                             &endpoint, __func__);
    void *frame = NULL;

    if (error == NvSciError_Success) {
        error = leave(handle, HANDLE_TX, endpoint,
                      endpoint_write_frame(endpoint, &frame), __func__);
    }
    if (buf) {
        *buf = frame;
    }
    return error;
}

NvSciError NvSciIpcWriteAdvance(NvSciIpcEndpoint handle)
{
    struct endpoint *endpoint;
    NvSciError error = enter(handle, HANDLE_TX, true, &endpoint, __func__);

    if (error == NvSciError_Success) {
        error = leave(handle, HANDLE_TX, endpoint,
                      endpoint_write_advance(endpoint), __func__);
    }
    return error;
}

NvSciError NvSciIpcGetEndpointInfo(NvSciIpcEndpoint handle,
                                   NvSciIpcEndpointInfo *info)
{
    struct endpoint *endpoint;
    NvSciError error = enter(handle, HANDLE_RX, info != NULL,
                             &endpoint, __func__);

    if (error == NvSciError_Success) {
        info->nframes = endpoint_link(endpoint)->nframes;
        info->frame_size = endpoint_link(endpoint)->frame_size;
        handle_put(handle, HANDLE_RX);
    }
    return error;
}

NvSciError NvSciIpcGetLinuxEventFd(NvSciIpcEndpoint handle, int32_t *fd)
{
    struct endpoint *endpoint;
    NvSciError error = enter(handle, HANDLE_RX, fd != NULL,
                             &endpoint, __func__);

    if (error == NvSciError_Success) {
        *fd = endpoint_link(endpoint)->event_fd;
        handle_put(handle, HANDLE_RX);
    }
    return error;
}

NvSciError NvSciIpcGetEventSafe(NvSciIpcEndpoint handle, uint32_t *events)
{
    struct endpoint *endpoint;
    NvSciError error = enter(handle, HANDLE_BOTH, events != NULL,
                             &endpoint, __func__);

    if (error == NvSciError_Success) {
        *events = endpoint_get_event(endpoint);
        handle_put(handle, HANDLE_BOTH);
    } else if (events) {
        *events = 0;
    }
    return error;
}

NvSciError NvSciIpcGetEvent(NvSciIpcEndpoint handle, uint32_t *events)
{
    return NvSciIpcGetEventSafe(handle, events);
}

NvSciError NvSciIpcGetAsyncErrors(NvSciIpcEndpoint handle, uint32_t *errors)
{
    struct endpoint *endpoint;
    NvSciError error = enter(handle, HANDLE_RX, errors != NULL,
                             &endpoint, __func__);

    if (error == NvSciError_Success) {
        *errors = endpoint_take_errors(endpoint);
        handle_put(handle, HANDLE_RX);
    }
    return error;
}

NvSciError NvSciIpcEnableNotification(NvSciIpcEndpoint handle, bool flag)
{
    struct endpoint *endpoint;
    NvSciError error = enter(handle, HANDLE_BOTH, true, &endpoint, __func__);

    if (error == NvSciError_Success) {
        error = leave(handle, HANDLE_BOTH, endpoint,
                      endpoint_enable_notification(endpoint, flag), __func__);
    }
    return error;
}

/* The service is called through its own table: no link between libraries. */
static NvSciError create_notifier(struct endpoint *endpoint,
                                  NvSciEventNotifier **notifier)
{
    NvSciEventService *service = endpoint_service(endpoint);
    NvSciNativeEvent *event;
    NvSciError error;

    if (!service) {
        return NvSciError_NotInitialized;
    }
    event = endpoint_native_event(endpoint);
    if (!event) {
        return NvSciError_InvalidState;
    }
    error = service->CreateNativeEventNotifier(service, event, notifier);
    if (error != NvSciError_Success) {
        event->release(event);
    }
    return error;
}

NvSciError NvSciIpcGetEventNotifier(NvSciIpcEndpoint handle,
                                    NvSciEventNotifier **eventNotifier)
{
    struct endpoint *endpoint;
    NvSciError error = enter(handle, HANDLE_RX, eventNotifier != NULL,
                             &endpoint, __func__);

    if (error == NvSciError_Success) {
        error = create_notifier(endpoint, eventNotifier);
        if (error != NvSciError_Success) {
            return fail(handle, HANDLE_RX, endpoint, error, __func__);
        }
        handle_put(handle, HANDLE_RX);
    }
    return error;
}

NvSciError NvSciIpcCheckVersionCompatibility(uint32_t majorVer,
                                             uint32_t minorVer,
                                             bool *isCompatible)
{
    if (!isCompatible) {
        return NvSciError_BadParameter;
    }
    *isCompatible = majorVer == NvSciIpcMajorVersion &&
                    minorVer <= NvSciIpcMinorVersion;
    return NvSciError_Success;
}
