/* SPDX-License-Identifier: MIT */
/* Table to blob and back; and blobs that are damaged in one place each. */
#include <glib.h>
#include <libfdt.h>
#include <string.h>

#include "pct.h"
#include "pct_fdt.h"
#include "tables.h"

static struct pct pct;
static struct pct back;
static _Alignas(8) uint8_t blob[PCT_FDT_MAX_SIZE];
static char error[256];

static void assert_round_trip(void)
{
    long size = pct_to_fdt(&pct, blob, sizeof(blob));

    g_assert_cmpint(size, >, 0);
    g_assert_cmpint(pct_from_fdt(blob, size, &back, error, sizeof(error)), ==,
                    0);
    table_assert_equal(&pct, &back);
}

static void test_round_trip(void)
{
    GRand *rand = g_rand_new_with_seed(g_test_rand_int());

    table_good(&pct);
    assert_round_trip();
    table_chip(&pct);
    assert_round_trip();
    for (int round = 0; round < 50; round++) {
        table_random(&pct, rand, 2 * g_rand_int_range(rand, 1, 257));
        assert_round_trip();
    }
    g_rand_free(rand);
}

/* The largest table: 512 queues, 16 partitions with the longest names, c2c. */
static void test_largest(void)
{
    memset(&pct, 0, sizeof(pct));
    for (uint32_t i = 0; i < PCT_MAX_NUM_GUESTS; i++) {
        memset(pct.partitions[i].name, 'A' + (int)i, PCT_NAME_SIZE - 1);
        pct.partitions[i].id = i;
    }
    pct.nr_partitions = PCT_MAX_NUM_GUESTS;
    for (uint32_t id = 0; id < 512; id++) {
        table_add(&pct, id, 0, 15, 1, 64);
        pct.queues[id].use_msi = true;
    }
    for (uint32_t device = 0; device < PCT_MAX_NUM_C2C; device++) {
        table_add_c2c(&pct, 84 + device, 0, 99, 1, 64);
    }
    assert_round_trip();
}

/*
 * Tables that have been compiled stay what they are, byte for byte: who has no
 * channel to another chip need not know of them.
 */
static void test_golden(void)
{
    long size;
    char *sum;

    table_good(&pct);
    size = pct_to_fdt(&pct, blob, sizeof(blob));
    g_assert_cmpint(size, ==, 938);
    sum = g_compute_checksum_for_data(G_CHECKSUM_SHA256, blob, size);
    g_assert_cmpstr(sum, ==, "ea764d7df3119005e69e5f74203ff7c07516a7b10b1d3f1"
                    "03448f4773e658d64");
    g_free(sum);
}

static void test_same_bytes(void)
{
    static _Alignas(8) uint8_t again[8192];
    long size;

    table_chip(&pct);
    size = pct_to_fdt(&pct, blob, sizeof(blob));
    memset(again, 0xa5, sizeof(again));
    g_assert_cmpint(pct_to_fdt(&pct, again, sizeof(again)), ==, size);
    g_assert_cmpmem(blob, size, again, size);
}

static void test_too_small(void)
{
    static _Alignas(8) uint8_t small[512];

    table_good(&pct);
    for (size_t size = 0; size <= sizeof(small); size++) {
        g_assert_cmpint(pct_to_fdt(&pct, small, size), ==, -1);
    }
}

/* More than the model holds is not written. */
static void test_too_many(void)
{
    table_chip(&pct);
    pct.nr_c2c = PCT_MAX_NUM_C2C + 1;
    g_assert_cmpint(pct_to_fdt(&pct, blob, sizeof(blob)), ==, -1);
    table_chip(&pct);
    pct.nr_queues = PCT_MAX_NUM_IVC_QUEUES + 1;
    g_assert_cmpint(pct_to_fdt(&pct, blob, sizeof(blob)), ==, -1);
    table_chip(&pct);
    pct.nr_partitions = PCT_MAX_NUM_GUESTS + 1;
    g_assert_cmpint(pct_to_fdt(&pct, blob, sizeof(blob)), ==, -1);
}

