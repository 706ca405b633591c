// SPDX-License-Identifier: GPL-2.0-only
/* Plays what all video nodes have in common: their buffers and the device, and the faults of starting and stopping. */
#include <linux/version.h>
#include <media/v4l2-ioctl.h>
#include <media/videobuf2-vmalloc.h>

#include "camera.h"
#include "node.h"

static const struct v4l2_file_operations file_ops = {
	.owner = THIS_MODULE,
	.open = v4l2_fh_open,
	.release = vb2_fop_release,
	.poll = vb2_fop_poll,
	.unlocked_ioctl = video_ioctl2,
	.mmap = vb2_fop_mmap,
};

/* Prepares a media device, which is to be registered when its entities are, and the V4L2 device in it. */
int media_begin(struct media_device *media, struct v4l2_device *v4l2, struct device *dev, const char *name)
{
	media->dev = dev;
	strscpy(media->model, name, sizeof(media->model));
	strscpy(media->driver_name, name, sizeof(media->driver_name));
	snprintf(media->bus_info, sizeof(media->bus_info), "platform:%s", name);
	media_device_init(media);
	v4l2->mdev = media;
	strscpy(v4l2->name, name, sizeof(v4l2->name));
	return v4l2_device_register(dev, v4l2);
}

/* ---- buffers ---- */

bool node_ready(struct video_node *node)
{
	bool ready;

	spin_lock_irq(&node->buffers_lock);
	ready = node->streaming && !list_empty(&node->buffers);
	spin_unlock_irq(&node->buffers_lock);
	return ready;
}

/* The buffer that waits longest, if there is one. */
struct node_buffer *node_take(struct video_node *node)
{
	struct node_buffer *buffer = NULL;

	spin_lock_irq(&node->buffers_lock);
	if (node->streaming)
		buffer = list_first_entry_or_null(&node->buffers, struct node_buffer, list);
	if (buffer)
		list_del(&buffer->list);
	spin_unlock_irq(&node->buffers_lock);
	return buffer;
}

/* The memory of the one that node_take() would give. It lasts as long as nothing takes it, and the node streams. */
void *node_first(struct video_node *node)
{
	struct node_buffer *buffer = NULL;

	spin_lock_irq(&node->buffers_lock);
	if (node->streaming)
		buffer = list_first_entry_or_null(&node->buffers, struct node_buffer, list);
	spin_unlock_irq(&node->buffers_lock);
	return buffer ? node_memory(buffer) : NULL;
}

void node_put_back(struct video_node *node, struct node_buffer *buffer)
{
	spin_lock_irq(&node->buffers_lock);
	list_add(&buffer->list, &node->buffers);
	spin_unlock_irq(&node->buffers_lock);
}

void *node_memory(struct node_buffer *buffer)
{
	return vb2_plane_vaddr(&buffer->vb.vb2_buf, 0);
}

void node_done(struct video_node *node, struct node_buffer *buffer, u32 sequence, u64 ns, bool good)
{
	struct vb2_buffer *vb = &buffer->vb.vb2_buf;

	buffer->vb.sequence = sequence;
	buffer->vb.field = V4L2_FIELD_NONE;
	vb->timestamp = ns;
	vb2_set_plane_payload(vb, 0, node->bytes);
	vb2_buffer_done(vb, good ? VB2_BUF_STATE_DONE : VB2_BUF_STATE_ERROR);
}

struct v4l2_rect node_crop(struct video_node *node)
{
	struct v4l2_rect crop;

	spin_lock_irq(&node->buffers_lock);
	crop = node->crop;
	spin_unlock_irq(&node->buffers_lock);
	return crop;
}

static int queue_setup(struct vb2_queue *q, unsigned int *buffers, unsigned int *planes, unsigned int sizes[],
		       struct device *devices[])
{
	struct video_node *node = vb2_get_drv_priv(q);

	if (*planes)
		return sizes[0] < node->bytes ? -EINVAL : 0;
	*planes = 1;
	sizes[0] = node->bytes;
	return 0;
}

static int buf_out_validate(struct vb2_buffer *vb)
{
	to_vb2_v4l2_buffer(vb)->field = V4L2_FIELD_NONE;
	return 0;
}

static int buf_prepare(struct vb2_buffer *vb)
{
	struct video_node *node = vb2_get_drv_priv(vb->vb2_queue);

	if (vb2_plane_size(vb, 0) < node->bytes || !vb2_plane_vaddr(vb, 0))
		return -EINVAL;
	if (!node_is_output(node))
		vb2_set_plane_payload(vb, 0, node->bytes);
	return 0;
}

static void buf_queue(struct vb2_buffer *vb)
{
	struct video_node *node = vb2_get_drv_priv(vb->vb2_queue);
	struct node_buffer *buffer = container_of(to_vb2_v4l2_buffer(vb), struct node_buffer, vb);

	spin_lock_irq(&node->buffers_lock);
	list_add_tail(&buffer->list, &node->buffers);
	spin_unlock_irq(&node->buffers_lock);
	if (node->kind->queued)
		node->kind->queued(node);
}

