# SPDX-License-Identifier: MIT
# Not a makefile.
GID_GUEST_VM := 2
this is no makefile
