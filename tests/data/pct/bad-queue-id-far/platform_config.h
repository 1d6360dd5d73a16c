/* SPDX-License-Identifier: MIT */
/* An id beyond what the source structure has. */
const struct platform_config platform_config = {
    .ivc = {
        .queue = {
            [5000] = { .peers = {GID_GUEST_VM, GID_UPDATE}, .nframes = 64, .frame_size = 1536 },
        },
    },
};
