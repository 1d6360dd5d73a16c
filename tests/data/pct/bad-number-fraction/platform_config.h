/* SPDX-License-Identifier: MIT */
/* A fraction. */
const struct platform_config platform_config = {
    .ivc = {
        .queue = {
            [300] = { .peers = {GID_GUEST_VM, GID_UPDATE}, .nframes = 1.5, .frame_size = 64 },
        },
    },
};
