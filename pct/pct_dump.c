/* SPDX-License-Identifier: MIT */
/* Shows a compiled table with its layout, as text or as JSON. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pct.h"
#include "pct_fdt.h"
#include "pct_layout.h"

static _Alignas(8) unsigned char blob[PCT_FDT_MAX_SIZE + 1];
static struct pct pct;
static struct pct_layout layout;
static struct pct_view view;

/* pct_check() has seen to it that names need no quoting. */
static const char *name_of(uint32_t partition)
{
    return pct_find_partition(&pct, partition)->name;
}

static const char *truth(bool value)
{
    return value ? "true" : "false";
}

static void json_slot(uint32_t i)
{
    const struct pct_slot *slot = &view.slots[i];

    printf("%s\n        {\"slot\": %" PRIu32 ", \"queue\": %" PRIu32
           ", \"far_queue\": %" PRIu32 ", \"peer\": \"%s\", \"rx_first\": %s, "
           "\"bar_offset\": %" PRIu64 "}", i == 0 ? "" : ",", i,
           pct.queues[slot->queue].id, pct.queues[slot->far_queue].id,
           name_of(slot->peer), truth(slot->rx_first), slot->bar_offset);
}

static void json_partition(uint32_t i)
{
    const struct pct_partition *partition = &pct.partitions[i];

    pct_view(&pct, &layout, partition->id, &view);
    printf("%s\n    {\"name\": \"%s\", \"id\": %" PRIu32 ", \"bar_size\": %"
           PRIu64 ", \"slots\": [", i == 0 ? "" : ",", partition->name,
           partition->id, view.bar_size);
    for (uint32_t slot = 0; slot < view.nr_slots; slot++) {
        json_slot(slot);
    }
    printf("]}");
}

static void json_queue(uint32_t i)
{
    const struct pct_queue *queue = &pct.queues[i];
    const struct pct_queue_place *place = &layout.places[i];

    printf("%s\n    {\"id\": %" PRIu32 ", \"peers\": [\"%s\", \"%s\"], "
           "\"nframes\": %" PRIu32 ", \"frame_size\": %" PRIu32
           ", \"use_msi\": %s, \"loopback\": %s, \"area\": %" PRIu64
           ", \"area_size\": %" PRIu64 ", \"offset\": %" PRIu32
           ", \"size\": %" PRIu32 ", \"vector\": %u, \"bit\": %u}",
           i == 0 ? "" : ",", queue->id, name_of(queue->peers[0]),
           name_of(queue->peers[1]), queue->nframes, queue->frame_size,
           truth(queue->use_msi), truth(queue->peers[0] == queue->peers[1]),
           place->area, place->area_size, place->offset, place->size,
           place->vector, place->bit);
}

static void json_c2c(uint32_t i)
{
    const struct pct_c2c *c2c = &pct.c2c[i];

    printf("%s\n    {\"device\": %" PRIu32 ", \"owner\": \"%s\", "
           "\"remote\": %" PRIu32 ", \"nframes\": %" PRIu32
           ", \"frame_size\": %" PRIu32 "}", i == 0 ? "" : ",", c2c->device,
           name_of(c2c->owner), c2c->remote, c2c->nframes, c2c->frame_size);
}

static void show_json(void)
{
    printf("{\n  \"total\": %" PRIu64 ",\n  \"nr_vectors\": %" PRIu32
           ",\n  \"digest\": \"0x%016" PRIx64 "\",\n  \"partitions\": [",
           layout.total, layout.nr_vectors, layout.digest);
    for (uint32_t i = 0; i < pct.nr_partitions; i++) {
        json_partition(i);
    }
    printf("],\n  \"queues\": [");
    for (uint32_t i = 0; i < pct.nr_queues; i++) {
        json_queue(i);
    }
    printf("],\n  \"c2c\": [");
    for (uint32_t i = 0; i < pct.nr_c2c; i++) {
        json_c2c(i);
    }
    printf("]\n}\n");
}

