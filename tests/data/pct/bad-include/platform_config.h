/* SPDX-License-Identifier: MIT */
/* Includes what is not there. */
#include <board/ivc_ids.h>
const struct platform_config platform_config = { .ivc = { .queue = { } } };
