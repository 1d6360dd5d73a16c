/* SPDX-License-Identifier: MIT */
/* Neither 0 nor 1. */
const struct platform_config platform_config = {
    .ivc = {
        .queue = {
            [300] = { .peers = {GID_GUEST_VM, GID_UPDATE}, .nframes = 4, .frame_size = 64, .use_msi = 2 },
        },
    },
};
