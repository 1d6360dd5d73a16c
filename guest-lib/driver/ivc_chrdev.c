// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/ivc<id> and /dev/c2c<device>: open, mmap, poll, ioctl, sysfs.
 * docs/specs/ioctls.md is the specification.
 *
 * A node maps, notifies and waits; it looks at no byte of its queue. Its life:
 * the PCI device makes it and takes it away, and an open file keeps the memory
 * (not the device) until it is released. `gone` says which of the two it is.
 */
#include <linux/atomic.h>
#include <linux/bitmap.h>
#include <linux/cdev.h>
#include <linux/device.h>
#include <linux/eventfd.h>
#include <linux/fs.h>
#include <linux/interrupt.h>
#include <linux/io.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/poll.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/uaccess.h>
#include <linux/version.h>
#include <linux/wait.h>

#include "hv_ivc.h"
#include "hv_ivc_regs.h"
#include "uapi/nvipc_ivc.h"

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 8, 0)
#define eventfd_signal(ctx) eventfd_signal(ctx, 1)
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0)
static inline void vm_flags_mod(struct vm_area_struct *vma,
				unsigned long set, unsigned long clear)
{
	vma->vm_flags = (vma->vm_flags | set) & ~clear;
}
#endif

/* What one fault maps at most: an area is touched as a whole, soon. */
#define IVC_FAULT_WINDOW (SZ_2M >> PAGE_SHIFT)

struct ivc_node {
	struct device dev;
	struct cdev cdev;
	struct ivc_queue_info info;	/* own copy: outlives the PCI device */
	u32 partition;

	/* Taken inside mmap_lock (faults): touch no user memory under it. */
	struct mutex lock;
	bool gone;			/* the three below are no more */
	void __iomem *endpoint;
	void __iomem *ring;
	int irq;			/* requested while the node is open */
	struct file *file;		/* who has it open, or NULL */

	/* From the interrupt handler to the open file. */
	atomic_t rung;			/* since the last poll */
	wait_queue_head_t wait;
	spinlock_t eventfd_lock;	/* keeps what the handler signals */
	struct eventfd_ctx *eventfd;	/* or NULL */
};

static dev_t ivc_chrdev_base;		/* minors: see struct ivc_kind */
static DECLARE_BITMAP(ivc_chrdev_minors, IVC_MINORS);	/* taken */

static irqreturn_t ivc_chrdev_irq(int irq, void *data)
{
	struct ivc_node *node = data;

	/* Before the wake-ups, because who is woken looks for it. */
	atomic_set(&node->rung, 1);

	/* The lock keeps SET_EVENTFD from dropping it under our hands. */
	spin_lock(&node->eventfd_lock);
	if (node->eventfd)
		eventfd_signal(node->eventfd);
	spin_unlock(&node->eventfd_lock);

	wake_up_interruptible_poll(&node->wait, EPOLLIN | EPOLLRDNORM);
	return IRQ_HANDLED;
}

/*
 * The vector is in use only while the node is open: a peer that rings a
 * closed queue costs this guest nothing. Masked, MSI-X remembers that it was
 * rung, so the first interrupt may well come with the open.
 */
static int ivc_chrdev_open(struct inode *inode, struct file *file)
{
	struct ivc_node *node = container_of(inode->i_cdev, struct ivc_node,
					     cdev);
	int err;

	mutex_lock(&node->lock);
	if (node->gone) {
		err = -ENODEV;
		goto out;
	}
	if (node->file) {
		err = -EBUSY;
		goto out;
	}
	atomic_set(&node->rung, 0);
	err = request_irq(node->irq, ivc_chrdev_irq, 0, dev_name(&node->dev),
			  node);
	if (err)
		goto out;
	file->private_data = node;
	node->file = file;
	/* After request_irq(), because the peer may answer at once. */
	writel(HV_IVC_ENDPOINT_OPEN, node->endpoint);
out:
	mutex_unlock(&node->lock);
	return err;
}

/* The device is told, and tells the peer, that this end is left. */
static void ivc_chrdev_leave(struct ivc_node *node)
{
	writel(0, node->endpoint);
	/* Waits for a running handler. */
	free_irq(node->irq, node);
}

/*
 * A mapping holds the file, so the last store to the queue was made before
 * this, and the peer learns of the departure after it.
 */
