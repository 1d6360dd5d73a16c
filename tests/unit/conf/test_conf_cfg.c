/* SPDX-License-Identifier: MIT */
/*
 * /etc/nvsciipc.cfg: good and damaged files, line by line.
 *
 * A damaged file has a good line, the damage in line 2, and another good line.
 */
#include <glib.h>
#include <stdlib.h>
#include <string.h>

#include "seen.h"

static void parse(struct seen *seen, const char *text, size_t size)
{
    struct conf_sink sink = seen_sink(seen);
    /* Of its exact size, and no NUL behind it. */
    char *copy = malloc(size > 0 ? size : 1);

    memcpy(copy, text, size);
    conf_parse_cfg(copy, size, &sink);
    free(copy);
}

static void parse_file(struct seen *seen, const char *name)
{
    char *path = g_test_build_filename(G_TEST_DIST, "conf", name, NULL);
    char *text;
    gsize size;

    memset(seen, 0, sizeof(*seen));
    g_assert_true(g_file_get_contents(path, &text, &size, NULL));
    parse(seen, text, size);
    g_free(text);
    g_free(path);
}

static void assert_file(const char *name, const struct conf_entry *expected,
                        unsigned nr_expected)
{
    struct seen seen;

    parse_file(&seen, name);
    g_assert_cmpuint(seen.nr_faults, ==, 0);
    g_assert_cmpuint(seen.nr_entries, ==, nr_expected);
    for (unsigned i = 0; i < nr_expected; i++) {
        seen_assert_entry(&seen.entry[i], &expected[i]);
    }
}

/* The guide's own example. */
static void test_guide(void)
{
    static const struct conf_entry expected[] = {
        INTRA(PROCESS, 2, "ipc_test_0", "ipc_test_1", 64, 1536, -1),
        INTRA(PROCESS, 3, "ipc_test_a_0", "ipc_test_a_1", 64, 1536, -1),
        INTRA(PROCESS, 4, "ipc_test_b_0", "ipc_test_b_1", 64, 1536, -1),
        INTRA(PROCESS, 5, "ipc_test_c_0", "ipc_test_c_1", 64, 1536, -1),
        INTRA(THREAD, 6, "itc_test_0", "itc_test_1", 64, 1536, -1),
        OTHER(VM, 7, "ivm_test", 255, -1),
        OTHER(VM, 8, "loopback_tx", 256, -1),
        OTHER(VM, 9, "loopback_rx", 257, -1),
    };

    assert_file("good-guide.cfg", expected, G_N_ELEMENTS(expected));
}

static void test_columns(void)
{
    static const struct conf_entry expected[] = {
        OTHER(VM, 4, "gap", 12, -1),
        OTHER(VM, 5, "name#1", 13, -1),
        OTHER(VM, 6, "ids", 511, 30000),
        OTHER(VM, 7, "zero", 0, -1),
        INTRA(PROCESS, 8, "p0", "p1", 1, 64, 30001),
        OTHER(CHIP, 9, "nvscic2c_pcie_s0_c5_1", 1, 36000),
        OTHER(CHIP, 10, "producer", 5, -1),
        OTHER(CHIP, 11, "consumer", 5, 36001),
        OTHER(CHIP, 12, "plain", 7, -1),
        OTHER(CHIP, 13, "node", 12, -1),
        INTRA(THREAD, 14, "t0", "t1", 7, 64, -1),
        INTRA(PROCESS, 15, "big0", "big1", 1, 4294967104u, -1),
    };

    assert_file("good-columns.cfg", expected, G_N_ELEMENTS(expected));
}

static void test_chips(void)
{
    static const struct conf_entry expected[] = {
        OTHER(CHIP, 2, "nvscic2c_pcie_s0_c5_1", 1, -1),
        OTHER(CHIP, 3, "nvscic2c_pcie_s0_c6_11", 11, 36000),
        OTHER(CHIP, 4, "nvscic2c_pcie_s2_c5_03", 3, -1),
        OTHER(CHIP, 6, "nvscic2c_pcie_s0_c5_4", 5, -1),
        OTHER(CHIP, 7, "nvscic2c_pcie_s0_c5_5", 0, -1),
        OTHER(CHIP, 8, "nvscic2c_pcie_s0_c5_6", 9, -1),
        OTHER(CHIP, 9, "chip_7", 0, -1),
        OTHER(CHIP, 10, "nvscic2c_pcie_s0_c5_", 0, -1),
        OTHER(CHIP, 11, "nvscic2c_pcie_s_c5_8", 0, -1),
        OTHER(CHIP, 12, "nvscic2c_pcie_s0_c5_9x", 0, -1),
        OTHER(CHIP, 13, "nvscic2c_pcie_s0_c5", 0, -1),
    };

    assert_file("good-chips.cfg", expected, G_N_ELEMENTS(expected));
}

static void test_line_ends(void)
{
    static const struct conf_entry expected[] = {
        OTHER(VM, 1, "first", 1, -1),
        OTHER(VM, 4, "second", 2, -1),
        OTHER(VM, 5, "last", 3, -1),
    };

    assert_file("good-crlf-bom-no-newline.cfg", expected,
                G_N_ELEMENTS(expected));
}

