/* SPDX-License-Identifier: MIT */
/* Its makefile needs make to be understood. */
const struct platform_config platform_config = {
    .ivc = {
        .queue = {
            [255] = { .peers = {GID_GUEST_VM, GID_UPDATE}, .nframes = 64, .frame_size = 1536 },
        },
    },
};