static void halt(struct video_node *node, enum vb2_buffer_state state)
{
	struct node_buffer *buffer, *next;
	LIST_HEAD(list);

	spin_lock_irq(&node->buffers_lock);
	node->streaming = false;
	spin_unlock_irq(&node->buffers_lock);
	node->kind->stop(node);
	spin_lock_irq(&node->buffers_lock);
	list_splice_init(&node->buffers, &list);
	spin_unlock_irq(&node->buffers_lock);
	list_for_each_entry_safe(buffer, next, &list, list)
		vb2_buffer_done(&buffer->vb.vb2_buf, state);
}

static int start_streaming(struct vb2_queue *q, unsigned int count)
{
	struct video_node *node = vb2_get_drv_priv(q);
	int ret;

	faults_hang();
	node->sequence = 0;
	spin_lock_irq(&node->buffers_lock);
	node->streaming = true;
	spin_unlock_irq(&node->buffers_lock);
	ret = node->kind->start(node);
	if (ret)
		halt(node, VB2_BUF_STATE_QUEUED);
	return ret;
}

static void stop_streaming(struct vb2_queue *q)
{
	faults_hang();
	halt(vb2_get_drv_priv(q), VB2_BUF_STATE_ERROR);
}

static const struct vb2_ops queue_ops = {
	.queue_setup = queue_setup,
	.buf_out_validate = buf_out_validate,
	.buf_prepare = buf_prepare,
	.buf_queue = buf_queue,
	.start_streaming = start_streaming,
	.stop_streaming = stop_streaming,
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 13, 0)
	.wait_prepare = vb2_ops_wait_prepare,
	.wait_finish = vb2_ops_wait_finish,
#endif
};

/* ---- the device ---- */

static int queue_init(struct video_node *node, struct device *dev)
{
	struct vb2_queue *q = &node->queue;

	q->type = node->kind->type;
	q->io_modes = VB2_MMAP | VB2_DMABUF;
	q->drv_priv = node;
	q->buf_struct_size = sizeof(struct node_buffer);
	q->ops = &queue_ops;
	q->mem_ops = &vb2_vmalloc_memops;
	q->timestamp_flags = node->kind->copies_time ? V4L2_BUF_FLAG_TIMESTAMP_COPY : V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC;
	q->lock = &node->lock;
	q->dev = dev;
	return vb2_queue_init(q);
}

static u32 capability(enum v4l2_buf_type type)
{
	switch (type) {
	case V4L2_BUF_TYPE_VIDEO_OUTPUT:
		return V4L2_CAP_VIDEO_OUTPUT;
	case V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE:
		return V4L2_CAP_VIDEO_CAPTURE_MPLANE;
	case V4L2_BUF_TYPE_VIDEO_OUTPUT_MPLANE:
		return V4L2_CAP_VIDEO_OUTPUT_MPLANE;
	case V4L2_BUF_TYPE_META_CAPTURE:
		return V4L2_CAP_META_CAPTURE;
	case V4L2_BUF_TYPE_META_OUTPUT:
		return V4L2_CAP_META_OUTPUT;
	default:
		return V4L2_CAP_VIDEO_CAPTURE;
	}
}

int node_register(struct video_node *node, const struct node_kind *kind, struct v4l2_device *v4l2,
		  struct v4l2_ctrl_handler *controls)
{
	struct video_device *vdev = &node->vdev;
	int ret;

	node->kind = kind;
	mutex_init(&node->lock);
	spin_lock_init(&node->buffers_lock);
	INIT_LIST_HEAD(&node->buffers);
	node_default_format(node);
	ret = queue_init(node, v4l2->dev);
	if (ret)
		return ret;
	strscpy(vdev->name, kind->name, sizeof(vdev->name));
	vdev->v4l2_dev = v4l2;
	vdev->fops = &file_ops;
	vdev->ioctl_ops = &node_ioctl_ops;
	vdev->release = video_device_release_empty;
	vdev->queue = &node->queue;
	vdev->lock = &node->lock;
	vdev->ctrl_handler = controls;
	vdev->vfl_dir = node_is_output(node) ? VFL_DIR_TX : VFL_DIR_RX;
	vdev->device_caps = V4L2_CAP_STREAMING | kind->extra_caps | capability(kind->type);
	video_set_drvdata(vdev, node);
	node->pad.flags = node_is_output(node) ? MEDIA_PAD_FL_SOURCE : MEDIA_PAD_FL_SINK;
	ret = media_entity_pads_init(&vdev->entity, 1, &node->pad);
	return ret ?: video_register_device(vdev, VFL_TYPE_VIDEO, -1);
}

void node_unregister(struct video_node *node)
{
	if (video_is_registered(&node->vdev))
		vb2_video_unregister_device(&node->vdev);
}
