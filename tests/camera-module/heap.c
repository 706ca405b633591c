// SPDX-License-Identifier: GPL-2.0-only
/*
 * Plays the dma-heaps that libcamera and picam allocate from. Debian's kernel has none: these are character devices of
 * their class and names, by which udev and systemd know them, with an exporter of their own. The memory is not contiguous
 * and has no devices, which nobody here minds.
 */
#include <linux/atomic.h>
#include <linux/cdev.h>
#include <linux/debugfs.h>
#include <linux/device.h>
#include <linux/dma-buf.h>
#include <linux/fs.h>
#include <linux/iosys-map.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/version.h>
#include <linux/vmalloc.h>
#include <uapi/linux/dma-heap.h>

#include "camera.h"

static atomic_t alive = ATOMIC_INIT(0);
static atomic64_t alive_bytes = ATOMIC64_INIT(0);

/* No device reads this memory by itself. */
static struct sg_table *map(struct dma_buf_attachment *attachment, enum dma_data_direction direction)
{
	return ERR_PTR(-EOPNOTSUPP);
}

static void unmap(struct dma_buf_attachment *attachment, struct sg_table *table, enum dma_data_direction direction)
{
}

static void release(struct dma_buf *buffer)
{
	atomic_dec(&alive);
	atomic64_sub(buffer->size, &alive_bytes);
	vfree(buffer->priv);
}

static int map_user(struct dma_buf *buffer, struct vm_area_struct *vma)
{
	return remap_vmalloc_range(vma, buffer->priv, vma->vm_pgoff);
}

static int map_kernel(struct dma_buf *buffer, struct iosys_map *map)
{
	iosys_map_set_vaddr(map, buffer->priv);
	return 0;
}

static const struct dma_buf_ops buffer_ops = {
	.map_dma_buf = map,
	.unmap_dma_buf = unmap,
	.release = release,
	.mmap = map_user,
	.vmap = map_kernel,
};

static struct dma_buf *allocate(size_t bytes, u32 flags)
{
	DEFINE_DMA_BUF_EXPORT_INFO(info);
	struct dma_buf *buffer;

	info.ops = &buffer_ops;
	info.size = PAGE_ALIGN(bytes);
	info.flags = flags & O_ACCMODE;
	info.priv = vmalloc_user(info.size);
	if (!info.priv)
		return ERR_PTR(-ENOMEM);
	buffer = dma_buf_export(&info);
	if (IS_ERR(buffer)) {
		vfree(info.priv);
		return buffer;
	}
	atomic_inc(&alive);
	atomic64_add(info.size, &alive_bytes);
	return buffer;
}

static long heap_ioctl(struct file *file, unsigned int command, unsigned long argument)
{
	struct dma_heap_allocation_data request;
	struct dma_buf *buffer;
	int fd;

	if (command != DMA_HEAP_IOCTL_ALLOC)
		return -ENOTTY;
	if (copy_from_user(&request, (void __user *)argument, sizeof(request)))
		return -EFAULT;
	if (request.fd || request.fd_flags & ~(O_CLOEXEC | O_ACCMODE) || request.heap_flags || !request.len ||
	    request.len > SZ_1G)
		return -EINVAL;
	buffer = allocate(request.len, request.fd_flags);
	if (IS_ERR(buffer))
		return PTR_ERR(buffer);
	fd = get_unused_fd_flags(request.fd_flags & O_CLOEXEC);
	if (fd < 0) {
		dma_buf_put(buffer);
		return fd;
	}
	request.fd = fd;
	if (copy_to_user((void __user *)argument, &request, sizeof(request))) {
		put_unused_fd(fd);
		dma_buf_put(buffer);
		return -EFAULT;
	}
	fd_install(fd, buffer->file);
	return 0;
}

static const struct file_operations heap_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = heap_ioctl,
};

static const char *const heap_names[] = { "linux,cma", "system" };
static dev_t heap_numbers;
static struct cdev heap_devices;

static char *heap_node(const struct device *device, umode_t *mode)
{
	return kasprintf(GFP_KERNEL, "dma_heap/%s", dev_name(device));
}

static const struct class heap_class = { .name = "dma_heap", .devnode = heap_node };

int heap_register(void)
{
	struct device *device;
	int ret, i;

	ret = alloc_chrdev_region(&heap_numbers, 0, ARRAY_SIZE(heap_names), "dma_heap");
	if (ret)
		return ret;
	ret = class_register(&heap_class);
	if (ret)
		goto no_class;
	cdev_init(&heap_devices, &heap_fops);
	heap_devices.owner = THIS_MODULE;
	ret = cdev_add(&heap_devices, heap_numbers, ARRAY_SIZE(heap_names));
	if (ret)
		goto no_devices;
	for (i = 0; i < ARRAY_SIZE(heap_names); i++) {
		device = device_create(&heap_class, NULL, heap_numbers + i, NULL, "%s", heap_names[i]);
		if (IS_ERR(device)) {
			ret = PTR_ERR(device);
			goto no_nodes;
		}
	}
	return 0;

no_nodes:
	while (i--)
		device_destroy(&heap_class, heap_numbers + i);
	cdev_del(&heap_devices);
no_devices:
	class_unregister(&heap_class);
no_class:
	unregister_chrdev_region(heap_numbers, ARRAY_SIZE(heap_names));
	return ret;
}

void heap_unregister(void)
{
	for (int i = 0; i < ARRAY_SIZE(heap_names); i++)
		device_destroy(&heap_class, heap_numbers + i);
	cdev_del(&heap_devices);
	class_unregister(&heap_class);
	unregister_chrdev_region(heap_numbers, ARRAY_SIZE(heap_names));
}

static int buffers_show(struct seq_file *s, void *unused)
{
	seq_printf(s, "%d %lld\n", atomic_read(&alive), atomic64_read(&alive_bytes));
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(buffers);

void heap_debugfs(struct dentry *folder)
{
	debugfs_create_file("buffers", 0444, folder, NULL, &buffers_fops);
}

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 13, 0)
MODULE_IMPORT_NS(DMA_BUF);
#else
MODULE_IMPORT_NS("DMA_BUF");
#endif
