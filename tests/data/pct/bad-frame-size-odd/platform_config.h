/* SPDX-License-Identifier: MIT */
/* No multiple of 64. */
const struct platform_config platform_config = {
    .ivc = {
        .queue = {
            [255] = { .peers = {GID_GUEST_VM, GID_UPDATE}, .nframes = 64, .frame_size = 1536 },
            [300] = {
                .peers = {GID_GUEST_VM, GID_UPDATE},
                .nframes = 64,
                .frame_size = 1500,
            },
        },
    },
};
