/* SPDX-License-Identifier: MIT */
/* A fragment that has c2c devices before queues. */
#define SMALL .nframes = 4, .frame_size = 64
.c2c = {
.device = {
[5] = { .owner = GID_UPDATE, .remote = 7, SMALL },
},
},
.ivc = {
.queue = {
[5] = { .peers = {GID_GUEST_VM, GID_UPDATE}, SMALL },
},
},
