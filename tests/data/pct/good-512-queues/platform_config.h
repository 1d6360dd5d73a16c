/* SPDX-License-Identifier: MIT */
/* As many queues as there may be. */
const struct platform_config platform_config = {
    .ivc = {
        .queue = {
            [0 ... 511] = { .peers = {GID_GUEST_VM, GID_UPDATE}, .nframes = 1, .frame_size = 64 },
        },
    },
};
