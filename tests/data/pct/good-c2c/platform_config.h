/* SPDX-License-Identifier: MIT */
/* Channels to other chips: of partition 0, to device 0, the largest, two of one far number. */
const struct platform_config platform_config = {
    .ivc = {
        .queue = {
            [255] = { .peers = {GID_GUEST_VM, GID_UPDATE}, .nframes = 64, .frame_size = 1536 },
        },
    },
    .c2c = {
        .device = {
            [99] = { .owner = GID_GUEST_VM, .remote = 99, .nframes = 63, .frame_size = 0x100000 },
            [0] = { .owner = GID_ZERO, .remote = 0, .nframes = 1, .frame_size = 64 },
            [5] = { .owner = GID_GUEST_VM, .remote = 99, .nframes = 64, .frame_size = 1536 },
        },
    },
};
