/* SPDX-License-Identifier: MIT */
/* A string. */
const struct platform_config platform_config = {
    .ivc = {
        .queue = {
            [300] = { .peers = {GID_GUEST_VM, GID_UPDATE}, .nframes = 4, .frame_size = "64" },
        },
    },
};
