/* SPDX-License-Identifier: MIT */
/* Where the configuration is read: the file first, then the device tree. */
#include <errno.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <string.h>

#include "ipc/database.h"

#define LIST "INTER_VM\0update\0" "255\0" "0"

/* A configuration file, a flattened tree, a node's folder: any may lack. */
struct place {
    char *folder;
    char *file;
    char *blob;
    char *node;
    struct device_tree_paths tree;
};

static void place_begin(struct place *place)
{
    place->folder = g_dir_make_tmp("test-database-XXXXXX", NULL);
    g_assert_nonnull(place->folder);
    place->file = g_build_filename(place->folder, "nvsciipc.cfg", NULL);
    place->blob = g_build_filename(place->folder, "fdt", NULL);
    place->node = g_build_filename(place->folder, "node", NULL);
    place->tree = (struct device_tree_paths) { place->blob, place->node };
}

static void put(const char *folder, const char *name, const void *data,
                size_t size)
{
    char *path = g_build_filename(folder, name, NULL);

    g_assert_true(g_file_set_contents(path, data, (gssize)size, NULL));
    g_free(path);
}

static void put_node(const struct place *place, const void *list, size_t size)
{
    g_assert_cmpint(g_mkdir(place->node, 0700), ==, 0);
    put(place->node, "compatible", CONF_DT_COMPATIBLE,
        sizeof(CONF_DT_COMPATIBLE));
    put(place->node, "status", "okay", sizeof("okay"));
    put(place->node, CONF_DT_CHANNEL_DB, list, size);
}

/* A tree of tests/data/conf_dt. */
static void put_blob(const struct place *place, const char *name)
{
    char *path = g_test_build_filename(G_TEST_BUILT, name, NULL);
    char *data;
    gsize size;

    g_assert_true(g_file_get_contents(path, &data, &size, NULL));
    put(place->folder, "fdt", data, size);
    g_free(data);
    g_free(path);
}

static void place_end(struct place *place)
{
    static const char *const properties[] = {
        "compatible", "status", CONF_DT_CHANNEL_DB,
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(properties); i++) {
        char *path = g_build_filename(place->node, properties[i], NULL);

        g_unlink(path);
        g_free(path);
    }
    g_rmdir(place->node);
    g_unlink(place->file);
    g_unlink(place->blob);
    g_assert_cmpint(g_rmdir(place->folder), ==, 0);
    g_free(place->folder);
    g_free(place->file);
    g_free(place->blob);
    g_free(place->node);
}

/* Loads, and returns the queue of one name or -1. */
static int queue_of(const struct place *place, const char *name,
                    const char *origin)
{
    struct database *database;
    const struct conf_entry *entry;
    unsigned end;
    int queue = -1;

    g_assert_cmpint(database_load(&database, place->file, &place->tree), ==,
                    0);
    entry = database_find(database, name, &end);
    if (entry) {
        g_assert_cmpstr(entry->origin, ==, origin);
        queue = (int)entry->id;
    }
    database_free(database);
    return queue;
}

static void test_file_first(void)
{
    static const char cfg[] = "INTER_VM update 7\n";
    struct place place;

    place_begin(&place);
    put_blob(&place, "good-guide.dtb");
    put_node(&place, LIST, sizeof(LIST));
    put(place.folder, "nvsciipc.cfg", cfg, strlen(cfg));
    g_assert_cmpint(queue_of(&place, "update", place.file), ==, 7);
    g_assert_cmpint(queue_of(&place, "ivc_test", NULL), ==, -1);
    place_end(&place);
}

static void test_flattened_tree(void)
{
    struct place place;

    place_begin(&place);
    put_blob(&place, "good-guide.dtb");
    put_node(&place, LIST, sizeof(LIST));
    g_assert_cmpint(queue_of(&place, "ivc_test", place.node), ==, 255);
    g_assert_cmpint(queue_of(&place, "update", NULL), ==, -1);
    place_end(&place);
}

