/* SPDX-License-Identifier: MIT */
/*
 * The NvSciIpc interface (libnvsciipc): frames between two endpoints of a
 * channel, wherever the two are.
 *
 * Values, layouts and symbol names are ABI. Source and binary compatible with
 * programs that were built for the board.
 *
 * Bringing a channel up: NvSciIpcInit; NvSciIpcOpenEndpoint;
 * NvSciIpcGetLinuxEventFd; NvSciIpcResetEndpointSafe, exactly once; then
 * NvSciIpcGetEventSafe until nothing wanted is left; then wait on the
 * descriptor; and so on. GetEvent is what moves the handshake on: who never
 * calls it never gets a connection.
 *
 * Threads: every call is safe from any thread, and none blocks. One thread may
 * read while another writes. An endpoint may be closed while another thread is
 * inside a call with it: the close waits for that call, which ends by itself.
 *
 * fork: a child has none of its parent's endpoints; their handles get
 * BadParameter there. It may open endpoints of its own.
 *
 * Errors that any call may return, except where it says that it has none:
 *   NotInitialized  before NvSciIpcInit, or after NvSciIpcDeinit
 *   BadParameter    a pointer is NULL; the handle was never opened, or was
 *                   closed
 */
#ifndef INCLUDED_NVSCIIPC_H
#define INCLUDED_NVSCIIPC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "nvscierror.h"
#include "nvscievent.h"

