/* SPDX-License-Identifier: MIT */
/*
 * The compiler of one table. It is built with the table: PCT_PARTITIONS names
 * a file that defines pct_source_partitions[], PCT_SOURCE one that defines
 * platform_config; scripts/vsoclib/pct.py makes both.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pct.h"
#include "pct_fdt.h"

/* Last: a table with an error in it must not make errors of our headers. */
#include "pct_source.h"
#include PCT_PARTITIONS
#include PCT_SOURCE
#undef peers
#undef nframes
#undef frame_size
#undef use_msi
#undef owner
#undef remote

#define NR_PARTITIONS \
    (sizeof(pct_source_partitions) / sizeof(pct_source_partitions[0]))

/* Which entry of the source each queue and c2c device of the model is from. */
static const struct pct_source_queue *queue_origins[PCT_MAX_NUM_IVC_QUEUES];
static const struct pct_source_device *device_origins[PCT_MAX_NUM_C2C];
static unsigned nr_faults;

static void say_where(struct pct_source_at at, const char *file)
{
    if (at.file != NULL) {
        fprintf(stderr, "%s:%u: ", at.file, at.line);
    } else {
        fprintf(stderr, "%s: ", file);
    }
    nr_faults++;
}

/* The place of what a rule is about, or else of the entry: of any member. */
static struct pct_source_at place(struct pct_source_at at,
                                  const struct pct_source_at members[4])
{
    for (int i = 0; i < 4 && at.file == NULL; i++) {
        at = members[i];
    }
    return at;
}

static struct pct_source_at queue_place(const struct pct_source_queue *queue,
                                        enum pct_rule rule)
{
    const struct pct_source_at members[] = {
        queue->peers_at, queue->nframes_at, queue->frame_size_at,
        queue->use_msi_at,
    };

    switch (rule) {
    case PCT_RULE_NFRAMES:
        return place(queue->nframes_at, members);
    case PCT_RULE_FRAME_SIZE:
        return place(queue->frame_size_at, members);
    default:
        return place(queue->peers_at, members);
    }
}

static struct pct_source_at device_place(
    const struct pct_source_device *device, enum pct_rule rule)
{
    const struct pct_source_at members[] = {
        device->owner_at, device->remote_at, device->nframes_at,
        device->frame_size_at,
    };

    switch (rule) {
    case PCT_RULE_C2C_REMOTE:
        return place(device->remote_at, members);
    case PCT_RULE_C2C_NFRAMES:
        return place(device->nframes_at, members);
    case PCT_RULE_C2C_FRAME_SIZE:
    case PCT_RULE_C2C_SIZE:
        return place(device->frame_size_at, members);
    default:
        return place(device->owner_at, members);
    }
}

static void report(const struct pct *pct, const struct pct_fault *fault,
                   const char *file, const char *partitions)
{
    char text[PCT_FAULT_TEXT_SIZE];

    switch (fault->rule) {
    case PCT_RULE_PARTITION_COUNT:
        say_where((struct pct_source_at){ NULL, 0 }, partitions);
        break;
    case PCT_RULE_PARTITION_ID:
    case PCT_RULE_PARTITION_NAME:
    case PCT_RULE_PARTITION_TWICE:
        say_where(pct_source_partitions[fault->index].at, partitions);
        break;
    case PCT_RULE_QUEUE_COUNT:
    case PCT_RULE_C2C_COUNT:
        say_where((struct pct_source_at){ NULL, 0 }, file);
        break;
    case PCT_RULE_C2C_DEVICE:
    case PCT_RULE_C2C_TWICE:
    case PCT_RULE_C2C_OWNER:
    case PCT_RULE_C2C_REMOTE:
    case PCT_RULE_C2C_NFRAMES:
    case PCT_RULE_C2C_FRAME_SIZE:
    case PCT_RULE_C2C_SIZE:
        say_where(device_place(device_origins[fault->index], fault->rule),
                  file);
        break;
    default:
        say_where(queue_place(queue_origins[fault->index], fault->rule),
                  file);
        break;
    }
    pct_fault_text(pct, fault, text, sizeof(text));
    fprintf(stderr, "%s\n", text);
}

/* A value of the source as one of the model; says so if it does not fit. */
static uint32_t number(long long value, const char *what, uint32_t id,
                       const char *member, struct pct_source_at at,
                       long long most, const char *file)
{
    if (value >= 0 && value <= most) {
        return (uint32_t)value;
    }
    say_where(at, file);
    fprintf(stderr, "%s %u: rule number: .%s is %lld; use 0 to %lld\n", what,
            id, member, value, most);
    return 0;
}

