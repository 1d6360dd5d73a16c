/* SPDX-License-Identifier: MIT */
/* Model, layout, view and base addresses -> the bytes of the IVC info page. */
#ifndef VSOC_PCT_INFO_H
#define VSOC_PCT_INFO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ivc_info_page.h"
#include "pct_layout.h"

/* Bytes that the page takes; at most IVC_INFO_PAGE_SIZE for any table. */
size_t pct_info_size(const struct pct_view *view);

/*
 * Writes the page, little-endian, into size bytes (zeroing the rest).
 * area_base and noti_base are guest-physical; noti_stride is the distance of
 * two notification pages. Returns false if it does not fit.
 */
bool pct_info_write(const struct pct *pct, const struct pct_layout *layout,
                    const struct pct_view *view, uint64_t area_base,
                    uint64_t noti_base, uint64_t noti_stride,
                    void *page, size_t size);

#endif
