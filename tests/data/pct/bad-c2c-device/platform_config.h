/* SPDX-License-Identifier: MIT */
/* Numbers end at 99. */
const struct platform_config platform_config = {
    .ivc = {
        .queue = {
            [255] = { .peers = {GID_GUEST_VM, GID_UPDATE}, .nframes = 64, .frame_size = 1536 },
        },
    },
    .c2c = {
        .device = {
            [99] = { .owner = GID_GUEST_VM, .remote = 5, .nframes = 64, .frame_size = 1536 },
            [100] = { .owner = GID_GUEST_VM, .remote = 5, .nframes = 64, .frame_size = 1536 },
        },
    },
};
