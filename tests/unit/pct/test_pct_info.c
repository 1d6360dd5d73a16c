/* SPDX-License-Identifier: MIT */
/* The info page, byte by byte. */
#include <glib.h>
#include <string.h>

#include "ivc_info_page.h"
#include "pct.h"
#include "pct_info.h"
#include "pct_layout.h"
#include "tables.h"

#define AREAS UINT64_C(0x8000000000)
#define NOTI  UINT64_C(0x9000000000)

static struct pct pct;
static struct pct_layout layout;
static struct pct_view view;
static uint8_t page[IVC_INFO_PAGE_SIZE];

/* Reads little-endian, as a guest does. */
static uint64_t get(size_t at, size_t size)
{
    uint64_t value = 0;

    g_assert_cmpuint(at + size, <=, sizeof(page));
    for (size_t i = 0; i < size; i++) {
        value |= (uint64_t)page[at + i] << (8 * i);
    }
    return value;
}

static void write_page(uint32_t partition)
{
    g_assert_cmpuint(pct_check(&pct, 0, NULL, 0), ==, 0);
    pct_layout(&pct, &layout);
    pct_view(&pct, &layout, partition, &view);
    memset(page, 0xa5, sizeof(page));
    g_assert_true(pct_info_write(&pct, &layout, &view, AREAS, NOTI, 0x10000,
                                 page, sizeof(page)));
}

static void test_head(void)
{
    table_good(&pct);
    write_page(2);
    /* 255, 256, 257, 301 */
    g_assert_cmpuint(get(0, 4), ==, 4);
    g_assert_cmpuint(get(4, 4), ==, 4);
    g_assert_cmpuint(get(8, 4), ==, 0);
    g_assert_cmpuint(get(12, 4), ==, 0);
    g_assert_cmpuint(get(16, 8), ==, NOTI);
    g_assert_cmpuint(get(24, 8), ==, 4 * 0x10000);
    g_assert_cmpuint(get(32, 8), ==, 0x10000);
    g_assert_cmpuint(get(40, 8), ==, NOTI);
    g_assert_cmpuint(get(48, 8), ==, 4 * 0x10000);
    g_assert_cmpuint(get(56, 8), ==, 0x10000);
    g_assert_cmpuint(pct_info_size(&view), ==, 64 + 4 * (24 + 48));
    for (size_t i = pct_info_size(&view); i < sizeof(page); i++) {
        g_assert_cmpuint(page[i], ==, 0);
    }
}

static void test_areas(void)
{
    static const uint64_t offsets[] = { 0, 0x40000, 0x40000, 0x50000 };
    static const uint64_t sizes[] = { 0x40000, 0x10000, 0x10000, 0x10000 };
    static const uint32_t guests[] = { 3, 2, 2, 4 };

    table_good(&pct);
    write_page(2);
    for (size_t i = 0; i < 4; i++) {
        size_t at = 64 + 24 * i;

        g_assert_cmpuint(get(at, 8), ==, AREAS + offsets[i]);
        g_assert_cmpuint(get(at + 8, 8), ==, sizes[i]);
        g_assert_cmpuint(get(at + 16, 4), ==, guests[i]);
        g_assert_cmpuint(get(at + 20, 4), ==, 0);
    }
}

static void test_queues(void)
{
    size_t at = 64 + 4 * 24 + 3 * 48;   /* slot 3: queue 301 */

    table_good(&pct);
    write_page(2);
    g_assert_cmpuint(get(at, 4), ==, 301);
    g_assert_cmpuint(get(at + 4, 4), ==, 4);
    g_assert_cmpuint(get(at + 8, 4), ==, 2);
    g_assert_cmpuint(get(at + 12, 4), ==, 128 + 13 * 320);
    g_assert_cmpuint(get(at + 16, 4), ==, 13);
    g_assert_cmpuint(get(at + 20, 4), ==, 320);
    g_assert_cmpuint(get(at + 24, 4), ==, 0);
    g_assert_cmpuint(get(at + 28, 2), ==, 3);
    g_assert_cmpuint(get(at + 30, 2), ==, 3);
    g_assert_cmpuint(get(at + 32, 8), ==, NOTI + 3 * 0x10000);
    g_assert_cmpuint(get(at + 40, 8), ==, 0);
}

