# SPDX-License-Identifier: MIT
# An id twice.
GID_UPDATE := 2
GID_GUEST_VM := 2
