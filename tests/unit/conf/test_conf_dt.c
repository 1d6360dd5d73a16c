/* SPDX-License-Identifier: MIT */
/*
 * The device tree's channel list: good and damaged trees, string by string.
 *
 * A damaged tree has a good entry, the damage in entry 2, and another good
 * entry. dtc has compiled all of them out of tests/data/conf_dt and dts/.
 */
#include <glib.h>
#include <stdlib.h>
#include <string.h>

#include "seen.h"

/* Of its exact size, and on a multiple of 8. */
static void *copy(const void *data, size_t size)
{
    return memcpy(malloc(size > 0 ? size : 1), data, size);
}

static void parse(struct seen *seen, const char *list, size_t size)
{
    struct conf_sink sink = seen_sink(seen);
    char *own = copy(list, size);

    conf_parse_dt(own, size, &sink);
    free(own);
}

static void *read_tree(const char *name, gsize *size)
{
    char *path = g_test_build_filename(G_TEST_BUILT, name, NULL);
    char *data;
    void *own;

    g_assert_true(g_file_get_contents(path, &data, size, NULL));
    own = copy(data, *size);
    g_free(data);
    g_free(path);
    return own;
}

static void parse_tree(struct seen *seen, const char *name)
{
    struct conf_dt_node node;
    gsize size;
    void *tree = read_tree(name, &size);

    memset(seen, 0, sizeof(*seen));
    g_assert_cmpint(conf_find_fdt(tree, size, &node), ==, CONF_FDT_FOUND);
    g_assert_cmpstr(conf_check_dt(&node), ==, NULL);
    parse(seen, node.channel_db.data, node.channel_db.size);
    free(tree);
}

static void assert_tree(const char *name, const struct conf_entry *expected,
                        unsigned nr_expected)
{
    struct seen seen;

    parse_tree(&seen, name);
    g_assert_cmpuint(seen.nr_faults, ==, 0);
    g_assert_cmpuint(seen.nr_entries, ==, nr_expected);
    for (unsigned i = 0; i < nr_expected; i++) {
        seen_assert_entry(&seen.entry[i], &expected[i]);
    }
}

/* The guide's own example has these endpoints, and so has dts/. */
static void test_guide(gconstpointer name)
{
    static const struct conf_entry expected[] = {
        INTRA(THREAD, 1, "itc_test_0", "itc_test_1", 64, 1536, -1),
        INTRA(PROCESS, 2, "ipc_test_0", "ipc_test_1", 64, 1536, -1),
        INTRA(PROCESS, 3, "ipc_test_a_0", "ipc_test_a_1", 64, 1536, -1),
        INTRA(PROCESS, 4, "ipc_test_b_0", "ipc_test_b_1", 64, 1536, -1),
        INTRA(PROCESS, 5, "ipc_test_c_0", "ipc_test_c_1", 64, 1536, -1),
        OTHER(VM, 6, "ivc_test", 255, -1),
    };

    assert_tree(name, expected, G_N_ELEMENTS(expected));
}

static void test_extra(void)
{
    static const struct conf_entry expected[] = {
        OTHER(VM, 1, "plain", 1, -1),
        OTHER(VM, 2, "group", 2, 30000),
        OTHER(VM, 3, "more", 3, -1),
        OTHER(CHIP, 4, "chip", 5, 36000),
        OTHER(CHIP, 5, "pcie", 12, -1),
        INTRA(PROCESS, 6, "p0", "p1", 1, 64, 30001),
        INTRA(THREAD, 7, "INTER_a", "INTER_b", 2, 128, -1),
        INTRA(THREAD, 8, "t0", "t1", 3, 192, -1),
    };

    assert_tree("good-extra.dtb", expected, G_N_ELEMENTS(expected));
}

static void test_empty(void)
{
    assert_tree("good-empty.dtb", NULL, 0);
}

/* Damaged trees, and what the message has to say of the damage. */
static const struct {
    const char *file;
    const char *says;
} bad[] = {
    { "unknown-backend", "*unknown backend \"INTER_WORLD\"; INTER_THREAD*" },
    { "backend-as-name", "*too few fields; INTER_VM NAME QUEUE*" },
    { "too-few-strings", "*too few fields; INTER_PROCESS NAME NAME*" },
    { "empty-name", "*a name is empty*" },
    { "empty-number", "*queue \"\" is not a decimal number*" },
    { "name-with-space", "*name a?b has a character*" },
    { "frame-size-100", "*frame size 100 is not a multiple of 64*" },
    { "gid-name", "*gid \"users\" is not a decimal number*" },
};

