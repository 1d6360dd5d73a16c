/* SPDX-License-Identifier: MIT */
/*
 * An endpoint: a link (backend/) introduced to a ring (ivc/).
 *
 * Here it is decided when to ring, when the peer is believed dead, and what
 * the application is told. docs/specs/channel.md is the specification.
 *
 * One thread at a time may be in the calls that send (endpoint_write*), one in
 * those that receive (endpoint_read*, _take_errors), and none in either while
 * another call runs: handle.h has the locks. None blocks; errors are -errno:
 * -EAGAIN empty or full, -ECONNRESET not established, -EINVAL a size above
 * frame_size, -EOPNOTSUPP.
 */
#ifndef VSOC_ENDPOINT_H
#define VSOC_ENDPOINT_H

#include <stdbool.h>
#include <stdint.h>

#include "backend/backend.h"
#include "conf/conf.h"
#include "native_event.h"

struct endpoint;

/* Errors: the backend's. */
int endpoint_open(struct endpoint **endpoint, const struct backend *backend,
                  const struct conf_entry *entry, unsigned end);

/*
 * Right after the opening: an event service will wait for it. 0 or -ENOMEM. The
 * service is only remembered.
 */
int endpoint_serve(struct endpoint *endpoint, NvSciEventService *service);
NvSciEventService *endpoint_service(const struct endpoint *endpoint);

/*
 * For a notifier of its service, which gives it back by release(). NULL: there
 * is one already.
 */
NvSciNativeEvent *endpoint_native_event(struct endpoint *endpoint);

/*
 * No call may be in it and none may follow. discard: give back what was
 * received and not read.
 */
void endpoint_close(struct endpoint *endpoint, bool discard);

/*
 * In the child of a fork: gives back what the child has of it. Touches no
 * memory of the channel, takes no lock.
 */
void endpoint_abandon(struct endpoint *endpoint);

const struct link *endpoint_link(const struct endpoint *endpoint);
const char *endpoint_name(const struct endpoint *endpoint);

void endpoint_reset(struct endpoint *endpoint);

/* NV_SCI_IPC_EVENT_*. */
uint32_t endpoint_get_event(struct endpoint *endpoint);

/* NV_SCI_ASYNC_PCIE_*, of departures that were noticed since the last call. */
uint32_t endpoint_take_errors(struct endpoint *endpoint);

int endpoint_read(struct endpoint *endpoint, void *buf, uint32_t size);
int endpoint_read_frame(struct endpoint *endpoint, const void **frame);
int endpoint_read_advance(struct endpoint *endpoint);

int endpoint_write(struct endpoint *endpoint, const void *buf, uint32_t size);
int endpoint_write_frame(struct endpoint *endpoint, void **frame);
int endpoint_write_advance(struct endpoint *endpoint);

int endpoint_enable_notification(struct endpoint *endpoint, bool enable);

#endif
