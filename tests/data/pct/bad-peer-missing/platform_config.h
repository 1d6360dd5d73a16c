/* SPDX-License-Identifier: MIT */
/* One peer; the other one must not become partition 0. */
const struct platform_config platform_config = {
    .ivc = {
        .queue = {
            [300] = { .peers = {GID_GUEST_VM}, .nframes = 64, .frame_size = 1536 },
        },
    },
};
