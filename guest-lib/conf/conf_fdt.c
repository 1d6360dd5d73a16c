/* SPDX-License-Identifier: MIT */
/* Finds the channel list's node in a flattened device tree, by libfdt. */
#include "conf/conf.h"

#include <libfdt.h>

#include "fdt_sound.h"

static struct conf_dt_value get(const void *fdt, int node, const char *name)
{
    int length;
    const void *data = fdt_getprop(fdt, node, name, &length);

    return (struct conf_dt_value) { data, data ? (size_t)length : 0 };
}

enum conf_fdt_result conf_find_fdt(const void *fdt, size_t size,
                                   struct conf_dt_node *node)
{
    int offset;

    if (fdt_sound(fdt, size) != 0) {
        return CONF_FDT_DAMAGED;
    }
    offset = fdt_path_offset(fdt, CONF_DT_PATH);
    if (offset < 0) {
        return CONF_FDT_NO_NODE;
    }
    node->compatible = get(fdt, offset, "compatible");
    node->status = get(fdt, offset, "status");
    node->channel_db = get(fdt, offset, CONF_DT_CHANNEL_DB);
    return CONF_FDT_FOUND;
}
