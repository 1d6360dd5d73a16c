# SPDX-License-Identifier: MIT
# Includes what is not there.
GID_GUEST_VM := 2
include ../nowhere/board.mk
