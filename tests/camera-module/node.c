// SPDX-License-Identifier: GPL-2.0-only
/* Plays what all video nodes have in common: formats, buffers, and the faults of starting and stopping. */
#include <linux/version.h>
#include <media/v4l2-ctrls.h>
#include <media/v4l2-event.h>
#include <media/v4l2-ioctl.h>
#include <media/videobuf2-vmalloc.h>

#include "camera.h"
#include "node.h"

#define SIZE_MIN 64u
#define SIZE_MAX_ 16384u

/* As the sensor's four orders of colours arrive, and with each sample in 16 bits. */
const struct node_format raw_formats[8] = {
	{ V4L2_PIX_FMT_SRGGB10P, 10, 32, 2, MEDIA_BUS_FMT_SRGGB10_1X10 },
	{ V4L2_PIX_FMT_SGRBG10P, 10, 32, 2, MEDIA_BUS_FMT_SGRBG10_1X10 },
	{ V4L2_PIX_FMT_SGBRG10P, 10, 32, 2, MEDIA_BUS_FMT_SGBRG10_1X10 },
	{ V4L2_PIX_FMT_SBGGR10P, 10, 32, 2, MEDIA_BUS_FMT_SBGGR10_1X10 },
	{ V4L2_PIX_FMT_SRGGB10, 16, 32, 2, MEDIA_BUS_FMT_SRGGB10_1X10 },
	{ V4L2_PIX_FMT_SGRBG10, 16, 32, 2, MEDIA_BUS_FMT_SGRBG10_1X10 },
	{ V4L2_PIX_FMT_SGBRG10, 16, 32, 2, MEDIA_BUS_FMT_SGBRG10_1X10 },
	{ V4L2_PIX_FMT_SBGGR10, 16, 32, 2, MEDIA_BUS_FMT_SBGGR10_1X10 },
};

static bool is_meta(const struct video_node *node)
{
	return node->kind->type == V4L2_BUF_TYPE_META_CAPTURE;
}

static bool is_output(const struct video_node *node)
{
	return node->kind->type == V4L2_BUF_TYPE_VIDEO_OUTPUT;
}

/* ---- formats ---- */

static int node_querycap(struct file *file, void *fh, struct v4l2_capability *cap)
{
	struct video_node *node = video_drvdata(file);

	strscpy(cap->driver, node->kind->driver, sizeof(cap->driver));
	strscpy(cap->card, node->kind->driver, sizeof(cap->card));
	snprintf(cap->bus_info, sizeof(cap->bus_info), "platform:%s", node->kind->driver);
	return 0;
}

static int node_enum_fmt(struct file *file, void *fh, struct v4l2_fmtdesc *it)
{
	const struct node_kind *kind = ((struct video_node *)video_drvdata(file))->kind;
	u32 i, index = it->index;

	if (kind->meta_fourcc) {
		if (index)
			return -EINVAL;
		it->pixelformat = kind->meta_fourcc;
		strscpy(it->description, kind->meta_name, sizeof(it->description));
		return 0;
	}
	for (i = 0; i < kind->format_count; i++) {
		if (it->mbus_code && it->mbus_code != kind->formats[i].code)
			continue;
		if (!index--) {
			it->pixelformat = kind->formats[i].fourcc;
			return 0;
		}
	}
	return -EINVAL;
}

static int node_enum_framesizes(struct file *file, void *fh, struct v4l2_frmsizeenum *it)
{
	struct video_node *node = video_drvdata(file);
	u32 i;

	if (it->index || is_meta(node))
		return -EINVAL;
	for (i = 0; i < node->kind->format_count; i++)
		if (node->kind->formats[i].fourcc == it->pixel_format)
			break;
	if (i == node->kind->format_count)
		return -EINVAL;
	it->type = V4L2_FRMSIZE_TYPE_STEPWISE;
	it->stepwise = (struct v4l2_frmsize_stepwise){ SIZE_MIN, SIZE_MAX_, 2, SIZE_MIN, SIZE_MAX_, 2 };
	return 0;
}

