/* SPDX-License-Identifier: MIT */
/*
 * Chip A of two that are linked: its own queues, and its ends of the channels
 * to chip B, whose table has the other ends crosswise, with the same geometry.
 * docs/specs/pct.md has the rules; `scripts/vsoc pct check` applies them.
 */
const struct platform_config platform_config = {
    .ivc = {
        .queue = {
            [255] = { .peers = {GID_GUEST_VM, GID_UPDATE}, .nframes = 64, .frame_size = 1536 },

            /* Loopbacks: pairs 2k, 2k+1; what one sends the other receives. */
            [256] = { .peers = {GID_GUEST_VM, GID_GUEST_VM}, .nframes = 64, .frame_size = 1536 },
            [257] = { .peers = {GID_GUEST_VM, GID_GUEST_VM}, .nframes = 64, .frame_size = 1536 },
            [258] = { .peers = {GID_UPDATE, GID_UPDATE}, .nframes = 16, .frame_size = 256 },
            [259] = { .peers = {GID_UPDATE, GID_UPDATE}, .nframes = 16, .frame_size = 256 },
        },
    },
    .c2c = {
        .device = {
            /* Between the two GID_GUEST_VM: usual, odd, smallest, large. */
            [5] = { .owner = GID_GUEST_VM, .remote = 5, .nframes = 64, .frame_size = 1536 },
            [6] = { .owner = GID_GUEST_VM, .remote = 7, .nframes = 13, .frame_size = 320 },
            [8] = { .owner = GID_GUEST_VM, .remote = 8, .nframes = 1, .frame_size = 64 },
            [9] = { .owner = GID_GUEST_VM, .remote = 9, .nframes = 16, .frame_size = 24576 },

            /* Between the two GID_UPDATE. */
            [10] = { .owner = GID_UPDATE, .remote = 10, .nframes = 64, .frame_size = 1536 },
        },
    },
};
