/* SPDX-License-Identifier: MIT */
/* Whether a flattened device tree, of any bytes, may be given to libfdt. */
#ifndef VSOC_FDT_SOUND_H
#define VSOC_FDT_SOUND_H

#include <stddef.h>

#define FDT_SOUND_VERSION 17

/*
 * 0, or what libfdt calls the damage: -FDT_ERR_BADMAGIC: no tree at all;
 * -FDT_ERR_BADVERSION: not FDT_SOUND_VERSION; or another one. The blob lies on
 * a multiple of 8. After 0 each function that reads is safe, and ends.
 */
int fdt_sound(const void *blob, size_t size);

#endif
