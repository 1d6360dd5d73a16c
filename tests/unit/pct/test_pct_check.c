/* SPDX-License-Identifier: MIT */
/* Each rule: what keeps it, what breaks it, and the exact fault. */
#include <glib.h>
#include <string.h>

#include "ivc_geometry.h"
#include "pct.h"
#include "pct_layout.h"
#include "tables.h"

static struct pct pct;

static void assert_good(void)
{
    g_assert_cmpuint(pct_check(&pct, 0, NULL, 0), ==, 0);
}

/* The table breaks this rule, once, and nothing else. */
static void assert_fault(enum pct_rule rule, uint32_t index, uint64_t value,
                         const char *text)
{
    struct pct_fault faults[4];
    char said[PCT_FAULT_TEXT_SIZE];
    char *named = g_strdup_printf("rule %s: ", pct_rule_name(rule));

    g_assert_cmpuint(pct_check(&pct, 0, faults, 4), ==, 1);
    g_assert_cmpuint(faults[0].rule, ==, rule);
    g_assert_cmpuint(faults[0].index, ==, index);
    g_assert_cmpuint(faults[0].value, ==, value);
    g_assert_cmpint(pct_fault_text(&pct, &faults[0], said, sizeof(said)), ==,
                    strlen(text));
    g_assert_cmpstr(said, ==, text);
    g_assert_nonnull(strstr(said, named));
    g_free(named);
}

static void test_good(void)
{
    table_good(&pct);
    assert_good();
    g_assert_cmpstr(pct_find_partition(&pct, 3)->name, ==, "GID_B");
    g_assert_null(pct_find_partition(&pct, 5));
    g_assert_true(pct_find_queue(&pct, 300) == &pct.queues[3]);
    g_assert_null(pct_find_queue(&pct, 299));
}

static void test_partition_count(void)
{
    table_good(&pct);
    pct.nr_partitions = 0;
    assert_fault(PCT_RULE_PARTITION_COUNT, 0, 0,
                 "rule partition-count: 0 partitions; give 1 to 16");
    pct.nr_partitions = 17;
    assert_fault(PCT_RULE_PARTITION_COUNT, 0, 17,
                 "rule partition-count: 17 partitions; give 1 to 16");
}

static void test_partition_id(void)
{
    table_good(&pct);
    strcpy(pct.partitions[3].name, "GID_D");
    pct.nr_partitions = 4;
    pct.partitions[3].id = 15;
    assert_good();
    pct.partitions[3].id = 16;
    assert_fault(PCT_RULE_PARTITION_ID, 3, 16, "partition GID_D: rule "
                 "partition-id: 16 is too large; use an id from 0 to 15");
}

static void test_partition_name(void)
{
    static const char *const bad[] = { "", "9A", "A-B", "A\033[2J", "\"A" };

    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
        table_good(&pct);
        strcpy(pct.partitions[2].name, bad[i]);
        assert_fault(PCT_RULE_PARTITION_NAME, 2, 2, "partition 4: rule "
                     "partition-name: its name is no name; use letters, "
                     "digits and _, at most 31, not a digit first");
    }

    /* The longest one, and one without an end. */
    memset(pct.partitions[2].name, 'A', PCT_NAME_SIZE);
    g_assert_cmpuint(pct_check(&pct, 0, NULL, 0), ==, 1);
    pct.partitions[2].name[PCT_NAME_SIZE - 1] = '\0';
    assert_good();
}

static void test_partition_twice(void)
{
    struct pct_fault fault;

    table_good(&pct);
    pct.partitions[2].id = 3;
    pct.nr_queues = 3;
    assert_fault(PCT_RULE_PARTITION_TWICE, 2, 1, "partition GID_C: rule "
                 "partition-twice: GID_B (3) has the same id; give each its "
                 "own");
    table_good(&pct);
    strcpy(pct.partitions[2].name, "GID_A");
    g_assert_cmpuint(pct_check(&pct, 0, &fault, 1), ==, 1);
    g_assert_cmpuint(fault.rule, ==, PCT_RULE_PARTITION_TWICE);
}

static void test_queue_count(void)
{
    table_good(&pct);
    pct.nr_queues = 0;
    assert_fault(PCT_RULE_QUEUE_COUNT, 0, 0,
                 "rule queue-count: 0 queues; give 1 to 512");
    pct.nr_queues = 513;
    assert_fault(PCT_RULE_QUEUE_COUNT, 0, 513,
                 "rule queue-count: 513 queues; give 1 to 512");
    table_begin(&pct);
    for (uint32_t id = 0; id < 512; id++) {
        table_add(&pct, id, 2, 3, 1, 64);
    }
    assert_good();
}

