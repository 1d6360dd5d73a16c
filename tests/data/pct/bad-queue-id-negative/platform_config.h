/* SPDX-License-Identifier: MIT */
/* An id below 0. */
const struct platform_config platform_config = {
    .ivc = {
        .queue = {
            [-1] = { .peers = {GID_GUEST_VM, GID_UPDATE}, .nframes = 64, .frame_size = 1536 },
        },
    },
};