static void show_text(void)
{
    printf("%-*s %3s %7s %11s\n", (int)PCT_NAME_SIZE - 12, "partition", "id",
           "queues", "area bytes");
    for (uint32_t i = 0; i < pct.nr_partitions; i++) {
        const struct pct_partition *partition = &pct.partitions[i];

        pct_view(&pct, &layout, partition->id, &view);
        printf("%-*s %3" PRIu32 " %7" PRIu32 " %11" PRIu64 "\n",
               (int)PCT_NAME_SIZE - 12, partition->name, partition->id,
               view.nr_slots, view.bar_size);
    }
    printf("\n%5s %8s %10s %6s %11s %11s %7s %4s  %s\n", "queue", "nframes",
           "frame_size", "notify", "area", "area bytes", "vector", "bit",
           "peers");
    for (uint32_t i = 0; i < pct.nr_queues; i++) {
        const struct pct_queue *queue = &pct.queues[i];
        const struct pct_queue_place *place = &layout.places[i];

        printf("%5" PRIu32 " %8" PRIu32 " %10" PRIu32 " %6s %#11" PRIx64
               " %11" PRIu64 " %7u %4u  %s%s%s\n", queue->id, queue->nframes,
               queue->frame_size, queue->use_msi ? "msi" : "trap",
               place->area, place->area_size, place->vector, place->bit,
               name_of(queue->peers[0]),
               queue->peers[0] == queue->peers[1] ? " loopback" : " ",
               queue->peers[0] == queue->peers[1] ? ""
                                                  : name_of(queue->peers[1]));
    }
    if (pct.nr_c2c > 0) {
        printf("\n%5s %8s %10s %6s  %s\n", "c2c", "nframes", "frame_size",
               "remote", "owner");
    }
    for (uint32_t i = 0; i < pct.nr_c2c; i++) {
        const struct pct_c2c *c2c = &pct.c2c[i];

        printf("%5" PRIu32 " %8" PRIu32 " %10" PRIu32 " %6" PRIu32 "  %s\n",
               c2c->device, c2c->nframes, c2c->frame_size, c2c->remote,
               name_of(c2c->owner));
    }
    printf("\n%" PRIu64 " bytes of shared memory, %" PRIu32
           " vectors, digest 0x%016" PRIx64 "\n", layout.total,
           layout.nr_vectors, layout.digest);
}

/* Reads and judges the table; says on stderr what is wrong with it. */
static bool load(const char *path, const char *name, uint64_t memory)
{
    static struct pct_fault faults[8 * PCT_MAX_NUM_IVC_QUEUES];
    const unsigned max = sizeof(faults) / sizeof(faults[0]);
    char text[PCT_FAULT_TEXT_SIZE];
    unsigned count;
    size_t size;
    FILE *file = fopen(path, "rb");

    if (file == NULL) {
        fprintf(stderr, "%s: cannot open: %s\n", name, strerror(errno));
        return false;
    }
    size = fread(blob, 1, sizeof(blob), file);
    if (ferror(file)) {
        fprintf(stderr, "%s: cannot read: %s\n", name, strerror(errno));
        fclose(file);
        return false;
    }
    fclose(file);

    if (pct_from_fdt(blob, size, &pct, text, sizeof(text)) != 0) {
        fprintf(stderr, "%s: %s\n", name, text);
        return false;
    }
    count = pct_check(&pct, memory, faults, max);
    for (unsigned i = 0; i < count && i < max; i++) {
        pct_fault_text(&pct, &faults[i], text, sizeof(text));
        fprintf(stderr, "%s: %s\n", name, text);
    }
    return count == 0;
}

static int usage(const char *program, int status)
{
    fprintf(status == 0 ? stdout : stderr,
            "Usage: %s [-c | -j] [-m BYTES] [-n NAME] FILE\n"
            "Shows a compiled partition configuration table and its layout.\n"
            "  -c        check it only, show nothing\n"
            "  -j        show it as JSON\n"
            "  -m BYTES  shared memory that it has to fit; 0: no limit\n"
            "  -n NAME   what messages call FILE\n", program);
    return status;
}

int main(int argc, char **argv)
{
    const char *name = NULL;
    bool check = false, json = false;
    uint64_t memory = 0;
    int option;

    while ((option = getopt(argc, argv, "chjm:n:")) != -1) {
        switch (option) {
        case 'c':
            check = true;
            break;
        case 'h':
            return usage(argv[0], 0);
        case 'j':
            json = true;
            break;
        case 'm':
            memory = strtoull(optarg, NULL, 0);
            break;
        case 'n':
            name = optarg;
            break;
        default:
            return usage(argv[0], 2);
        }
    }
    if (argc - optind != 1) {
        return usage(argv[0], 2);
    }
    if (!load(argv[optind], name != NULL ? name : argv[optind], memory)) {
        return 1;
    }
    pct_layout(&pct, &layout);
    if (check) {
        return 0;
    }
    if (json) {
        show_json();
    } else {
        show_text();
    }
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "cannot write: %s\n", strerror(errno));
        return 1;
    }
    return 0;
}
