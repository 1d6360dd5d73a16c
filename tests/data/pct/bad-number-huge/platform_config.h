/* SPDX-License-Identifier: MIT */
/* A number of 67 bits. */
const struct platform_config platform_config = {
    .ivc = {
        .queue = {
            [300] = { .peers = {GID_GUEST_VM, GID_UPDATE}, .nframes = 99999999999999999999, .frame_size = 64 },
        },
    },
};
