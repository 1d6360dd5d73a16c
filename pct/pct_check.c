/* SPDX-License-Identifier: MIT */
/* The rules a table must keep, one function each, and what to say of them. */
#include "pct.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ivc_geometry.h"
#include "pct_layout.h"

/* What the rules write to: stores up to max faults and counts them all. */
struct report {
    struct pct_fault *faults;
    unsigned max;
    unsigned count;
};

static void fault(struct report *report, enum pct_rule rule, uint32_t index,
                  uint64_t value)
{
    if (report->faults != NULL && report->count < report->max) {
        report->faults[report->count] = (struct pct_fault){
            .rule = rule,
            .index = index,
            .value = value,
        };
    }
    report->count++;
}

const struct pct_partition *pct_find_partition(const struct pct *pct,
                                               uint32_t id)
{
    for (uint32_t i = 0; i < pct->nr_partitions; i++) {
        if (pct->partitions[i].id == id) {
            return &pct->partitions[i];
        }
    }
    return NULL;
}

const struct pct_queue *pct_find_queue(const struct pct *pct, uint32_t id)
{
    for (uint32_t i = 0; i < pct->nr_queues; i++) {
        if (pct->queues[i].id == id) {
            return &pct->queues[i];
        }
    }
    return NULL;
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

/* Names reach terminals and JSON, so they are C identifiers and no more. */
static bool is_name(const char name[PCT_NAME_SIZE])
{
    size_t length = strnlen(name, PCT_NAME_SIZE);

    if (length == 0 || length == PCT_NAME_SIZE || !is_letter(name[0])) {
        return false;
    }
    for (size_t i = 1; i < length; i++) {
        if (!is_letter(name[i]) && !(name[i] >= '0' && name[i] <= '9')) {
            return false;
        }
    }
    return true;
}

static void check_partition_id(const struct pct *pct, uint32_t i,
                               struct report *report)
{
    if (pct->partitions[i].id >= PCT_MAX_NUM_GUESTS) {
        fault(report, PCT_RULE_PARTITION_ID, i, pct->partitions[i].id);
    }
}

static void check_partition_name(const struct pct *pct, uint32_t i,
                                 struct report *report)
{
    if (!is_name(pct->partitions[i].name)) {
        fault(report, PCT_RULE_PARTITION_NAME, i, i);
    }
}

/* The earlier partition with the same id or name, or i. */
static uint32_t same_partition(const struct pct *pct, uint32_t i)
{
    for (uint32_t j = 0; j < i; j++) {
        if (pct->partitions[j].id == pct->partitions[i].id ||
            strncmp(pct->partitions[j].name, pct->partitions[i].name,
                    PCT_NAME_SIZE) == 0) {
            return j;
        }
    }
    return i;
}

static void check_partition_twice(const struct pct *pct, uint32_t i,
                                  struct report *report)
{
    uint32_t other = same_partition(pct, i);

    if (other != i) {
        fault(report, PCT_RULE_PARTITION_TWICE, i, other);
    }
}

static void check_queue_id(const struct pct *pct, uint32_t i,
                           struct report *report)
{
    if (pct->queues[i].id >= PCT_MAX_NUM_IVC_QUEUES) {
        fault(report, PCT_RULE_QUEUE_ID, i, pct->queues[i].id);
    }
}

/* Rising order is what makes "twice" visible, and what the layout needs. */
static void check_queue_twice(const struct pct *pct, uint32_t i,
                              struct report *report)
{
    if (i > 0 && pct->queues[i].id <= pct->queues[i - 1].id) {
        fault(report, PCT_RULE_QUEUE_TWICE, i, pct->queues[i - 1].id);
    }
}

static void check_peers(const struct pct *pct, uint32_t i,
                        struct report *report)
{
    const uint32_t *peers = pct->queues[i].peers;

    for (int side = 0; side < 2; side++) {
        if (pct_find_partition(pct, peers[side]) == NULL &&
            !(side == 1 && peers[1] == peers[0])) {
            fault(report, PCT_RULE_PEERS, i, peers[side]);
        }
    }
}

static void check_nframes(const struct pct *pct, uint32_t i,
                          struct report *report)
{
    if (pct->queues[i].nframes == 0) {
        fault(report, PCT_RULE_NFRAMES, i, 0);
    }
}

static bool frame_size_ok(uint32_t frame_size)
{
    return frame_size != 0 && frame_size % IVC_FRAME_ALIGN == 0;
}

static void check_frame_size(const struct pct *pct, uint32_t i,
                             struct report *report)
{
    if (!frame_size_ok(pct->queues[i].frame_size)) {
        fault(report, PCT_RULE_FRAME_SIZE, i, pct->queues[i].frame_size);
    }
}

static void check_queue_size(const struct pct *pct, uint32_t i,
                             struct report *report)
{
    const struct pct_queue *queue = &pct->queues[i];

    /* What else makes a geometry illegal has been said by the other two. */
    if (queue->nframes != 0 && frame_size_ok(queue->frame_size) &&
        !ivc_geometry_ok(queue->nframes, queue->frame_size)) {
        fault(report, PCT_RULE_QUEUE_SIZE, i,
              (uint64_t)queue->nframes * queue->frame_size);
    }
}

static void check_loopback(const struct pct *pct, uint32_t i,
                           struct report *report)
{
    const struct pct_queue *queue = &pct->queues[i];
    const struct pct_queue *other;

    if (queue->peers[0] != queue->peers[1]) {
        return;
    }
    other = pct_find_queue(pct, queue->id ^ 1);
    if (other == NULL || other->peers[0] != queue->peers[0] ||
        other->peers[1] != queue->peers[1]) {
        fault(report, PCT_RULE_LOOPBACK, i, queue->id ^ 1);
    } else if (queue->id % 2 == 1 &&
               (other->nframes != queue->nframes ||
                other->frame_size != queue->frame_size)) {
        /* Said once, of the odd one. */
        fault(report, PCT_RULE_LOOPBACK, i, queue->id ^ 1);
    }
}

static void check_c2c_device(const struct pct *pct, uint32_t i,
                             struct report *report)
{
    if (pct->c2c[i].device > PCT_C2C_MAX_DEVICE) {
        fault(report, PCT_RULE_C2C_DEVICE, i, pct->c2c[i].device);
    }
}

static void check_c2c_twice(const struct pct *pct, uint32_t i,
                            struct report *report)
{
    if (i > 0 && pct->c2c[i].device <= pct->c2c[i - 1].device) {
        fault(report, PCT_RULE_C2C_TWICE, i, pct->c2c[i - 1].device);
    }
}

static void check_c2c_owner(const struct pct *pct, uint32_t i,
                            struct report *report)
{
    if (pct_find_partition(pct, pct->c2c[i].owner) == NULL) {
        fault(report, PCT_RULE_C2C_OWNER, i, pct->c2c[i].owner);
    }
}

/*
 * Its far end is in another table: nothing more can be said of it here. The
 * same number may come twice, of two chips.
 */
static void check_c2c_remote(const struct pct *pct, uint32_t i,
                             struct report *report)
{
    if (pct->c2c[i].remote > PCT_C2C_MAX_DEVICE) {
        fault(report, PCT_RULE_C2C_REMOTE, i, pct->c2c[i].remote);
    }
}

static void check_c2c_nframes(const struct pct *pct, uint32_t i,
                              struct report *report)
{
    if (pct->c2c[i].nframes == 0) {
        fault(report, PCT_RULE_C2C_NFRAMES, i, 0);
    }
}

static void check_c2c_frame_size(const struct pct *pct, uint32_t i,
                                 struct report *report)
{
    if (!frame_size_ok(pct->c2c[i].frame_size)) {
        fault(report, PCT_RULE_C2C_FRAME_SIZE, i, pct->c2c[i].frame_size);
    }
}

static void check_c2c_size(const struct pct *pct, uint32_t i,
                           struct report *report)
{
    const struct pct_c2c *c2c = &pct->c2c[i];

    /* What else makes a geometry illegal has been said by the other two. */
    if (c2c->nframes != 0 && frame_size_ok(c2c->frame_size) &&
        (c2c->frame_size > PCT_C2C_MAX_FRAME_SIZE ||
         !ivc_geometry_ok(c2c->nframes, c2c->frame_size) ||
         ivc_direction_size(c2c->nframes, c2c->frame_size) >
             PCT_C2C_MAX_SIZE)) {
        fault(report, PCT_RULE_C2C_SIZE, i,
              (uint64_t)c2c->nframes * c2c->frame_size);
    }
}

static uint32_t largest_queue(const struct pct *pct)
{
    uint32_t largest = 0;

    for (uint32_t i = 1; i < pct->nr_queues; i++) {
        if (pct_area_size(&pct->queues[i]) >
            pct_area_size(&pct->queues[largest])) {
            largest = i;
        }
    }
    return largest;
}

static void check_memory(const struct pct *pct, uint64_t memory,
                         struct report *report)
{
    if (memory != 0 && pct_layout_total(pct) > memory) {
        fault(report, PCT_RULE_MEMORY, largest_queue(pct), memory);
    }
}

unsigned pct_check(const struct pct *pct, uint64_t memory,
                   struct pct_fault *faults, unsigned max)
{
    struct report report = { .faults = faults, .max = max };

    if (pct->nr_partitions == 0 || pct->nr_partitions > PCT_MAX_NUM_GUESTS) {
        fault(&report, PCT_RULE_PARTITION_COUNT, 0, pct->nr_partitions);
    }
    if (pct->nr_queues == 0 || pct->nr_queues > PCT_MAX_NUM_IVC_QUEUES) {
        fault(&report, PCT_RULE_QUEUE_COUNT, 0, pct->nr_queues);
    }
    if (pct->nr_c2c > PCT_MAX_NUM_C2C) {
        fault(&report, PCT_RULE_C2C_COUNT, 0, pct->nr_c2c);
    }
    if (report.count != 0) {
        return report.count;    /* the counts bound the loops below */
    }

    for (uint32_t i = 0; i < pct->nr_partitions; i++) {
        check_partition_id(pct, i, &report);
        check_partition_name(pct, i, &report);
        check_partition_twice(pct, i, &report);
    }
    if (report.count != 0) {
        return report.count;    /* what follows is judged against them */
    }
    for (uint32_t i = 0; i < pct->nr_queues; i++) {
        check_queue_id(pct, i, &report);
        check_queue_twice(pct, i, &report);
        check_peers(pct, i, &report);
        check_nframes(pct, i, &report);
        check_frame_size(pct, i, &report);
        check_queue_size(pct, i, &report);
        check_loopback(pct, i, &report);
    }
    for (uint32_t i = 0; i < pct->nr_c2c; i++) {
        check_c2c_device(pct, i, &report);
        check_c2c_twice(pct, i, &report);
        check_c2c_owner(pct, i, &report);
        check_c2c_remote(pct, i, &report);
        check_c2c_nframes(pct, i, &report);
        check_c2c_frame_size(pct, i, &report);
        check_c2c_size(pct, i, &report);
    }
    if (report.count == 0) {
        check_memory(pct, memory, &report);
    }
    return report.count;
}

static const char *const rule_names[PCT_NR_RULES] = {
    [PCT_OK] = "ok",
    [PCT_RULE_PARTITION_COUNT] = "partition-count",
    [PCT_RULE_PARTITION_ID] = "partition-id",
    [PCT_RULE_PARTITION_NAME] = "partition-name",
    [PCT_RULE_PARTITION_TWICE] = "partition-twice",
    [PCT_RULE_QUEUE_COUNT] = "queue-count",
    [PCT_RULE_QUEUE_ID] = "queue-id",
    [PCT_RULE_QUEUE_TWICE] = "queue-twice",
    [PCT_RULE_PEERS] = "peers",
    [PCT_RULE_NFRAMES] = "nframes",
    [PCT_RULE_FRAME_SIZE] = "frame-size",
    [PCT_RULE_QUEUE_SIZE] = "queue-size",
    [PCT_RULE_LOOPBACK] = "loopback",
    [PCT_RULE_C2C_COUNT] = "c2c-count",
    [PCT_RULE_C2C_DEVICE] = "c2c-device",
    [PCT_RULE_C2C_TWICE] = "c2c-twice",
    [PCT_RULE_C2C_OWNER] = "c2c-owner",
    [PCT_RULE_C2C_REMOTE] = "c2c-remote",
    [PCT_RULE_C2C_NFRAMES] = "nframes",
    [PCT_RULE_C2C_FRAME_SIZE] = "frame-size",
    [PCT_RULE_C2C_SIZE] = "c2c-size",
    [PCT_RULE_MEMORY] = "memory",
};

const char *pct_rule_name(enum pct_rule rule)
{
    return (unsigned)rule < PCT_NR_RULES ? rule_names[rule] : "unknown";
}

/* A name that may be printed. */
static const char *printable(const struct pct_partition *partition)
{
    return partition != NULL && is_name(partition->name) ? partition->name
                                                         : "?";
}

/* "GID_A (2), GID_B (3)" */
static void list_partitions(const struct pct *pct, char *text, size_t size)
{
    size_t length = 0;

    text[0] = '\0';
    for (uint32_t i = 0; i < pct->nr_partitions && length < size; i++) {
        const struct pct_partition *partition = &pct->partitions[i];

        length += (size_t)snprintf(text + length, size - length,
                                   "%s%s (%" PRIu32 ")", i == 0 ? "" : ", ",
                                   printable(partition), partition->id);
    }
}

static int partition_text(const struct pct *pct, const struct pct_fault *f,
                          char *text, size_t size)
{
    const struct pct_partition *partition = &pct->partitions[f->index];
    const struct pct_partition *other;

    switch (f->rule) {
    case PCT_RULE_PARTITION_ID:
        return snprintf(text, size, "partition %s: rule partition-id: %" PRIu64
                        " is too large; use an id from 0 to %u",
                        printable(partition), f->value,
                        PCT_MAX_NUM_GUESTS - 1);
    case PCT_RULE_PARTITION_NAME:
        return snprintf(text, size, "partition %" PRIu32 ": rule "
                        "partition-name: its name is no name; use letters, "
                        "digits and _, at most %u, not a digit first",
                        partition->id, PCT_NAME_SIZE - 1);
    default:
        other = &pct->partitions[f->value];
        return snprintf(text, size, "partition %s: rule partition-twice: "
                        "%s (%" PRIu32 ") has the same %s; give each its own",
                        printable(partition), printable(other), other->id,
                        other->id == partition->id ? "id" : "name");
    }
}

static int nframes_text(const char *what, uint32_t id, char *text, size_t size)
{
    return snprintf(text, size, "%s %" PRIu32 ": rule nframes: 0 frames; use "
                    "at least 1", what, id);
}

/* The advice is rounded up, but to no more than most. */
static int frame_size_text(const char *what, uint32_t id, uint32_t frame_size,
                           uint32_t most, char *text, size_t size)
{
    uint64_t up = ((uint64_t)frame_size / IVC_FRAME_ALIGN + 1) *
                  IVC_FRAME_ALIGN;

    if (frame_size == 0) {
        return snprintf(text, size, "%s %" PRIu32 ": rule frame-size: 0 "
                        "bytes; use a multiple of %u", what, id,
                        IVC_FRAME_ALIGN);
    }
    return snprintf(text, size, "%s %" PRIu32 ": rule frame-size: %" PRIu32
                    " is not a multiple of %u; use %" PRIu64, what, id,
                    frame_size, IVC_FRAME_ALIGN, up < most ? up : most);
}

static int queue_size_text(const struct pct_queue *queue, uint64_t bytes,
                           char *text, size_t size)
{
    uint32_t most = (UINT32_MAX - IVC_DIRECTION_HEADER) / queue->frame_size;
    char advice[64] = "use smaller frames";

    if (most != 0) {
        snprintf(advice, sizeof(advice), "use at most %" PRIu32 " frames of "
                 "that size", most);
    }
    return snprintf(text, size, "queue %" PRIu32 ": rule queue-size: %" PRIu32
                    " * %" PRIu32 " + %u bytes are %" PRIu64 ", not less than "
                    "2^32; %s", queue->id, queue->nframes, queue->frame_size,
                    IVC_DIRECTION_HEADER, bytes + IVC_DIRECTION_HEADER, advice);
}

static int loopback_text(const struct pct *pct, const struct pct_queue *queue,
                         char *text, size_t size)
{
    const struct pct_queue *other = pct_find_queue(pct, queue->id ^ 1);
    const char *name = printable(pct_find_partition(pct, queue->peers[0]));

    if (other == NULL || other->peers[0] != queue->peers[0] ||
        other->peers[1] != queue->peers[1]) {
        return snprintf(text, size, "queue %" PRIu32 ": rule loopback: it is "
                        "a loopback of %s, but its other end, queue %" PRIu32
                        ", %s; give both the peers {%s, %s}", queue->id, name,
                        queue->id ^ 1, other == NULL ? "is not there"
                                                     : "has other peers",
                        name, name);
    }
    return snprintf(text, size, "queue %" PRIu32 ": rule loopback: %" PRIu32
                    " x %" PRIu32 " bytes, but its other end, queue %" PRIu32
                    ", has %" PRIu32 " x %" PRIu32 "; make them equal",
                    queue->id, queue->nframes, queue->frame_size, other->id,
                    other->nframes, other->frame_size);
}

static int memory_text(const struct pct *pct, const struct pct_queue *queue,
                       uint64_t memory, char *text, size_t size)
{
    const uint64_t mib = 1024 * 1024;
    uint64_t total = pct_layout_total(pct);

    return snprintf(text, size, "queue %" PRIu32 ": rule memory: the table "
                    "needs %" PRIu64 " bytes of shared memory (this queue, "
                    "the largest, %" PRIu64 "), and there are %" PRIu64
                    "; make queues smaller or give it %" PRIu64 " MiB",
                    queue->id, total, pct_area_size(queue), memory,
                    (total + mib - 1) / mib);
}

static int queue_text(const struct pct *pct, const struct pct_fault *f,
                      char *text, size_t size)
{
    const struct pct_queue *queue = &pct->queues[f->index];
    char names[PCT_MAX_NUM_GUESTS * (PCT_NAME_SIZE + 16)];

    switch (f->rule) {
    case PCT_RULE_QUEUE_ID:
        return snprintf(text, size, "queue %" PRIu32 ": rule queue-id: %"
                        PRIu64 " is too large; use an id from 0 to %u",
                        queue->id, f->value, PCT_MAX_NUM_IVC_QUEUES - 1);
    case PCT_RULE_QUEUE_TWICE:
        if (f->value == queue->id) {
            return snprintf(text, size, "queue %" PRIu32 ": rule queue-twice: "
                            "id %" PRIu64 " is given twice; give each queue "
                            "its own", queue->id, f->value);
        }
        return snprintf(text, size, "queue %" PRIu32 ": rule queue-twice: it "
                        "stands after %" PRIu64 "; order queues by id",
                        queue->id, f->value);
    case PCT_RULE_PEERS:
        list_partitions(pct, names, sizeof(names));
        return snprintf(text, size, "queue %" PRIu32 ": rule peers: %" PRIu64
                        " is no partition; use two of %s", queue->id, f->value,
                        names);
    case PCT_RULE_NFRAMES:
        return nframes_text("queue", queue->id, text, size);
    case PCT_RULE_FRAME_SIZE:
        return frame_size_text("queue", queue->id, queue->frame_size,
                               UINT32_MAX - IVC_FRAME_ALIGN + 1, text, size);
    case PCT_RULE_QUEUE_SIZE:
        return queue_size_text(queue, f->value, text, size);
    case PCT_RULE_LOOPBACK:
        return loopback_text(pct, queue, text, size);
    default:
        return memory_text(pct, queue, f->value, text, size);
    }
}

static int c2c_size_text(const struct pct_c2c *c2c, uint64_t bytes,
                         char *text, size_t size)
{
    if (c2c->frame_size > PCT_C2C_MAX_FRAME_SIZE) {
        return snprintf(text, size, "c2c device %" PRIu32 ": rule c2c-size: "
                        "frames of %" PRIu32 " bytes; use at most %u",
                        c2c->device, c2c->frame_size, PCT_C2C_MAX_FRAME_SIZE);
    }
    return snprintf(text, size, "c2c device %" PRIu32 ": rule c2c-size: %"
                    PRIu32 " * %" PRIu32 " + %u bytes are %" PRIu64 ", more "
                    "than %u; use at most %" PRIu32 " frames of that size",
                    c2c->device, c2c->nframes, c2c->frame_size,
                    IVC_DIRECTION_HEADER, bytes + IVC_DIRECTION_HEADER,
                    PCT_C2C_MAX_SIZE,
                    (PCT_C2C_MAX_SIZE - IVC_DIRECTION_HEADER) /
                        c2c->frame_size);
}

static int c2c_text(const struct pct *pct, const struct pct_fault *f,
                    char *text, size_t size)
{
    const struct pct_c2c *c2c = &pct->c2c[f->index];
    char names[PCT_MAX_NUM_GUESTS * (PCT_NAME_SIZE + 16)];

    switch (f->rule) {
    case PCT_RULE_C2C_DEVICE:
        return snprintf(text, size, "c2c device %" PRIu32 ": rule c2c-device: "
                        "%" PRIu64 " is too large; use a number from 0 to %u",
                        c2c->device, f->value, PCT_C2C_MAX_DEVICE);
    case PCT_RULE_C2C_TWICE:
        if (f->value == c2c->device) {
            return snprintf(text, size, "c2c device %" PRIu32 ": rule "
                            "c2c-twice: number %" PRIu64 " is given twice; "
                            "give each device its own", c2c->device, f->value);
        }
        return snprintf(text, size, "c2c device %" PRIu32 ": rule c2c-twice: "
                        "it stands after %" PRIu64 "; order devices by number",
                        c2c->device, f->value);
    case PCT_RULE_C2C_OWNER:
        list_partitions(pct, names, sizeof(names));
        return snprintf(text, size, "c2c device %" PRIu32 ": rule c2c-owner: "
                        "%" PRIu64 " is no partition; use one of %s",
                        c2c->device, f->value, names);
    case PCT_RULE_C2C_REMOTE:
        return snprintf(text, size, "c2c device %" PRIu32 ": rule c2c-remote: "
                        "%" PRIu64 " is too large; use the far chip's device "
                        "number, from 0 to %u", c2c->device, f->value,
                        PCT_C2C_MAX_DEVICE);
    case PCT_RULE_C2C_NFRAMES:
        return nframes_text("c2c device", c2c->device, text, size);
    case PCT_RULE_C2C_FRAME_SIZE:
        return frame_size_text("c2c device", c2c->device, c2c->frame_size,
                               PCT_C2C_MAX_FRAME_SIZE, text, size);
    default:
        return c2c_size_text(c2c, f->value, text, size);
    }
}

int pct_fault_text(const struct pct *pct, const struct pct_fault *f,
                   char *text, size_t size)
{
    switch (f->rule) {
    case PCT_OK:
    case PCT_NR_RULES:
        return snprintf(text, size, "no fault");
    case PCT_RULE_PARTITION_COUNT:
        return snprintf(text, size, "rule partition-count: %" PRIu64
                        " partitions; give 1 to %u", f->value,
                        PCT_MAX_NUM_GUESTS);
    case PCT_RULE_QUEUE_COUNT:
        return snprintf(text, size, "rule queue-count: %" PRIu64 " queues; "
                        "give 1 to %u", f->value, PCT_MAX_NUM_IVC_QUEUES);
    case PCT_RULE_C2C_COUNT:
        return snprintf(text, size, "rule c2c-count: %" PRIu64 " c2c devices; "
                        "give at most %u", f->value, PCT_MAX_NUM_C2C);
    case PCT_RULE_PARTITION_ID:
    case PCT_RULE_PARTITION_NAME:
    case PCT_RULE_PARTITION_TWICE:
        return partition_text(pct, f, text, size);
    case PCT_RULE_C2C_DEVICE:
    case PCT_RULE_C2C_TWICE:
    case PCT_RULE_C2C_OWNER:
    case PCT_RULE_C2C_REMOTE:
    case PCT_RULE_C2C_NFRAMES:
    case PCT_RULE_C2C_FRAME_SIZE:
    case PCT_RULE_C2C_SIZE:
        return c2c_text(pct, f, text, size);
    default:
        return queue_text(pct, f, text, size);
    }
}
