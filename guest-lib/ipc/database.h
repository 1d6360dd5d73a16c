/* SPDX-License-Identifier: MIT */
/*
 * The endpoint database: what the configuration says, found by name.
 *
 * Reads what the parsers (conf/) must not open, and is where faults in it reach
 * standard error. Not thread-safe; the caller serialises.
 */
#ifndef VSOC_DATABASE_H
#define VSOC_DATABASE_H

#include "conf/conf.h"
#include "ipc/device_tree.h"

/* Where NvSciIpcInit looks, unless NVSCIIPC_CFG says otherwise. */
#define DATABASE_DEFAULT_PATH "/etc/nvsciipc.cfg"

struct database;

/*
 * Reads a file or, if it does not exist and tree is not NULL, the device tree.
 * 0 or -errno, said on standard error.
 */
int database_load(struct database **database, const char *path,
                  const struct device_tree_paths *tree);
void database_free(struct database *database);

/* The record that names this endpoint and which end it is; or NULL. */
const struct conf_entry *database_find(const struct database *database,
                                       const char *name, unsigned *end);

/* Endpoints that can be found. */
unsigned database_size(const struct database *database);

/* Where the endpoints are from: a file, or a folder of the device tree. */
const char *database_origin(const struct database *database);

#endif