/* Nodes in any order give the same model. */
static void test_order(void)
{
    struct pct_queue queue;
    struct pct_partition partition;
    struct pct_c2c c2c;
    long size;

    table_chip(&pct);
    queue = pct.queues[0];
    pct.queues[0] = pct.queues[4];
    pct.queues[4] = queue;
    partition = pct.partitions[1];
    pct.partitions[1] = pct.partitions[2];
    pct.partitions[2] = partition;
    c2c = pct.c2c[0];
    pct.c2c[0] = pct.c2c[2];
    pct.c2c[2] = c2c;
    size = pct_to_fdt(&pct, blob, sizeof(blob));
    g_assert_cmpint(pct_from_fdt(blob, size, &back, error, sizeof(error)), ==,
                    0);
    table_chip(&pct);
    table_assert_equal(&pct, &back);
}

/* What breaks a rule is read all the same: pct_check() has the say. */
static void test_rule_breaker(void)
{
    table_chip(&pct);
    pct.queues[0].frame_size = 1500;
    pct.queues[4].id = UINT32_MAX;
    pct.c2c[1].owner = UINT32_MAX;
    pct.c2c[2].device = UINT32_MAX;
    assert_round_trip();
    g_assert_cmpuint(pct_check(&back, 0, NULL, 0), ==, 4);
}

/* One lie each, told of a good blob that has room to grow. */

static int node(const char *path)
{
    int offset = fdt_path_offset(blob, path);

    g_assert_cmpint(offset, >=, 0);
    return offset;
}

#define QUEUE "/queues/queue@12c"
#define DEVICE "/c2c/device@6"

static void magic(void)
{
    blob[0] ^= 1;
}

static void totalsize_beyond_file(void)
{
    fdt_set_totalsize(blob, fdt_totalsize(blob) + 1);
}

static void struct_beyond_file(void)
{
    fdt_set_off_dt_struct(blob, 0x7ffffff8);
}

static void strings_beyond_file(void)
{
    fdt_set_off_dt_strings(blob, 0xfffffff0);
}

static void old_version(void)
{
    fdt_set_version(blob, 16);
}

/* libfdt 1.6 reads the root's name, which has no slash, through NULL. */
static void very_old_version(void)
{
    fdt_set_version(blob, 2);
    fdt_set_last_comp_version(blob, 2);
}

/* libfdt 1.6 goes from such a property back to its node, for ever. */
static void property_length_negative(void)
{
    struct fdt_property *property =
        fdt_get_property_w(blob, node(QUEUE), "reg", NULL);

    property->len = cpu_to_fdt32(-(uint32_t)sizeof(*property));
}

static void property_beyond_struct(void)
{
    struct fdt_property *property =
        fdt_get_property_w(blob, node(QUEUE), "reg", NULL);

    property->len = cpu_to_fdt32(fdt_size_dt_struct(blob));
}

static void unknown_tag(void)
{
    struct fdt_property *property =
        fdt_get_property_w(blob, node(QUEUE), "reg", NULL);

    property->tag = cpu_to_fdt32(5);
}

static void node_name_without_end(void)
{
    memset(blob + fdt_off_dt_struct(blob) + node(QUEUE) + 4, 'x',
           fdt_size_dt_struct(blob) - node(QUEUE) - 4);
}

static void no_compatible(void)
{
    fdt_delprop(blob, 0, "compatible");
}

static void other_compatible(void)
{
    fdt_setprop_string(blob, 0, "compatible", "vsoc,pcx");
}

static void long_compatible(void)
{
    fdt_setprop_string(blob, 0, "compatible", "vsoc,pct,and,more");
}

static void compatible_without_end(void)
{
    fdt_setprop(blob, 0, "compatible", "vsoc,pctX", 9);
}

static void other_version(void)
{
    fdt_setprop_u32(blob, 0, "version", 2);
}

static void unknown_root_property(void)
{
    fdt_setprop_u32(blob, 0, "colour", 1);
}

static void unknown_root_node(void)
{
    fdt_add_subnode(blob, 0, "mempools");
}

static void no_queues(void)
{
    fdt_del_node(blob, node("/queues"));
}

static void no_partitions(void)
{
    fdt_del_node(blob, node("/partitions"));
}

static void queues_twice(void)
{
    int offset = fdt_add_subnode(blob, 0, "queueX");

    fdt_setprop_u32(blob, offset, "#size-cells", 0);
    fdt_setprop_u32(blob, node("/queueX"), "#address-cells", 1);
    memcpy((char *)fdt_get_name(blob, node("/queueX"), NULL), "queues", 6);
}

static void other_cells(void)
{
    fdt_setprop_u32(blob, node("/queues"), "#size-cells", 1);
}

