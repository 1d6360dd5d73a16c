// SPDX-License-Identifier: GPL-2.0-only
/*
 * The hv-ivc and hv-c2c PCI functions: BARs, info page, MSI-X vectors; then a
 * node a queue.
 *
 * docs/specs/hv-ivc.md and hv-c2c.md describe them, docs/specs/ioctls.md the
 * nodes. Everything is managed by devres: the nodes go first, the vectors and
 * BARs they use after them.
 */
#include <linux/io.h>
#include <linux/module.h>
#include <linux/overflow.h>
#include <linux/panic_notifier.h>
#include <linux/pci.h>
#include <linux/slab.h>

#include "hv_ivc.h"
#include "hv_ivc_regs.h"
#include "ivc_info_page.h"

static u32 ivc_pci_read(const struct ivc_device *ivc, unsigned int reg)
{
	return readl(ivc->regs + reg);
}

/* The table of a device that says it has nr_queues, for the caller to fill. */
static int ivc_pci_read_info(struct ivc_device *ivc)
{
	struct pci_dev *pdev = ivc->pdev;
	const struct ivc_info_limits limits = {
		.kind = ivc->kind,
		.partition = ivc->partition,
		.nr_queues = ivc->nr_queues,
		.areas = &pdev->resource[HV_IVC_BAR_AREAS],
		.noti = &pdev->resource[HV_IVC_BAR_NOTI],
	};
	u32 offset = ivc_pci_read(ivc, HV_IVC_REG_INFO);
	u32 size = ivc_pci_read(ivc, HV_IVC_REG_INFO_SIZE);
	u64 bar = pci_resource_len(pdev, HV_IVC_BAR_REGS);
	void *page;
	int err;

	if (offset % 4 != 0 || size % 4 != 0 || size == 0 ||
	    size > IVC_INFO_PAGE_SIZE || offset > bar || size > bar - offset) {
		dev_err(&pdev->dev, "info page: offset 0x%x, size 0x%x is not possible\n",
			offset, size);
		return -EINVAL;
	}
	page = kvmalloc(size, GFP_KERNEL);
	if (!page)
		return -ENOMEM;
	/* The device takes 32-bit accesses only. One read: it could change. */
	__ioread32_copy(page, ivc->regs + offset, size / 4);
	err = ivc_info_parse(&pdev->dev, page, size, &limits, ivc->queues);
	kvfree(page);
	return err;
}

static int ivc_pci_check_bars(struct pci_dev *pdev)
{
	static const struct {
		int bar;
		u32 size;
	} bars[] = {
		{ HV_IVC_BAR_REGS, HV_IVC_BAR_REGS_SIZE },
		{ HV_IVC_BAR_AREAS, HV_IVC_PAGE },
		{ HV_IVC_BAR_NOTI, HV_IVC_PAGE },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bars); i++) {
		if (!(pci_resource_flags(pdev, bars[i].bar) & IORESOURCE_MEM) ||
		    pci_resource_len(pdev, bars[i].bar) < bars[i].size) {
			dev_err(&pdev->dev, "BAR %d: no memory, or less than 0x%x bytes\n",
				bars[i].bar, bars[i].size);
			return -ENODEV;
		}
	}
	return 0;
}

static int ivc_pci_check_version(struct device *dev, void __iomem *regs,
				 u32 device_id)
{
	u32 id = readl(regs + HV_IVC_REG_ID);
	u32 version = readl(regs + HV_IVC_REG_VERSION);

	if (id != device_id || version >> 16 != HV_IVC_VERSION >> 16) {
		dev_err(dev, "id 0x%x, version 0x%x; this driver knows 0x%x, 0x%x\n",
			id, version, device_id, HV_IVC_VERSION);
		return -ENODEV;
	}
	return 0;
}

/* BAR 2 is mapped by user space only; the kernel never touches a queue. */
static int ivc_pci_claim_areas(struct pci_dev *pdev)
{
	resource_size_t start = pci_resource_start(pdev, HV_IVC_BAR_AREAS);
	resource_size_t size = pci_resource_len(pdev, HV_IVC_BAR_AREAS);

	if (!devm_request_mem_region(&pdev->dev, start, size,
				     pci_name(pdev))) {
		dev_err(&pdev->dev, "BAR %d is taken: %pR\n", HV_IVC_BAR_AREAS,
			&pdev->resource[HV_IVC_BAR_AREAS]);
		return -EBUSY;
	}
	/*
	 * x86 takes the memory type of a page that a fault maps from whoever
	 * reserved it, and uncached if nobody did: a kernel mapping reserves.
	 */
	if (IS_ENABLED(CONFIG_X86)) {
		void *areas = devm_memremap(&pdev->dev, start, size,
					    MEMREMAP_WB);

		if (IS_ERR(areas)) {
			dev_err(&pdev->dev, "cannot make %pR cacheable: %ld\n",
				&pdev->resource[HV_IVC_BAR_AREAS],
				PTR_ERR(areas));
			return PTR_ERR(areas);
		}
	}
	return 0;
}

struct ivc_panic {
	struct notifier_block notifier;
	void __iomem *regs;
};

