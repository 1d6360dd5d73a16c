/* SPDX-License-Identifier: MIT */
/* The compiled table, a flattened device tree, to and from the model. */
#include "pct_fdt.h"

#include <inttypes.h>
#include <libfdt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "fdt_sound.h"

#define COMPATIBLE "vsoc,pct"
#define FORMAT_VERSION 1u

/* What is read, and where the sentence goes if it cannot be. */
struct reader {
    const void *fdt;
    char *error;
    size_t error_size;
};

/* A property that a node may have: cells, a string, or a flag. */
struct property {
    const char *name;
    enum { CELLS, STRING, FLAG } kind;
    void *value;            /* uint32_t[], char[] or bool */
    int size;               /* of value, in cells or bytes */
    bool seen;
};

/* Says what is wrong with node (or the whole blob, if negative). */
__attribute__((format(printf, 3, 4)))
static bool refuse(const struct reader *reader, int node, const char *format,
                   ...)
{
    char text[256];
    char name[64] = "";
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (node >= 0) {
        const char *found = fdt_get_name(reader->fdt, node, NULL);

        snprintf(name, sizeof(name), "node /%s: ", found ? found : "?");
    }
    snprintf(reader->error, reader->error_size, "%s%s", name, text);
    /* Names come from the blob and may hold anything. */
    for (char *c = reader->error; reader->error_size > 0 && *c != '\0'; c++) {
        if (*c < ' ' || *c > '~') {
            *c = '?';
        }
    }
    return false;
}

static bool read_value(const struct reader *reader, int node,
                       const struct property *property, const void *data,
                       int length)
{
    switch (property->kind) {
    case CELLS:
        if (length != property->size * 4) {
            return refuse(reader, node, "'%s' has %d bytes, not %d",
                          property->name, length, property->size * 4);
        }
        for (int i = 0; i < property->size; i++) {
            ((uint32_t *)property->value)[i] =
                fdt32_ld((const fdt32_t *)data + i);
        }
        return true;
    case STRING:
        if (length <= 0 || length > property->size ||
            memchr(data, '\0', length) != (const char *)data + length - 1) {
            return refuse(reader, node, "'%s' is not a string of at most %d "
                          "characters", property->name, property->size - 1);
        }
        memcpy(property->value, data, length);
        return true;
    default:
        if (length != 0) {
            return refuse(reader, node, "'%s' has a value; it is a flag",
                          property->name);
        }
        *(bool *)property->value = true;
        return true;
    }
}

/* Reads a node that has these properties, all but flags, and no others. */
static bool read_node(const struct reader *reader, int node,
                      struct property *properties, int count)
{
    int offset;

    fdt_for_each_property_offset(offset, reader->fdt, node) {
        struct property *property = NULL;
        const char *name;
        int length;
        const void *data = fdt_getprop_by_offset(reader->fdt, offset, &name,
                                                 &length);

        if (data == NULL) {
            return refuse(reader, node, "a property cannot be read: %s",
                          fdt_strerror(length));
        }
        for (int i = 0; i < count; i++) {
            if (strcmp(name, properties[i].name) == 0) {
                property = &properties[i];
            }
        }
        if (property == NULL) {
            return refuse(reader, node, "unknown property '%.40s'", name);
        }
        if (property->seen) {
            return refuse(reader, node, "'%s' is given twice", name);
        }
        property->seen = true;
        if (!read_value(reader, node, property, data, length)) {
            return false;
        }
    }
    for (int i = 0; i < count; i++) {
        if (!properties[i].seen && properties[i].kind != FLAG) {
            return refuse(reader, node, "'%s' is missing",
                          properties[i].name);
        }
    }
    return true;
}

static bool refuse_children(const struct reader *reader, int node)
{
    int child = fdt_first_subnode(reader->fdt, node);

    if (child >= 0) {
        return refuse(reader, child, "unknown node");
    }
    return true;
}

static bool read_partition(const struct reader *reader, int node,
                           struct pct *pct)
{
    struct pct_partition read = { .id = 0 };
    struct property properties[] = {
        { "reg", CELLS, &read.id, 1, false },
        { "partition-name", STRING, read.name, PCT_NAME_SIZE, false },
    };
    uint32_t i = pct->nr_partitions;

    if (i == PCT_MAX_NUM_GUESTS) {
        return refuse(reader, node, "more than %u partitions",
                      PCT_MAX_NUM_GUESTS);
    }
    if (!read_node(reader, node, properties, 2) ||
        !refuse_children(reader, node)) {
        return false;
    }
    for (; i > 0 && pct->partitions[i - 1].id > read.id; i--) {
        pct->partitions[i] = pct->partitions[i - 1];
    }
    pct->partitions[i] = read;
    pct->nr_partitions++;
    return true;
}

