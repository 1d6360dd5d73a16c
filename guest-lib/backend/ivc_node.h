/* SPDX-License-Identifier: MIT */
/*
 * What INTER_VM and INTER_CHIP share: a node of the guest driver, which is the
 * same for a queue to another VM and one to another chip. docs/specs/ioctls.md
 * is the specification.
 */
#ifndef VSOC_IVC_NODE_H
#define VSOC_IVC_NODE_H

#include "backend/backend.h"

/* The node /dev/<prefix><id>. */
int ivc_node_open(struct link *link, const struct backend *backend,
                  const char *prefix, const struct conf_entry *entry);

/* The backends' own functions. */
void ivc_node_notify(struct link *link);
bool ivc_node_ack(struct link *link);
void ivc_node_wake(struct link *link);
struct far_status ivc_node_far_status(struct link *link);
void ivc_node_close(struct link *link);

#endif