static void test_node_folder(void)
{
    struct place place;

    place_begin(&place);
    put_node(&place, LIST, sizeof(LIST));
    g_assert_cmpint(queue_of(&place, "update", place.node), ==, 255);
    place_end(&place);
}

static void test_empty_list(void)
{
    struct place place;

    place_begin(&place);
    put_node(&place, "", 0);
    g_assert_cmpint(queue_of(&place, "update", NULL), ==, -1);
    place_end(&place);
}

static void test_faults(void)
{
    static const char list[] =
        "INTER_VM\0a\0" "1\0INTER_VM\0b\0" "x\0INTER_VM\0a\0" "2";
    struct place place;

    if (g_test_subprocess()) {
        place_begin(&place);
        put_node(&place, list, sizeof(list));
        g_assert_cmpint(queue_of(&place, "a", place.node), ==, 1);
        place_end(&place);
        return;
    }
    g_test_trap_subprocess(NULL, 0, G_TEST_SUBPROCESS_DEFAULT);
    g_test_trap_assert_passed();
    g_test_trap_assert_stderr(
        "*nvsciipc: device tree, /chosen/nvsciipc, entry 2: queue \"x\" is "
        "not a decimal number; entry skipped\n"
        "nvsciipc: device tree, /chosen/nvsciipc, entry 3: the name a is "
        "taken by entry 1; entry skipped\n*");
}

/* What is wrong, and what is to be said of it. */
static const struct {
    const char *name;
    const char *blob;       /* NULL: none */
    bool tree;              /* the tree may be read */
    bool folder;            /* the file is one */
    int error;
    const char *says;
} failures[] = {
    { "nothing", NULL, true, false, -ENOENT,
      "*there is no *nvsciipc.cfg, and of the device tree's /chosen/nvsciipc: "
      "there is no such node*NVSCIIPC_CFG*" },
    { "no-node", "no-node.dtb", true, false, -ENOENT,
      "*there is no such node*" },
    { "disabled", "unused-disabled.dtb", true, false, -ENOENT,
      "*its status is not \"okay\"*" },
    { "no-list", "unused-no-list.dtb", true, false, -ENOENT,
      "*it has no property*" },
    { "damaged", NULL, true, false, -EIO,
      "*the tree is damaged*" },
    { "named-file", "good-guide.dtb", false, false, -ENOENT,
      "*nvsciipc.cfg: No such file*" },
    { "file-is-a-folder", "good-guide.dtb", true, true, -EISDIR,
      "*nvsciipc.cfg: Is a directory*" },
};

static void test_failure(gconstpointer data)
{
    unsigned i = GPOINTER_TO_UINT(data);
    struct database *database;
    struct place place;

    if (g_test_subprocess()) {
        place_begin(&place);
        if (strcmp(failures[i].name, "damaged") == 0) {
            put(place.folder, "fdt", "\xd0\x0d\xfe\xed", 4);
        } else if (failures[i].blob) {
            put_blob(&place, failures[i].blob);
        }
        if (failures[i].folder) {
            g_assert_cmpint(g_mkdir(place.file, 0700), ==, 0);
        }
        g_assert_cmpint(database_load(&database, place.file,
                                      failures[i].tree ? &place.tree : NULL),
                        ==, failures[i].error);
        g_rmdir(place.file);
        place_end(&place);
        return;
    }
    g_test_trap_subprocess(NULL, 0, G_TEST_SUBPROCESS_DEFAULT);
    g_test_trap_assert_passed();
    g_test_trap_assert_stderr(failures[i].says);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/database/file-first", test_file_first);
    g_test_add_func("/database/flattened-tree", test_flattened_tree);
    g_test_add_func("/database/node-folder", test_node_folder);
    g_test_add_func("/database/empty-list", test_empty_list);
    g_test_add_func("/database/faults", test_faults);
    for (unsigned i = 0; i < G_N_ELEMENTS(failures); i++) {
        char *path = g_strdup_printf("/database/fails/%s", failures[i].name);

        g_test_add_data_func(path, GUINT_TO_POINTER(i), test_failure);
        g_free(path);
    }
    return g_test_run();
}
