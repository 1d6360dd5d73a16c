/* SPDX-License-Identifier: MIT */
/* A name that the makefile does not have. */
const struct platform_config platform_config = {
    .ivc = {
        .queue = {
            [300] = { .peers = {GID_GUEST_VM, GID_UPDATES}, .nframes = 64, .frame_size = 1536 },
        },
    },
};
