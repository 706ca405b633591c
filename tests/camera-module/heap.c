// SPDX-License-Identifier: GPL-2.0-only
/*
 * Plays the dma-heaps that libcamera and picam allocate from. Debian's kernel has none: these are character devices of
 * their names with an exporter of their own. The memory is not contiguous and has no devices, which nobody here minds.
 */
#include <linux/atomic.h>
#include <linux/debugfs.h>
#include <linux/dma-buf.h>
#include <linux/fs.h>
#include <linux/iosys-map.h>
#include <linux/miscdevice.h>
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

#define HEAP(of) { \
	.minor = MISC_DYNAMIC_MINOR, .name = "camera-heap-" of, .nodename = "dma_heap/" of, .fops = &heap_fops, \
}
static struct miscdevice contiguous = HEAP("linux,cma"), in_pieces = HEAP("system");

int heap_register(void)
{
	int ret = misc_register(&contiguous);

	if (ret)
		return ret;
	ret = misc_register(&in_pieces);
	if (ret)
		misc_deregister(&contiguous);
	return ret;
}

void heap_unregister(void)
{
	misc_deregister(&in_pieces);
	misc_deregister(&contiguous);
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
