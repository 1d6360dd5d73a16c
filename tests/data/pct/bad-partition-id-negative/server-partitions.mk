# SPDX-License-Identifier: MIT
# An id below 0.
GID_GUEST_VM := 2
GID_UPDATE := -1
