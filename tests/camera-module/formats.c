// SPDX-License-Identifier: GPL-2.0-only
/* Plays the video nodes' calls: their formats, sizes and colour spaces, as Raspberry Pi's drivers have them. */
#include <media/v4l2-ctrls.h>
#include <media/v4l2-event.h>
#include <media/v4l2-ioctl.h>

#include "node.h"

#define SIDE_MIN 64u
#define SIDE_MAX 16384u

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

/* As the Pi 5's front end writes them: compressed to 8 bits, and each sample in 16. */
const struct node_format pisp_raw_formats[8] = {
	{ V4L2_PIX_FMT_PISP_COMP1_RGGB, 8, 16, 2, MEDIA_BUS_FMT_SRGGB16_1X16 },
	{ V4L2_PIX_FMT_PISP_COMP1_GRBG, 8, 16, 2, MEDIA_BUS_FMT_SGRBG16_1X16 },
	{ V4L2_PIX_FMT_PISP_COMP1_GBRG, 8, 16, 2, MEDIA_BUS_FMT_SGBRG16_1X16 },
	{ V4L2_PIX_FMT_PISP_COMP1_BGGR, 8, 16, 2, MEDIA_BUS_FMT_SBGGR16_1X16 },
	{ V4L2_PIX_FMT_SRGGB16, 16, 16, 2, MEDIA_BUS_FMT_SRGGB16_1X16 },
	{ V4L2_PIX_FMT_SGRBG16, 16, 16, 2, MEDIA_BUS_FMT_SGRBG16_1X16 },
	{ V4L2_PIX_FMT_SGBRG16, 16, 16, 2, MEDIA_BUS_FMT_SGBRG16_1X16 },
	{ V4L2_PIX_FMT_SBGGR16, 16, 16, 2, MEDIA_BUS_FMT_SBGGR16_1X16 },
};

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

	if (it->index || node_is_meta(node))
		return -EINVAL;
	for (i = 0; i < node->kind->format_count; i++)
		if (node->kind->formats[i].fourcc == it->pixel_format)
			break;
	if (i == node->kind->format_count)
		return -EINVAL;
	it->type = V4L2_FRMSIZE_TYPE_STEPWISE;
	it->stepwise = (struct v4l2_frmsize_stepwise){ SIDE_MIN, SIDE_MAX, 2, SIDE_MIN, SIDE_MAX, 2 };
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
	u32 i, stride;

	for (i = 0; i < node->kind->format_count; i++)
		if (node->kind->formats[i].fourcc == pix->pixelformat)
			format = &node->kind->formats[i];
	pix->pixelformat = format->fourcc;
	pix->width = clamp(pix->width, SIDE_MIN, SIDE_MAX) & ~1;
	pix->height = clamp(pix->height, SIDE_MIN, SIDE_MAX) & ~1;
	pix->field = V4L2_FIELD_NONE;
	stride = pix->width * format->depth / 8;
	if (node->kind->keeps_stride)
		stride = clamp(pix->bytesperline, stride, SIDE_MAX * 4);
	pix->bytesperline = roundup(stride, format->align);
	pix->sizeimage = pix->bytesperline * pix->height * format->halves / 2;
	choose_colorspace(pix, format);
}

/* ---- the calls' structures: pictures of one plane by two interfaces, and data ---- */

static void write_format(const struct video_node *node, const struct v4l2_pix_format *pix, struct v4l2_format *f)
{
	struct v4l2_pix_format_mplane *planes = &f->fmt.pix_mp;
	struct v4l2_meta_format *meta = &f->fmt.meta;

	if (node_is_meta(node)) {
		meta->dataformat = node->kind->meta_fourcc;
		meta->buffersize = node->bytes;
		meta->width = pix->width;
		meta->height = pix->height;
		meta->bytesperline = pix->bytesperline;
	} else if (V4L2_TYPE_IS_MULTIPLANAR(f->type)) {
		*planes = (struct v4l2_pix_format_mplane){
			.width = pix->width, .height = pix->height, .pixelformat = pix->pixelformat,
			.field = pix->field, .colorspace = pix->colorspace, .ycbcr_enc = pix->ycbcr_enc,
			.quantization = pix->quantization, .xfer_func = pix->xfer_func, .num_planes = 1,
			.plane_fmt[0] = { .bytesperline = pix->bytesperline, .sizeimage = pix->sizeimage },
		};
	} else {
		f->fmt.pix = *pix;
	}
}

static struct v4l2_pix_format read_format(const struct video_node *node, const struct v4l2_format *f)
{
	const struct v4l2_pix_format_mplane *planes = &f->fmt.pix_mp;
	struct v4l2_pix_format pix = {};

