// SPDX-License-Identifier: GPL-2.0-only
/*
 * The IVC info page -> the private table of queues.
 *
 * The device is not trusted to be right: every number is checked here, once,
 * and only the table is used from then on. Sums are done in 64 bits.
 */
#include <linux/device.h>
#include <linux/errno.h>
#include <linux/ioport.h>
#include <linux/limits.h>
#include <linux/types.h>
#include <asm/byteorder.h>

#include "hv_ivc.h"
#include "hv_ivc_regs.h"
#include "ivc_geometry.h"
#include "ivc_info_page.h"
#include "uapi/nvipc_ivc.h"

/* The page is little-endian, whatever the guest is. */
#define PAGE_U16(field) le16_to_cpup((const __le16 *)&(field))
#define PAGE_U32(field) le32_to_cpup((const __le32 *)&(field))
#define PAGE_U64(field) le64_to_cpup((const __le64 *)&(field))

const struct ivc_kind ivc_kind_soc = {
	.name = "ivc",
	.minor = 0,
	.nr_ids = IVC_MAX_QUEUES,
	.first_peer = 0,
	.nr_peers = IVC_MAX_GUESTS,
	.near_first = false,
	.device_id = HV_IVC_ID,
};

const struct ivc_kind ivc_kind_chip = {
	.name = "c2c",
	.minor = IVC_MAX_QUEUES,
	.nr_ids = IVC_MAX_C2C,
	.first_peer = IVC_INFO_C2C_PEER,
	.nr_peers = IVC_MAX_C2C,
	.near_first = true,
	.device_id = HV_C2C_ID,
};

static bool ivc_info_inside(const struct resource *bar, u64 start, u64 size)
{
	return size != 0 && start >= bar->start && start <= bar->end &&
	       size - 1 <= bar->end - start;
}

/* Who the ends are, and which of them we are. */
static int ivc_info_ends(struct device *dev,
			 const struct tegra_hv_queue_data *data,
			 const struct ivc_kind *kind, u32 partition,
			 struct ivc_queue_info *queue)
{
	u32 id = PAGE_U32(data->id);
	u32 peers[2] = { PAGE_U32(data->peers[0]), PAGE_U32(data->peers[1]) };
	u32 peer;

	if (id >= kind->nr_ids) {
		dev_err(dev, "queue %u: ids are below %u\n", id, kind->nr_ids);
		return -EINVAL;
	}
	if (peers[0] != partition &&
	    (kind->near_first || peers[1] != partition)) {
		dev_err(dev, "queue %u: peers %u and %u, we are %u\n", id,
			peers[0], peers[1], partition);
		return -EINVAL;
	}
	queue->id = id;
	peer = peers[0] == partition ? peers[1] : peers[0];
	if (peer < kind->first_peer ||
	    peer - kind->first_peer >= kind->nr_peers) {
		dev_err(dev, "queue %u: peer %u, they are %u to %u\n", id, peer,
			kind->first_peer,
			kind->first_peer + kind->nr_peers - 1);
		return -EINVAL;
	}
	queue->peer = peer - kind->first_peer;
	/* Never of a channel to another chip: no partition is such a peer. */
	queue->loopback = peers[0] == peers[1];
	/* Of a loopback pair the even one receives in the first direction. */
	queue->rx_first = queue->loopback ? id % 2 == 0 :
					    peers[0] == partition;
	return 0;
}

static int ivc_info_geometry(struct device *dev,
			     const struct tegra_hv_queue_data *data,
			     struct ivc_queue_info *queue)
{
	u32 nframes = PAGE_U32(data->nframes);
	u32 frame_size = PAGE_U32(data->frame_size);
	u32 size = PAGE_U32(data->size);

	if (!ivc_geometry_ok(nframes, frame_size)) {
		dev_err(dev, "queue %u: %u frames of %u bytes are not a queue\n",
			queue->id, nframes, frame_size);
		return -EINVAL;
	}
	if (size != ivc_direction_size(nframes, frame_size)) {
		dev_err(dev, "queue %u: size %u, its frames take %u\n",
			queue->id, size,
			ivc_direction_size(nframes, frame_size));
		return -EINVAL;
	}
	queue->nframes = nframes;
	queue->frame_size = frame_size;
	queue->size = size;
	return 0;
}

