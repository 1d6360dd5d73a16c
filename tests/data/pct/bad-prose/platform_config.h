/* SPDX-License-Identifier: MIT */
This is not C.
