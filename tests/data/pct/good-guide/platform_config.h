/* SPDX-License-Identifier: MIT */
/* The guide's own example. */
const struct platform_config platform_config = {
    .ivc = {
        .queue = {
            [255] = { .peers = {GID_GUEST_VM, GID_UPDATE}, .nframes = 64, .frame_size = 1536 },
        },
    },
};
