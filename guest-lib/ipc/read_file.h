/* SPDX-License-Identifier: MIT */
/* Reads a file as a whole. */
#ifndef VSOC_READ_FILE_H
#define VSOC_READ_FILE_H

#include <stddef.h>

/*
 * Reads a file, below the folder (a descriptor, or AT_FDCWD). 0, and *text is
 * the caller's to free, not NULL; or -errno, -EFBIG above 16 MiB.
 */
int read_file(int folder, const char *path, char **text, size_t *size);

#endif
