/* SPDX-License-Identifier: MIT */
/* The kernel's header of this name, as far as the test needs it. */
#include "kernel.h"