static uint32_t peer(const struct pct_source_queue *queue, uint32_t id,
                     int side, const char *file)
{
    if (queue->peers[side] == PCT_SOURCE_PARTITION_0) {
        return 0;
    }
    if (queue->peers[side] == 0) {
        say_where(queue_place(queue, PCT_RULE_PEERS), file);
        fprintf(stderr, "queue %u: rule peers: peer %d is missing (or 0); "
                "write .peers = {GID_A, GID_B}, names of partitions\n", id,
                side + 1);
        return 0;
    }
    return number(queue->peers[side], "queue", id, "peers", queue->peers_at,
                  UINT32_MAX, file);
}

/* An entry that was not written is all zeros. */
static bool is_written(const void *entry, size_t size)
{
    const unsigned char *bytes = entry;

    for (size_t i = 0; i < size; i++) {
        if (bytes[i] != 0) {
            return true;
        }
    }
    return false;
}

static void read_queues(struct pct *pct, const char *file)
{
    for (uint32_t id = 0; id < PCT_SOURCE_QUEUES; id++) {
        const struct pct_source_queue *source = &platform_config.ivc.queue[id];

        if (!is_written(source, sizeof(*source))) {
            continue;
        }
        /* Too many are counted, for the rule queue-count, but not kept. */
        if (pct->nr_queues < PCT_MAX_NUM_IVC_QUEUES) {
            queue_origins[pct->nr_queues] = source;
            pct->queues[pct->nr_queues] = (struct pct_queue){
                .id = id,
                .peers = { peer(source, id, 0, file),
                           peer(source, id, 1, file) },
                .nframes = number(source->nframes, "queue", id, "nframes",
                                  source->nframes_at, UINT32_MAX, file),
                .frame_size = number(source->frame_size, "queue", id,
                                     "frame_size", source->frame_size_at,
                                     UINT32_MAX, file),
                .use_msi = number(source->use_msi, "queue", id, "use_msi",
                                  source->use_msi_at, 1, file),
            };
        }
        pct->nr_queues++;
    }
}

static uint32_t owner(const struct pct_source_device *device, uint32_t id,
                      const char *file)
{
    if (device->owner == PCT_SOURCE_PARTITION_0) {
        return 0;
    }
    if (device->owner == 0) {
        say_where(device_place(device, PCT_RULE_C2C_OWNER), file);
        fprintf(stderr, "c2c device %u: rule c2c-owner: .owner is missing (or "
                "0); write .owner = GID_A, the name of a partition\n", id);
        return 0;
    }
    return number(device->owner, "c2c device", id, "owner", device->owner_at,
                  UINT32_MAX, file);
}

/* 0 is a device, so that nothing but its place tells that it was written. */
static uint32_t remote(const struct pct_source_device *device, uint32_t id,
                       const char *file)
{
    if (device->remote == 0 && device->remote_at.file == NULL) {
        say_where(device_place(device, PCT_RULE_C2C_REMOTE), file);
        fprintf(stderr, "c2c device %u: rule c2c-remote: .remote is missing; "
                "write .remote = N, the far chip's device number\n", id);
        return 0;
    }
    if (device->remote < 0 || device->remote > UINT32_MAX) {
        say_where(device_place(device, PCT_RULE_C2C_REMOTE), file);
        fprintf(stderr, "c2c device %u: rule c2c-remote: %lld is no device "
                "number; use 0 to %u\n", id, device->remote,
                PCT_C2C_MAX_DEVICE);
        return 0;
    }
    return (uint32_t)device->remote;
}

static void read_c2c(struct pct *pct, const char *file)
{
    for (uint32_t id = 0; id < PCT_SOURCE_DEVICES; id++) {
        const struct pct_source_device *source =
            &platform_config.c2c.device[id];

        if (!is_written(source, sizeof(*source))) {
            continue;
        }
        /* As of queues: counted, for the rule c2c-count, but not kept. */
        if (pct->nr_c2c < PCT_MAX_NUM_C2C) {
            device_origins[pct->nr_c2c] = source;
            pct->c2c[pct->nr_c2c] = (struct pct_c2c){
                .device = id,
                .owner = owner(source, id, file),
                .remote = remote(source, id, file),
                .nframes = number(source->nframes, "c2c device", id, "nframes",
                                  source->nframes_at, UINT32_MAX, file),
                .frame_size = number(source->frame_size, "c2c device", id,
                                     "frame_size", source->frame_size_at,
                                     UINT32_MAX, file),
            };
        }
        pct->nr_c2c++;
    }
}

