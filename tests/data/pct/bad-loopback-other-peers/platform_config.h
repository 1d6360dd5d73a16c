/* SPDX-License-Identifier: MIT */
/* A pair of a loopback and an ordinary queue. */
const struct platform_config platform_config = {
    .ivc = {
        .queue = {
            [256] = { .peers = {GID_UPDATE, GID_UPDATE}, .nframes = 64, .frame_size = 1536 },
            [257] = { .peers = {GID_GUEST_VM, GID_UPDATE}, .nframes = 64, .frame_size = 1536 },
        },
    },
};
