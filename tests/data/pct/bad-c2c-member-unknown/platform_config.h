/* SPDX-License-Identifier: MIT */
/* A member with a wrong name. */
const struct platform_config platform_config = {
    .ivc = {
        .queue = {
            [255] = { .peers = {GID_GUEST_VM, GID_UPDATE}, .nframes = 64, .frame_size = 1536 },
        },
    },
    .c2c = {
        .device = {
            [5] = { .owner = GID_GUEST_VM, .remotes = 5, .nframes = 64, .frame_size = 1536 },
        },
    },
};
