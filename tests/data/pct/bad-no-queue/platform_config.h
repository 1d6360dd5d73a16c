/* SPDX-License-Identifier: MIT */
/* No queue. */
const struct platform_config platform_config = {
    .ivc = {
        .queue = {

        },
    },
};
