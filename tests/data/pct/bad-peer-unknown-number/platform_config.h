/* SPDX-License-Identifier: MIT */
/* A number that is no partition. */
const struct platform_config platform_config = {
    .ivc = {
        .queue = {
            [300] = { .peers = {GID_GUEST_VM, 9}, .nframes = 64, .frame_size = 1536 },
        },
    },
};
