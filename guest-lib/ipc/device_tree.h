/* SPDX-License-Identifier: MIT */
/* Reads the channel list's node out of the device tree that the kernel has. */
#ifndef VSOC_DEVICE_TREE_H
#define VSOC_DEVICE_TREE_H

#include "conf/conf.h"

struct device_tree_paths {
    const char *blob;   /* the flattened tree; on Linux only root reads it */
    const char *node;   /* the folder of the node; everybody reads it */
};

/* Linux's. */
extern const struct device_tree_paths device_tree_linux;

#define DEVICE_TREE_NR_VALUES 3

struct device_tree {
    struct conf_dt_node node;
    char *memory[DEVICE_TREE_NR_VALUES];    /* where its properties lie */
};

/*
 * 0, and device_tree_free is due; or -errno: -ENOENT if there is no node to be
 * used. *why then says why.
 */
int device_tree_read(struct device_tree *tree,
                     const struct device_tree_paths *paths, const char **why);
void device_tree_free(struct device_tree *tree);

#endif
