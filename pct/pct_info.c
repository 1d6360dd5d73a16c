/* SPDX-License-Identifier: MIT */
/* The bytes of the IVC info page; the device calls again when a BAR moves. */
#include "pct_info.h"

#include <string.h>

static_assert(sizeof(struct ivc_info_page) + PCT_MAX_NUM_IVC_QUEUES *
              (sizeof(struct ivc_shared_area) +
               sizeof(struct tegra_hv_queue_data)) <= IVC_INFO_PAGE_SIZE,
              "the largest table fits the info page");

/* Little-endian, whatever the host is. */
static void put(uint8_t *at, uint64_t value, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        at[i] = (uint8_t)(value >> (8 * i));
    }
}

#define PUT(record, type, member, value) \
    put((record) + offsetof(type, member), (value), \
        sizeof(((type *)NULL)->member))

size_t pct_info_size(const struct pct_view *view)
{
    return sizeof(struct ivc_info_page) +
           view->nr_slots * (sizeof(struct ivc_shared_area) +
                             sizeof(struct tegra_hv_queue_data));
}

static void put_head(uint8_t *page, uint32_t nr_slots, uint64_t noti_base,
                     uint64_t noti_stride)
{
    PUT(page, struct ivc_info_page, nr_queues, nr_slots);
    PUT(page, struct ivc_info_page, nr_areas, nr_slots);
    PUT(page, struct ivc_info_page, trap_region_base_ipa, noti_base);
    PUT(page, struct ivc_info_page, trap_region_size, nr_slots * noti_stride);
    PUT(page, struct ivc_info_page, trap_ipa_stride, noti_stride);
    PUT(page, struct ivc_info_page, msi_region_base_ipa, noti_base);
    PUT(page, struct ivc_info_page, msi_region_size, nr_slots * noti_stride);
    PUT(page, struct ivc_info_page, msi_ipa_stride, noti_stride);
}

static void put_area(uint8_t *at, const struct pct_slot *slot,
                     const struct pct_queue_place *place, uint64_t area_base)
{
    PUT(at, struct ivc_shared_area, pa, area_base + slot->bar_offset);
    PUT(at, struct ivc_shared_area, size, place->area_size);
    PUT(at, struct ivc_shared_area, guest, slot->peer);
}

static void put_queue(uint8_t *at, const struct pct_queue *queue,
                      const struct pct_queue_place *place, uint32_t slot,
                      uint64_t noti_page)
{
    PUT(at, struct tegra_hv_queue_data, id, queue->id);
    PUT(at, struct tegra_hv_queue_data, peers[0], queue->peers[0]);
    PUT(at, struct tegra_hv_queue_data, peers[1], queue->peers[1]);
    PUT(at, struct tegra_hv_queue_data, size, place->size);
    PUT(at, struct tegra_hv_queue_data, nframes, queue->nframes);
    PUT(at, struct tegra_hv_queue_data, frame_size, queue->frame_size);
    PUT(at, struct tegra_hv_queue_data, offset, place->offset);
    PUT(at, struct tegra_hv_queue_data, irq, slot);
    PUT(at, struct tegra_hv_queue_data, raise_irq, slot);
    if (queue->use_msi) {
        PUT(at, struct tegra_hv_queue_data, msi_ipa, noti_page);
    } else {
        PUT(at, struct tegra_hv_queue_data, trap_ipa, noti_page);
    }
}

bool pct_info_write(const struct pct *pct, const struct pct_layout *layout,
                    const struct pct_view *view, uint64_t area_base,
                    uint64_t noti_base, uint64_t noti_stride,
                    void *page, size_t size)
{
    uint8_t *areas = (uint8_t *)page + sizeof(struct ivc_info_page);
    uint8_t *queues = areas + view->nr_slots * sizeof(struct ivc_shared_area);

    if (pct_info_size(view) > size) {
        return false;
    }
    memset(page, 0, size);
    put_head(page, view->nr_slots, noti_base, noti_stride);
    for (uint32_t i = 0; i < view->nr_slots; i++) {
        const struct pct_slot *slot = &view->slots[i];
        const struct pct_queue_place *place = &layout->places[slot->queue];

        put_area(areas + i * sizeof(struct ivc_shared_area), slot, place,
                 area_base);
        put_queue(queues + i * sizeof(struct tegra_hv_queue_data),
                  &pct->queues[slot->queue], place, i,
                  noti_base + i * noti_stride);
    }
    return true;
}
