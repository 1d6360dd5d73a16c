/* SPDX-License-Identifier: MIT */
/*
 * Reads the channel list's node: with libfdt from the flattened tree or, for
 * those who may not read that, from the files that the kernel made of it.
 */
#include "ipc/device_tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ipc/read_file.h"

const struct device_tree_paths device_tree_linux = {
    .blob = "/sys/firmware/fdt",
    .node = "/sys/firmware/devicetree/base" CONF_DT_PATH,
};

static int read_blob(struct device_tree *tree, const char *path,
                     const char **why)
{
    size_t size;
    int ret = read_file(AT_FDCWD, path, &tree->memory[0], &size);

    if (ret < 0) {
        *why = strerror(-ret);
        return ret;
    }
    switch (conf_find_fdt(tree->memory[0], size, &tree->node)) {
    case CONF_FDT_FOUND:
        return 0;
    case CONF_FDT_NO_NODE:
        *why = "there is no such node";
        return -ENOENT;
    default:
        *why = "the tree is damaged";
        return -EIO;
    }
}

static int read_folder(struct device_tree *tree, const char *path,
                       const char **why)
{
    const struct {
        const char *name;
        struct conf_dt_value *value;
    } properties[DEVICE_TREE_NR_VALUES] = {
        { "compatible", &tree->node.compatible },
        { "status", &tree->node.status },
        { CONF_DT_CHANNEL_DB, &tree->node.channel_db },
    };
    int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int ret = 0;

    if (folder < 0) {
        ret = -errno;
        *why = ret == -ENOENT ? "there is no such node" : strerror(-ret);
        return ret;
    }
    for (unsigned i = 0; i < DEVICE_TREE_NR_VALUES && ret == 0; i++) {
        ret = read_file(folder, properties[i].name, &tree->memory[i],
                        &properties[i].value->size);
        properties[i].value->data = tree->memory[i];
        if (ret == -ENOENT) {
            ret = 0;        /* a property that the node does not have */
        }
    }
    close(folder);
    if (ret < 0) {
        *why = strerror(-ret);
    }
    return ret;
}

int device_tree_read(struct device_tree *tree,
                     const struct device_tree_paths *paths, const char **why)
{
    int ret;

    memset(tree, 0, sizeof(*tree));
    if (access(paths->blob, R_OK) == 0) {
        ret = read_blob(tree, paths->blob, why);
    } else {
        ret = read_folder(tree, paths->node, why);
    }
    if (ret == 0) {
        *why = conf_check_dt(&tree->node);
        ret = *why ? -ENOENT : 0;
    }
    if (ret < 0) {
        device_tree_free(tree);
    }
    return ret;
}

void device_tree_free(struct device_tree *tree)
{
    for (unsigned i = 0; i < DEVICE_TREE_NR_VALUES; i++) {
        free(tree->memory[i]);
    }
}