/* The colour spaces that a format has; anything else becomes the first. */
static void choose_colorspace(struct v4l2_pix_format *pix, const struct node_format *format)
{
	bool rgb = format->halves == 2 && format->depth >= 24;

	if (format->code)
		pix->colorspace = V4L2_COLORSPACE_RAW;
	else if (rgb)
		pix->colorspace = V4L2_COLORSPACE_SRGB;
	else if (pix->colorspace != V4L2_COLORSPACE_JPEG && pix->colorspace != V4L2_COLORSPACE_SRGB &&
		 pix->colorspace != V4L2_COLORSPACE_SMPTE170M && pix->colorspace != V4L2_COLORSPACE_REC709)
		pix->colorspace = pix->pixelformat == V4L2_PIX_FMT_YUV420 ? V4L2_COLORSPACE_JPEG : V4L2_COLORSPACE_SMPTE170M;
	pix->ycbcr_enc = V4L2_MAP_YCBCR_ENC_DEFAULT(pix->colorspace);
	pix->xfer_func = V4L2_MAP_XFER_FUNC_DEFAULT(pix->colorspace);
	pix->quantization = V4L2_MAP_QUANTIZATION_DEFAULT(pix->colorspace == V4L2_COLORSPACE_SRGB || format->code,
							  pix->colorspace, pix->ycbcr_enc);
}

static void fill_pix(const struct video_node *node, struct v4l2_pix_format *pix)
{
	const struct node_format *format = node->kind->formats;
	u32 i;

	for (i = 0; i < node->kind->format_count; i++)
		if (node->kind->formats[i].fourcc == pix->pixelformat)
			format = &node->kind->formats[i];
	pix->pixelformat = format->fourcc;
	pix->width = clamp(pix->width, SIZE_MIN, SIZE_MAX_) & ~1;
	pix->height = clamp(pix->height, SIZE_MIN, SIZE_MAX_) & ~1;
	pix->field = V4L2_FIELD_NONE;
	pix->bytesperline = format->depth == 24 ? ALIGN(pix->width, format->align) * 3 :
						  ALIGN(pix->width * format->depth / 8, format->align);
	pix->sizeimage = pix->bytesperline * pix->height * format->halves / 2;
	choose_colorspace(pix, format);
}

static int node_g_fmt(struct file *file, void *fh, struct v4l2_format *f)
{
	struct video_node *node = video_drvdata(file);

	if (is_meta(node)) {
		f->fmt.meta.dataformat = node->kind->meta_fourcc;
		f->fmt.meta.buffersize = node->bytes;
	} else {
		f->fmt.pix = node->pix;
	}
	return 0;
}

static int node_try_fmt(struct file *file, void *fh, struct v4l2_format *f)
{
	struct video_node *node = video_drvdata(file);

	if (is_meta(node))
		return node_g_fmt(file, fh, f);
	fill_pix(node, &f->fmt.pix);
	return 0;
}

static void set_pix(struct video_node *node, const struct v4l2_pix_format *pix)
{
	node->pix = *pix;
	node->bytes = pix->sizeimage;
	node->crop = (struct v4l2_rect){ 0, 0, pix->width, pix->height };
}

static int node_s_fmt(struct file *file, void *fh, struct v4l2_format *f)
{
	struct video_node *node = video_drvdata(file);

	if (vb2_is_busy(&node->queue))
		return -EBUSY;
	node_try_fmt(file, fh, f);
	if (!is_meta(node))
		set_pix(node, &f->fmt.pix);
	return 0;
}

static int node_s_selection(struct file *file, void *fh, struct v4l2_selection *s)
{
	struct video_node *node = video_drvdata(file);
	struct v4l2_rect *r = &s->r;

	if (!node->kind->croppable || s->target != V4L2_SEL_TGT_CROP || !r->width || !r->height)
		return -EINVAL;
	r->left = clamp_t(s32, r->left, 0, node->pix.width - SIZE_MIN);
	r->top = clamp_t(s32, r->top, 0, node->pix.height - SIZE_MIN);
	r->width = clamp(r->width, SIZE_MIN, node->pix.width - r->left);
	r->height = clamp(r->height, SIZE_MIN, node->pix.height - r->top);
	spin_lock_irq(&node->buffers_lock);
	node->crop = *r;
	spin_unlock_irq(&node->buffers_lock);
	return 0;
}

static int node_g_selection(struct file *file, void *fh, struct v4l2_selection *s)
{
	struct video_node *node = video_drvdata(file);

	if (!node->kind->croppable)
		return -EINVAL;
	switch (s->target) {
	case V4L2_SEL_TGT_CROP:
		s->r = node->crop;
		return 0;
	case V4L2_SEL_TGT_CROP_DEFAULT:
	case V4L2_SEL_TGT_CROP_BOUNDS:
		s->r = (struct v4l2_rect){ 0, 0, node->pix.width, node->pix.height };
		return 0;
	}
	return -EINVAL;
}

