/* SPDX-License-Identifier: MIT */
/* An id by a name that nothing defines. */
const struct platform_config platform_config = {
    .ivc = {
        .queue = {
            [MY_QUEUE] = { .peers = {GID_GUEST_VM, GID_UPDATE}, .nframes = 64, .frame_size = 1536 },
        },
    },
};
