/* SPDX-License-Identifier: MIT */
/*
 * The driver's check of the info page: a page of pct_info.c's passes and is
 * understood, and each single lie in it is refused with one error.
 */
#include "kernel.h"

#include <errno.h>
#include <glib.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "hv_ivc.h"
#include "hv_ivc_regs.h"
#include "ivc_info_page.h"
#include "nvipc_ivc.h"
#include "pct.h"
#include "pct_info.h"
#include "pct_layout.h"

#define PARTITION 1u
#define AREA_BASE 0x8000000000u
#define NOTI_BASE 0x9000000000u
#define NR_QUEUES 4u

/* In the page's order; of the channels, those of PARTITION. */
enum { Q_FIRST, Q_EVEN, Q_ODD, Q_SECOND };
enum { C_FIRST, C_SECOND };     /* the partition's own */

static const struct pct table = {
    .nr_partitions = 2,
    .partitions = { { "GID_A", 1 }, { "GID_B", 2 } },
    .nr_queues = NR_QUEUES,
    .queues = {
        [Q_FIRST] = { .id = 255, .peers = { 1, 2 }, .nframes = 64,
                      .frame_size = 1536 },
        [Q_EVEN] = { .id = 256, .peers = { 1, 1 }, .nframes = 16,
                     .frame_size = 64 },
        [Q_ODD] = { .id = 257, .peers = { 1, 1 }, .nframes = 16,
                    .frame_size = 64 },
        [Q_SECOND] = { .id = 300, .peers = { 2, 1 }, .nframes = 7,
                       .frame_size = 192, .use_msi = true },
    },
    .nr_c2c = 3,
    .c2c = {
        { .device = 1, .owner = 1, .remote = 1, .nframes = 64,
          .frame_size = 1536 },
        { .device = 5, .owner = 2, .remote = 5, .nframes = 1,
          .frame_size = 64 },
        { .device = 99, .owner = 1, .remote = 98, .nframes = 7,
          .frame_size = 192 },
    },
};

/* A page and what it is held against; a test spoils one thing in it. */
struct fixture {
    uint8_t page[IVC_INFO_PAGE_SIZE];
    size_t size;
    struct ivc_info_page *head;
    struct ivc_shared_area *areas;
    struct tegra_hv_queue_data *queues;
    struct resource area_bar;
    struct resource noti_bar;
    struct ivc_info_limits limits;
    struct ivc_queue_info table[IVC_MAX_QUEUES];
    struct device dev;
};

void dev_err(struct device *dev, const char *format, ...)
{
    va_list args;

    dev->nr_errors++;
    va_start(args, format);
    vsnprintf(dev->error, sizeof(dev->error), format, args);
    va_end(args);
}

static void fill(struct fixture *f, const struct pct *pct,
                 const struct ivc_kind *kind)
{
    static struct pct_layout layout;
    static struct pct_view view;

    pct_layout(pct, &layout);
    pct_view(pct, &layout, PARTITION, &view);
    g_assert_true(pct_info_write(pct, &layout, &view, AREA_BASE, NOTI_BASE,
                                 HV_IVC_PAGE, f->page, sizeof(f->page)));
    f->size = pct_info_size(&view);
    f->head = (struct ivc_info_page *)f->page;
    f->areas = (struct ivc_shared_area *)(f->head + 1);
    f->queues = (struct tegra_hv_queue_data *)(f->areas + view.nr_slots);
    f->area_bar.start = AREA_BASE;
    f->area_bar.end = AREA_BASE + view.bar_size - 1;
    f->noti_bar.start = NOTI_BASE;
    f->noti_bar.end = NOTI_BASE + view.nr_slots * HV_IVC_PAGE - 1;
    f->limits.kind = kind;
    f->limits.partition = PARTITION;
    f->limits.nr_queues = view.nr_slots;
    f->limits.areas = &f->area_bar;
    f->limits.noti = &f->noti_bar;
}