static void test_empty(void)
{
    assert_file("good-empty.cfg", NULL, 0);
}

static void test_longest_name(void)
{
    struct seen seen;

    parse_file(&seen, "good-longest-name.cfg");
    g_assert_cmpuint(seen.nr_entries, ==, 1);
    g_assert_cmpuint(strlen(seen.entry[0].name[0]), ==, 63);
}

/* Damaged files, and what the message has to say of the damage. */
static const struct {
    const char *file;
    const char *says;
} bad[] = {
    { "unknown-backend", "*unknown backend \"INTER_WORLD\"; INTER_THREAD*" },
    { "lower-case-backend", "*unknown backend \"inter_vm\"*" },
    { "no-name", "*too few fields; INTER_VM NAME QUEUE*" },
    { "no-queue", "*too few fields; INTER_VM NAME QUEUE*" },
    { "comment-eats-queue", "*too few fields*" },
    { "too-many-fields", "*too many fields; INTER_VM NAME QUEUE ?GID?" },
    { "too-many-fields-intra", "*too many fields; INTER_PROCESS*" },
    { "one-name", "*too few fields; INTER_THREAD NAME NAME NFRAMES*" },
    { "same-names", "*both ends are called a*" },
    { "queue-512", "*queue 512 is too large; at most 511*" },
    { "queue-overflow", "*queue 18446744073709551871 is too large*" },
    { "queue-hex", "*queue \"0x10\" is not a decimal number*" },
    { "queue-negative", "*queue \"-1\" is not a decimal number*" },
    { "queue-trailing", "*queue \"12a\" is not a decimal number*" },
    { "queue-fraction", "*queue \"1.5\" is not a decimal number*" },
    { "gid-name", "*gid \"users\" is not a decimal number*" },
    { "gid-overflow", "*gid 4294967295 is too large*" },
    { "nframes-0", "*number of frames 0; at least 1*" },
    { "frame-size-0", "*frame size 0 is not a multiple of 64*" },
    { "frame-size-65", "*frame size 65 is not a multiple of 64*" },
    { "product-4g", "*67108864 frames of 64 bytes are too many*4 GiB*" },
    { "name-64", "*nnn... has 64 characters; at most 63*" },
    { "name-slash", "*name a/b has a character*" },
    { "name-not-ascii", "*name caf?? has a character*" },
    { "name-control", "*name a?b has a character*" },
    { "nul-byte", "*name a?b has a character*" },
    { "chip-device-100", "*device number 100 is too large; at most 99*" },
    { "chip-name-100", "*device number 100 is too large; at most 99*" },
    { "chip-five-digits", "*device number 01050 is too large*" },
    { "chip-letters", "*role and device \"01a5\" is not*" },
};

static void test_bad(gconstpointer data)
{
    unsigned i = GPOINTER_TO_UINT(data);
    char *name = g_strdup_printf("bad-%s.cfg", bad[i].file);
    struct seen seen;

    parse_file(&seen, name);
    g_assert_cmpuint(seen.nr_faults, ==, 1);
    g_assert_cmpuint(seen.fault_line[0], ==, 2);
    if (!g_pattern_match_simple(bad[i].says, seen.fault[0])) {
        g_error("%s: %s", name, seen.fault[0]);
    }
    g_assert_cmpuint(seen.nr_entries, ==, 2);
    g_assert_cmpstr(seen.entry[0].name[0], ==, "before");
    g_assert_cmpstr(seen.entry[1].name[0], ==, "after");
    g_assert_cmpuint(seen.entry[1].line, ==, 3);
    seen_forget(&seen);
    g_free(name);
}

static void test_sink_stops(void)
{
    static const char text[] = "INTER_VM a 1\nINTER_VM b 2\nINTER_VM c 3\n";
    struct seen seen = { .stop_after = 2 };

    parse(&seen, text, strlen(text));
    g_assert_cmpuint(seen.nr_entries, ==, 2);
}

/* Every prefix of good text: no crash, and never a wrong record. */
static void test_prefixes(void)
{
    static const char text[] =
        "INTER_PROCESS one two 64 1536 30000\r\nINTER_VM three 255 # x\n";

    for (size_t size = 0; size <= strlen(text); size++) {
        struct seen seen = { 0 };

        parse(&seen, text, size);
        g_assert_cmpuint(seen.nr_entries, <=, 2);
        g_assert_cmpuint(seen.nr_faults, <=, 1);
        seen_forget(&seen);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/conf/cfg/guide", test_guide);
    g_test_add_func("/conf/cfg/columns", test_columns);
    g_test_add_func("/conf/cfg/chips", test_chips);
    g_test_add_func("/conf/cfg/line-ends", test_line_ends);
    g_test_add_func("/conf/cfg/empty", test_empty);
    g_test_add_func("/conf/cfg/longest-name", test_longest_name);
    for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
        char *path = g_strdup_printf("/conf/cfg/bad/%s", bad[i].file);

        g_test_add_data_func(path, GUINT_TO_POINTER(i), test_bad);
        g_free(path);
    }
    g_test_add_func("/conf/cfg/sink-stops", test_sink_stops);
    g_test_add_func("/conf/cfg/prefixes", test_prefixes);
    return g_test_run();
}
