/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of hv_ivc.ko share: the checked table of queues, and the
 * device as the nodes see it.
 */
#ifndef HV_IVC_H
#define HV_IVC_H

#include <linux/types.h>

struct device;
struct pci_dev;
struct resource;

#define IVC_MAX_QUEUES 512	/* ids are below it */
#define IVC_MAX_GUESTS 16	/* partition ids are below it */
#define IVC_MAX_C2C 100		/* device numbers are below it */

#define IVC_MINORS (IVC_MAX_QUEUES + IVC_MAX_C2C)

/* All that the two PCI devices differ in for us. */
struct ivc_kind {
	const char *name;	/* of a node, before its number */
	unsigned int minor;	/* of number 0 */
	u32 nr_ids;		/* numbers are below it */
	u32 first_peer;		/* what the info page adds to the far end's */
	u32 nr_peers;		/* the far end's are below it */
	bool near_first;	/* the near end is always the first of peers[] */
	u32 device_id;		/* what the register ID says */
};

extern const struct ivc_kind ivc_kind_soc;	/* hv-ivc: within the SoC */
extern const struct ivc_kind ivc_kind_chip;	/* hv-c2c: to other chips */

/* One queue as this guest sees it. Checked, and constant from then on. */
struct ivc_queue_info {
	u32 id;
	u32 peer;		/* far end's partition id, or device number */
	u32 nframes;
	u32 frame_size;
	u32 offset;		/* of the queue in its area */
	u32 size;		/* of one direction */
	u32 area_size;
	u64 area;		/* guest-physical */
	u64 noti;		/* guest-physical, of its notification page */
	u16 noti_slot;		/* as the info page numbers it */
	u16 noti_type;		/* NVIPC_IVC_NOTI_* */
	u16 vector;		/* MSI-X */
	bool loopback;
	bool rx_first;
};

/* What the info page is held against. */
struct ivc_info_limits {
	const struct ivc_kind *kind;
	u32 partition;		/* ours */
	u32 nr_queues;
	const struct resource *areas;
	const struct resource *noti;
};

/*
 * Checks a private copy of the info page and fills table[limits->nr_queues].
 * Any bytes at all may be in it. Returns 0, or -EINVAL after one dev_err.
 */
int ivc_info_parse(struct device *dev, const void *page, size_t size,
		   const struct ivc_info_limits *limits,
		   struct ivc_queue_info *table);

struct ivc_device {
	struct pci_dev *pdev;
	const struct ivc_kind *kind;
	u32 partition;
	void __iomem *regs;	/* BAR 0 */
	void __iomem *noti;	/* BAR 4 */
	u32 nr_queues;
	struct ivc_queue_info queues[];
};

int ivc_chrdev_init(void);
void ivc_chrdev_exit(void);

/* Makes the node of a slot. It goes away with the PCI device (devres). */
int ivc_chrdev_add(struct ivc_device *ivc, unsigned int slot);

#endif