static void set_up(struct fixture *f, gconstpointer data)
{
    (void)data;
    g_assert_cmpuint(pct_check(&table, 0, NULL, 0), ==, 0);
    fill(f, &table, &ivc_kind_soc);
}

static void set_up_chip(struct fixture *f, gconstpointer data)
{
    static struct pct channels;

    (void)data;
    pct_c2c_table(&table, PARTITION, &channels);
    fill(f, &channels, &ivc_kind_chip);
}

static void tear_down(struct fixture *f, gconstpointer data)
{
    (void)f;
    (void)data;
}

/* In memory of just that size, so that a sanitizer sees a step beyond. */
static int parse(struct fixture *f)
{
    void *page = g_memdup2(f->page, f->size);
    int err = ivc_info_parse(&f->dev, page, f->size, &f->limits, f->table);

    g_free(page);
    return err;
}

static void refused(struct fixture *f, const char *text)
{
    g_assert_cmpint(parse(f), ==, -EINVAL);
    g_assert_cmpuint(f->dev.nr_errors, ==, 1);
    if (!strstr(f->dev.error, text)) {
        g_error("\"%s\" is not in \"%s\"", text, f->dev.error);
    }
}

static void test_good(struct fixture *f, gconstpointer data)
{
    const struct ivc_queue_info *first = &f->table[Q_FIRST];
    const struct ivc_queue_info *second = &f->table[Q_SECOND];

    (void)data;
    g_assert_cmpint(parse(f), ==, 0);
    g_assert_cmpuint(f->dev.nr_errors, ==, 0);

    g_assert_cmpuint(first->id, ==, 255);
    g_assert_cmpuint(first->peer, ==, 2);
    g_assert_cmpuint(first->nframes, ==, 64);
    g_assert_cmpuint(first->frame_size, ==, 1536);
    g_assert_cmpuint(first->offset, ==, 0);
    g_assert_cmpuint(first->size, ==, 128 + 64 * 1536);
    g_assert_cmpuint(first->area_size, ==, 0x40000);
    g_assert_cmphex(first->area, ==, AREA_BASE);
    g_assert_cmphex(first->noti, ==, NOTI_BASE);
    g_assert_cmpuint(first->noti_type, ==, NVIPC_IVC_NOTI_TRAP);
    g_assert_cmpuint(first->vector, ==, 0);
    g_assert_true(first->rx_first);

    g_assert_cmpuint(second->id, ==, 300);
    g_assert_cmpuint(second->peer, ==, 2);
    g_assert_cmpuint(second->noti_slot, ==, 3);
    g_assert_cmphex(second->noti, ==, NOTI_BASE + 3 * HV_IVC_PAGE);
    g_assert_cmpuint(second->noti_type, ==, NVIPC_IVC_NOTI_MSI);
    g_assert_cmpuint(second->vector, ==, 3);
    g_assert_false(second->rx_first);
}

static void test_loopback(struct fixture *f, gconstpointer data)
{
    const struct ivc_queue_info *even = &f->table[Q_EVEN];
    const struct ivc_queue_info *odd = &f->table[Q_ODD];

    (void)data;
    g_assert_cmpint(parse(f), ==, 0);
    g_assert_cmpuint(even->peer, ==, PARTITION);
    g_assert_cmphex(even->area, ==, odd->area);
    g_assert_true(even->rx_first);
    g_assert_false(odd->rx_first);
    g_assert_cmphex(even->noti, !=, odd->noti);
}

static void test_chip(struct fixture *f, gconstpointer data)
{
    (void)data;
    g_assert_cmpint(parse(f), ==, 0);
    g_assert_cmpuint(f->table[C_FIRST].id, ==, 1);
    g_assert_cmpuint(f->table[C_FIRST].peer, ==, 1);
    g_assert_false(f->table[C_FIRST].loopback);
    g_assert_true(f->table[C_FIRST].rx_first);
    g_assert_cmpuint(f->table[C_SECOND].id, ==, 99);
    g_assert_cmpuint(f->table[C_SECOND].peer, ==, 98);
    g_assert_cmpuint(f->table[C_SECOND].nframes, ==, 7);
}

