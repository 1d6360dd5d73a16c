/* SPDX-License-Identifier: MIT */
/* A frame size of 0. */
const struct platform_config platform_config = {
    .ivc = {
        .queue = {
            [300] = { .peers = {GID_GUEST_VM, GID_UPDATE}, .nframes = 64, .frame_size = 0 },
        },
    },
};
