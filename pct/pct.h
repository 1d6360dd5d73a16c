/* SPDX-License-Identifier: MIT */
/*
 * The partition configuration table as a model: partitions, IVC queues, and
 * channels to other chips.
 *
 * Pure: fixed size, the caller's memory, no file format, no output. Filled by
 * pct_fdt.c (from a compiled table) or pct_compile.c (from the C source),
 * judged by pct_check(), placed by pct_layout().
 */
#ifndef VSOC_PCT_H
#define VSOC_PCT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PCT_MAX_NUM_IVC_QUEUES 512u
#define PCT_MAX_NUM_GUESTS 16u      /* ids 0..15 */
#define PCT_NAME_SIZE 32u           /* with the NUL */
#define PCT_MAX_NUM_C2C 16u
#define PCT_C2C_MAX_DEVICE 99u      /* two digits in nvsciipc.cfg */
/* Of channels to another chip, whose frames travel in messages. */
#define PCT_C2C_MAX_FRAME_SIZE 0x100000u
#define PCT_C2C_MAX_SIZE 0x4000000u /* of one direction */

struct pct_partition {
    char name[PCT_NAME_SIZE];       /* "GID_GUEST_VM" */
    uint32_t id;
};

struct pct_queue {
    uint32_t id;
    uint32_t peers[2];              /* partition ids */
    uint32_t nframes;
    uint32_t frame_size;            /* bytes */
    bool use_msi;
};

/* A channel to another chip: our end of it. */
struct pct_c2c {
    uint32_t device;                /* number of our end */
    uint32_t owner;                 /* partition id */
    uint32_t remote;                /* device number of the far end */
    uint32_t nframes;
    uint32_t frame_size;            /* bytes */
};

struct pct {
    uint32_t nr_partitions;
    struct pct_partition partitions[PCT_MAX_NUM_GUESTS];
    uint32_t nr_queues;
    struct pct_queue queues[PCT_MAX_NUM_IVC_QUEUES];    /* by rising id */
    uint32_t nr_c2c;
    struct pct_c2c c2c[PCT_MAX_NUM_C2C];                /* by rising device */
};

/* The rules a table must keep; pct_rule_name() gives each one's name. */
enum pct_rule {
    PCT_OK = 0,
    PCT_RULE_PARTITION_COUNT,   /* 1 to 16 partitions */
    PCT_RULE_PARTITION_ID,      /* id < 16 */
    PCT_RULE_PARTITION_NAME,    /* a C identifier that fits */
    PCT_RULE_PARTITION_TWICE,   /* names and ids each once */
    PCT_RULE_QUEUE_COUNT,       /* 1 to 512 queues */
    PCT_RULE_QUEUE_ID,          /* id < 512 */
    PCT_RULE_QUEUE_TWICE,       /* each id once, in rising order */
    PCT_RULE_PEERS,             /* both peers are known partitions */
    PCT_RULE_NFRAMES,           /* not 0 */
    PCT_RULE_FRAME_SIZE,        /* a multiple of 64, not 0 */
    PCT_RULE_QUEUE_SIZE,        /* nframes * frame_size + header < 2^32 */
    PCT_RULE_LOOPBACK,          /* 2k and 2k+1 in pairs of equal geometry */
    PCT_RULE_C2C_COUNT,         /* at most 16 c2c devices */
    PCT_RULE_C2C_DEVICE,        /* number <= 99 */
    PCT_RULE_C2C_TWICE,         /* each number once, in rising order */
    PCT_RULE_C2C_OWNER,         /* a known partition */
    PCT_RULE_C2C_REMOTE,        /* number <= 99 */
    PCT_RULE_C2C_NFRAMES,       /* "nframes" and "frame-size", as of queues */
    PCT_RULE_C2C_FRAME_SIZE,
    PCT_RULE_C2C_SIZE,          /* frame <= 1 MiB, direction <= 64 MiB */
    PCT_RULE_MEMORY,            /* all areas fit the shared memory */
    PCT_NR_RULES
};

/* One broken rule: which queue (partition, c2c device) and which value. */
struct pct_fault {
    enum pct_rule rule;
    uint32_t index;             /* in queues[], partitions[] or c2c[] */
    uint64_t value;             /* the offending value */
};

/* Enough for any sentence of pct_fault_text(). */
#define PCT_FAULT_TEXT_SIZE 1024u

const char *pct_rule_name(enum pct_rule rule);

/*
 * Judges a whole table; memory is the size of the shared region in bytes, 0
 * for no limit. Stores up to max faults in faults (may be NULL) and returns
 * how many there are in all; 0 means that the table is good. Queues and c2c
 * devices are judged only if the partitions are good, and the rule memory only
 * if all else is.
 */
unsigned pct_check(const struct pct *pct, uint64_t memory,
                   struct pct_fault *faults, unsigned max);

/*
 * Writes one line on the fault, as snprintf() would: "queue 300: rule
 * frame-size: 1500 is not a multiple of 64; use 1536". File names are the
 * caller's to add.
 */
int pct_fault_text(const struct pct *pct, const struct pct_fault *fault,
                   char *text, size_t size);

/* NULL if there is none. */
const struct pct_partition *pct_find_partition(const struct pct *pct,
                                               uint32_t id);
const struct pct_queue *pct_find_queue(const struct pct *pct, uint32_t id);

#endif