/* One lie each. */
#define LIE(name, text, statement) \
    static void lie_##name(struct fixture *f, gconstpointer data) \
    { \
        (void)data; \
        statement; \
        refused(f, text); \
    }

LIE(no_page, "info page: 0 bytes", f->size = 0)
LIE(short_head, "info page: 63 bytes", f->size = sizeof(*f->head) - 1)
LIE(short_tables, "tables take", f->size -= 4)
/* Said by register and page alike. */
LIE(no_queues, "0 queues, 1 to 512",
    f->limits.nr_queues = f->head->nr_queues = f->head->nr_areas = 0)
LIE(many_queues, "513 queues, 1 to 512",
    (f->limits.nr_queues = f->head->nr_queues = f->head->nr_areas = 513,
     f->size = sizeof(f->page)))
LIE(queue_count, "the device has 4", f->head->nr_queues = 3)
LIE(huge_count, "the device has 4", f->head->nr_queues = 0xffffffff)
LIE(area_count, "3 areas", f->head->nr_areas = 3)
LIE(mempool_count, "tables take", f->head->nr_mempools = 0xffffffff)

LIE(id, "ids are below 512", f->queues[Q_FIRST].id = 512)
LIE(own_partition, "partition 16, they are 0 to 15",
    f->limits.partition = 16)
LIE(id_twice, "given twice", f->queues[Q_SECOND].id = 255)
LIE(not_a_peer, "we are 1", f->queues[Q_FIRST].peers[0] = 3)
LIE(peer, "they are 0 to 15", f->queues[Q_FIRST].peers[1] = 16)
LIE(chip_id, "ids are below 100", f->queues[C_FIRST].id = 100)
LIE(chip_peer, "they are 256 to 355", f->queues[C_FIRST].peers[1] = 356)
LIE(chip_partition, "they are 256 to 355", f->queues[C_FIRST].peers[1] = 2)
LIE(chip_loopback, "they are 256 to 355", f->queues[C_FIRST].peers[1] = 1)
LIE(chip_not_a_peer, "we are 1", f->queues[C_FIRST].peers[0] = 2)
/* The near end is the first one, so that no two devices take it both ways. */
LIE(chip_swapped, "we are 1",
    (f->queues[C_FIRST].peers[0] = 257, f->queues[C_FIRST].peers[1] = 1))
/* A partition of that number would make a loopback of a channel. */
LIE(chip_own_partition, "partition 257",
    (f->limits.partition = 257, f->queues[C_FIRST].peers[0] = 257,
     f->queues[C_SECOND].peers[0] = 257))
LIE(chip_peer_below, "they are 256 to 355", f->queues[C_FIRST].peers[1] = 255)
LIE(chip_id_twice, "given twice", f->queues[C_SECOND].id = 1)
LIE(chip_many, "101 queues, 1 to 100",
    (f->limits.nr_queues = f->head->nr_queues = f->head->nr_areas = 101,
     f->size = sizeof(f->page)))
LIE(chip_area_overlap, "overlaps", f->areas[C_SECOND].pa = AREA_BASE)
/* And the other kind takes no channel to another chip for a queue. */
LIE(peer_of_chip, "they are 0 to 15", f->queues[Q_FIRST].peers[1] = 257)
LIE(chip_area_guest, "the peer is 257", f->areas[C_FIRST].guest = 1)
LIE(area_guest, "area shared with 3", f->areas[Q_FIRST].guest = 3)

