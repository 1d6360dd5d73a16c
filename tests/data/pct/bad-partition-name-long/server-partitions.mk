# SPDX-License-Identifier: MIT
# A name of 32 characters.
GID_GUEST_VM := 2
GID_UPDATE := 3
GID_ABCDEFGHIJKLMNOPQRSTUVWXYZ12 := 4
