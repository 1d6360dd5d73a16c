/* SPDX-License-Identifier: MIT */
/* An id twice. */
const struct platform_config platform_config = {
    .ivc = {
        .queue = {
            [300] = { .peers = {GID_GUEST_VM, GID_UPDATE}, .nframes = 64, .frame_size = 1536 },
            [301] = { .peers = {GID_GUEST_VM, GID_UPDATE}, .nframes = 64, .frame_size = 1536 },
            [300] = { .peers = {GID_GUEST_VM, GID_UPDATE}, .nframes = 4, .frame_size = 64 },
        },
    },
};
