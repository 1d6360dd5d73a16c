/* SPDX-License-Identifier: MIT */
/* What went wrong, in the words of the NvSci interface. */
#ifndef VSOC_ERRMAP_H
#define VSOC_ERRMAP_H

#include "nvscierror.h"

/* error: 0 or -errno. */
NvSciError errmap(int error);

/* Without "NvSciError_"; NULL: none that libnvsciipc finds. */
const char *errmap_name(NvSciError error);

#endif
