/* SPDX-License-Identifier: MIT */
/* The whole list twice. */
const struct platform_config platform_config = {
    .ivc = {
        .queue = {
            [255] = { .peers = {GID_GUEST_VM, GID_UPDATE}, .nframes = 64, .frame_size = 1536 },
        },
    },
    .c2c = {
        .device = {
            [5] = { .owner = GID_GUEST_VM, .remote = 5, .nframes = 64, .frame_size = 1536 },
        },
    },
    .c2c = {
        .device = {
            [6] = { .owner = GID_GUEST_VM, .remote = 6, .nframes = 64, .frame_size = 1536 },
        },
    },
};
