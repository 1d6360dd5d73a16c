# SPDX-License-Identifier: MIT
# No value.
GID_GUEST_VM := 2
GID_UPDATE :=
