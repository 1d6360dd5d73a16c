/* SPDX-License-Identifier: MIT */
/* Where everything lies: the only place that adds offsets. */
#include "pct_layout.h"

#include <string.h>

#include "ivc_geometry.h"
#include "ivc_info_page.h"

/* The odd queue of a loopback pair lies in the area of the even one. */
static bool shares_area(const struct pct_queue *queue)
{
    return queue->peers[0] == queue->peers[1] && queue->id % 2 == 1;
}

uint64_t pct_area_size(const struct pct_queue *queue)
{
    uint64_t both = 2 * (uint64_t)ivc_direction_size(queue->nframes,
                                                     queue->frame_size);

    return (both + PCT_AREA_ALIGN - 1) / PCT_AREA_ALIGN * PCT_AREA_ALIGN;
}

uint64_t pct_layout_total(const struct pct *pct)
{
    uint64_t total = PCT_BOARD_SIZE;

    for (uint32_t i = 0; i < pct->nr_queues; i++) {
        if (!shares_area(&pct->queues[i])) {
            total += pct_area_size(&pct->queues[i]);
        }
    }
    return total;
}

/* FNV-1a, fed with words as little-endian bytes. */
static uint64_t digest_word(uint64_t digest, uint32_t word)
{
    for (int i = 0; i < 4; i++) {
        digest ^= (word >> (8 * i)) & 0xff;
        digest *= UINT64_C(0x100000001b3);
    }
    return digest;
}

static uint64_t digest_of(const struct pct *pct)
{
    uint64_t digest = UINT64_C(0xcbf29ce484222325);

    digest = digest_word(digest, PCT_LAYOUT_VERSION);
    digest = digest_word(digest, pct->nr_partitions);
    for (uint32_t i = 0; i < pct->nr_partitions; i++) {
        const struct pct_partition *partition = &pct->partitions[i];
        /* With its NUL, so that no two lists of names look the same. */
        size_t length = strnlen(partition->name, PCT_NAME_SIZE - 1) + 1;

        digest = digest_word(digest, partition->id);
        for (size_t c = 0; c < length; c++) {
            digest = digest_word(digest, (uint8_t)partition->name[c]);
        }
    }
    digest = digest_word(digest, pct->nr_queues);
    for (uint32_t i = 0; i < pct->nr_queues; i++) {
        const struct pct_queue *queue = &pct->queues[i];

        digest = digest_word(digest, queue->id);
        digest = digest_word(digest, queue->peers[0]);
        digest = digest_word(digest, queue->peers[1]);
        digest = digest_word(digest, queue->nframes);
        digest = digest_word(digest, queue->frame_size);
        digest = digest_word(digest, queue->use_msi);
    }
    return digest == 0 ? 1 : digest;
}

/*
 * One for the board and one a queue, as far as the server can carry them: it
 * greets a QEMU with the eventfds of all QEMUs at once and drops what the
 * socket's buffer does not hold, some 278 messages. There is room for one QEMU
 * more than partitions, for one that has died and is not yet seen as dead.
 */
static uint32_t nr_vectors(const struct pct *pct)
{
    uint32_t nr = PCT_MAX_GREETING / (pct->nr_partitions + 1);

    if (nr < PCT_MIN_VECTORS) {
        nr = PCT_MIN_VECTORS;
    }
    if (nr > PCT_MAX_VECTORS) {
        nr = PCT_MAX_VECTORS;
    }
    return nr < 1 + pct->nr_queues ? nr : 1 + pct->nr_queues;
}

void pct_layout(const struct pct *pct, struct pct_layout *layout)
{
    uint64_t next = PCT_BOARD_SIZE;
    uint32_t lanes;     /* vectors that carry doorbells */

    memset(layout, 0, sizeof(*layout));
    layout->nr_vectors = nr_vectors(pct);
    lanes = layout->nr_vectors - 1;

    for (uint32_t i = 0; i < pct->nr_queues; i++) {
        const struct pct_queue *queue = &pct->queues[i];
        struct pct_queue_place *place = &layout->places[i];

        place->size = ivc_direction_size(queue->nframes, queue->frame_size);
        place->offset = 0;
        place->area_size = pct_area_size(queue);
        if (i > 0 && shares_area(queue)) {
            /* Ids rise and pairs are complete: the even one is before us. */
            place->area = layout->places[i - 1].area;
        } else {
            place->area = next;
            next += place->area_size;
        }
        place->vector = 1 + i % lanes;
        place->bit = i / lanes;
    }
    layout->total = next;
    layout->digest = digest_of(pct);
}

/* The index of queue id in a table that has it near index i (a loopback). */
static uint32_t far_end(const struct pct *pct, uint32_t i)
{
    if (pct->queues[i].peers[0] != pct->queues[i].peers[1]) {
        return i;
    }
    return pct->queues[i].id % 2 == 0 ? i + 1 : i - 1;
}

void pct_view(const struct pct *pct, const struct pct_layout *layout,
              uint32_t partition, struct pct_view *view)
{
    memset(view, 0, sizeof(*view));
    view->partition = partition;

    for (uint32_t i = 0; i < pct->nr_queues; i++) {
        const struct pct_queue *queue = &pct->queues[i];
        bool loopback = queue->peers[0] == queue->peers[1];
        struct pct_slot *slot = &view->slots[view->nr_slots];

        view->slot_of[i] = -1;
        if (queue->peers[0] != partition && queue->peers[1] != partition) {
            continue;
        }
        view->slot_of[i] = (int16_t)view->nr_slots++;
        slot->queue = i;
        slot->far_queue = far_end(pct, i);
        if (loopback) {
            slot->side = 0;
            slot->far_side = 0;
            slot->peer = partition;
            slot->rx_first = queue->id % 2 == 0;
        } else {
            slot->side = queue->peers[0] == partition ? 0 : 1;
            slot->far_side = 1 - slot->side;
            slot->peer = queue->peers[slot->far_side];
            slot->rx_first = slot->side == 0;
        }
        if (shares_area(queue)) {
            slot->bar_offset = slot[-1].bar_offset;
        } else {
            slot->bar_offset = view->bar_size;
            view->bar_size += layout->places[i].area_size;
        }
    }
}

void pct_c2c_table(const struct pct *pct, uint32_t partition,
                   struct pct *table)
{
    memset(table, 0, sizeof(*table));
    table->nr_partitions = pct->nr_partitions;
    memcpy(table->partitions, pct->partitions, sizeof(table->partitions));
    for (uint32_t i = 0; i < pct->nr_c2c; i++) {
        const struct pct_c2c *c2c = &pct->c2c[i];

        if (c2c->owner == partition) {
            table->queues[table->nr_queues++] = (struct pct_queue) {
                .id = c2c->device,
                .peers = { partition, IVC_INFO_C2C_PEER + c2c->remote },
                .nframes = c2c->nframes,
                .frame_size = c2c->frame_size,
            };
        }
    }
}

int pct_view_slot(const struct pct *pct, const struct pct_layout *layout,
                  const struct pct_view *view, unsigned vector, unsigned bit)
{
    uint32_t lanes = layout->nr_vectors - 1;
    uint64_t i;

    /* A peer's stray bits come here: only what pct_layout() gave out. */
    if (vector == PCT_BOARD_VECTOR || vector > lanes) {
        return -1;
    }
    i = (uint64_t)bit * lanes + vector - 1;
    return i < pct->nr_queues ? view->slot_of[i] : -1;
}