static int ivc_chrdev_release(struct inode *inode, struct file *file)
{
	struct ivc_node *node = file->private_data;

	mutex_lock(&node->lock);
	if (!node->gone)
		ivc_chrdev_leave(node);
	/* No handler runs from here on, and nobody else has the file. */
	if (node->eventfd)
		eventfd_ctx_put(node->eventfd);
	node->eventfd = NULL;
	node->file = NULL;
	mutex_unlock(&node->lock);
	return 0;
}

static ssize_t ivc_chrdev_read(struct file *file, char __user *buf,
			       size_t size, loff_t *pos)
{
	return -EPERM;
}

static ssize_t ivc_chrdev_write(struct file *file, const char __user *buf,
				size_t size, loff_t *pos)
{
	return -EPERM;
}

static __poll_t ivc_chrdev_poll(struct file *file, poll_table *table)
{
	struct ivc_node *node = file->private_data;

	/* Wait first, then look: a handler in between wakes us. */
	poll_wait(file, &node->wait, table);
	if (READ_ONCE(node->gone))
		return EPOLLERR | EPOLLHUP;
	return atomic_xchg(&node->rung, 0) ? EPOLLIN | EPOLLRDNORM : 0;
}

static pgoff_t ivc_chrdev_area_pages(const struct ivc_node *node)
{
	return node->info.area_size >> PAGE_SHIFT;
}

/*
 * Pages are mapped by faults, not by mmap(), so that removal can take them
 * away for good: after `gone` is set under the lock no page can come back.
 */
static vm_fault_t ivc_chrdev_fault(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	struct ivc_node *node = vma->vm_file->private_data;
	pgoff_t area_pages = ivc_chrdev_area_pages(node);
	pgoff_t window = round_down(vmf->pgoff, IVC_FAULT_WINDOW);
	pgoff_t first = max(window, vma->vm_pgoff);
	pgoff_t end = min(window + IVC_FAULT_WINDOW,
			  vma->vm_pgoff + vma_pages(vma));
	vm_fault_t ret = VM_FAULT_SIGBUS;
	pgoff_t i;

	mutex_lock(&node->lock);
	for (i = first; i < end && !node->gone; i++) {
		/* mmap() saw to it that i is of the area, or the page after. */
		u64 pa = i < area_pages ? node->info.area + PFN_PHYS(i) :
					  node->info.noti;

		ret = vmf_insert_pfn(vma, vma->vm_start +
				     PFN_PHYS(i - vma->vm_pgoff),
				     PHYS_PFN(pa));
		if (ret != VM_FAULT_NOPAGE)
			break;
	}
	mutex_unlock(&node->lock);
	return ret;
}

static const struct vm_operations_struct ivc_chrdev_vm_ops = {
	.fault = ivc_chrdev_fault,
};

static int ivc_chrdev_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct ivc_node *node = file->private_data;
	pgoff_t area_pages = ivc_chrdev_area_pages(node);

	BUILD_BUG_ON(PAGE_SIZE > HV_IVC_PAGE);

	if (READ_ONCE(node->gone))
		return -ENODEV;
	/* A private copy of a queue is of no use to anybody. */
	if (!(vma->vm_flags & VM_MAYSHARE))
		return -EINVAL;
	if (vma->vm_flags & VM_EXEC)
		return -EPERM;
	if (vma->vm_pgoff == area_pages && vma_pages(vma) == 1)
		vma->vm_page_prot = pgprot_device(vma->vm_page_prot);
	else if (vma->vm_pgoff != 0 || vma_pages(vma) != area_pages)
		return -EINVAL;

	/*
	 * DONTCOPY: a queue's end has one owner, and a forked child with a
	 * mapping would be a second one, and would hide the death of the
	 * first. DONTEXPAND: not past the area. DONTDUMP: a core has no use
	 * for it. IO and PFNMAP: no struct page behind it, and madvise()
	 * cannot take the rest back.
	 */
	vm_flags_mod(vma, VM_DONTCOPY | VM_DONTEXPAND | VM_DONTDUMP | VM_IO |
		     VM_PFNMAP, VM_MAYEXEC);
	vma->vm_ops = &ivc_chrdev_vm_ops;
	return 0;
}

