// SPDX-License-Identifier: GPL-2.0-only
/*
 * Plays pispbe, the back end of the Pi 5's image processor. As the real driver: everything that a job is to do is in
 * the buffer of its configuration; it runs when that, the input, and every streaming node that the configuration
 * enables have a buffer, and takes along those that wait at other nodes.
 */
#include <linux/math64.h>
#include <uapi/linux/media/raspberrypi/pisp_be_config.h>

#include "pisp.h"
#include "processor.h"

enum { INPUT, CONFIG, OUTPUT0, OUTPUT1, TDN_INPUT, TDN_OUTPUT, STITCH_INPUT, STITCH_OUTPUT, NODES };

/* Thousandths of what PiSP has with 10 bits behind the point. */
static s32 thousandths(s32 fixed)
{
	return fixed * 1000 / 1024;
}

static u32 needs(struct video_node *nodes)
{
	const struct pisp_be_tiles_config *tiles = node_first(&nodes[CONFIG]);
	u32 bayer, rgb, enabled, i, needed = BIT(INPUT) | BIT(CONFIG);

	if (!tiles)
		return 0;
	bayer = tiles->config.global.bayer_enables;
	rgb = tiles->config.global.rgb_enables;
	enabled = (rgb & PISP_BE_RGB_ENABLE_OUTPUT0 ? BIT(OUTPUT0) : 0) |
		  (rgb & PISP_BE_RGB_ENABLE_OUTPUT1 ? BIT(OUTPUT1) : 0) |
		  (bayer & PISP_BE_BAYER_ENABLE_TDN_INPUT ? BIT(TDN_INPUT) : 0) |
		  (bayer & PISP_BE_BAYER_ENABLE_TDN_OUTPUT ? BIT(TDN_OUTPUT) : 0) |
		  (bayer & PISP_BE_BAYER_ENABLE_STITCH_INPUT ? BIT(STITCH_INPUT) : 0) |
		  (bayer & PISP_BE_BAYER_ENABLE_STITCH_OUTPUT ? BIT(STITCH_OUTPUT) : 0);
	for (i = 0; i < NODES; i++)
		if (enabled & BIT(i) && node_streams(&nodes[i]))
			needed |= BIT(i);
	return needed;
}

static void read_curve(struct development *how, const struct pisp_be_gamma_config *gamma)
{
	u32 i;

	for (i = 0; i < PISP_BE_GAMMA_LUT_SIZE; i++) {
		how->curve_x[i] = i < 32 ? i * 512 : i < 48 ? (i - 32) * 1024 + 16384 : (i - 48) * 2048 + 32768;
		how->curve_y[i] = gamma->lut[i] & 0xffff;
	}
	/* The last entry's line ends at the white. */
	how->curve_x[i] = 0xffff;
	how->curve_y[i] = min((gamma->lut[i - 1] & 0xffff) + (gamma->lut[i - 1] >> 16), 0xffffu);
	how->curve_points = i + 1;
}

static struct development read_development(const struct pisp_be_config *config, u32 branch)
{
	const struct pisp_be_ccm_config *csc = &config->csc[branch];
	bool balances = config->global.bayer_enables & PISP_BE_BAYER_ENABLE_WBG;
	bool corrects = config->global.rgb_enables & PISP_BE_RGB_ENABLE_CCM;
	struct development how = {};
	u32 i, j;

	how.gain[0] = balances ? thousandths(config->wbg.gain_r) : 1000;
	how.gain[1] = balances ? thousandths(config->wbg.gain_g) : 1000;
	how.gain[2] = balances ? thousandths(config->wbg.gain_b) : 1000;
	for (i = 0; i < 3; i++)
		for (j = 0; j < 3; j++)
			how.matrix[i][j] = corrects ? thousandths(config->ccm.coeffs[3 * i + j]) : (i == j) * 1000;
	if (config->global.rgb_enables & PISP_BE_RGB_ENABLE_GAMMA)
		read_curve(&how, &config->gamma);
	how.converts = config->global.rgb_enables & PISP_BE_RGB_ENABLE_CSC(branch);
	memcpy(how.conversion, csc->coeffs, sizeof(csc->coeffs));
	memcpy(how.conversion_offsets, csc->offsets, sizeof(csc->offsets));
	return how;
}