static void test_queue_id(void)
{
    table_good(&pct);
    pct.queues[4].id = 511;
    assert_good();
    pct.queues[4].id = 512;
    assert_fault(PCT_RULE_QUEUE_ID, 4, 512, "queue 512: rule queue-id: 512 is "
                 "too large; use an id from 0 to 511");
}

static void test_queue_twice(void)
{
    table_good(&pct);
    pct.queues[4].id = 300;
    assert_fault(PCT_RULE_QUEUE_TWICE, 4, 300, "queue 300: rule queue-twice: "
                 "id 300 is given twice; give each queue its own");
    pct.queues[4].id = 299;
    assert_fault(PCT_RULE_QUEUE_TWICE, 4, 300, "queue 299: rule queue-twice: "
                 "it stands after 300; order queues by id");
}

static void test_peers(void)
{
    struct pct_fault faults[3];

    table_good(&pct);
    pct.queues[0].peers[1] = 7;
    assert_fault(PCT_RULE_PEERS, 0, 7, "queue 255: rule peers: 7 is no "
                 "partition; use two of GID_A (2), GID_B (3), GID_C (4)");
    table_good(&pct);
    pct.queues[0].peers[0] = UINT32_MAX;
    assert_fault(PCT_RULE_PEERS, 0, UINT32_MAX, "queue 255: rule peers: "
                 "4294967295 is no partition; use two of GID_A (2), "
                 "GID_B (3), GID_C (4)");
    pct.queues[0].peers[1] = 8;
    g_assert_cmpuint(pct_check(&pct, 0, faults, 3), ==, 2);
    g_assert_cmpuint(faults[0].value, ==, UINT32_MAX);
    g_assert_cmpuint(faults[1].value, ==, 8);
}

static void test_nframes(void)
{
    table_good(&pct);
    pct.queues[0].nframes = 1;
    assert_good();
    pct.queues[0].nframes = 0;
    assert_fault(PCT_RULE_NFRAMES, 0, 0,
                 "queue 255: rule nframes: 0 frames; use at least 1");
}

static void test_frame_size(void)
{
    table_good(&pct);
    pct.queues[0].frame_size = 64;
    assert_good();
    pct.queues[0].frame_size = 0;
    assert_fault(PCT_RULE_FRAME_SIZE, 0, 0, "queue 255: rule frame-size: 0 "
                 "bytes; use a multiple of 64");
    pct.queues[0].frame_size = 1500;
    assert_fault(PCT_RULE_FRAME_SIZE, 0, 1500, "queue 255: rule frame-size: "
                 "1500 is not a multiple of 64; use 1536");
    pct.queues[0].frame_size = UINT32_MAX;
    assert_fault(PCT_RULE_FRAME_SIZE, 0, UINT32_MAX, "queue 255: rule "
                 "frame-size: 4294967295 is not a multiple of 64; use "
                 "4294967232");
}

static void test_queue_size(void)
{
    table_good(&pct);
    /* 2^32 - 128 bytes of frames and the header are 2^32. */
    pct.queues[0].frame_size = 64;
    pct.queues[0].nframes = UINT32_C(0xfffffffe) / 64 - 2;
    assert_good();
    pct.queues[0].nframes++;
    assert_fault(PCT_RULE_QUEUE_SIZE, 0, UINT64_C(0xffffff80), "queue 255: "
                 "rule queue-size: 67108862 * 64 + 128 bytes are 4294967296, "
                 "not less than 2^32; use at most 67108861 frames of that "
                 "size");
    /* Where the product wraps to something small. */
    pct.queues[0].frame_size = UINT32_C(0x80000000);
    pct.queues[0].nframes = 2;
    assert_fault(PCT_RULE_QUEUE_SIZE, 0, UINT64_C(0x100000000), "queue 255: "
                 "rule queue-size: 2 * 2147483648 + 128 bytes are 4294967424, "
                 "not less than 2^32; use at most 1 frames of that size");
    pct.queues[0].frame_size = UINT32_C(0xffffffc0);
    pct.queues[0].nframes = UINT32_MAX;
    assert_fault(PCT_RULE_QUEUE_SIZE, 0, UINT64_C(0xffffffbf00000040), "queue "
                 "255: rule queue-size: 4294967295 * 4294967232 + 128 bytes "
                 "are 18446743794536677568, not less than 2^32; use smaller "
                 "frames");
}