#ifdef __cplusplus
extern "C" {
#endif

/** The version of this interface; see NvSciIpcCheckVersionCompatibility. */
static const uint32_t NvSciIpcMajorVersion = 1U;
static const uint32_t NvSciIpcMinorVersion = 4U;

/** Bytes of an endpoint's name at most, with the NUL. */
#define NVSCIIPC_MAX_ENDPOINT_NAME 64U
/** A timeout that never ends. */
#define NVSCIIPC_INFINITE_WAIT -1LL

/* What NvSciIpcGetEvent reports. */

/** A frame is there to be read. */
#define NV_SCI_IPC_EVENT_READ 0x01U
/** There is space for a frame. */
#define NV_SCI_IPC_EVENT_WRITE 0x02U
/** The channel is established now. Reported once. */
#define NV_SCI_IPC_EVENT_CONN_EST 0x04U
/** The peer has reset, closed or died. Once, with ASYNC_ERROR at most. */
#define NV_SCI_IPC_EVENT_CONN_RESET 0x08U
/** The peer, or the link to its chip, has taken every frame that was sent. */
#define NV_SCI_IPC_EVENT_WRITE_EMPTY 0x10U
/** The link to the peer's chip has failed; NvSciIpcGetAsyncErrors. Once. */
#define NV_SCI_IPC_EVENT_ASYNC_ERROR 0x20U
/** All that a new connection may bring. */
#define NV_SCI_IPC_EVENT_CONN_EST_ALL \
    (NV_SCI_IPC_EVENT_CONN_EST | NV_SCI_IPC_EVENT_WRITE | \
     NV_SCI_IPC_EVENT_WRITE_EMPTY | NV_SCI_IPC_EVENT_READ)

/* What NvSciIpcGetAsyncErrors reports; chip-to-chip endpoints only. */

/** Messages of the link were lost or repeated. */
#define NV_SCI_ASYNC_PCIE_EDMA_XFER_ERROR 0x1U
/** The link is lost: the other chip died, or hangs, or the way to it. */
#define NV_SCI_ASYNC_PCIE_AER_UNCORRECTABLE_FATAL 0x2U
/** Not reported here. */
#define NV_SCI_ASYNC_PCIE_AER_UNCORRECTABLE_NONFATAL 0x4U
/** The other chip sent what it must not, or found that this one did. */
#define NV_SCI_ASYNC_PCIE_VALIDATION_ERROR 0x8U

/** An open endpoint. 0 is never one. */
typedef uint64_t NvSciIpcEndpoint;

/** The same for both directions and both ends of a channel. */
struct NvSciIpcEndpointInfo {
    /** Frames that a direction holds. */
    uint32_t nframes;
    /** Bytes of a frame; a multiple of 64. */
    uint32_t frame_size;
};
typedef struct NvSciIpcEndpointInfo NvSciIpcEndpointInfo;

/**
 * Reads the configuration: the file that the environment variable NVSCIIPC_CFG
 * names (set-uid programs ignore it), else /etc/nvsciipc.cfg, else the device
 * tree's node /chosen/nvsciipc. A line or entry that cannot be used is reported
 * on standard error and skipped.
 *
 * The environment variable NVSCIIPC_TRACE (set-uid programs ignore it) names a
 * file, or a terminal such as /dev/console, to which from now on a line is
 * appended for each opening, closing, reset, CONN_EST, CONN_RESET, ASYNC_ERROR
 * and failed call; never for frames. nvsciipc.cfg(5) has an example. A file
 * that cannot be opened is reported on standard error, and is no failure.
 *
 * Success. InvalidState: called before, without a Deinit since.
 * NoSuchEntry, NotPermitted, IsDirectory, FileTooBig, IO: the configuration
 * cannot be read; standard error says why. InsufficientMemory.
 */
NvSciError NvSciIpcInit(void);

/**
 * The end of what Init began. Expects every endpoint to be closed; those that
 * are not are closed here. Then Init may be called again. No effect before
 * Init.
 */
void NvSciIpcDeinit(void);

/**
 * Opens the endpoint of this name.
 *
 * endpoint: a name of the configuration, NUL-terminated.
 * handle: set on success only.
 *
 * Success. NoSuchEntry: the configuration has no such name, or names a queue
 * or a channel to another chip that the hypervisor does not have. Busy: open
 * already, here or in another process. NotPermitted: no right to use it.
 * InsufficientResource: the process holds 500 endpoints.
 * TooManyOpenFiles, FileTableOverflow, InsufficientMemory.
 * InconsistentData, IO: the driver's answer makes no sense, or none came.
 */
NvSciError NvSciIpcOpenEndpoint(const char *endpoint,
                                NvSciIpcEndpoint *handle);

/**
 * The same, to be waited for with an event service rather than (or as well as)
 * a descriptor. eventService: must live until the endpoint is closed.
 */
NvSciError NvSciIpcOpenEndpointWithEventService(
    const char *endpoint, NvSciIpcEndpoint *handle,
    NvSciEventService *eventService);

/**
 * The notifier of an endpoint that was opened WithEventService. Delete it
 * before the endpoint is closed.
 *
 * Success. NotInitialized: not opened WithEventService. InvalidState: there is
 * a notifier already. InsufficientMemory.
 */
NvSciError NvSciIpcGetEventNotifier(NvSciIpcEndpoint handle,
                                    NvSciEventNotifier **eventNotifier);

/** NvSciIpcCloseEndpointSafe without clearing, and without a word of failure. */
void NvSciIpcCloseEndpoint(NvSciIpcEndpoint handle);

/**
 * Closes an endpoint. Frames written before still arrive at the peer, which is
 * then told CONN_RESET.
 *
 * clear: also discard the frames that were received and not read.
 * Success.
 */
NvSciError NvSciIpcCloseEndpointSafe(NvSciIpcEndpoint handle, bool clear);

/** NvSciIpcResetEndpointSafe without a word of failure. */
void NvSciIpcResetEndpoint(NvSciIpcEndpoint handle);

/**
 * Discards all that is queued, both ways, and tells the peer. Needed exactly
 * once after opening, and allowed once more before closing. Until both ends
 * have reset, no frame moves. While a handshake is under way (also one that
 * CONN_RESET told of) it changes nothing.
 *
 * Success.
 */
NvSciError NvSciIpcResetEndpointSafe(NvSciIpcEndpoint handle);

/**
 * NvSciIpcReadSafe with other types. *bytes is set to 0 if nothing was read.
 * BadParameter also if size does not fit *bytes.
 */
NvSciError NvSciIpcRead(NvSciIpcEndpoint handle, void *buf, size_t size,
                        int32_t *bytes);

/**
 * Takes the oldest frame that was received.
 *
 * size: bytes wanted, at most frame_size; what is left of the frame is
 * dropped. *bytes: size, or 0 if nothing was read.
 *
 * Success. BadParameter: also if size is above frame_size.
 * InsufficientMemory: nothing to read; wait for READ.
 * ConnectionReset: the channel is not established; call GetEvent.
 */
NvSciError NvSciIpcReadSafe(NvSciIpcEndpoint handle, void *buf, uint32_t size,
                            uint32_t *bytes);

/**
 * The oldest frame that was received, in place: frame_size bytes. The peer can
 * change them at any time: copy before checking. Good until NvSciIpcReadAdvance
 * or CONN_RESET. Calling it again gives the same frame.
 *
 * Success. InsufficientMemory, ConnectionReset: as NvSciIpcReadSafe; *buf is
 * set to NULL.
 */
NvSciError NvSciIpcReadGetNextFrame(NvSciIpcEndpoint handle,
                                    const volatile void **buf);

/**
 * Drops the oldest frame that was received, whether or not it was looked at.
 *
 * Success. InsufficientMemory: as NvSciIpcReadSafe. ConnectionReset: so too,
 * and if the channel was reset since NvSciIpcReadGetNextFrame.
 */
NvSciError NvSciIpcReadAdvance(NvSciIpcEndpoint handle);

/**
 * NvSciIpcWriteSafe with other types. *bytes is set to 0 if nothing was
 * written. BadParameter also if size does not fit *bytes.
 */
NvSciError NvSciIpcWrite(NvSciIpcEndpoint handle, const void *buf, size_t size,
                         int32_t *bytes);

/**
 * Sends one frame.
 *
 * size: bytes of buf, at most frame_size; the rest of the frame is filled with
 * zeros. *bytes: size, or 0 if nothing was written.
 *
 * Success. BadParameter: also if size is above frame_size.
 * InsufficientMemory: no space; wait for WRITE.
 * ConnectionReset: the channel is not established; call GetEvent.
 */
NvSciError NvSciIpcWriteSafe(NvSciIpcEndpoint handle, const void *buf,
                             uint32_t size, uint32_t *bytes);

/**
 * The next frame to send, in place: the caller fills all its frame_size bytes,
 * then calls NvSciIpcWriteAdvance. Good until then or CONN_RESET.
 *
 * Success. InsufficientMemory, ConnectionReset: as NvSciIpcWriteSafe; *buf is
 * set to NULL.
 */
NvSciError NvSciIpcWriteGetNextFrame(NvSciIpcEndpoint handle,
                                     volatile void **buf);

/**
 * Sends the frame that NvSciIpcWriteGetNextFrame gave.
 *
 * Success. InsufficientMemory: as NvSciIpcWriteSafe. ConnectionReset: so too,
 * and if the channel was reset since NvSciIpcWriteGetNextFrame.
 */
NvSciError NvSciIpcWriteAdvance(NvSciIpcEndpoint handle);

/** The channel's geometry. Success. */
NvSciError NvSciIpcGetEndpointInfo(NvSciIpcEndpoint handle,
                                   NvSciIpcEndpointInfo *info);

/**
 * A descriptor for select, poll and epoll: readable when something may have
 * changed; then call GetEvent. It stays the library's: never read, write or
 * close it.
 *
 * Success.
 */
NvSciError NvSciIpcGetLinuxEventFd(NvSciIpcEndpoint handle, int32_t *fd);

/** The same as NvSciIpcGetEventSafe. */
NvSciError NvSciIpcGetEvent(NvSciIpcEndpoint handle, uint32_t *events);

/**
 * What has happened, and what can be done: NV_SCI_IPC_EVENT_*, or 0. Moves the
 * handshake on. Never blocks.
 *
 * CONN_EST and CONN_RESET are reported once each time. READ, WRITE and
 * WRITE_EMPTY are reported as long as they hold; each means that the channel
 * is established. WRITE_EMPTY wakes nobody: it is polled for. When the peer
 * has gone, READ alone is reported until every frame that it sent is read;
 * then CONN_RESET. If it has gone because the link to its chip has failed,
 * ASYNC_ERROR is reported too, once: as soon as it is noticed, so with READ if
 * frames are left, and with CONN_RESET at the latest.
 *
 * Success. *events is set to 0 on failure.
 */
NvSciError NvSciIpcGetEventSafe(NvSciIpcEndpoint handle, uint32_t *events);

/**
 * What ASYNC_ERROR is about: NV_SCI_ASYNC_*, the errors of every failure that
 * was noticed since the last call; 0 if there was none, and on endpoints within
 * a chip. Reading clears; an ASYNC_ERROR not yet reported is not any more.
 *
 * Success.
 */
NvSciError NvSciIpcGetAsyncErrors(NvSciIpcEndpoint handle, uint32_t *errors);

/**
 * Whether reads and writes tell the peer (they do after opening). An
 * application whose peer polls may save that; the handshake always tells.
 *
 * Success. NotSupported: a chip-to-chip endpoint, whose frames move only when
 * told.
 */
NvSciError NvSciIpcEnableNotification(NvSciIpcEndpoint handle, bool flag);

/**
 * Whether a program built against version majorVer.minorVer of this header
 * works with this library: the majors are equal and the library's minor is
 * not smaller. May be called before Init.
 *
 * Success; BadParameter: isCompatible is NULL.
 */
NvSciError NvSciIpcCheckVersionCompatibility(uint32_t majorVer,
                                             uint32_t minorVer,
                                             bool *isCompatible);

#ifdef __cplusplus
}
#endif

#endif