/* In whatever context the kernel dies: a store, and nothing that sleeps. */
static int ivc_pci_panic(struct notifier_block *notifier, unsigned long event,
			 void *data)
{
	struct ivc_panic *panic = container_of(notifier, struct ivc_panic,
					       notifier);

	writel(1, panic->regs + HV_IVC_REG_PANIC);
	return NOTIFY_DONE;
}

static void ivc_pci_end_panic(void *data)
{
	struct ivc_panic *panic = data;

	atomic_notifier_chain_unregister(&panic_notifier_list,
					 &panic->notifier);
}

static int ivc_pci_announce_panic(struct device *dev, void __iomem *regs)
{
	struct ivc_panic *panic = devm_kzalloc(dev, sizeof(*panic),
					       GFP_KERNEL);

	if (!panic)
		return -ENOMEM;
	panic->notifier.notifier_call = ivc_pci_panic;
	panic->regs = regs;
	atomic_notifier_chain_register(&panic_notifier_list, &panic->notifier);
	return devm_add_action_or_reset(dev, ivc_pci_end_panic, panic);
}

static int ivc_pci_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	const struct ivc_kind *kind = (const void *)id->driver_data;
	struct device *dev = &pdev->dev;
	struct ivc_device *ivc;
	void __iomem *regs;
	u32 nr_queues;
	u32 i;
	int err;

	err = pcim_enable_device(pdev);
	if (err)
		return dev_err_probe(dev, err, "cannot enable the device\n");
	err = ivc_pci_check_bars(pdev);
	if (err)
		return err;
	regs = devm_ioremap_resource(dev, &pdev->resource[HV_IVC_BAR_REGS]);
	if (IS_ERR(regs))
		return PTR_ERR(regs);
	err = ivc_pci_check_version(dev, regs, kind->device_id);
	if (err)
		return err;

	nr_queues = readl(regs + HV_IVC_REG_NR_QUEUES);
	if (nr_queues == 0 || nr_queues > kind->nr_ids) {
		dev_err(dev, "%u queues, 1 to %u are possible\n", nr_queues,
			kind->nr_ids);
		return -EINVAL;
	}
	ivc = devm_kzalloc(dev, struct_size(ivc, queues, nr_queues),
			   GFP_KERNEL);
	if (!ivc)
		return -ENOMEM;
	ivc->pdev = pdev;
	ivc->kind = kind;
	ivc->regs = regs;
	ivc->nr_queues = nr_queues;
	ivc->partition = ivc_pci_read(ivc, HV_IVC_REG_PARTITION);
	err = ivc_pci_read_info(ivc);
	if (err)
		return err;

	ivc->noti = devm_ioremap_resource(dev,
					  &pdev->resource[HV_IVC_BAR_NOTI]);
	if (IS_ERR(ivc->noti))
		return PTR_ERR(ivc->noti);
	err = ivc_pci_claim_areas(pdev);
	if (err)
		return err;

	err = ivc_pci_announce_panic(dev, regs);
	if (err)
		return err;

	pci_set_master(pdev);
	err = pci_alloc_irq_vectors(pdev, nr_queues, nr_queues, PCI_IRQ_MSIX);
	if (err < 0)
		return dev_err_probe(dev, err, "no %u MSI-X vectors\n",
				     nr_queues);

	/* A kernel before this one (kexec) may have died with queues open. */
	for (i = 0; i < nr_queues; i++)
		writel(0, regs + HV_IVC_REG_ENDPOINT(i));

	for (i = 0; i < nr_queues; i++) {
		err = ivc_chrdev_add(ivc, i);
		if (err)
			return err;
	}
	dev_info(dev, "partition %u, %u queues %s*\n", ivc->partition,
		 nr_queues, kind->name);
	return 0;
}

static const struct pci_device_id ivc_pci_ids[] = {
	{ PCI_DEVICE(HV_IVC_PCI_VENDOR_ID, HV_IVC_PCI_DEVICE_ID),
	  .driver_data = (kernel_ulong_t)&ivc_kind_soc },
	{ PCI_DEVICE(HV_IVC_PCI_VENDOR_ID, HV_C2C_PCI_DEVICE_ID),
	  .driver_data = (kernel_ulong_t)&ivc_kind_chip },
	{ }
};
MODULE_DEVICE_TABLE(pci, ivc_pci_ids);

static struct pci_driver ivc_pci_driver = {
	.name = "hv_ivc",
	.id_table = ivc_pci_ids,
	.probe = ivc_pci_probe,
};

static int __init ivc_pci_init(void)
{
	int err = ivc_chrdev_init();

	if (err)
		return err;
	err = pci_register_driver(&ivc_pci_driver);
	if (err)
		ivc_chrdev_exit();
	return err;
}
module_init(ivc_pci_init);

static void __exit ivc_pci_exit(void)
{
	pci_unregister_driver(&ivc_pci_driver);
	ivc_chrdev_exit();
}
module_exit(ivc_pci_exit);

MODULE_DESCRIPTION("IVC queues of the hv-ivc and hv-c2c virtual PCI devices");
MODULE_AUTHOR("The vsoc authors");
MODULE_LICENSE("GPL");
