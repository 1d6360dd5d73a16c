/* SPDX-License-Identifier: MIT */
/* Included by platform_config.h. */
[7] = { .peers = {GID_GUEST_VM, MY_PEER}, .nframes = 2, .frame_size = 128 },