/* What a branch shows of the raw picture: only its tiles know. */
static struct v4l2_rect read_crop(const struct pisp_be_tiles_config *tiles, u32 branch)
{
	const struct pisp_tile *first = &tiles->tiles[0], *last = &tiles->tiles[tiles->num_tiles - 1];
	u32 left = first->input_offset_x + first->crop_x_start[branch];
	u32 top = first->input_offset_y + first->crop_y_start[branch];
	u32 right = last->input_offset_x + last->input_width - last->crop_x_end[branch];
	u32 bottom = last->input_offset_y + last->input_height - last->crop_y_end[branch];

	return (struct v4l2_rect){ left, top, right - left, bottom - top };
}

static bool run(struct video_node *nodes, struct node_buffer *const *buffers, const struct shot *shot)
{
	const struct pisp_be_tiles_config *tiles = node_memory(buffers[CONFIG]);
	const struct pisp_be_config *config = &tiles->config;
	u32 i;

	if (config->global.bayer_enables & PISP_BE_BAYER_ENABLE_LSC)
		pisp_learn_shading(config->lsc.lut_packed);
	if (!tiles->num_tiles || tiles->num_tiles > ARRAY_SIZE(tiles->tiles))
		return false;
	for (i = 0; i < PISP_BACK_END_NUM_OUTPUTS; i++) {
		struct development how = read_development(config, i);
		struct v4l2_rect crop = read_crop(tiles, i);
		struct node_buffer *buffer = buffers[OUTPUT0 + i];
		struct view view;

		if (!buffer || !(config->global.rgb_enables & PISP_BE_RGB_ENABLE_OUTPUT(i)))
			continue;
		view_init(&view, shot, &crop);
		if (picture_draw(&nodes[OUTPUT0 + i].pix, node_memory(buffer), shot, &view, &how))
			return false;
	}
	return true;
}

static const struct node_format formats[] = {
	{ V4L2_PIX_FMT_YUV420, 8, 128, 3 }, { V4L2_PIX_FMT_YVU420, 8, 128, 3 },
	{ V4L2_PIX_FMT_NV12, 8, 32, 3 }, { V4L2_PIX_FMT_NV21, 8, 32, 3 },
	{ V4L2_PIX_FMT_YUYV, 16, 64, 2 }, { V4L2_PIX_FMT_UYVY, 16, 64, 2 },
	{ V4L2_PIX_FMT_YVYU, 16, 64, 2 }, { V4L2_PIX_FMT_VYUY, 16, 64, 2 },
	{ V4L2_PIX_FMT_RGB24, 24, 32, 2 }, { V4L2_PIX_FMT_BGR24, 24, 32, 2 },
	{ V4L2_PIX_FMT_XBGR32, 32, 64, 2 }, { V4L2_PIX_FMT_RGBX32, 32, 64, 2 },
};

#define ALL .driver = "pispbe", .keeps_stride = true, .start = processor_start, .stop = processor_stop, \
	.queued = processor_queued
#define IN(what) { .name = "pispbe-" what, .type = V4L2_BUF_TYPE_VIDEO_OUTPUT_MPLANE, .formats = pisp_raw_formats, \
	.format_count = ARRAY_SIZE(pisp_raw_formats), ALL }
#define OUT(what) { .name = "pispbe-" what, .type = V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE, .formats = pisp_raw_formats, \
	.format_count = ARRAY_SIZE(pisp_raw_formats), ALL }
#define PICTURE(what) { .name = "pispbe-" what, .type = V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE, .formats = formats, \
	.format_count = ARRAY_SIZE(formats), ALL }
static const struct node_kind kinds[NODES] = {
	[INPUT] = IN("input"),
	[CONFIG] = {
		.name = "pispbe-config", .type = V4L2_BUF_TYPE_META_OUTPUT, .meta_name = "PiSP configuration",
		.meta_fourcc = V4L2_META_FMT_RPI_BE_CFG, .meta_bytes = sizeof(struct pisp_be_tiles_config), ALL,
	},
	[OUTPUT0] = PICTURE("output0"),
	[OUTPUT1] = PICTURE("output1"),
	[TDN_INPUT] = IN("tdn_input"),
	[TDN_OUTPUT] = OUT("tdn_output"),
	[STITCH_INPUT] = IN("stitch_input"),
	[STITCH_OUTPUT] = OUT("stitch_output"),
};

const struct processor_kind pisp = {
	.name = "pispbe", .entity = "pispbe", .revision = PISP_REVISION, .nodes = kinds, .node_count = NODES,
	.needs = needs, .run = run,
};
