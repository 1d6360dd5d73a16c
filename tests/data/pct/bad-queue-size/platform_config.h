/* SPDX-License-Identifier: MIT */
/* 2^32 bytes. */
const struct platform_config platform_config = {
    .ivc = {
        .queue = {
            [300] = { .peers = {GID_GUEST_VM, GID_UPDATE}, .nframes = 65536, .frame_size = 65536 },
        },
    },
};
