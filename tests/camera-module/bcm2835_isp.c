// SPDX-License-Identifier: GPL-2.0-only
/*
 * Plays bcm2835-isp, the Pi 4's image processor: an input, two pictures, statistics. As the real driver: a job runs
 * when the input and every output that streams have a buffer; the time of what comes out is that of what went in, in
 * whole microseconds.
 */
#include <linux/dma-buf.h>
#include <linux/math64.h>
#include <media/v4l2-ctrls.h>

#include "bcm2835.h"
#include "processor.h"

enum { INPUT, PICTURE, PICTURE2, STATISTICS, NODES };

static struct {
	struct v4l2_ctrl_handler *controls;
	/* Under the lock of the controls. */
	u32 red, blue, digital;		/* gains in thousandths */
	struct development how;
} isp;

/* ---- jobs ---- */

static u32 needs(struct video_node *nodes)
{
	return BIT(INPUT) | BIT(PICTURE) | BIT(STATISTICS) | (node_streams(&nodes[PICTURE2]) ? BIT(PICTURE2) : 0);
}

static struct development current_development(void)
{
	struct development how;

	mutex_lock(isp.controls->lock);
	how = isp.how;
	how.gain[0] = isp.red * isp.digital / 1000;
	how.gain[1] = isp.digital;
	how.gain[2] = isp.blue * isp.digital / 1000;
	mutex_unlock(isp.controls->lock);
	return how;
}

static bool run(struct video_node *nodes, struct node_buffer *const *buffers, const struct shot *shot)
{
	struct development how = current_development();
	struct v4l2_rect crop = node_crop(&nodes[INPUT]);
	struct view view;
	u32 i;

	view_init(&view, shot, &crop);
	for (i = PICTURE; i <= PICTURE2; i++)
		if (buffers[i] && picture_draw(&nodes[i].pix, node_memory(buffers[i]), shot, &view, &how))
			return false;
	isp_count(node_memory(buffers[STATISTICS]), shot);
	return true;
}

/* ---- controls ---- */

static void set_matrix(const struct isp_ccm *ccm)
{
	u32 i, j;

	for (i = 0; i < 3; i++)
		for (j = 0; j < 3; j++) {
			const struct isp_ratio *ratio = &ccm->matrix[i][j];

			isp.how.matrix[i][j] = !ccm->enabled ? (i == j) * 1000 :
						     div_s64(1000ll * ratio->num, ratio->den ?: 1);
		}
}

static void set_curve(const struct isp_gamma *gamma)
{
	isp.how.curve_points = gamma->enabled ? GAMMA_POINTS : 0;
	memcpy(isp.how.curve_x, gamma->x, sizeof(gamma->x));
	memcpy(isp.how.curve_y, gamma->y, sizeof(gamma->y));
}

/* The table of gains is not used; but it must be in a dma-buf. */
static int check_shading(const struct isp_lens_shading *shading)
{
	struct dma_buf *table;

	table = dma_buf_get(shading->dmabuf);
	if (IS_ERR(table))
		return -EIO;
	dma_buf_put(table);
	return 0;
}

static int isp_s_ctrl(struct v4l2_ctrl *ctrl)
{
	const void *blob = ctrl->p_new.p;

	switch (ctrl->id) {
	case V4L2_CID_RED_BALANCE:
		isp.red = ctrl->val;
		break;
	case V4L2_CID_BLUE_BALANCE:
		isp.blue = ctrl->val;
		break;
	case V4L2_CID_DIGITAL_GAIN:
		isp.digital = ctrl->val;
		break;
	case ISP_CID_CCM:
		set_matrix(blob);
		break;
	case ISP_CID_GAMMA:
		set_curve(blob);
		break;
	case ISP_CID_LENS_SHADING:
		return check_shading(blob);
	}
	return 0;
}

static const struct v4l2_ctrl_ops control_ops = { .s_ctrl = isp_s_ctrl };

