# SPDX-License-Identifier: MIT
# An id above 15.
GID_GUEST_VM := 2
GID_UPDATE := 16