static void test_loopback_alone(void)
{
    table_good(&pct);
    pct.queues[2] = pct.queues[3];
    pct.queues[3] = pct.queues[4];
    pct.nr_queues = 4;
    assert_fault(PCT_RULE_LOOPBACK, 1, 257, "queue 256: rule loopback: it is "
                 "a loopback of GID_A, but its other end, queue 257, is not "
                 "there; give both the peers {GID_A, GID_A}");
}

static void test_loopback_wrong_pair(void)
{
    struct pct_fault faults[3];

    /* 257 and 258 are neighbours, but no pair. */
    table_good(&pct);
    pct.queues[1].id = 257;
    pct.queues[2].id = 258;
    g_assert_cmpuint(pct_check(&pct, 0, faults, 3), ==, 2);
    g_assert_cmpuint(faults[0].rule, ==, PCT_RULE_LOOPBACK);
    g_assert_cmpuint(faults[0].value, ==, 256);
    g_assert_cmpuint(faults[1].rule, ==, PCT_RULE_LOOPBACK);
    g_assert_cmpuint(faults[1].value, ==, 259);
}

static void test_loopback_other_peers(void)
{
    table_good(&pct);
    pct.queues[2].peers[1] = 3;
    assert_fault(PCT_RULE_LOOPBACK, 1, 257, "queue 256: rule loopback: it is "
                 "a loopback of GID_A, but its other end, queue 257, has "
                 "other peers; give both the peers {GID_A, GID_A}");
}

static void test_loopback_geometry(void)
{
    table_good(&pct);
    pct.queues[1].nframes = 9;
    assert_fault(PCT_RULE_LOOPBACK, 2, 256, "queue 257: rule loopback: 8 x "
                 "512 bytes, but its other end, queue 256, has 9 x 512; make "
                 "them equal");
    table_good(&pct);
    pct.queues[2].frame_size = 576;
    assert_fault(PCT_RULE_LOOPBACK, 2, 256, "queue 257: rule loopback: 8 x "
                 "576 bytes, but its other end, queue 256, has 8 x 512; make "
                 "them equal");
}

static void test_memory(void)
{
    struct pct_fault fault;
    char said[PCT_FAULT_TEXT_SIZE];
    uint64_t needs;

    table_good(&pct);
    needs = pct_layout_total(&pct);
    /* The board, and areas of 4, 1 (shared by two), 3 and 1 * 64 KiB. */
    g_assert_cmpuint(needs, ==, 10 * 0x10000);
    g_assert_cmpuint(pct_check(&pct, needs, NULL, 0), ==, 0);
    g_assert_cmpuint(pct_check(&pct, needs - 1, &fault, 1), ==, 1);
    g_assert_cmpuint(fault.rule, ==, PCT_RULE_MEMORY);
    g_assert_cmpuint(fault.index, ==, 0);
    g_assert_cmpuint(fault.value, ==, needs - 1);
    pct_fault_text(&pct, &fault, said, sizeof(said));
    g_assert_cmpstr(said, ==, "queue 255: rule memory: the table needs 655360 "
                    "bytes of shared memory (this queue, the largest, "
                    "262144), and there are 655359; make queues smaller or "
                    "give it 1 MiB");
}

/* The largest table there can be does not wrap the sum. */
static void test_memory_largest(void)
{
    table_begin(&pct);
    for (uint32_t id = 0; id < 512; id++) {
        table_add(&pct, id, 2, 3, 1, UINT32_C(0xffffff00));
    }
    assert_good();
    g_assert_cmpuint(pct_layout_total(&pct), ==,
                     0x10000 + 512 * UINT64_C(0x200000000));
    g_assert_cmpuint(pct_check(&pct, UINT64_C(1) << 40, NULL, 0), ==, 1);
}

static void test_c2c_good(void)
{
    table_chip(&pct);
    assert_good();
    /* They take no shared memory. */
    g_assert_cmpuint(pct_check(&pct, 10 * 0x10000, NULL, 0), ==, 0);
}

static void test_c2c_count(void)
{
    table_good(&pct);
    for (uint32_t device = 0; device < 16; device++) {
        table_add_c2c(&pct, device, 2, device, 1, 64);
    }
    assert_good();
    pct.nr_c2c = 17;
    assert_fault(PCT_RULE_C2C_COUNT, 0, 17,
                 "rule c2c-count: 17 c2c devices; give at most 16");
    pct.nr_c2c = UINT32_MAX;
    assert_fault(PCT_RULE_C2C_COUNT, 0, UINT32_MAX,
                 "rule c2c-count: 4294967295 c2c devices; give at most 16");
}

