/* SPDX-License-Identifier: MIT */
/* Queues from another file, and a name for a peer. */
#define MY_PEER GID_UPDATE
const struct platform_config platform_config = {
    .ivc = {
        .queue = {
#include "more_queues.h"
        },
    },
};
