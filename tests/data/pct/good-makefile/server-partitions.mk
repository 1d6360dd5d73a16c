# SPDX-License-Identifier: MIT
include more.mk
ifeq ($(BOARD),)
BASE := 4
endif
GID_GUEST_VM = $(BASE)
OTHER := 9
$(info a makefile may speak)
