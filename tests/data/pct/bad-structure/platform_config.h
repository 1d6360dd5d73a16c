/* SPDX-License-Identifier: MIT */
/* Another structure. */
const struct board_config platform_config = {
    .ivc = {
        .queue = { [300] = { .peers = {GID_GUEST_VM, GID_UPDATE}, .nframes = 64, .frame_size = 1536 }, }
    }
};
