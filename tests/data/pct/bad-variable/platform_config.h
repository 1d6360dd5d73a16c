/* SPDX-License-Identifier: MIT */
/* Another variable. */
const struct platform_config config = { .ivc = { .queue = { [300] = { .peers = {GID_GUEST_VM, GID_UPDATE}, .nframes = 64, .frame_size = 1536 }, } } };
