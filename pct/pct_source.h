/* SPDX-License-Identifier: MIT */
/*
 * The structures that a platform_config.h initialises, for pct_compile.c.
 *
 * Values are wide and entries more than may be, so that what breaks a rule gets
 * as far as the rule. Each member is a macro that notes where it was written:
 * ".nframes = 64" becomes ".nframes_at = {file, line}, .nframes = 64".
 */
#ifndef VSOC_PCT_SOURCE_H
#define VSOC_PCT_SOURCE_H

#define PCT_SOURCE_QUEUES 4096
#define PCT_SOURCE_DEVICES 1024

/*
 * What the name of the partition with id 0 stands for in the source, so that a
 * peer or owner left out, which is 0 in C, is not taken for that partition.
 */
#define PCT_SOURCE_PARTITION_0 0x100000000

struct pct_source_at {
    const char *file;
    unsigned line;
};

struct pct_source_queue {
    long long peers[2];
    long long nframes;
    long long frame_size;
    long long use_msi;
    struct pct_source_at peers_at;
    struct pct_source_at nframes_at;
    struct pct_source_at frame_size_at;
    struct pct_source_at use_msi_at;
};

struct pct_source_ivc {
    struct pct_source_queue queue[PCT_SOURCE_QUEUES];
};

struct pct_source_device {
    long long owner;
    long long remote;
    long long nframes;
    long long frame_size;
    struct pct_source_at owner_at;
    struct pct_source_at remote_at;
    struct pct_source_at nframes_at;
    struct pct_source_at frame_size_at;
};

struct pct_source_c2c {
    struct pct_source_device device[PCT_SOURCE_DEVICES];
};

struct platform_config {
    struct pct_source_ivc ivc;
    struct pct_source_c2c c2c;
};

/* A variable of server-partitions.mk. */
struct pct_source_partition {
    const char *name;
    long long id;
    struct pct_source_at at;
};

#define PCT_SOURCE_HERE { __FILE__, __LINE__ }
#define peers peers_at = PCT_SOURCE_HERE, .peers
#define nframes nframes_at = PCT_SOURCE_HERE, .nframes
#define frame_size frame_size_at = PCT_SOURCE_HERE, .frame_size
#define use_msi use_msi_at = PCT_SOURCE_HERE, .use_msi
#define owner owner_at = PCT_SOURCE_HERE, .owner
#define remote remote_at = PCT_SOURCE_HERE, .remote

#endif
