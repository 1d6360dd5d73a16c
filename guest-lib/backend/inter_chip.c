/* SPDX-License-Identifier: MIT */
/*
 * INTER_CHIP: a channel to another chip, /dev/c2c<device>. The far end of its
 * queue is a device, which carries frames as it is rung; so bells are not for
 * the application to switch off.
 */
#include "backend/ivc_node.h"

static int inter_chip_open(struct link *link, const struct conf_entry *entry,
                           unsigned end)
{
    (void)end;
    return ivc_node_open(link, &backend_inter_chip, "c2c", entry);
}

const struct backend backend_inter_chip = {
    .open = inter_chip_open,
    .notify = ivc_node_notify,
    .ack = ivc_node_ack,
    .wake = ivc_node_wake,
    .far_status = ivc_node_far_status,
    .close = ivc_node_close,
};
