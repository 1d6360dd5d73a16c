# SPDX-License-Identifier: MIT
# No number.
GID_GUEST_VM := 2
GID_UPDATE := three
