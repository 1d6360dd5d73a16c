/* SPDX-License-Identifier: MIT */
/* A pair of unequal queues. */
const struct platform_config platform_config = {
    .ivc = {
        .queue = {
            [256] = { .peers = {GID_UPDATE, GID_UPDATE}, .nframes = 64, .frame_size = 1536 },
            [257] = { .peers = {GID_UPDATE, GID_UPDATE}, .nframes = 32, .frame_size = 1536 },
        },
    },
};
