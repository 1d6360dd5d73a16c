# SPDX-License-Identifier: MIT
# The virtual machines, as the board's table numbers them.
GID_GUEST_VM := 2
GID_UPDATE   := 3