static void short_peers(void)
{
    fdt_setprop_u32(blob, node(QUEUE), "peers", 3);
}

static void long_nframes(void)
{
    fdt_setprop_u64(blob, node(QUEUE), "nframes", 16);
}

static void no_frame_size(void)
{
    fdt_delprop(blob, node(QUEUE), "frame-size");
}

static void frame_size_twice(void)
{
    /* Both names are ten characters. */
    fdt_setprop_u32(blob, node(QUEUE), "frame-sizX", 64);
    for (size_t i = 0; i + 11 <= fdt_size_dt_strings(blob); i++) {
        char *name = (char *)blob + fdt_off_dt_strings(blob) + i;

        if (strcmp(name, "frame-sizX") == 0) {
            name[9] = 'e';
        }
    }
}

static void flag_with_value(void)
{
    fdt_setprop_u32(blob, node(QUEUE), "use-msi", 1);
}

static void unknown_queue_property(void)
{
    fdt_setprop_u32(blob, node(QUEUE), "\033[2Jframes", 1);
}

static void node_in_queue(void)
{
    fdt_add_subnode(blob, node(QUEUE), "more");
}

static void name_too_long(void)
{
    fdt_setprop_string(blob, node("/partitions/partition@3"),
                       "partition-name", "GID_AAAAAAAAAAAAAAAAAAAAAAAAAAAA");
}

static void name_with_nul(void)
{
    fdt_setprop(blob, node("/partitions/partition@3"), "partition-name",
                "A\0B", 4);
}

static void name_empty(void)
{
    fdt_setprop(blob, node("/partitions/partition@3"), "partition-name", "",
                0);
}

static void c2c_twice(void)
{
    int offset = fdt_add_subnode(blob, 0, "c2X");

    fdt_setprop_u32(blob, offset, "#size-cells", 0);
    fdt_setprop_u32(blob, node("/c2X"), "#address-cells", 1);
    memcpy((char *)fdt_get_name(blob, node("/c2X"), NULL), "c2c", 3);
}

static void c2c_without_cells(void)
{
    fdt_delprop(blob, node("/c2c"), "#address-cells");
}

static void c2c_other_cells(void)
{
    fdt_setprop_u32(blob, node("/c2c"), "#address-cells", 2);
}

static void c2c_unknown_list_property(void)
{
    fdt_setprop_u32(blob, node("/c2c"), "link", 1);
}

static void c2c_no_owner(void)
{
    fdt_delprop(blob, node(DEVICE), "owner");
}

static void c2c_no_remote(void)
{
    fdt_delprop(blob, node(DEVICE), "remote");
}

static void c2c_no_reg(void)
{
    fdt_delprop(blob, node(DEVICE), "reg");
}

static void c2c_long_remote(void)
{
    fdt_setprop_u64(blob, node(DEVICE), "remote", 7);
}

static void c2c_empty_nframes(void)
{
    fdt_setprop(blob, node(DEVICE), "nframes", NULL, 0);
}

static void c2c_with_peers(void)
{
    fdt_setprop_u64(blob, node(DEVICE), "peers", 0);
}

static void c2c_with_msi(void)
{
    fdt_setprop(blob, node(DEVICE), "use-msi", NULL, 0);
}

static void node_in_c2c_device(void)
{
    fdt_add_subnode(blob, node(DEVICE), "more");
}

static void add_many(const char *list, const char *what, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        char *name = g_strdup_printf("%s@%x", what, 0x1000 + i);
        int offset = fdt_add_subnode(blob, node(list), name);

        g_assert_cmpint(offset, >=, 0);
        g_assert_cmpint(fdt_setprop_u32(blob, offset, "reg", 0x1000 + i), ==,
                        0);
        if (strcmp(what, "partition") == 0) {
            g_assert_cmpint(fdt_setprop_string(blob, offset, "partition-name",
                                               name), ==, 0);
        } else {
            g_assert_cmpint(fdt_setprop_u32(blob, offset, "nframes", 1), ==,
                            0);
            g_assert_cmpint(fdt_setprop_u32(blob, offset, "frame-size", 64),
                            ==, 0);
        }
        if (strcmp(what, "queue") == 0) {
            g_assert_cmpint(fdt_setprop_u64(blob, offset, "peers", 0), ==, 0);
        } else if (strcmp(what, "device") == 0) {
            g_assert_cmpint(fdt_setprop_u32(blob, offset, "owner", 2), ==, 0);
            g_assert_cmpint(fdt_setprop_u32(blob, offset, "remote", 0), ==, 0);
        }
        g_free(name);
    }
}

