/* SPDX-License-Identifier: MIT */
/* Several faults at once, of queues and devices. */
const struct platform_config platform_config = {
    .ivc = {
        .queue = {
            [255] = { .peers = {GID_GUEST_VM, GID_UPDATE}, .nframes = 0, .frame_size = 1536 },
        },
    },
    .c2c = {
        .device = {
            [5] = { .owner = GID_GUEST_VM, .remote = 5, .nframes = 0, .frame_size = 1 },
            [100] = { .owner = 9, .remote = 5, .nframes = 64, .frame_size = 1536 },
        },
    },
};
