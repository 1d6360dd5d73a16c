# SPDX-License-Identifier: MIT
# The partitions of the tests' tables; folders with their own are about it.
GID_GUEST_VM := 2
GID_UPDATE := 3
GID_ZERO := 0
