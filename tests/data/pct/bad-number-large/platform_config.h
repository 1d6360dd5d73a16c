/* SPDX-License-Identifier: MIT */
/* A number of 33 bits. */
const struct platform_config platform_config = {
    .ivc = {
        .queue = {
            [300] = { .peers = {GID_GUEST_VM, GID_UPDATE}, .nframes = 0x100000040, .frame_size = 64 },
        },
    },
};