static bool read_queue(const struct reader *reader, int node, struct pct *pct)
{
    struct pct_queue read = { .id = 0 };
    struct property properties[] = {
        { "reg", CELLS, &read.id, 1, false },
        { "peers", CELLS, read.peers, 2, false },
        { "nframes", CELLS, &read.nframes, 1, false },
        { "frame-size", CELLS, &read.frame_size, 1, false },
        { "use-msi", FLAG, &read.use_msi, 0, false },
    };
    uint32_t i = pct->nr_queues;

    if (i == PCT_MAX_NUM_IVC_QUEUES) {
        return refuse(reader, node, "more than %u queues",
                      PCT_MAX_NUM_IVC_QUEUES);
    }
    if (!read_node(reader, node, properties, 5) ||
        !refuse_children(reader, node)) {
        return false;
    }
    for (; i > 0 && pct->queues[i - 1].id > read.id; i--) {
        pct->queues[i] = pct->queues[i - 1];
    }
    pct->queues[i] = read;
    pct->nr_queues++;
    return true;
}

static bool read_c2c(const struct reader *reader, int node, struct pct *pct)
{
    struct pct_c2c read = { .device = 0 };
    struct property properties[] = {
        { "reg", CELLS, &read.device, 1, false },
        { "owner", CELLS, &read.owner, 1, false },
        { "remote", CELLS, &read.remote, 1, false },
        { "nframes", CELLS, &read.nframes, 1, false },
        { "frame-size", CELLS, &read.frame_size, 1, false },
    };
    uint32_t i = pct->nr_c2c;

    if (i == PCT_MAX_NUM_C2C) {
        return refuse(reader, node, "more than %u c2c devices",
                      PCT_MAX_NUM_C2C);
    }
    if (!read_node(reader, node, properties, 5) ||
        !refuse_children(reader, node)) {
        return false;
    }
    for (; i > 0 && pct->c2c[i - 1].device > read.device; i--) {
        pct->c2c[i] = pct->c2c[i - 1];
    }
    pct->c2c[i] = read;
    pct->nr_c2c++;
    return true;
}

typedef bool read_child(const struct reader *reader, int node,
                        struct pct *pct);

/* Reads the nodes below /partitions, /queues or /c2c. */
static bool read_list(const struct reader *reader, int node, struct pct *pct,
                      read_child *child)
{
    uint32_t address_cells, size_cells;
    struct property properties[] = {
        { "#address-cells", CELLS, &address_cells, 1, false },
        { "#size-cells", CELLS, &size_cells, 1, false },
    };
    int below;

    if (!read_node(reader, node, properties, 2)) {
        return false;
    }
    if (address_cells != 1 || size_cells != 0) {
        return refuse(reader, node, "its cells are not <1> and <0>");
    }
    fdt_for_each_subnode(below, reader->fdt, node) {
        if (!child(reader, below, pct)) {
            return false;
        }
    }
    return true;
}

static bool read_root(const struct reader *reader, struct pct *pct)
{
    uint32_t version;
    char compatible[sizeof(COMPATIBLE)];
    struct property properties[] = {
        { "compatible", STRING, compatible, sizeof(compatible), false },
        { "version", CELLS, &version, 1, false },
    };
    struct {
        const char *name;
        read_child *child;
        bool optional;
        bool seen;
    } lists[] = {
        { "partitions", read_partition, false, false },
        { "queues", read_queue, false, false },
        { "c2c", read_c2c, true, false },
    };
    const int nr_lists = sizeof(lists) / sizeof(lists[0]);
    int node;

    if (!read_node(reader, 0, properties, 2)) {
        return false;
    }
    if (strcmp(compatible, COMPATIBLE) != 0) {
        return refuse(reader, 0, "compatible with '%s', not '%s'", compatible,
                      COMPATIBLE);
    }
    if (version != FORMAT_VERSION) {
        return refuse(reader, 0, "version %" PRIu32 ", not %u; compile the "
                      "table again", version, FORMAT_VERSION);
    }
    fdt_for_each_subnode(node, reader->fdt, 0) {
        const char *name = fdt_get_name(reader->fdt, node, NULL);
        int i = 0;

        while (i < nr_lists &&
               (name == NULL || strcmp(name, lists[i].name) != 0)) {
            i++;
        }
        if (i == nr_lists) {
            return refuse(reader, node, "unknown node");
        }
        if (lists[i].seen) {
            return refuse(reader, node, "given twice");
        }
        lists[i].seen = true;
        if (!read_list(reader, node, pct, lists[i].child)) {
            return false;
        }
    }
    for (int i = 0; i < nr_lists; i++) {
        if (!lists[i].seen && !lists[i].optional) {
            return refuse(reader, 0, "node /%s is missing", lists[i].name);
        }
    }
    return true;
}

