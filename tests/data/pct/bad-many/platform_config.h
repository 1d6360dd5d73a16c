/* SPDX-License-Identifier: MIT */
/* Several faults at once. */
const struct platform_config platform_config = {
    .ivc = {
        .queue = {
            [255] = { .peers = {GID_GUEST_VM, GID_UPDATE}, .nframes = 0, .frame_size = 1 },
            [256] = { .peers = {GID_UPDATE, GID_UPDATE}, .nframes = 64, .frame_size = 1536 },
            [600] = { .peers = {GID_UPDATE, 9}, .nframes = 64, .frame_size = 1536 },
        },
    },
};
