// SPDX-License-Identifier: GPL-2.0-only
/*
 * Plays bcm2835-isp, the Pi 4's image processor: an input, two pictures, statistics.
 *
 * As the real driver: a job runs when the input and every output that streams have a buffer; the time of what comes out
 * is that of what went in, in whole microseconds; each node counts by itself from 0, so a frame that the sensor lost
 * does not show in its numbers.
 */
#include <linux/dma-buf.h>
#include <linux/math64.h>
#include <linux/workqueue.h>
#include <media/media-device.h>
#include <media/v4l2-ctrls.h>

#include "bcm2835.h"
#include "camera.h"
#include "node.h"
#include "picture.h"

enum { INPUT, PICTURE, PICTURE2, STATISTICS, NODES };

static struct processor {
	struct media_device media;
	struct v4l2_device v4l2;
	struct media_entity entity;
	struct media_pad pads[NODES];
	struct video_node nodes[NODES];
	struct v4l2_ctrl_handler controls;
	struct workqueue_struct *queue;
	struct work_struct work;
	/* Under the lock of the controls. */
	u32 red, blue, digital;		/* gains in thousandths */
	struct development how;
} processor;

/* ---- jobs ---- */

static bool job_ready(void)
{
	u32 i;

	for (i = 0; i < NODES; i++)
		if (!node_ready(&processor.nodes[i]) && (i != PICTURE2 || node_streams(&processor.nodes[i])))
			return false;
	return true;
}

static struct development current_development(void)
{
	struct development how;

	mutex_lock(processor.controls.lock);
	how = processor.how;
	how.gain[0] = processor.red * processor.digital / 1000;
	how.gain[1] = processor.digital;
	how.gain[2] = processor.blue * processor.digital / 1000;
	mutex_unlock(processor.controls.lock);
	return how;
}

static bool job_do(struct node_buffer *buffers[NODES], const struct shot *shot)
{
	struct development how = current_development();
	struct v4l2_rect crop = node_crop(&processor.nodes[INPUT]);
	struct view view;
	u32 i;

	view_init(&view, shot, &crop);
	for (i = PICTURE; i <= PICTURE2; i++)
		if (buffers[i] && picture_draw(&processor.nodes[i].pix, node_memory(buffers[i]), shot, &view, &how))
			return false;
	statistics_count(node_memory(buffers[STATISTICS]), shot);
	return true;
}

static void job_run(struct node_buffer *buffers[NODES])
{
	u64 ns = buffers[INPUT]->vb.vb2_buf.timestamp;
	struct shot shot;
	bool good, drop;
	u32 i;

	memcpy(&shot, node_memory(buffers[INPUT]), sizeof(shot));
	good = shot.magic == SHOT_MAGIC;
	if (!good)
		dev_warn_ratelimited(processor.v4l2.dev, "a buffer without a frame was put into the processor\n");
	faults_sleep(READ_ONCE(faults.slow_ms));
	if (good)
		good = job_do(buffers, &shot);
	drop = faults_take(&faults.drop);
	for (i = 0; i < NODES; i++) {
		struct video_node *node = &processor.nodes[i];

		if (!buffers[i])
			continue;
		if (drop && i != INPUT)
			node_put_back(node, buffers[i]);
		else
			node_done(node, buffers[i], node->sequence++, div_u64(ns, 1000) * 1000, good);
	}
}

static void work(struct work_struct *unused)
{
	while (job_ready()) {
		struct node_buffer *buffers[NODES];
		bool whole = true;
		u32 i;

		/* A node may have stopped since. */
		for (i = 0; i < NODES; i++) {
			buffers[i] = node_take(&processor.nodes[i]);
			if (!buffers[i] && i != PICTURE2)
				whole = false;
		}
		if (whole) {
			job_run(buffers);
			continue;
		}
		for (i = 0; i < NODES; i++)
			if (buffers[i])
				node_put_back(&processor.nodes[i], buffers[i]);
	}
}

static void queued(struct video_node *node)
{
	queue_work(processor.queue, &processor.work);
}