/* By rising id, as the makefile reader sorted them; the same model always. */
static void read_partitions(struct pct *pct, const char *file)
{
    for (uint32_t i = 0; i < NR_PARTITIONS; i++) {
        const struct pct_source_partition *source = &pct_source_partitions[i];
        size_t length = strlen(source->name);

        pct->nr_partitions++;
        if (i >= PCT_MAX_NUM_GUESTS) {
            continue;
        }
        if (source->id < 0 || source->id > UINT32_MAX) {
            say_where(source->at, file);
            fprintf(stderr, "partition %s: rule partition-id: %lld is no id; "
                    "use 0 to %u\n", source->name, source->id,
                    PCT_MAX_NUM_GUESTS - 1);
        }
        if (length >= PCT_NAME_SIZE) {
            say_where(source->at, file);
            fprintf(stderr, "partition %s: rule partition-name: %zu "
                    "characters; use at most %u\n", source->name, length,
                    PCT_NAME_SIZE - 1);
            length = PCT_NAME_SIZE - 1;
        }
        memcpy(pct->partitions[i].name, source->name, length);
        pct->partitions[i].id = (uint32_t)source->id;
    }
}

/* Writes to a new file; 0 or -1 with errno. */
static int write_all(int fd, const unsigned char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t written = write(fd, bytes, size);

        if (written < 0) {
            return -1;
        }
        bytes += written;
        size -= (size_t)written;
    }
    return fsync(fd);
}

/* Writes the file whole or not at all. */
static int write_file(const char *path, const unsigned char *bytes,
                      size_t size)
{
    char temporary[4096];
    mode_t mask = umask(0);
    int error;
    int fd;

    umask(mask);
    if ((size_t)snprintf(temporary, sizeof(temporary), "%s.XXXXXX", path) >=
        sizeof(temporary)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    fd = mkstemp(temporary);
    if (fd < 0) {
        return -1;
    }
    if (write_all(fd, bytes, size) == 0 && fchmod(fd, 0666 & ~mask) == 0 &&
        rename(temporary, path) == 0) {
        return close(fd);
    }
    error = errno;
    close(fd);
    unlink(temporary);
    errno = error;
    return -1;
}

static int usage(const char *program, int status)
{
    fprintf(status == 0 ? stdout : stderr,
            "Usage: %s [-m BYTES] [-o OUT] FILE MK\n"
            "Checks the table that is built into this program and writes it "
            "to OUT.\n"
            "FILE and MK are the names that messages give to its sources.\n"
            "  -m BYTES  shared memory that it has to fit; 0: no limit\n",
            program);
    return status;
}

int main(int argc, char **argv)
{
    static struct pct pct;
    static struct pct_fault faults[8 * PCT_MAX_NUM_IVC_QUEUES];
    static _Alignas(8) unsigned char blob[PCT_FDT_MAX_SIZE];
    const unsigned max = sizeof(faults) / sizeof(faults[0]);
    const char *out = NULL;
    uint64_t memory = 0;
    unsigned count;
    long size;
    int option;

    while ((option = getopt(argc, argv, "hm:o:")) != -1) {
        switch (option) {
        case 'h':
            return usage(argv[0], 0);
        case 'm':
            memory = strtoull(optarg, NULL, 0);
            break;
        case 'o':
            out = optarg;
            break;
        default:
            return usage(argv[0], 2);
        }
    }
    if (argc - optind != 2) {
        return usage(argv[0], 2);
    }

    /* What did not fit the model would only be reported again. */
    read_partitions(&pct, argv[optind + 1]);
    if (nr_faults != 0) {
        return 1;
    }
    read_queues(&pct, argv[optind]);
    read_c2c(&pct, argv[optind]);
    if (nr_faults != 0) {
        return 1;
    }
    count = pct_check(&pct, memory, faults, max);
    for (unsigned i = 0; i < count && i < max; i++) {
        report(&pct, &faults[i], argv[optind], argv[optind + 1]);
    }
    if (count != 0) {
        return 1;
    }
    if (out == NULL) {
        return 0;
    }
    size = pct_to_fdt(&pct, blob, sizeof(blob));
    if (size < 0 || write_file(out, blob, (size_t)size) != 0) {
        fprintf(stderr, "%s: cannot write: %s\n", out,
                size < 0 ? "the table is too large" : strerror(errno));
        return 1;
    }
    return 0;
}
