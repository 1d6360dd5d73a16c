/* SPDX-License-Identifier: MIT */
/* A member with a wrong name. */
const struct platform_config platform_config = {
    .ivc = {
        .queue = {
            [300] = { .peers = {GID_GUEST_VM, GID_UPDATE}, .nframes = 64, .framesize = 1536 },
        },
    },
};
