/* SPDX-License-Identifier: MIT */
/*
 * libfdt's full check, and before it what the check of libfdt 1.6 (Debian 12)
 * forgets.
 */
#include "fdt_sound.h"

#include <libfdt.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/*
 * Whether each tag of the structure block ends within it. libfdt 1.6 adds a
 * property's length to a signed offset unchecked, and so can be sent back to
 * where it was, for ever.
 */
static bool lengths_ok(const void *blob, size_t size)
{
    const uint8_t *block = blob;
    uint32_t start = fdt_off_dt_struct(blob);
    uint32_t length = fdt_size_dt_struct(blob);
    uint32_t at = 0;    /* at <= length holds; both are far below 2^31 */

    if (start > size || length > size - start) {
        return false;
    }
    block += start;
    while (length - at >= FDT_TAGSIZE) {
        uint32_t tag = fdt32_ld((const void *)(block + at));
        const uint8_t *nul;
        uint32_t value;

        at += FDT_TAGSIZE;
        switch (tag) {
        case FDT_BEGIN_NODE:
            nul = memchr(block + at, '\0', length - at);
            if (nul == NULL) {
                return false;
            }
            at = (uint32_t)(nul - block) + 1;
            break;
        case FDT_PROP:
            if (length - at < 2 * FDT_TAGSIZE) {
                return false;
            }
            value = fdt32_ld((const void *)(block + at));
            at += 2 * FDT_TAGSIZE;      /* its length, its name */
            if (value > length - at) {
                return false;
            }
            at += value;
            break;
        case FDT_END_NODE:
        case FDT_NOP:
            break;
        default:
            return tag == FDT_END;
        }
        at = (at + FDT_TAGSIZE - 1) / FDT_TAGSIZE * FDT_TAGSIZE;
        if (at > length) {
            return false;
        }
    }
    return false;
}

int fdt_sound(const void *blob, size_t size)
{
    if (size < FDT_V17_SIZE || fdt_magic(blob) != FDT_MAGIC) {
        return -FDT_ERR_BADMAGIC;
    }
    /* Of an old version, a name may be read through a null pointer. */
    if (fdt_version(blob) != FDT_SOUND_VERSION) {
        return -FDT_ERR_BADVERSION;
    }
    return lengths_ok(blob, size) ? fdt_check_full(blob, size) :
                                    -FDT_ERR_BADSTRUCTURE;
}