/* The area, and the queue in it. After its geometry. */
static int ivc_info_area(struct device *dev, const struct ivc_shared_area *area,
			 const struct tegra_hv_queue_data *data,
			 const struct ivc_info_limits *limits,
			 struct ivc_queue_info *queue)
{
	const struct resource *bar = limits->areas;
	u32 guest = PAGE_U32(area->guest);
	u64 pa = PAGE_U64(area->pa);
	u64 size = PAGE_U64(area->size);
	u32 offset = PAGE_U32(data->offset);

	if (pa % HV_IVC_PAGE != 0 || size % HV_IVC_PAGE != 0) {
		dev_err(dev, "queue %u: area 0x%llx, size 0x%llx is not aligned to 0x%x\n",
			queue->id, pa, size, HV_IVC_PAGE);
		return -EINVAL;
	}
	/* nvipc_ivc_info holds the size in 32 bits. */
	if (size > U32_MAX || !ivc_info_inside(bar, pa, size)) {
		dev_err(dev, "queue %u: area 0x%llx, size 0x%llx is not in %pR\n",
			queue->id, pa, size, bar);
		return -EINVAL;
	}
	if (guest != limits->kind->first_peer + queue->peer) {
		dev_err(dev, "queue %u: area shared with %u, the peer is %u\n",
			queue->id, guest,
			limits->kind->first_peer + queue->peer);
		return -EINVAL;
	}
	if (offset % IVC_FRAME_ALIGN != 0 ||
	    offset + 2 * (u64)queue->size > size) {
		dev_err(dev, "queue %u: offset 0x%x does not fit its area of 0x%llx bytes\n",
			queue->id, offset, size);
		return -EINVAL;
	}
	queue->area = pa;
	queue->area_size = size;
	queue->offset = offset;
	return 0;
}

/* How the peer rings us, and we the peer. */
static int ivc_info_notification(struct device *dev,
				 const struct tegra_hv_queue_data *data,
				 const struct ivc_info_limits *limits,
				 struct ivc_queue_info *queue)
{
	u64 trap = PAGE_U64(data->trap_ipa);
	u64 msi = PAGE_U64(data->msi_ipa);
	u64 noti = trap ? trap : msi;
	u16 vector = PAGE_U16(data->irq);

	if (!noti || (trap && msi)) {
		dev_err(dev, "queue %u: trap 0x%llx and MSI 0x%llx, one must be 0\n",
			queue->id, trap, msi);
		return -EINVAL;
	}
	if (noti % HV_IVC_PAGE != 0 ||
	    !ivc_info_inside(limits->noti, noti, HV_IVC_PAGE)) {
		dev_err(dev, "queue %u: notification page 0x%llx is not in %pR\n",
			queue->id, noti, limits->noti);
		return -EINVAL;
	}
	if (vector >= limits->nr_queues) {
		dev_err(dev, "queue %u: vector %u of %u\n", queue->id, vector,
			limits->nr_queues);
		return -EINVAL;
	}
	queue->noti = noti;
	queue->noti_type = trap ? NVIPC_IVC_NOTI_TRAP : NVIPC_IVC_NOTI_MSI;
	queue->noti_slot = PAGE_U16(data->raise_irq);
	queue->vector = vector;
	return 0;
}

static int ivc_info_queue(struct device *dev, const struct ivc_shared_area *area,
			  const struct tegra_hv_queue_data *data,
			  const struct ivc_info_limits *limits,
			  struct ivc_queue_info *queue)
{
	int err;

	err = ivc_info_ends(dev, data, limits->kind, limits->partition, queue);
	if (err)
		return err;
	err = ivc_info_geometry(dev, data, queue);
	if (err)
		return err;
	err = ivc_info_area(dev, area, data, limits, queue);
	if (err)
		return err;
	return ivc_info_notification(dev, data, limits, queue);
}

static bool ivc_info_overlap(const struct ivc_queue_info *a,
			     const struct ivc_queue_info *b)
{
	return a->area < b->area + b->area_size &&
	       b->area < a->area + a->area_size;
}

/* Whether two ids are each other's far end. */
static bool ivc_info_paired(const struct ivc_queue_info *a,
			    const struct ivc_queue_info *b)
{
	return a->loopback && b->loopback && a->id == (b->id ^ 1);
}

