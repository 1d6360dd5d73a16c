/* SPDX-License-Identifier: MIT */
/* No frame size. */
const struct platform_config platform_config = {
    .ivc = {
        .queue = {
            [300] = { .peers = {GID_GUEST_VM, GID_UPDATE}, .nframes = 64 },
        },
    },
};
