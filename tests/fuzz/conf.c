/* SPDX-License-Identifier: MIT */
/* Fuzz target: /etc/nvsciipc.cfg. Whatever is accepted keeps what it promises. */
#include "conf_promise.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned last_line = 0;
    struct conf_sink sink = {
        .entry = on_entry, .fault = on_fault, .opaque = &last_line,
    };

    conf_parse_cfg((const char *)data, size, &sink);
    return 0;
}
