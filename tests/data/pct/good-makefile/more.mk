# SPDX-License-Identifier: MIT
GID_UPDATE ?= 0x5 # in hexadecimal
