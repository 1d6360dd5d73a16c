/* SPDX-License-Identifier: MIT */
/* Three peers. */
const struct platform_config platform_config = {
    .ivc = {
        .queue = {
            [300] = { .peers = {GID_GUEST_VM, GID_UPDATE, GID_ZERO}, .nframes = 64, .frame_size = 1536 },
        },
    },
};