	if (node_is_meta(node)) {
		if (node->kind->meta_lines) {
			pix.width = f->fmt.meta.width;
			pix.height = f->fmt.meta.height;
			pix.bytesperline = pix.width * 10 / 8;
		}
		return pix;
	}
	if (V4L2_TYPE_IS_MULTIPLANAR(f->type))
		pix = (struct v4l2_pix_format){
			.width = planes->width, .height = planes->height, .pixelformat = planes->pixelformat,
			.colorspace = planes->colorspace, .bytesperline = planes->plane_fmt[0].bytesperline,
		};
	else
		pix = f->fmt.pix;
	fill_pix(node, &pix);
	return pix;
}

static int node_g_fmt(struct file *file, void *fh, struct v4l2_format *f)
{
	struct video_node *node = video_drvdata(file);

	write_format(node, &node->pix, f);
	return 0;
}

static int node_try_fmt(struct file *file, void *fh, struct v4l2_format *f)
{
	struct video_node *node = video_drvdata(file);
	struct v4l2_pix_format pix = read_format(node, f);

	write_format(node, &pix, f);
	return 0;
}

static void set_pix(struct video_node *node, const struct v4l2_pix_format *pix)
{
	node->pix = *pix;
	if (!node_is_meta(node))
		node->bytes = pix->sizeimage;
	node->crop = (struct v4l2_rect){ 0, 0, pix->width, pix->height };
}

void node_default_format(struct video_node *node)
{
	struct v4l2_pix_format pix = { .width = 640, .height = 480 };

	if (node_is_meta(node)) {
		node->bytes = node->kind->meta_bytes;
		return;
	}
	fill_pix(node, &pix);
	set_pix(node, &pix);
}

static int node_s_fmt(struct file *file, void *fh, struct v4l2_format *f)
{
	struct video_node *node = video_drvdata(file);
	struct v4l2_pix_format pix = read_format(node, f);

	if (vb2_is_busy(&node->queue))
		return -EBUSY;
	set_pix(node, &pix);
	write_format(node, &pix, f);
	return 0;
}

static int node_s_selection(struct file *file, void *fh, struct v4l2_selection *s)
{
	struct video_node *node = video_drvdata(file);
	struct v4l2_rect *r = &s->r;

	if (!node->kind->croppable || s->target != V4L2_SEL_TGT_CROP || !r->width || !r->height)
		return -EINVAL;
	r->left = clamp_t(s32, r->left, 0, node->pix.width - SIDE_MIN);
	r->top = clamp_t(s32, r->top, 0, node->pix.height - SIDE_MIN);
	r->width = clamp(r->width, SIDE_MIN, node->pix.width - r->left);
	r->height = clamp(r->height, SIDE_MIN, node->pix.height - r->top);
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

const struct v4l2_ioctl_ops node_ioctl_ops = {
	.vidioc_querycap = node_querycap,
	.vidioc_enum_framesizes = node_enum_framesizes,
	.vidioc_enum_fmt_vid_cap = node_enum_fmt,
	.vidioc_enum_fmt_vid_out = node_enum_fmt,
	.vidioc_enum_fmt_meta_cap = node_enum_fmt,
	.vidioc_enum_fmt_meta_out = node_enum_fmt,
	.vidioc_g_fmt_vid_cap = node_g_fmt,
	.vidioc_g_fmt_vid_out = node_g_fmt,
	.vidioc_g_fmt_vid_cap_mplane = node_g_fmt,
	.vidioc_g_fmt_vid_out_mplane = node_g_fmt,
	.vidioc_g_fmt_meta_cap = node_g_fmt,
	.vidioc_g_fmt_meta_out = node_g_fmt,
	.vidioc_s_fmt_vid_cap = node_s_fmt,
	.vidioc_s_fmt_vid_out = node_s_fmt,
	.vidioc_s_fmt_vid_cap_mplane = node_s_fmt,
	.vidioc_s_fmt_vid_out_mplane = node_s_fmt,
	.vidioc_s_fmt_meta_cap = node_s_fmt,
	.vidioc_s_fmt_meta_out = node_s_fmt,
	.vidioc_try_fmt_vid_cap = node_try_fmt,
	.vidioc_try_fmt_vid_out = node_try_fmt,
	.vidioc_try_fmt_vid_cap_mplane = node_try_fmt,
	.vidioc_try_fmt_vid_out_mplane = node_try_fmt,
	.vidioc_try_fmt_meta_cap = node_try_fmt,
	.vidioc_try_fmt_meta_out = node_try_fmt,
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