LIE(nframes, "not a queue", f->queues[Q_FIRST].nframes = 0)
LIE(frame_size, "not a queue", f->queues[Q_FIRST].frame_size = 1537)
LIE(product, "not a queue", f->queues[Q_FIRST].nframes = 0xffffffff)
LIE(size, "its frames take", f->queues[Q_FIRST].size += 64)
LIE(offset, "does not fit", f->queues[Q_FIRST].offset = 0x40000 - 64)
LIE(huge_offset, "does not fit", f->queues[Q_FIRST].offset = 0xffffffc0)
LIE(odd_offset, "does not fit", f->queues[Q_FIRST].offset = 4)

LIE(area_align, "not aligned", f->areas[Q_FIRST].pa += 0x1000)
LIE(area_size_align, "not aligned", f->areas[Q_FIRST].size -= 0x1000)
LIE(area_below, "is not in", f->areas[Q_FIRST].pa -= HV_IVC_PAGE)
LIE(area_above, "is not in", f->areas[Q_SECOND].pa += HV_IVC_PAGE)
LIE(area_wraps, "is not in", f->areas[Q_FIRST].pa = UINT64_C(0) - HV_IVC_PAGE)
LIE(area_empty, "is not in", f->areas[Q_FIRST].size = 0)
LIE(area_huge, "is not in",
    (f->areas[Q_FIRST].size = UINT64_C(1) << 32,
     f->area_bar.end = AREA_BASE + (UINT64_C(1) << 33)))
LIE(area_overlap, "overlaps", f->areas[Q_SECOND].pa = AREA_BASE + 0x30000)
LIE(area_same, "overlaps", f->areas[Q_SECOND].pa = f->areas[Q_EVEN].pa)

LIE(noti_none, "one must be 0", f->queues[Q_FIRST].trap_ipa = 0)
LIE(noti_both, "one must be 0", f->queues[Q_FIRST].msi_ipa = NOTI_BASE)
LIE(noti_align, "notification page", f->queues[Q_FIRST].trap_ipa += 8)
LIE(noti_below, "notification page",
    f->queues[Q_FIRST].trap_ipa -= HV_IVC_PAGE)
LIE(noti_above, "notification page",
    f->queues[Q_SECOND].msi_ipa += HV_IVC_PAGE)
LIE(noti_twice, "as queue 255", f->queues[Q_SECOND].msi_ipa = NOTI_BASE)

LIE(vector, "vector 4 of 4", f->queues[Q_FIRST].irq = 4)
LIE(vector_twice, "has vector 0, as queue 255", f->queues[Q_SECOND].irq = 0)

LIE(loopback_area, "not the same area",
    (f->areas[Q_ODD].pa = f->areas[Q_SECOND].pa,
     f->areas[Q_SECOND].pa = f->areas[Q_EVEN].pa))
LIE(loopback_area_size, "not the same area",
    f->areas[Q_ODD].size += HV_IVC_PAGE)
LIE(loopback_offset, "not the same area", f->queues[Q_ODD].offset = 64)
LIE(loopback_nframes, "not the same area",
    (f->queues[Q_ODD].nframes = 15,
     f->queues[Q_ODD].size = 128 + 15 * 64))
LIE(loopback_frame_size, "not the same area",
    (f->queues[Q_ODD].frame_size = 128,
     f->queues[Q_ODD].size = 128 + 16 * 128))
LIE(loopback_alone, "without queue 256",
    (f->queues[Q_EVEN].id = 258, f->queues[Q_EVEN].peers[1] = 2,
     f->areas[Q_EVEN].guest = 2, f->areas[Q_EVEN].pa = AREA_BASE + 0x60000,
     f->area_bar.end = AREA_BASE + 0x6ffff))