static int ivc_chrdev_get_info(const struct ivc_queue_info *queue,
			       void __user *arg)
{
	struct nvipc_ivc_info info;

	/* The holes too: they go to user space. */
	memset(&info, 0, sizeof(info));
	info.nframes = queue->nframes;
	info.frame_size = queue->frame_size;
	info.queue_offset = queue->offset;
	info.queue_size = queue->size;
	info.area_size = queue->area_size;
	info.rx_first = queue->rx_first;
	info.noti_ipa = queue->noti;
	info.noti_irq = queue->noti_slot;
	info.noti_type = queue->noti_type;
	return copy_to_user(arg, &info, sizeof(info)) ? -EFAULT : 0;
}

static int ivc_chrdev_notify(struct ivc_node *node)
{
	int err = -ENODEV;

	mutex_lock(&node->lock);
	if (!node->gone) {
		/* Orders the caller's stores to the queue before it. */
		writel(1, node->ring);
		err = 0;
	}
	mutex_unlock(&node->lock);
	return err;
}

static int ivc_chrdev_set_eventfd(struct ivc_node *node,
				  const __s32 __user *arg)
{
	struct eventfd_ctx *ctx = NULL;
	unsigned long flags;
	__s32 fd;

	if (get_user(fd, arg))
		return -EFAULT;
	if (fd != -1) {
		ctx = eventfd_ctx_fdget(fd);
		if (IS_ERR(ctx))
			return PTR_ERR(ctx);
	}
	spin_lock_irqsave(&node->eventfd_lock, flags);
	swap(node->eventfd, ctx);
	spin_unlock_irqrestore(&node->eventfd_lock, flags);
	if (ctx)
		eventfd_ctx_put(ctx);
	return 0;
}

static long ivc_chrdev_ioctl(struct file *file, unsigned int cmd,
			     unsigned long arg)
{
	struct ivc_node *node = file->private_data;
	void __user *user = (void __user *)arg;

	switch (cmd) {
	case NVIPC_IVC_IOCTL_GET_INFO:
		return ivc_chrdev_get_info(&node->info, user);
	case NVIPC_IVC_IOCTL_NOTIFY_REMOTE:
		return ivc_chrdev_notify(node);
	case NVIPC_IVC_IOCTL_GET_VMID:
		return put_user(node->partition, (__u32 __user *)user);
	case NVIPC_IVC_IOCTL_SET_EVENTFD:
		return ivc_chrdev_set_eventfd(node, user);
	default:
		return -ENOTTY;
	}
}

