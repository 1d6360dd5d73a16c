/* SPDX-License-Identifier: MIT */
/*
 * A hostile compiled table: is refused with a sentence, or becomes a model
 * that the rules judge; one that they pass can be placed, shown and written.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "pct.h"
#include "pct_fdt.h"
#include "pct_info.h"
#include "pct_layout.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void tell(const struct pct *pct)
{
    static struct pct_fault faults[64];
    unsigned count = pct_check(pct, 0, faults, 64);
    char text[PCT_FAULT_TEXT_SIZE];

    for (unsigned i = 0; i < count && i < 64; i++) {
        int length = pct_fault_text(pct, &faults[i], text, sizeof(text));

        must(length > 0 && (unsigned)length < sizeof(text));
        for (int c = 0; c < length; c++) {
            must(text[c] >= ' ' && text[c] <= '~');
        }
    }
}

static void use(const struct pct *pct)
{
    static struct pct_layout layout;
    static struct pct_view view;
    static struct pct again;
    static struct pct c2c;
    static uint8_t page[IVC_INFO_PAGE_SIZE];
    static _Alignas(8) uint8_t blob[PCT_FDT_MAX_SIZE];
    char error[128];
    uint32_t nr_c2c = 0;
    uint64_t digest;
    long size;

    pct_layout(pct, &layout);
    must(layout.total >= PCT_BOARD_SIZE && layout.digest != 0);
    for (uint32_t partition = 0; partition < PCT_MAX_NUM_GUESTS; partition++) {
        pct_view(pct, &layout, partition, &view);
        must(pct_info_write(pct, &layout, &view, 0, 0, 0x10000, page,
                            sizeof(page)));
    }
    digest = layout.digest;
    for (uint32_t partition = 0; partition < PCT_MAX_NUM_GUESTS; partition++) {
        pct_c2c_table(pct, partition, &c2c);
        pct_layout(&c2c, &layout);
        pct_view(&c2c, &layout, partition, &view);
        must(view.nr_slots == c2c.nr_queues);
        must(pct_info_write(&c2c, &layout, &view, 0, 0, 0x10000, page,
                            sizeof(page)));
        nr_c2c += c2c.nr_queues;
    }
    must(nr_c2c == pct->nr_c2c);
    size = pct_to_fdt(pct, blob, sizeof(blob));
    must(size > 0);
    must(pct_from_fdt(blob, size, &again, error, sizeof(error)) == 0);
    pct_layout(&again, &layout);
    must(layout.digest == digest);
    must(again.nr_c2c == pct->nr_c2c &&
         memcmp(again.c2c, pct->c2c, sizeof(again.c2c)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct pct pct;
    char error[128] = "";

    if (pct_from_fdt(data, size, &pct, error, sizeof(error)) != 0) {
        must(error[0] != '\0');
    } else if (pct_check(&pct, 0, NULL, 0) != 0) {
        tell(&pct);
    } else {
        use(&pct);
    }
    return 0;
}