static void test_c2c_device(void)
{
    table_chip(&pct);
    pct.c2c[0].device = 0;
    pct.c2c[2].device = 99;
    assert_good();
    pct.c2c[2].device = 100;
    assert_fault(PCT_RULE_C2C_DEVICE, 2, 100, "c2c device 100: rule "
                 "c2c-device: 100 is too large; use a number from 0 to 99");
}

static void test_c2c_twice(void)
{
    table_chip(&pct);
    pct.c2c[1].device = 5;
    assert_fault(PCT_RULE_C2C_TWICE, 1, 5, "c2c device 5: rule c2c-twice: "
                 "number 5 is given twice; give each device its own");
    pct.c2c[1].device = 4;
    assert_fault(PCT_RULE_C2C_TWICE, 1, 5, "c2c device 4: rule c2c-twice: it "
                 "stands after 5; order devices by number");
}

static void test_c2c_owner(void)
{
    table_chip(&pct);
    pct.c2c[0].owner = 7;
    assert_fault(PCT_RULE_C2C_OWNER, 0, 7, "c2c device 5: rule c2c-owner: 7 "
                 "is no partition; use one of GID_A (2), GID_B (3), "
                 "GID_C (4)");
    /* Partition 0 is one if there is one. */
    pct.c2c[0].owner = 0;
    g_assert_cmpuint(pct_check(&pct, 0, NULL, 0), ==, 1);
    pct.partitions[2].id = 0;
    pct.nr_queues = 3;
    assert_good();
}

static void test_c2c_remote(void)
{
    table_chip(&pct);
    pct.c2c[0].remote = 0;
    pct.c2c[1].remote = 99;
    pct.c2c[2].remote = 99;
    assert_good();
    pct.c2c[1].remote = 100;
    assert_fault(PCT_RULE_C2C_REMOTE, 1, 100, "c2c device 6: rule c2c-remote: "
                 "100 is too large; use the far chip's device number, from 0 "
                 "to 99");
}

static void test_c2c_nframes(void)
{
    table_chip(&pct);
    pct.c2c[0].nframes = 1;
    assert_good();
    pct.c2c[0].nframes = 0;
    assert_fault(PCT_RULE_C2C_NFRAMES, 0, 0,
                 "c2c device 5: rule nframes: 0 frames; use at least 1");
}

static void test_c2c_frame_size(void)
{
    table_chip(&pct);
    pct.c2c[0].frame_size = 0;
    assert_fault(PCT_RULE_C2C_FRAME_SIZE, 0, 0, "c2c device 5: rule "
                 "frame-size: 0 bytes; use a multiple of 64");
    pct.c2c[0].frame_size = 1500;
    assert_fault(PCT_RULE_C2C_FRAME_SIZE, 0, 1500, "c2c device 5: rule "
                 "frame-size: 1500 is not a multiple of 64; use 1536");
    /* No advice that would break the next rule. */
    pct.c2c[0].frame_size = UINT32_MAX;
    assert_fault(PCT_RULE_C2C_FRAME_SIZE, 0, UINT32_MAX, "c2c device 5: rule "
                 "frame-size: 4294967295 is not a multiple of 64; use "
                 "1048576");
}

static void test_c2c_size(void)
{
    table_chip(&pct);
    pct.c2c[0].frame_size = 0x100000;
    pct.c2c[0].nframes = 63;
    assert_good();
    /* 64 MiB of frames, and the header is too much. */
    pct.c2c[0].nframes = 64;
    assert_fault(PCT_RULE_C2C_SIZE, 0, 0x4000000, "c2c device 5: rule "
                 "c2c-size: 64 * 1048576 + 128 bytes are 67108992, more than "
                 "67108864; use at most 63 frames of that size");
    pct.c2c[0].frame_size = 64;
    pct.c2c[0].nframes = 0x100000 - 2;
    assert_good();
    pct.c2c[0].nframes++;
    assert_fault(PCT_RULE_C2C_SIZE, 0, 0x4000000 - 64, "c2c device 5: rule "
                 "c2c-size: 1048575 * 64 + 128 bytes are 67108928, more than "
                 "67108864; use at most 1048574 frames of that size");
    pct.c2c[0].frame_size = 0x100040;
    pct.c2c[0].nframes = 1;
    assert_fault(PCT_RULE_C2C_SIZE, 0, 0x100040, "c2c device 5: rule "
                 "c2c-size: frames of 1048640 bytes; use at most 1048576");
    /* Where the product wraps to something small. */
    pct.c2c[0].frame_size = 0x100000;
    pct.c2c[0].nframes = 0x1001;
    assert_fault(PCT_RULE_C2C_SIZE, 0, UINT64_C(0x100100000), "c2c device 5: "
                 "rule c2c-size: 4097 * 1048576 + 128 bytes are 4296016000, "
                 "more than 67108864; use at most 63 frames of that size");
}

