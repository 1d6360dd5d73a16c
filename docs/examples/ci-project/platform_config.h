/* SPDX-License-Identifier: MIT */
/* The hypervisor's queues, in the board's form. A line each. */
const struct platform_config platform_config = {
    .ivc = {
        .queue = {
            [255] = { .peers = {GID_GUEST_VM, GID_UPDATE}, .nframes = 16, .frame_size = 64 },
        },
    },
};