static const struct file_operations ivc_chrdev_fops = {
	.owner = THIS_MODULE,	/* no unloading while a node is open */
	.open = ivc_chrdev_open,
	.release = ivc_chrdev_release,
	.read = ivc_chrdev_read,
	.write = ivc_chrdev_write,
	.poll = ivc_chrdev_poll,
	.mmap = ivc_chrdev_mmap,
	.unlocked_ioctl = ivc_chrdev_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

static struct ivc_node *ivc_chrdev_node(struct device *dev)
{
	return container_of(dev, struct ivc_node, dev);
}

static ssize_t id_show(struct device *dev, struct device_attribute *attr,
		       char *buf)
{
	return sysfs_emit(buf, "%u\n", ivc_chrdev_node(dev)->info.id);
}
static DEVICE_ATTR_RO(id);

static ssize_t frame_size_show(struct device *dev,
			       struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u\n", ivc_chrdev_node(dev)->info.frame_size);
}
static DEVICE_ATTR_RO(frame_size);

static ssize_t nframes_show(struct device *dev, struct device_attribute *attr,
			    char *buf)
{
	return sysfs_emit(buf, "%u\n", ivc_chrdev_node(dev)->info.nframes);
}
static DEVICE_ATTR_RO(nframes);

static ssize_t peer_show(struct device *dev, struct device_attribute *attr,
			 char *buf)
{
	return sysfs_emit(buf, "%u\n", ivc_chrdev_node(dev)->info.peer);
}
static DEVICE_ATTR_RO(peer);

static ssize_t reserved_show(struct device *dev, struct device_attribute *attr,
			     char *buf)
{
	return sysfs_emit(buf, "%d\n", !!READ_ONCE(ivc_chrdev_node(dev)->file));
}
static DEVICE_ATTR_RO(reserved);

static struct attribute *ivc_chrdev_attrs[] = {
	&dev_attr_id.attr,
	&dev_attr_frame_size.attr,
	&dev_attr_nframes.attr,
	&dev_attr_peer.attr,
	&dev_attr_reserved.attr,
	NULL
};
ATTRIBUTE_GROUPS(ivc_chrdev);

static struct class ivc_chrdev_class = {
	.name = "ivc",
	.dev_groups = ivc_chrdev_groups,
};

static void ivc_chrdev_free(struct device *dev)
{
	kfree(ivc_chrdev_node(dev));
}

static unsigned int ivc_chrdev_minor(const struct ivc_node *node)
{
	return MINOR(node->dev.devt) - MINOR(ivc_chrdev_base);
}

static void ivc_chrdev_remove(void *data)
{
	struct ivc_node *node = data;
	unsigned long flags;

	cdev_device_del(&node->cdev, &node->dev);
	clear_bit(ivc_chrdev_minor(node), ivc_chrdev_minors);

	mutex_lock(&node->lock);
	WRITE_ONCE(node->gone, true);
	if (node->file) {
		/* The mappings first: nobody stores after the announcement. */
		unmap_mapping_range(node->file->f_mapping, 0, 0, 1);
		ivc_chrdev_leave(node);

		/* Whoever waits is to find out. */
		spin_lock_irqsave(&node->eventfd_lock, flags);
		if (node->eventfd)
			eventfd_signal(node->eventfd);
		spin_unlock_irqrestore(&node->eventfd_lock, flags);
		wake_up_interruptible_poll(&node->wait, EPOLLERR | EPOLLHUP);
	}
	mutex_unlock(&node->lock);
	put_device(&node->dev);
}

int ivc_chrdev_add(struct ivc_device *ivc, unsigned int slot)
{
	const struct ivc_queue_info *info = &ivc->queues[slot];
	struct device *parent = &ivc->pdev->dev;
	struct ivc_node *node;
	int err;

	node = kzalloc(sizeof(*node), GFP_KERNEL);
	if (!node)
		return -ENOMEM;
	node->info = *info;
	node->partition = ivc->partition;
	node->endpoint = ivc->regs + HV_IVC_REG_ENDPOINT(slot);
	/* Inside BAR 4: ivc_info_parse() checked it. */
	node->ring = ivc->noti + HV_IVC_NOTI_RING + info->noti -
		     pci_resource_start(ivc->pdev, HV_IVC_BAR_NOTI);
	node->irq = pci_irq_vector(ivc->pdev, info->vector);
	mutex_init(&node->lock);
	init_waitqueue_head(&node->wait);
	spin_lock_init(&node->eventfd_lock);

	device_initialize(&node->dev);
	node->dev.class = &ivc_chrdev_class;
	node->dev.parent = parent;
	node->dev.release = ivc_chrdev_free;
	node->dev.devt = MKDEV(MAJOR(ivc_chrdev_base),
			       MINOR(ivc_chrdev_base) + ivc->kind->minor +
			       info->id);
	cdev_init(&node->cdev, &ivc_chrdev_fops);
	node->cdev.owner = THIS_MODULE;

	if (test_and_set_bit(ivc_chrdev_minor(node), ivc_chrdev_minors)) {
		dev_err(parent, "queue %u: another device has it\n", info->id);
		err = -EEXIST;
		goto err_put;
	}
	err = dev_set_name(&node->dev, "%s%u", ivc->kind->name, info->id);
	if (err)
		goto err_id;
	err = cdev_device_add(&node->cdev, &node->dev);
	if (err) {
		dev_err(parent, "queue %u: no node: %d\n", info->id, err);
		goto err_id;
	}
	return devm_add_action_or_reset(parent, ivc_chrdev_remove, node);

err_id:
	clear_bit(ivc_chrdev_minor(node), ivc_chrdev_minors);
err_put:
	put_device(&node->dev);
	return err;
}

int __init ivc_chrdev_init(void)
{
	int err = class_register(&ivc_chrdev_class);

	if (err)
		return err;
	err = alloc_chrdev_region(&ivc_chrdev_base, 0, IVC_MINORS, "ivc");
	if (err)
		class_unregister(&ivc_chrdev_class);
	return err;
}

void ivc_chrdev_exit(void)
{
	unregister_chrdev_region(ivc_chrdev_base, IVC_MINORS);
	class_unregister(&ivc_chrdev_class);
}
