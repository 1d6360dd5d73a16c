/* SPDX-License-Identifier: MIT */
/* More than the shared memory holds. */
const struct platform_config platform_config = {
    .ivc = {
        .queue = {
            [255] = { .peers = {GID_GUEST_VM, GID_UPDATE}, .nframes = 64, .frame_size = 1536 },
            [300] = { .peers = {GID_GUEST_VM, GID_UPDATE}, .nframes = 32768, .frame_size = 32768 },
        },
    },
};
