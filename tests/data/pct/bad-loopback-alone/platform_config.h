/* SPDX-License-Identifier: MIT */
/* The even one of a pair alone. */
const struct platform_config platform_config = {
    .ivc = {
        .queue = {
            [256] = { .peers = {GID_UPDATE, GID_UPDATE}, .nframes = 64, .frame_size = 1536 },
        },
    },
};