static int node_subscribe(struct v4l2_fh *fh, const struct v4l2_event_subscription *sub)
{
	struct video_node *node = video_get_drvdata(fh->vdev);

	if (node->kind->frame_sync && sub->type == V4L2_EVENT_FRAME_SYNC)
		return v4l2_event_subscribe(fh, sub, 2, NULL);
	return v4l2_ctrl_subscribe_event(fh, sub);
}

static const struct v4l2_ioctl_ops ioctl_ops = {
	.vidioc_querycap = node_querycap,
	.vidioc_enum_framesizes = node_enum_framesizes,
	.vidioc_enum_fmt_vid_cap = node_enum_fmt,
	.vidioc_enum_fmt_vid_out = node_enum_fmt,
	.vidioc_enum_fmt_meta_cap = node_enum_fmt,
	.vidioc_g_fmt_vid_cap = node_g_fmt,
	.vidioc_g_fmt_vid_out = node_g_fmt,
	.vidioc_g_fmt_meta_cap = node_g_fmt,
	.vidioc_s_fmt_vid_cap = node_s_fmt,
	.vidioc_s_fmt_vid_out = node_s_fmt,
	.vidioc_s_fmt_meta_cap = node_s_fmt,
	.vidioc_try_fmt_vid_cap = node_try_fmt,
	.vidioc_try_fmt_vid_out = node_try_fmt,
	.vidioc_try_fmt_meta_cap = node_try_fmt,
	.vidioc_s_selection = node_s_selection,
	.vidioc_g_selection = node_g_selection,
	.vidioc_reqbufs = vb2_ioctl_reqbufs,
	.vidioc_create_bufs = vb2_ioctl_create_bufs,
	.vidioc_querybuf = vb2_ioctl_querybuf,
	.vidioc_qbuf = vb2_ioctl_qbuf,
	.vidioc_dqbuf = vb2_ioctl_dqbuf,
	.vidioc_prepare_buf = vb2_ioctl_prepare_buf,
	.vidioc_expbuf = vb2_ioctl_expbuf,
	.vidioc_streamon = vb2_ioctl_streamon,
	.vidioc_streamoff = vb2_ioctl_streamoff,
	.vidioc_subscribe_event = node_subscribe,
	.vidioc_unsubscribe_event = v4l2_event_unsubscribe,
};

static const struct v4l2_file_operations file_ops = {
	.owner = THIS_MODULE,
	.open = v4l2_fh_open,
	.release = vb2_fop_release,
	.poll = vb2_fop_poll,
	.unlocked_ioctl = video_ioctl2,
	.mmap = vb2_fop_mmap,
};

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
	if (!is_output(node))
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

int node_register(struct video_node *node, const struct node_kind *kind, struct v4l2_device *v4l2,
		  struct v4l2_ctrl_handler *controls)
{
	struct video_device *vdev = &node->vdev;
	int ret;

	node->kind = kind;
	mutex_init(&node->lock);
	spin_lock_init(&node->buffers_lock);
	INIT_LIST_HEAD(&node->buffers);
	if (is_meta(node)) {
		node->bytes = kind->meta_bytes;
	} else {
		struct v4l2_pix_format pix = { .width = 640, .height = 480 };

		fill_pix(node, &pix);
		set_pix(node, &pix);
	}
	ret = queue_init(node, v4l2->dev);
	if (ret)
		return ret;
	strscpy(vdev->name, kind->name, sizeof(vdev->name));
	vdev->v4l2_dev = v4l2;
	vdev->fops = &file_ops;
	vdev->ioctl_ops = &ioctl_ops;
	vdev->release = video_device_release_empty;
	vdev->queue = &node->queue;
	vdev->lock = &node->lock;
	vdev->ctrl_handler = controls;
	vdev->vfl_dir = is_output(node) ? VFL_DIR_TX : VFL_DIR_RX;
	vdev->device_caps = V4L2_CAP_STREAMING | kind->extra_caps |
			    (is_meta(node) ? V4L2_CAP_META_CAPTURE :
			     is_output(node) ? V4L2_CAP_VIDEO_OUTPUT : V4L2_CAP_VIDEO_CAPTURE);
	video_set_drvdata(vdev, node);
	node->pad.flags = is_output(node) ? MEDIA_PAD_FL_SOURCE : MEDIA_PAD_FL_SINK;
	ret = media_entity_pads_init(&vdev->entity, 1, &node->pad);
	return ret ?: video_register_device(vdev, VFL_TYPE_VIDEO, -1);
}

void node_unregister(struct video_node *node)
{
	if (video_is_registered(&node->vdev))
		vb2_video_unregister_device(&node->vdev);
}