static void test_bad(gconstpointer data)
{
    unsigned i = GPOINTER_TO_UINT(data);
    char *name = g_strdup_printf("bad-%s.dtb", bad[i].file);
    struct seen seen;

    parse_tree(&seen, name);
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

/* What is before the first backend is an entry of its own, and wrong. */
static void test_no_backend_first(void)
{
    static const char list[] = "stray\0strings\0INTER_VM\0a\0" "1";
    struct seen seen = { 0 };

    parse(&seen, list, sizeof(list));
    g_assert_cmpuint(seen.nr_faults, ==, 1);
    g_assert_cmpuint(seen.fault_line[0], ==, 1);
    g_assert_cmpuint(seen.nr_entries, ==, 1);
    g_assert_cmpuint(seen.entry[0].line, ==, 2);
    seen_forget(&seen);
}

static void test_sink_stops(void)
{
    static const char list[] =
        "INTER_VM\0a\0" "1\0INTER_VM\0b\0" "2\0INTER_VM\0c\0" "3";
    struct seen seen = { .stop_after = 2 };

    parse(&seen, list, sizeof(list));
    g_assert_cmpuint(seen.nr_entries, ==, 2);
}

/* A list that is cut off names no queue but the right one. */
static void test_prefixes(void)
{
    static const char list[] =
        "INTER_PROCESS\0one\0two\0" "64\0" "1536\0" "30000\0"
        "INTER_VM\0three\0" "255";

    for (size_t size = 0; size < sizeof(list); size++) {
        bool cut_off = size > 0 && list[size - 1] != '\0';
        struct seen seen = { 0 };

        parse(&seen, list, size);
        g_assert_cmpuint(seen.nr_entries, <=, 1);
        if (cut_off) {
            g_assert_cmpuint(seen.nr_faults, ==, 1);
            g_assert_nonnull(strstr(seen.fault[0], "cut off"));
        }
        seen_forget(&seen);
    }
}

/* Strings in any order, and any bytes: each fault and record once. */
static void test_random(void)
{
    static const char *const words[] = {
        "INTER_VM", "INTER_THREAD", "INTER_CHIP", "INTER_WORLD", "a", "b",
        "64", "0", "", "INTER_", "99999999999",
    };

    for (unsigned n = 0; n < 20000; n++) {
        GString *list = g_string_new(NULL);
        struct seen seen = { 0 };
        unsigned last = 0;

        for (int left = g_test_rand_int_range(0, 24); left > 0; left--) {
            g_string_append(list, words[g_test_rand_int_range(
                                            0, G_N_ELEMENTS(words))]);
            g_string_append_c(list, '\0');
        }
        for (int left = g_test_rand_int_range(-3, 3);
             left > 0 && list->len > 0; left--) {
            list->str[g_test_rand_int_range(0, (int)list->len)] =
                (char)g_test_rand_int_range(0, 256);
        }
        parse(&seen, list->str, list->len);
        for (unsigned i = 0; i < seen.nr_entries; i++) {
            g_assert_cmpuint(seen.entry[i].line, >, last);
            last = seen.entry[i].line;
            for (unsigned j = 0; j < seen.nr_faults; j++) {
                g_assert_cmpuint(seen.fault_line[j], !=, last);
            }
        }
        seen_forget(&seen);
        g_string_free(list, TRUE);
    }
}

static void test_no_node(void)
{
    struct conf_dt_node node;
    gsize size;
    void *tree = read_tree("no-node.dtb", &size);

    g_assert_cmpint(conf_find_fdt(tree, size, &node), ==, CONF_FDT_NO_NODE);
    free(tree);
}

/* Trees whose node must not be used. */
static const struct {
    const char *file;
    const char *says;
} unused[] = {
    { "unused-other-compatible", "*not compatible with*nvsciipc,channel-db*" },
    { "unused-no-compatible", "*not compatible with*" },
    { "unused-disabled", "*status is not*okay*" },
    { "unused-no-list", "*has no property*nvsciipc,channel-db*" },
};

static void test_unused(gconstpointer data)
{
    unsigned i = GPOINTER_TO_UINT(data);
    char *name = g_strdup_printf("%s.dtb", unused[i].file);
    struct conf_dt_node node;
    gsize size;
    void *tree = read_tree(name, &size);

    g_assert_cmpint(conf_find_fdt(tree, size, &node), ==, CONF_FDT_FOUND);
    g_assert_nonnull(conf_check_dt(&node));
    g_assert_true(g_pattern_match_simple(unused[i].says,
                                         conf_check_dt(&node)));
    free(tree);
    g_free(name);
}

/* Cut off anywhere, the tree is damaged: nothing is read behind its end. */
static void test_damaged(void)
{
    struct conf_dt_node node;
    gsize size;
    char *tree = read_tree("good-guide.dtb", &size);

    for (gsize cut = 0; cut < size; cut++) {
        char *own = copy(tree, cut);

        g_assert_cmpint(conf_find_fdt(own, cut, &node), ==, CONF_FDT_DAMAGED);
        free(own);
    }
    tree[3] ^= 1;       /* the magic number */
    g_assert_cmpint(conf_find_fdt(tree, size, &node), ==, CONF_FDT_DAMAGED);
    free(tree);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_data_func("/conf/dt/guide", "good-guide.dtb", test_guide);
    g_test_add_data_func("/conf/dt/fragment", "fragment.dtb", test_guide);
    g_test_add_func("/conf/dt/extra", test_extra);
    g_test_add_func("/conf/dt/empty", test_empty);
    for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
        char *path = g_strdup_printf("/conf/dt/bad/%s", bad[i].file);

        g_test_add_data_func(path, GUINT_TO_POINTER(i), test_bad);
        g_free(path);
    }
    g_test_add_func("/conf/dt/no-backend-first", test_no_backend_first);
    g_test_add_func("/conf/dt/sink-stops", test_sink_stops);
    g_test_add_func("/conf/dt/prefixes", test_prefixes);
    g_test_add_func("/conf/dt/random", test_random);
    g_test_add_func("/conf/dt/no-node", test_no_node);
    for (unsigned i = 0; i < G_N_ELEMENTS(unused); i++) {
        char *path = g_strdup_printf("/conf/dt/%s", unused[i].file);

        g_test_add_data_func(path, GUINT_TO_POINTER(i), test_unused);
        g_free(path);
    }
    g_test_add_func("/conf/dt/damaged", test_damaged);
    return g_test_run();
}
