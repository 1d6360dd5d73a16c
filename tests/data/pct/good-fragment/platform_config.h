/* SPDX-License-Identifier: MIT */
/* A fragment of a board's file, pasted as the guide has it. */
#define SMALL .nframes = 4, .frame_size = 64
.ivc = {
.queue = {
[255] = { .peers = {GID_GUEST_VM, GID_UPDATE}, .nframes = 64, .frame_size = 1536 },
[300] = { .peers = {GID_GUEST_VM, GID_ZERO}, SMALL, .use_msi = 1 },
},
},