static int start(struct video_node *node)
{
	queued(node);
	return 0;
}

static void stop(struct video_node *node)
{
	flush_work(&processor.work);
}

/* ---- controls ---- */

static void set_matrix(const struct isp_ccm *ccm)
{
	u32 i, j;

	for (i = 0; i < 3; i++)
		for (j = 0; j < 3; j++) {
			const struct isp_ratio *ratio = &ccm->matrix[i][j];

			processor.how.matrix[i][j] = !ccm->enabled ? (i == j) * 1000 :
						     div_s64(1000ll * ratio->num, ratio->den ?: 1);
		}
}

static void set_curve(const struct isp_gamma *gamma)
{
	processor.how.curve_points = gamma->enabled ? GAMMA_POINTS : 0;
	memcpy(processor.how.curve_x, gamma->x, sizeof(gamma->x));
	memcpy(processor.how.curve_y, gamma->y, sizeof(gamma->y));
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
		processor.red = ctrl->val;
		break;
	case V4L2_CID_BLUE_BALANCE:
		processor.blue = ctrl->val;
		break;
	case V4L2_CID_DIGITAL_GAIN:
		processor.digital = ctrl->val;
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

static int create_controls(void)
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
	struct v4l2_ctrl_handler *h = &processor.controls;
	u32 i;

	processor.red = processor.blue = processor.digital = 1000;
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

#define PICTURES .type = V4L2_BUF_TYPE_VIDEO_CAPTURE, .formats = picture_formats, \
	.format_count = ARRAY_SIZE(picture_formats)
#define ALL .driver = "bcm2835-isp", .copies_time = true, .start = start, .stop = stop, .queued = queued
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

static int register_nodes(void)
{
	const u32 fixed = MEDIA_LNK_FL_ENABLED | MEDIA_LNK_FL_IMMUTABLE;
	struct media_entity *entity = &processor.entity;
	u32 i;
	int ret;

	entity->name = "bcm2835-isp0";
	entity->obj_type = MEDIA_ENTITY_TYPE_BASE;
	entity->function = MEDIA_ENT_F_PROC_VIDEO_SCALER;
	for (i = 0; i < NODES; i++)
		processor.pads[i].flags = i == INPUT ? MEDIA_PAD_FL_SINK : MEDIA_PAD_FL_SOURCE;
	ret = media_entity_pads_init(entity, NODES, processor.pads);
	ret = ret ?: media_device_register_entity(&processor.media, entity);
	for (i = 0; i < NODES && !ret; i++) {
		struct video_node *node = &processor.nodes[i];

		ret = node_register(node, &kinds[i], &processor.v4l2, i == INPUT ? &processor.controls : NULL);
		if (ret)
			break;
		ret = i == INPUT ? media_create_pad_link(&node->vdev.entity, 0, entity, i, fixed) :
				   media_create_pad_link(entity, i, &node->vdev.entity, 0, fixed);
	}
	return ret;
}

int processor_register(struct device *dev)
{
	int ret;

	BUILD_BUG_ON(sizeof(struct isp_stats) != 10824);
	INIT_WORK(&processor.work, work);
	ret = media_begin(&processor.media, &processor.v4l2, dev, "bcm2835-isp");
	processor.queue = alloc_workqueue("camera-processor", WQ_UNBOUND, 1);
	if (!processor.queue)
		return -ENOMEM;
	ret = ret ?: create_controls();
	ret = ret ?: register_nodes();
	return ret ?: media_device_register(&processor.media);
}

void processor_unregister(void)
{
	u32 i;

	for (i = 0; i < NODES; i++)
		node_unregister(&processor.nodes[i]);
	if (media_devnode_is_registered(processor.media.devnode))
		media_device_unregister(&processor.media);
	v4l2_device_unregister(&processor.v4l2);
	v4l2_ctrl_handler_free(&processor.controls);
	media_device_cleanup(&processor.media);
	if (processor.queue)
		destroy_workqueue(processor.queue);
}
