/* SPDX-License-Identifier: MIT */
/*
 * The IVC queues of the generic platform. To add one: write a line with a free
 * id, then name it in the nvsciipc.cfg of both VMs. docs/specs/pct.md has the
 * rules; `scripts/vsoc pct check` applies them.
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

            /* Other shapes: odd, large, by MSI, and the smallest there is. */
            [260] = { .peers = {GID_GUEST_VM, GID_UPDATE}, .nframes = 13, .frame_size = 320 },
            [261] = { .peers = {GID_GUEST_VM, GID_UPDATE}, .nframes = 16, .frame_size = 24576 },
            [262] = { .peers = {GID_GUEST_VM, GID_UPDATE}, .nframes = 32, .frame_size = 4096, .use_msi = 1 },
            [263] = { .peers = {GID_UPDATE, GID_GUEST_VM}, .nframes = 1, .frame_size = 64 },

            /* A third partition. */
            [264] = { .peers = {GID_GUEST_VM, GID_MONITOR}, .nframes = 64, .frame_size = 1536 },
            [265] = { .peers = {GID_UPDATE, GID_MONITOR}, .nframes = 128, .frame_size = 128 },
        },
    },
};
