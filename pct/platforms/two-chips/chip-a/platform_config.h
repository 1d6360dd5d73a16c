/* SPDX-License-Identifier: MIT */
/*
 * One of two chips. Between its VMs are IVC queues, to the other chip's VMs
 * channels: what .remote names here is a device of ../chip-b, with the same
 * nframes and frame_size. docs/specs/pct.md has the rules.
 */
const struct platform_config platform_config = {
    .ivc = {
        .queue = {
            [255] = { .peers = {GID_GUEST_VM, GID_UPDATE}, .nframes = 64, .frame_size = 1536 },
            [256] = { .peers = {GID_GUEST_VM, GID_GUEST_VM}, .nframes = 64, .frame_size = 1536 },
            [257] = { .peers = {GID_GUEST_VM, GID_GUEST_VM}, .nframes = 64, .frame_size = 1536 },
        },
    },
    .c2c = {
        .device = {
            [5] = { .owner = GID_GUEST_VM, .remote = 5, .nframes = 64, .frame_size = 1536 },

            /* Other shapes: another number at either end, the smallest, a large one. */
            [6] = { .owner = GID_GUEST_VM, .remote = 7, .nframes = 13, .frame_size = 320 },
            [8] = { .owner = GID_GUEST_VM, .remote = 8, .nframes = 1, .frame_size = 64 },
            [9] = { .owner = GID_GUEST_VM, .remote = 9, .nframes = 16, .frame_size = 24576 },

            /* The other VMs, by a link of their own. */
            [10] = { .owner = GID_UPDATE, .remote = 10, .nframes = 64, .frame_size = 1536 },
        },
    },
};
