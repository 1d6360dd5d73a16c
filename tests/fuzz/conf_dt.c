/* SPDX-License-Identifier: MIT */
/*
 * Fuzz target: the channel list of a device tree, in a flattened tree and, the
 * same bytes again, as the list alone.
 */
#include "conf_promise.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void parse(const char *list, size_t size)
{
    unsigned last_line = 0;
    struct conf_sink sink = {
        .entry = on_entry, .fault = on_fault, .opaque = &last_line,
    };

    conf_parse_dt(list, size, &sink);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct conf_dt_node node;

    if ((uintptr_t)data % 8 == 0 &&
        conf_find_fdt(data, size, &node) == CONF_FDT_FOUND &&
        !conf_check_dt(&node)) {
        parse(node.channel_db.data, node.channel_db.size);
    }
    parse((const char *)data, size);
    return 0;
}
