/* SPDX-License-Identifier: MIT */
/* INTER_VM: an IVC queue of the hypervisor, /dev/ivc<id>. */
#include "backend/ivc_node.h"

static int inter_vm_open(struct link *link, const struct conf_entry *entry,
                         unsigned end)
{
    (void)end;
    return ivc_node_open(link, &backend_inter_vm, "ivc", entry);
}

const struct backend backend_inter_vm = {
    .open = inter_vm_open,
    .notify = ivc_node_notify,
    .ack = ivc_node_ack,
    .wake = ivc_node_wake,
    .far_status = ivc_node_far_status,
    .close = ivc_node_close,
    .can_disable_notification = true,
};