/* Two queues hold nothing in common, but a loopback pair its whole area. */
static int ivc_info_pair(struct device *dev, const struct ivc_queue_info *a,
			 const struct ivc_queue_info *b)
{
	if (a->id == b->id) {
		dev_err(dev, "queue %u: given twice\n", a->id);
		return -EINVAL;
	}
	if (a->vector == b->vector) {
		dev_err(dev, "queue %u: has vector %u, as queue %u\n", a->id,
			a->vector, b->id);
		return -EINVAL;
	}
	if (a->noti == b->noti) {
		dev_err(dev, "queue %u: has notification page 0x%llx, as queue %u\n",
			a->id, a->noti, b->id);
		return -EINVAL;
	}
	if (ivc_info_paired(a, b)) {
		if (a->area != b->area || a->area_size != b->area_size ||
		    a->offset != b->offset || a->nframes != b->nframes ||
		    a->frame_size != b->frame_size) {
			dev_err(dev, "queue %u: loopback with %u, and not the same area and geometry\n",
				a->id, b->id);
			return -EINVAL;
		}
	} else if (ivc_info_overlap(a, b)) {
		dev_err(dev, "queue %u: area 0x%llx overlaps that of queue %u, 0x%llx\n",
			a->id, a->area, b->id, b->area);
		return -EINVAL;
	}
	return 0;
}

/* At most 512 queues, once a boot: every pair is looked at. */
static int ivc_info_pairs(struct device *dev, const struct ivc_queue_info *table,
			  u32 nr)
{
	u32 i, j;
	int err;

	for (i = 0; i < nr; i++) {
		bool paired = !table[i].loopback;

		for (j = 0; j < nr; j++) {
			if (j < i) {
				err = ivc_info_pair(dev, &table[i], &table[j]);
				if (err)
					return err;
			}
			paired |= ivc_info_paired(&table[i], &table[j]);
		}
		if (!paired) {
			dev_err(dev, "queue %u: loopback without queue %u\n",
				table[i].id, table[i].id ^ 1);
			return -EINVAL;
		}
	}
	return 0;
}

int ivc_info_parse(struct device *dev, const void *page, size_t size,
		   const struct ivc_info_limits *limits,
		   struct ivc_queue_info *table)
{
	const struct ivc_info_page *head = page;
	const struct ivc_shared_area *areas;
	const struct tegra_hv_queue_data *queues;
	u32 nr = limits->nr_queues;
	u64 need;
	u32 i;
	int err;

	if (size < sizeof(*head)) {
		dev_err(dev, "info page: %zu bytes, its head takes %zu\n", size,
			sizeof(*head));
		return -EINVAL;
	}
	if (nr == 0 || nr > limits->kind->nr_ids) {
		dev_err(dev, "%u queues, 1 to %u are possible\n", nr,
			limits->kind->nr_ids);
		return -EINVAL;
	}
	if (limits->partition >= IVC_MAX_GUESTS) {
		dev_err(dev, "partition %u, they are 0 to %u\n",
			limits->partition, IVC_MAX_GUESTS - 1);
		return -EINVAL;
	}
	/* areas[i] is that of queues[i]. */
	if (PAGE_U32(head->nr_queues) != nr || PAGE_U32(head->nr_areas) != nr) {
		dev_err(dev, "info page: %u queues and %u areas, the device has %u queues\n",
			PAGE_U32(head->nr_queues), PAGE_U32(head->nr_areas),
			nr);
		return -EINVAL;
	}
	need = sizeof(*head) + (u64)nr * (sizeof(*areas) + sizeof(*queues)) +
	       (u64)PAGE_U32(head->nr_mempools) * sizeof(struct ivc_mempool);
	if (need > size) {
		dev_err(dev, "info page: %zu bytes, its tables take %llu\n",
			size, need);
		return -EINVAL;
	}

	areas = (const void *)(head + 1);
	queues = (const void *)(areas + nr);
	for (i = 0; i < nr; i++) {
		err = ivc_info_queue(dev, &areas[i], &queues[i], limits,
				     &table[i]);
		if (err)
			return err;
	}
	return ivc_info_pairs(dev, table, nr);
}
