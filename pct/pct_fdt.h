/* SPDX-License-Identifier: MIT */
/* The compiled table (*.pct, a flattened device tree) <-> the model. */
#ifndef VSOC_PCT_FDT_H
#define VSOC_PCT_FDT_H

#include <stddef.h>

#include "pct.h"

/*
 * Reads a hostile blob of size bytes, which must lie on an 8-byte boundary and
 * not change meanwhile. Returns 0, or -1 with a line in error: what is wrong
 * and where. Queues, partitions and c2c devices come out by rising number, and
 * the result still has to pass pct_check().
 */
int pct_from_fdt(const void *blob, size_t size, struct pct *pct,
                 char *error, size_t error_size);

/*
 * Writes the blob; returns its size, or -1 if it does not fit. The buffer must
 * lie on an 8-byte boundary. Equal models give equal bytes.
 */
long pct_to_fdt(const struct pct *pct, void *blob, size_t size);

/* Enough for any table. */
#define PCT_FDT_MAX_SIZE 0x40000u

#endif
