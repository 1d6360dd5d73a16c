/* SPDX-License-Identifier: MIT */
/* The far chip's numbers end at 99 too. */
const struct platform_config platform_config = {
    .ivc = {
        .queue = {
            [255] = { .peers = {GID_GUEST_VM, GID_UPDATE}, .nframes = 64, .frame_size = 1536 },
        },
    },
    .c2c = {
        .device = {
            [5] = {
                .owner = GID_GUEST_VM,
                .remote = 100,
                .nframes = 64,
                .frame_size = 1536,
            },
        },
    },
};