/* Any bytes at all: an answer, no step outside, one error if it is no. */
static void test_noise(struct fixture *f, gconstpointer data)
{
    (void)data;
    for (unsigned round = 0; round < 20000; round++) {
        struct fixture copy = *f;
        unsigned flips = (unsigned)g_test_rand_int_range(1, 4);
        int err;

        copy.limits.areas = &copy.area_bar;
        copy.limits.noti = &copy.noti_bar;
        for (unsigned i = 0; i < flips; i++) {
            gint32 at = g_test_rand_int_range(0, (gint32)f->size);

            copy.page[at] = (uint8_t)g_test_rand_int_range(0, 256);
        }
        err = parse(&copy);
        g_assert_true(err == 0 || err == -EINVAL);
        g_assert_cmpuint(copy.dev.nr_errors, ==, err != 0);
        for (u32 i = 0; err == 0 && i < copy.limits.nr_queues; i++) {
            const struct ivc_queue_info *queue = &copy.table[i];

            g_assert_cmpuint(queue->id, <, copy.limits.kind->nr_ids);
            g_assert_cmpuint(queue->peer, <, copy.limits.kind->nr_peers);
            if (copy.limits.kind == &ivc_kind_chip) {
                g_assert_true(queue->rx_first && !queue->loopback);
            }
        }
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD_ON(page, path, test) \
    g_test_add("/driver/info/" path, struct fixture, NULL, page, test, \
               tear_down)
#define ADD(path, test) ADD_ON(set_up, path, test)
#define ADD_CHIP_LIE(name) \
    ADD_ON(set_up_chip, "lie/" #name, lie_##name)
#define ADD_LIE(name) ADD("lie/" #name, lie_##name)
    ADD("good", test_good);
    ADD("loopback", test_loopback);
    ADD_ON(set_up_chip, "chip", test_chip);
    ADD_CHIP_LIE(chip_id);
    ADD_CHIP_LIE(chip_peer);
    ADD_CHIP_LIE(chip_partition);
    ADD_CHIP_LIE(chip_loopback);
    ADD_CHIP_LIE(chip_not_a_peer);
    ADD_CHIP_LIE(chip_area_guest);
    ADD_CHIP_LIE(chip_swapped);
    ADD_CHIP_LIE(chip_own_partition);
    ADD_CHIP_LIE(chip_peer_below);
    ADD_CHIP_LIE(chip_id_twice);
    ADD_CHIP_LIE(chip_many);
    ADD_CHIP_LIE(chip_area_overlap);
    ADD_LIE(peer_of_chip);
    ADD_LIE(no_page);
    ADD_LIE(short_head);
    ADD_LIE(short_tables);
    ADD_LIE(no_queues);
    ADD_LIE(many_queues);
    ADD_LIE(queue_count);
    ADD_LIE(huge_count);
    ADD_LIE(area_count);
    ADD_LIE(mempool_count);
    ADD_LIE(id);
    ADD_LIE(own_partition);
    ADD_LIE(id_twice);
    ADD_LIE(not_a_peer);
    ADD_LIE(peer);
    ADD_LIE(area_guest);
    ADD_LIE(nframes);
    ADD_LIE(frame_size);
    ADD_LIE(product);
    ADD_LIE(size);
    ADD_LIE(offset);
    ADD_LIE(huge_offset);
    ADD_LIE(odd_offset);
    ADD_LIE(area_align);
    ADD_LIE(area_size_align);
    ADD_LIE(area_below);
    ADD_LIE(area_above);
    ADD_LIE(area_wraps);
    ADD_LIE(area_empty);
    ADD_LIE(area_huge);
    ADD_LIE(area_overlap);
    ADD_LIE(area_same);
    ADD_LIE(noti_none);
    ADD_LIE(noti_both);
    ADD_LIE(noti_align);
    ADD_LIE(noti_below);
    ADD_LIE(noti_above);
    ADD_LIE(noti_twice);
    ADD_LIE(vector);
    ADD_LIE(vector_twice);
    ADD_LIE(loopback_area);
    ADD_LIE(loopback_area_size);
    ADD_LIE(loopback_offset);
    ADD_LIE(loopback_nframes);
    ADD_LIE(loopback_frame_size);
    ADD_LIE(loopback_alone);
    ADD("noise", test_noise);
    ADD_ON(set_up_chip, "chip-noise", test_noise);
    return g_test_run();
}
