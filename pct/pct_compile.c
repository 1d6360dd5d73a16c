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

/* Which entry of the source each queue of the model came from. */
static const struct pct_source_queue *origins[PCT_SOURCE_QUEUES];
static const struct pct_source_c2c_device *c2c_origins[PCT_SOURCE_C2C];
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

/* The place of what the rule is about, or else of the entry. */
static struct pct_source_at place(const struct pct_source_queue *queue,
                                  enum pct_rule rule)
{
    const struct pct_source_at all[] = {
        queue->peers_at, queue->nframes_at, queue->frame_size_at,
        queue->use_msi_at,
    };
    struct pct_source_at at = { NULL, 0 };

    if (rule == PCT_RULE_NFRAMES) {
        at = queue->nframes_at;
    } else if (rule == PCT_RULE_FRAME_SIZE) {
        at = queue->frame_size_at;
    }
    for (int i = 0; i < 4 && at.file == NULL; i++) {
        at = all[i];
    }
    return at;
}

static struct pct_source_at c2c_place(
    const struct pct_source_c2c_device *device, enum pct_rule rule)
{
    const struct pct_source_at all[] = {
        device->owner_at, device->remote_at, device->nframes_at,
        device->frame_size_at,
    };
    struct pct_source_at at = { NULL, 0 };

    if (rule == PCT_RULE_C2C_REMOTE) {
        at = device->remote_at;
    } else if (rule == PCT_RULE_C2C_NFRAMES) {
        at = device->nframes_at;
    } else if (rule == PCT_RULE_C2C_FRAME_SIZE || rule == PCT_RULE_C2C_SIZE) {
        at = device->frame_size_at;
    }
    for (int i = 0; i < 4 && at.file == NULL; i++) {
        at = all[i];
    }
    return at;
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
        say_where(c2c_place(c2c_origins[fault->index], fault->rule), file);
        break;
    default:
        say_where(place(origins[fault->index], fault->rule), file);
        break;
    }
    pct_fault_text(pct, fault, text, sizeof(text));
    fprintf(stderr, "%s\n", text);
}

/* A value of the source as one of the model; says so if it does not fit. */
static uint32_t number(const char *what, long long value, uint32_t id,
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
        say_where(place(queue, PCT_RULE_PEERS), file);
        fprintf(stderr, "queue %u: rule peers: peer %d is missing (or 0); "
                "write .peers = {GID_A, GID_B}, names of partitions\n", id,
                side + 1);
        return 0;
    }
    return number("queue", queue->peers[side], id, "peers", queue->peers_at,
                  UINT32_MAX, file);
}

/* An entry that was not written is all zeros. */
static bool is_written(const struct pct_source_queue *queue)
{
    static const struct pct_source_queue nothing;

    return memcmp(queue, &nothing, sizeof(nothing)) != 0;
}

static void read_queues(struct pct *pct, const char *file)
{
    for (uint32_t id = 0; id < PCT_SOURCE_QUEUES; id++) {
        const struct pct_source_queue *source = &platform_config.ivc.queue[id];

        if (!is_written(source)) {
            continue;
        }
        /* Too many are counted, for the rule queue-count, but not kept. */
        if (pct->nr_queues < PCT_MAX_NUM_IVC_QUEUES) {
            origins[pct->nr_queues] = source;
            pct->queues[pct->nr_queues] = (struct pct_queue){
                .id = id,
                .peers = { peer(source, id, 0, file),
                           peer(source, id, 1, file) },
                .nframes = number("queue", source->nframes, id, "nframes",
                                  source->nframes_at, UINT32_MAX, file),
                .frame_size = number("queue", source->frame_size, id,
                                     "frame_size", source->frame_size_at,
                                     UINT32_MAX, file),
                .use_msi = number("queue", source->use_msi, id, "use_msi",
                                  source->use_msi_at, 1, file),
            };
        }
        pct->nr_queues++;
    }
}

/* The two members of a channel that may not be left out. */
static uint32_t c2c_owner(const struct pct_source_c2c_device *device,
                          uint32_t id, const char *file)
{
    if (device->owner == PCT_SOURCE_PARTITION_0) {
        return 0;
    }
    if (device->owner == 0) {
        say_where(c2c_place(device, PCT_RULE_C2C_OWNER), file);
        fprintf(stderr, "c2c device %u: rule c2c-owner: the owner is missing "
                "(or 0); write .owner = GID_A, the name of a partition\n", id);
        return 0;
    }
    return number("c2c device", device->owner, id, "owner", device->owner_at,
                  UINT32_MAX, file);
}

static uint32_t c2c_remote(const struct pct_source_c2c_device *device,
                           uint32_t id, const char *file)
{
    if (device->remote_at.file == NULL) {
        say_where(c2c_place(device, PCT_RULE_C2C_REMOTE), file);
        fprintf(stderr, "c2c device %u: rule c2c-remote: it is missing; write "
                ".remote = N, the device number at the other chip\n", id);
        return 0;
    }
    return number("c2c device", device->remote, id, "remote",
                  device->remote_at, UINT32_MAX, file);
}

static void read_c2c(struct pct *pct, const char *file)
{
    static const struct pct_source_c2c_device nothing;

    for (uint32_t id = 0; id < PCT_SOURCE_C2C; id++) {
        const struct pct_source_c2c_device *source =
            &platform_config.c2c.device[id];

        if (memcmp(source, &nothing, sizeof(nothing)) == 0) {
            continue;
        }
        if (pct->nr_c2c < PCT_MAX_NUM_C2C) {
            c2c_origins[pct->nr_c2c] = source;
            pct->c2c[pct->nr_c2c] = (struct pct_c2c){
                .device = id,
                .owner = c2c_owner(source, id, file),
                .remote = c2c_remote(source, id, file),
                .nframes = number("c2c device", source->nframes, id, "nframes",
                                  source->nframes_at, UINT32_MAX, file),
                .frame_size = number("c2c device", source->frame_size, id,
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
