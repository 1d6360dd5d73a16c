# SPDX-License-Identifier: MIT
# A name that C does not take.
GID_GUEST_VM := 2
GID_UPDATE := 3
GID_GUEST-2 := 4
