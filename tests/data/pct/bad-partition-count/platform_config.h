/* SPDX-License-Identifier: MIT */
/* A good table; its makefile is bad: 17 partitions. */
const struct platform_config platform_config = {
    .ivc = {
        .queue = {
            [255] = { .peers = {GID_GUEST_VM, GID_UPDATE}, .nframes = 64, .frame_size = 1536 },
        },
    },
};
