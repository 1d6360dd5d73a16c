/* SPDX-License-Identifier: MIT */
/* Neighbours, but 257 pairs with 256. */
const struct platform_config platform_config = {
    .ivc = {
        .queue = {
            [257] = { .peers = {GID_UPDATE, GID_UPDATE}, .nframes = 64, .frame_size = 1536 },
            [258] = { .peers = {GID_UPDATE, GID_UPDATE}, .nframes = 64, .frame_size = 1536 },
        },
    },
};
