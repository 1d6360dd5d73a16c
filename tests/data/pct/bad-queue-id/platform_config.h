/* SPDX-License-Identifier: MIT */
/* Ids end at 511. */
const struct platform_config platform_config = {
    .ivc = {
        .queue = {
            [511] = { .peers = {GID_GUEST_VM, GID_UPDATE}, .nframes = 64, .frame_size = 1536 },
            [512] = { .peers = {GID_GUEST_VM, GID_UPDATE}, .nframes = 64, .frame_size = 1536 },
        },
    },
};
