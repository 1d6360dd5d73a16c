/* SPDX-License-Identifier: MIT */
/* A member of the board's structure that vsoc does not know. */
const struct platform_config platform_config = {
    .ivc = {
        .queue = {
            [255] = { .peers = {GID_GUEST_VM, GID_UPDATE}, .nframes = 64, .frame_size = 1536 },
        },
        .mempool = {
            [0] = { .size = 4096 },
        },
    },
};