/* Queue 300 notifies by MSI; partition 4 has it in slot 0, 301 in slot 1. */
static void test_msi(void)
{
    size_t at = 64 + 2 * 24;

    table_good(&pct);
    write_page(4);
    g_assert_cmpuint(get(at, 4), ==, 300);
    g_assert_cmpuint(get(at + 32, 8), ==, 0);
    g_assert_cmpuint(get(at + 40, 8), ==, NOTI);
    g_assert_cmpuint(get(at + 48, 4), ==, 301);
    g_assert_cmpuint(get(at + 48 + 32, 8), ==, NOTI + 0x10000);
    g_assert_cmpuint(get(at + 48 + 40, 8), ==, 0);
}

/* What a third partition is told has no trace of a queue of two others. */
static void test_third_partition(void)
{
    table_begin(&pct);
    table_add(&pct, 255, 2, 3, 64, 1536);
    write_page(4);
    g_assert_cmpuint(pct_info_size(&view), ==, 64);
    g_assert_cmpuint(get(0, 4), ==, 0);
    g_assert_cmpuint(get(24, 8), ==, 0);
}

/* A channel to another chip: its peer is the remote device, + 0x100. */
static void test_c2c(void)
{
    static struct pct chip;
    size_t at = 64 + 2 * 24 + 48;       /* slot 1: device 6 */

    table_chip(&chip);
    pct_c2c_table(&chip, 2, &pct);
    pct_layout(&pct, &layout);
    pct_view(&pct, &layout, 2, &view);
    g_assert_true(pct_info_write(&pct, &layout, &view, AREAS, NOTI, 0x10000,
                                 page, sizeof(page)));
    g_assert_cmpuint(get(0, 4), ==, 2);
    g_assert_cmpuint(get(64 + 24, 8), ==, AREAS + 0x40000);
    g_assert_cmpuint(get(64 + 24 + 16, 4), ==, IVC_INFO_C2C_PEER + 7);
    g_assert_cmpuint(get(at, 4), ==, 6);
    g_assert_cmpuint(get(at + 4, 4), ==, 2);
    g_assert_cmpuint(get(at + 8, 4), ==, IVC_INFO_C2C_PEER + 7);
    g_assert_cmpuint(get(at + 12, 4), ==, 128 + 13 * 320);
    g_assert_cmpuint(get(at + 32, 8), ==, NOTI + 0x10000);
}

/* The largest table fits; a byte less than needed does not, and is not used. */
static void test_size(void)
{
    size_t size;

    table_begin(&pct);
    for (uint32_t id = 0; id < 512; id++) {
        table_add(&pct, id, 2, 3, 1, 64);
    }
    write_page(2);
    size = pct_info_size(&view);
    g_assert_cmpuint(size, ==, 64 + 512 * 72);
    g_assert_cmpuint(get(size - 48, 4), ==, 511);
    g_assert_cmpuint(get(size - 48 + 28, 2), ==, 511);
    memset(page, 0xa5, sizeof(page));
    g_assert_false(pct_info_write(&pct, &layout, &view, AREAS, NOTI, 0x10000,
                                  page, size - 1));
    g_assert_cmpuint(page[0], ==, 0xa5);
    g_assert_true(pct_info_write(&pct, &layout, &view, AREAS, NOTI, 0x10000,
                                 page, size));
    g_assert_cmpuint(page[size], ==, 0xa5);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/pct/info/head", test_head);
    g_test_add_func("/pct/info/areas", test_areas);
    g_test_add_func("/pct/info/queues", test_queues);
    g_test_add_func("/pct/info/msi", test_msi);
    g_test_add_func("/pct/info/third-partition", test_third_partition);
    g_test_add_func("/pct/info/c2c", test_c2c);
    g_test_add_func("/pct/info/size", test_size);
    return g_test_run();
}