static int create_controls(struct v4l2_ctrl_handler *h)
{
	static const u32 gains[] = { V4L2_CID_RED_BALANCE, V4L2_CID_BLUE_BALANCE, V4L2_CID_DIGITAL_GAIN };
	static const struct {
		u32 id, bytes;
		const char *name;
	} blobs[] = {
		{ ISP_CID_CCM, sizeof(struct isp_ccm), "Colour Correction Matrix" },
		{ ISP_CID_LENS_SHADING, sizeof(struct isp_lens_shading), "Lens Shading" },
		{ ISP_CID_BLACK_LEVEL, 12, "Black Level" },
		{ ISP_CID_GREEN_EQUALISATION, 16, "Green Equalisation" },
		{ ISP_CID_GAMMA, sizeof(struct isp_gamma), "Gamma" },
		{ ISP_CID_DENOISE, 24, "Denoise" },
		{ ISP_CID_SHARPEN, 28, "Sharpen" },
		{ ISP_CID_DEFECTIVE_PIXELS, 8, "Defective Pixel Correction" },
		{ ISP_CID_COLOUR_DENOISE, 8, "Colour Denoise" },
	};
	u32 i;

	BUILD_BUG_ON(sizeof(struct isp_stats) != 10824);
	isp.controls = h;
	isp.red = isp.blue = isp.digital = 1000;
	set_matrix(&(struct isp_ccm){});
	v4l2_ctrl_handler_init(h, 16);
	for (i = 0; i < ARRAY_SIZE(gains); i++)
		v4l2_ctrl_new_std(h, &control_ops, gains[i], 1, 0xffff, 1, 1000);
	for (i = 0; i < ARRAY_SIZE(blobs); i++) {
		const struct v4l2_ctrl_config config = {
			.ops = &control_ops, .id = blobs[i].id, .type = V4L2_CTRL_TYPE_U8, .name = blobs[i].name,
			.max = 255, .step = 1, .dims = { blobs[i].bytes }, .flags = V4L2_CTRL_FLAG_EXECUTE_ON_WRITE,
		};

		v4l2_ctrl_new_custom(h, &config, NULL);
	}
	return h->error;
}

/* ---- nodes ---- */

static const struct node_format formats[] = {
	{ V4L2_PIX_FMT_YUV420, 8, 64, 3 }, { V4L2_PIX_FMT_YVU420, 8, 64, 3 },
	{ V4L2_PIX_FMT_NV12, 8, 32, 3 }, { V4L2_PIX_FMT_NV21, 8, 32, 3 },
	{ V4L2_PIX_FMT_YUYV, 16, 64, 2 }, { V4L2_PIX_FMT_UYVY, 16, 64, 2 },
	{ V4L2_PIX_FMT_YVYU, 16, 64, 2 }, { V4L2_PIX_FMT_VYUY, 16, 64, 2 },
	{ V4L2_PIX_FMT_RGB24, 24, 96, 2 }, { V4L2_PIX_FMT_BGR24, 24, 96, 2 },
	{ V4L2_PIX_FMT_XBGR32, 32, 64, 2 }, { V4L2_PIX_FMT_RGBX32, 32, 64, 2 },
};

#define PICTURES .type = V4L2_BUF_TYPE_VIDEO_CAPTURE, .formats = formats, .format_count = ARRAY_SIZE(formats)
#define ALL .driver = "bcm2835-isp", .copies_time = true, .start = processor_start, .stop = processor_stop, \
	.queued = processor_queued
static const struct node_kind kinds[NODES] = {
	[INPUT] = {
		.name = "bcm2835-isp0-output0", .type = V4L2_BUF_TYPE_VIDEO_OUTPUT, .croppable = true,
		.formats = raw_formats, .format_count = ARRAY_SIZE(raw_formats), ALL,
	},
	[PICTURE] = { .name = "bcm2835-isp0-capture1", PICTURES, ALL },
	[PICTURE2] = { .name = "bcm2835-isp0-capture2", PICTURES, ALL },
	[STATISTICS] = {
		.name = "bcm2835-isp0-capture3", .type = V4L2_BUF_TYPE_META_CAPTURE, .meta_name = "ISP statistics",
		.meta_fourcc = META_FMT_ISP_STATS, .meta_bytes = sizeof(struct isp_stats), ALL,
	},
};

const struct processor_kind bcm2835_isp = {
	.name = "bcm2835-isp", .entity = "bcm2835-isp0", .nodes = kinds, .node_count = NODES,
	.create_controls = create_controls, .needs = needs, .run = run,
};
