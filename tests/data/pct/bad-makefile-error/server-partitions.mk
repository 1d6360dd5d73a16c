# SPDX-License-Identifier: MIT
# A makefile that gives up.
GID_GUEST_VM := 2
$(error no board chosen)