static void too_many_queues(void)
{
    add_many("/queues", "queue", 512 - 5 + 1);
}

static void too_many_partitions(void)
{
    add_many("/partitions", "partition", 16 - 3 + 1);
}

static void too_many_c2c_devices(void)
{
    add_many("/c2c", "device", 16 - 3 + 1);
}

static const struct damage {
    const char *name;
    void (*apply)(void);
    const char *says;
} damages[] = {
    { "magic", magic, "not a compiled table" },
    { "totalsize-beyond-file", totalsize_beyond_file, "damaged" },
    { "struct-beyond-file", struct_beyond_file, "damaged" },
    { "strings-beyond-file", strings_beyond_file, "damaged" },
    { "old-version", old_version, "device tree version 16, not 17" },
    { "very-old-version", very_old_version, "device tree version 2, not 17" },
    { "property-length-negative", property_length_negative, "damaged" },
    { "property-beyond-struct", property_beyond_struct, "damaged" },
    { "unknown-tag", unknown_tag, "damaged" },
    { "node-name-without-end", node_name_without_end, "damaged" },
    { "no-compatible", no_compatible, "node /: 'compatible' is missing" },
    { "other-compatible", other_compatible,
      "node /: compatible with 'vsoc,pcx', not 'vsoc,pct'" },
    { "long-compatible", long_compatible,
      "node /: 'compatible' is not a string of at most 8 characters" },
    { "compatible-without-end", compatible_without_end,
      "node /: 'compatible' is not a string" },
    { "other-version", other_version, "node /: version 2, not 1" },
    { "unknown-root-property", unknown_root_property,
      "node /: unknown property 'colour'" },
    { "unknown-root-node", unknown_root_node, "node /mempools: unknown node" },
    { "no-queues", no_queues, "node /: node /queues is missing" },
    { "no-partitions", no_partitions, "node /: node /partitions is missing" },
    { "queues-twice", queues_twice, "node /queues: given twice" },
    { "other-cells", other_cells, "node /queues: its cells" },
    { "short-peers", short_peers,
      "node /queue@12c: 'peers' has 4 bytes, not 8" },
    { "long-nframes", long_nframes,
      "node /queue@12c: 'nframes' has 8 bytes, not 4" },
    { "no-frame-size", no_frame_size,
      "node /queue@12c: 'frame-size' is missing" },
    { "frame-size-twice", frame_size_twice,
      "node /queue@12c: 'frame-size' is given twice" },
    { "flag-with-value", flag_with_value,
      "node /queue@12c: 'use-msi' has a value" },
    { "unknown-queue-property", unknown_queue_property,
      "node /queue@12c: unknown property '?[2Jframes'" },
    { "node-in-queue", node_in_queue, "node /more: unknown node" },
    { "name-too-long", name_too_long,
      "'partition-name' is not a string of at most 31 characters" },
    { "name-with-nul", name_with_nul, "'partition-name' is not a string" },
    { "name-empty", name_empty, "'partition-name' is not a string" },
    { "too-many-queues", too_many_queues, "more than 512 queues" },
    { "too-many-partitions", too_many_partitions, "more than 16 partitions" },
    { "c2c-twice", c2c_twice, "node /c2c: given twice" },
    { "c2c-without-cells", c2c_without_cells,
      "node /c2c: '#address-cells' is missing" },
    { "c2c-other-cells", c2c_other_cells, "node /c2c: its cells" },
    { "c2c-unknown-list-property", c2c_unknown_list_property,
      "node /c2c: unknown property 'link'" },
    { "c2c-no-owner", c2c_no_owner, "node /device@6: 'owner' is missing" },
    { "c2c-no-remote", c2c_no_remote, "node /device@6: 'remote' is missing" },
    { "c2c-no-reg", c2c_no_reg, "node /device@6: 'reg' is missing" },
    { "c2c-long-remote", c2c_long_remote,
      "node /device@6: 'remote' has 8 bytes, not 4" },
    { "c2c-empty-nframes", c2c_empty_nframes,
      "node /device@6: 'nframes' has 0 bytes, not 4" },
    { "c2c-with-peers", c2c_with_peers,
      "node /device@6: unknown property 'peers'" },
    { "c2c-with-msi", c2c_with_msi,
      "node /device@6: unknown property 'use-msi'" },
    { "node-in-c2c-device", node_in_c2c_device, "node /more: unknown node" },
    { "too-many-c2c-devices", too_many_c2c_devices,
      "more than 16 c2c devices" },
};

