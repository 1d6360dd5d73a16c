/* SPDX-License-Identifier: MIT */
/* A number by a name that nothing defines. */
const struct platform_config platform_config = {
    .ivc = {
        .queue = {
            [255] = { .peers = {GID_GUEST_VM, GID_UPDATE}, .nframes = 64, .frame_size = 1536 },
        },
    },
    .c2c = {
        .device = {
            [MY_DEVICE] = { .owner = GID_GUEST_VM, .remote = 5, .nframes = 64, .frame_size = 1536 },
        },
    },
};