int pct_from_fdt(const void *blob, size_t size, struct pct *pct,
                 char *error, size_t error_size)
{
    struct reader reader = {
        .fdt = blob,
        .error = error,
        .error_size = error_size,
    };
    int bad;

    memset(pct, 0, sizeof(*pct));
    if ((uintptr_t)blob % 8 != 0) {
        refuse(&reader, -1, "the table lies on an odd address");
        return -1;
    }
    /* Bounds the work that a hostile blob can ask for. */
    if (size > PCT_FDT_MAX_SIZE) {
        refuse(&reader, -1, "the table has %zu bytes, more than %u", size,
               PCT_FDT_MAX_SIZE);
        return -1;
    }
    bad = fdt_sound(blob, size);
    if (bad == -FDT_ERR_BADMAGIC) {
        refuse(&reader, -1, "not a compiled table");
        return -1;
    }
    if (bad == -FDT_ERR_BADVERSION) {
        refuse(&reader, -1, "device tree version %u, not %d",
               (unsigned)fdt_version(blob), FDT_SOUND_VERSION);
        return -1;
    }
    if (bad != 0) {
        refuse(&reader, -1, "the table is damaged: %s", fdt_strerror(bad));
        return -1;
    }
    return read_root(&reader, pct) ? 0 : -1;
}

/* The calls below all return 0 or a negative error; the first one stays. */
#define DO(call) (error = error != 0 ? error : (call))

static int begin_list(void *blob, const char *name)
{
    int error = 0;

    DO(fdt_begin_node(blob, name));
    DO(fdt_property_u32(blob, "#address-cells", 1));
    DO(fdt_property_u32(blob, "#size-cells", 0));
    return error;
}

static int write_partition(void *blob, const struct pct_partition *partition)
{
    char node[32];
    int error = 0;

    snprintf(node, sizeof(node), "partition@%" PRIx32, partition->id);
    DO(fdt_begin_node(blob, node));
    DO(fdt_property_u32(blob, "reg", partition->id));
    DO(fdt_property_string(blob, "partition-name", partition->name));
    DO(fdt_end_node(blob));
    return error;
}

static int write_queue(void *blob, const struct pct_queue *queue)
{
    fdt32_t peers[2] = {
        cpu_to_fdt32(queue->peers[0]),
        cpu_to_fdt32(queue->peers[1]),
    };
    char node[32];
    int error = 0;

    snprintf(node, sizeof(node), "queue@%" PRIx32, queue->id);
    DO(fdt_begin_node(blob, node));
    DO(fdt_property_u32(blob, "reg", queue->id));
    DO(fdt_property(blob, "peers", peers, sizeof(peers)));
    DO(fdt_property_u32(blob, "nframes", queue->nframes));
    DO(fdt_property_u32(blob, "frame-size", queue->frame_size));
    if (queue->use_msi) {
        DO(fdt_property(blob, "use-msi", NULL, 0));
    }
    DO(fdt_end_node(blob));
    return error;
}

static int write_c2c(void *blob, const struct pct_c2c *c2c)
{
    char node[32];
    int error = 0;

    snprintf(node, sizeof(node), "device@%" PRIx32, c2c->device);
    DO(fdt_begin_node(blob, node));
    DO(fdt_property_u32(blob, "reg", c2c->device));
    DO(fdt_property_u32(blob, "owner", c2c->owner));
    DO(fdt_property_u32(blob, "remote", c2c->remote));
    DO(fdt_property_u32(blob, "nframes", c2c->nframes));
    DO(fdt_property_u32(blob, "frame-size", c2c->frame_size));
    DO(fdt_end_node(blob));
    return error;
}

long pct_to_fdt(const struct pct *pct, void *blob, size_t size)
{
    int error = 0;

    if (pct->nr_partitions > PCT_MAX_NUM_GUESTS ||
        pct->nr_queues > PCT_MAX_NUM_IVC_QUEUES ||
        pct->nr_c2c > PCT_MAX_NUM_C2C ||
        size > PCT_FDT_MAX_SIZE) {
        return -1;
    }
    memset(blob, 0, size);
    DO(fdt_create(blob, (int)size));
    DO(fdt_finish_reservemap(blob));
    DO(fdt_begin_node(blob, ""));
    DO(fdt_property_string(blob, "compatible", COMPATIBLE));
    DO(fdt_property_u32(blob, "version", FORMAT_VERSION));
    DO(begin_list(blob, "partitions"));
    for (uint32_t i = 0; i < pct->nr_partitions; i++) {
        DO(write_partition(blob, &pct->partitions[i]));
    }
    DO(fdt_end_node(blob));
    DO(begin_list(blob, "queues"));
    for (uint32_t i = 0; i < pct->nr_queues; i++) {
        DO(write_queue(blob, &pct->queues[i]));
    }
    DO(fdt_end_node(blob));
    if (pct->nr_c2c > 0) {
        DO(begin_list(blob, "c2c"));
        for (uint32_t i = 0; i < pct->nr_c2c; i++) {
            DO(write_c2c(blob, &pct->c2c[i]));
        }
        DO(fdt_end_node(blob));
    }
    DO(fdt_end_node(blob));
    DO(fdt_finish(blob));
    return error == 0 ? (long)fdt_totalsize(blob) : -1;
}
