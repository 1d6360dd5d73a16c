/* SPDX-License-Identifier: MIT */
/* A member of c2c devices. */
const struct platform_config platform_config = {
    .ivc = {
        .queue = {
            [300] = { .peers = {GID_GUEST_VM, GID_UPDATE}, .nframes = 64, .frame_size = 1536, .remote = 3 },
        },
    },
};