/* In memory of exactly its size, so that ASan sees a byte read behind it. */
static int read_copy(size_t size)
{
    uint8_t *copy = g_memdup2(blob, size);
    int result = pct_from_fdt(copy, size, &back, error, sizeof(error));

    g_free(copy);
    return result;
}

static void test_damage(gconstpointer data)
{
    const struct damage *damage = data;

    table_chip(&pct);
    g_assert_cmpint(pct_to_fdt(&pct, blob, sizeof(blob)), >, 0);
    g_assert_cmpint(fdt_open_into(blob, blob, sizeof(blob) / 2), ==, 0);
    g_assert_cmpint(read_copy(sizeof(blob) / 2), ==, 0);
    damage->apply();
    g_assert_cmpint(read_copy(sizeof(blob) / 2), ==, -1);
    if (strstr(error, damage->says) == NULL) {
        g_error("says '%s', not '%s'", error, damage->says);
    }
}

/* However short the file was cut. */
static void test_truncated(void)
{
    long size;

    table_chip(&pct);
    size = pct_to_fdt(&pct, blob, sizeof(blob));
    g_assert_cmpint(read_copy(size), ==, 0);
    for (long cut = 0; cut < size; cut++) {
        g_assert_cmpint(read_copy(cut), ==, -1);
        g_assert_cmpint(strlen(error), >, 0);
    }
}

static void test_odd_address(void)
{
    long size;

    table_good(&pct);
    size = pct_to_fdt(&pct, blob, sizeof(blob));
    memmove(blob + 4, blob, size);
    g_assert_cmpint(pct_from_fdt(blob + 4, size, &back, error, sizeof(error)),
                    ==, -1);
}

static void test_too_large(void)
{
    uint8_t *large = g_malloc0(PCT_FDT_MAX_SIZE + 8);

    table_good(&pct);
    g_assert_cmpint(pct_to_fdt(&pct, large, PCT_FDT_MAX_SIZE), >, 0);
    fdt_set_totalsize(large, PCT_FDT_MAX_SIZE + 8);
    g_assert_cmpint(pct_from_fdt(large, PCT_FDT_MAX_SIZE + 8, &back, error,
                                 sizeof(error)), ==, -1);
    g_assert_cmpstr(error, ==, "the table has 262152 bytes, more than 262144");
    g_free(large);
}

/* A short buffer for the sentence cuts it, and no buffer is no harm. */
static void test_error_size(void)
{
    char small[8];

    memset(blob, 0, 64);
    memset(small, 'x', sizeof(small));
    g_assert_cmpint(pct_from_fdt(blob, 64, &back, small, 4), ==, -1);
    g_assert_cmpuint(strlen(small), ==, 3);
    g_assert_cmpint(small[4], ==, 'x');
    g_assert_cmpint(pct_from_fdt(blob, 64, &back, small, 0), ==, -1);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/pct/fdt/round-trip", test_round_trip);
    g_test_add_func("/pct/fdt/largest", test_largest);
    g_test_add_func("/pct/fdt/golden", test_golden);
    g_test_add_func("/pct/fdt/same-bytes", test_same_bytes);
    g_test_add_func("/pct/fdt/too-small", test_too_small);
    g_test_add_func("/pct/fdt/too-many", test_too_many);
    g_test_add_func("/pct/fdt/order", test_order);
    g_test_add_func("/pct/fdt/rule-breaker", test_rule_breaker);
    g_test_add_func("/pct/fdt/truncated", test_truncated);
    g_test_add_func("/pct/fdt/odd-address", test_odd_address);
    g_test_add_func("/pct/fdt/too-large", test_too_large);
    g_test_add_func("/pct/fdt/error-size", test_error_size);
    for (size_t i = 0; i < G_N_ELEMENTS(damages); i++) {
        char *path = g_strdup_printf("/pct/fdt/damaged/%s", damages[i].name);

        g_test_add_data_func(path, &damages[i], test_damage);
        g_free(path);
    }
    return g_test_run();
}