/* All faults are counted, and no more are stored than fit. */
static void test_many(void)
{
    struct pct_fault faults[3] = { [2] = { .rule = PCT_OK, .index = 99 } };

    table_good(&pct);
    pct.queues[0].nframes = 0;
    pct.queues[0].frame_size = 1;
    pct.queues[3].frame_size = 65;
    g_assert_cmpuint(pct_check(&pct, 0, faults, 2), ==, 3);
    g_assert_cmpuint(faults[0].rule, ==, PCT_RULE_NFRAMES);
    g_assert_cmpuint(faults[1].rule, ==, PCT_RULE_FRAME_SIZE);
    g_assert_cmpuint(faults[2].index, ==, 99);
}

/* Any fault of any table can be told within the size that is promised. */
static void test_text_size(void)
{
    struct pct_fault fault = { .rule = PCT_RULE_PEERS, .value = UINT64_MAX };
    char said[PCT_FAULT_TEXT_SIZE];

    table_good(&pct);
    pct.nr_partitions = PCT_MAX_NUM_GUESTS;
    for (uint32_t i = 0; i < PCT_MAX_NUM_GUESTS; i++) {
        memset(pct.partitions[i].name, 'A', PCT_NAME_SIZE - 1);
        pct.partitions[i].id = UINT32_MAX - i;
    }
    pct.queues[0].id = UINT32_MAX;
    g_assert_cmpint(pct_fault_text(&pct, &fault, said, sizeof(said)), <,
                    PCT_FAULT_TEXT_SIZE);
    fault.rule = PCT_RULE_C2C_OWNER;
    pct.c2c[0].device = UINT32_MAX;
    g_assert_cmpint(pct_fault_text(&pct, &fault, said, sizeof(said)), <,
                    PCT_FAULT_TEXT_SIZE);
    g_assert_cmpint(pct_fault_text(&pct, &fault, said, 10), >, 10);
    g_assert_cmpuint(strlen(said), ==, 9);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/pct/check/good", test_good);
    g_test_add_func("/pct/check/partition-count", test_partition_count);
    g_test_add_func("/pct/check/partition-id", test_partition_id);
    g_test_add_func("/pct/check/partition-name", test_partition_name);
    g_test_add_func("/pct/check/partition-twice", test_partition_twice);
    g_test_add_func("/pct/check/queue-count", test_queue_count);
    g_test_add_func("/pct/check/queue-id", test_queue_id);
    g_test_add_func("/pct/check/queue-twice", test_queue_twice);
    g_test_add_func("/pct/check/peers", test_peers);
    g_test_add_func("/pct/check/nframes", test_nframes);
    g_test_add_func("/pct/check/frame-size", test_frame_size);
    g_test_add_func("/pct/check/queue-size", test_queue_size);
    g_test_add_func("/pct/check/loopback/alone", test_loopback_alone);
    g_test_add_func("/pct/check/loopback/wrong-pair", test_loopback_wrong_pair);
    g_test_add_func("/pct/check/loopback/other-peers",
                    test_loopback_other_peers);
    g_test_add_func("/pct/check/loopback/geometry", test_loopback_geometry);
    g_test_add_func("/pct/check/memory", test_memory);
    g_test_add_func("/pct/check/memory/largest", test_memory_largest);
    g_test_add_func("/pct/check/c2c/good", test_c2c_good);
    g_test_add_func("/pct/check/c2c/count", test_c2c_count);
    g_test_add_func("/pct/check/c2c/device", test_c2c_device);
    g_test_add_func("/pct/check/c2c/twice", test_c2c_twice);
    g_test_add_func("/pct/check/c2c/owner", test_c2c_owner);
    g_test_add_func("/pct/check/c2c/remote", test_c2c_remote);
    g_test_add_func("/pct/check/c2c/nframes", test_c2c_nframes);
    g_test_add_func("/pct/check/c2c/frame-size", test_c2c_frame_size);
    g_test_add_func("/pct/check/c2c/size", test_c2c_size);
    g_test_add_func("/pct/check/many", test_many);
    g_test_add_func("/pct/check/text-size", test_text_size);
    return g_test_run();
}
