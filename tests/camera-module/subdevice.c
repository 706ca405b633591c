// SPDX-License-Identifier: GPL-2.0-only
/* Plays the sensor's subdevice: formats and sizes of its two pads, picture and embedded data, and what they show. */
#include <media/v4l2-event.h>

#include "bcm2835.h"
#include "camera.h"
#include "sensor.h"

/* The order of the colours, by the flips that are in force, which a refused change of them does not alter. */
static u32 colour_code(void)
{
	static const u32 codes[] = {
		MEDIA_BUS_FMT_SRGGB10_1X10, MEDIA_BUS_FMT_SGRBG10_1X10,
		MEDIA_BUS_FMT_SGBRG10_1X10, MEDIA_BUS_FMT_SBGGR10_1X10,
	};

	return codes[sensor.hflip->cur.val | sensor.vflip->cur.val << 1];
}

static int enum_code(struct v4l2_subdev *sd, struct v4l2_subdev_state *state, struct v4l2_subdev_mbus_code_enum *it)
{
	if (it->index)
		return -EINVAL;
	it->code = it->pad ? MEDIA_BUS_FMT_SENSOR_DATA : colour_code();
	return 0;
}

static int enum_size(struct v4l2_subdev *sd, struct v4l2_subdev_state *state, struct v4l2_subdev_frame_size_enum *it)
{
	u32 count, width = EMBEDDED_BYTES, height = 1;
	const struct sensor_mode *list;

	if (it->pad) {
		if (it->index || it->code != MEDIA_BUS_FMT_SENSOR_DATA)
			return -EINVAL;
	} else {
		list = sensor_modes(sensor.hdr->cur.val, &count);
		if (it->index >= count || it->code != colour_code())
			return -EINVAL;
		width = list[it->index].width;
		height = list[it->index].height;
	}
	it->min_width = it->max_width = width;
	it->min_height = it->max_height = height;
	return 0;
}

static void fill_format(struct v4l2_subdev_format *it, const struct sensor_mode *mode)
{
	struct v4l2_mbus_framefmt *format = &it->format;

	if (it->pad) {
		*format = (struct v4l2_mbus_framefmt){
			.width = EMBEDDED_BYTES, .height = 1,
			.code = MEDIA_BUS_FMT_SENSOR_DATA, .field = V4L2_FIELD_NONE,
		};
		return;
	}
	*format = (struct v4l2_mbus_framefmt){
		.width = mode->width, .height = mode->height,
		.code = colour_code(), .field = V4L2_FIELD_NONE, .colorspace = V4L2_COLORSPACE_RAW,
	};
	format->ycbcr_enc = V4L2_MAP_YCBCR_ENC_DEFAULT(format->colorspace);
	format->quantization = V4L2_MAP_QUANTIZATION_DEFAULT(true, format->colorspace, format->ycbcr_enc);
	format->xfer_func = V4L2_MAP_XFER_FUNC_DEFAULT(format->colorspace);
}

static int get_fmt(struct v4l2_subdev *sd, struct v4l2_subdev_state *state, struct v4l2_subdev_format *it)
{
	mutex_lock(sensor.controls.lock);
	fill_format(it, sensor.mode);
	mutex_unlock(sensor.controls.lock);
	return 0;
}

static int set_fmt(struct v4l2_subdev *sd, struct v4l2_subdev_state *state, struct v4l2_subdev_format *it)
{
	const struct sensor_mode *mode;
	int ret = 0;

	mutex_lock(sensor.controls.lock);
	mode = sensor_nearest_mode(sensor.hdr->cur.val, it->format.width, it->format.height);
	fill_format(it, mode);
	if (!it->pad && it->which == V4L2_SUBDEV_FORMAT_ACTIVE) {
		if (sensor_on())
			ret = -EBUSY;
		else
			sensor_set_mode(mode);
	}
	mutex_unlock(sensor.controls.lock);
	return ret;
}

static int get_selection(struct v4l2_subdev *sd, struct v4l2_subdev_state *state, struct v4l2_subdev_selection *it)
{
	switch (it->target) {
	case V4L2_SEL_TGT_CROP:
		mutex_lock(sensor.controls.lock);
		it->r = sensor.mode->crop;
		mutex_unlock(sensor.controls.lock);
		it->r.left += ARRAY_LEFT;
		it->r.top += ARRAY_TOP;
		return 0;
	case V4L2_SEL_TGT_NATIVE_SIZE:
		it->r = (struct v4l2_rect){ 0, 0, 4640, 2658 };
		return 0;
	case V4L2_SEL_TGT_CROP_DEFAULT:
	case V4L2_SEL_TGT_CROP_BOUNDS:
		it->r = (struct v4l2_rect){ ARRAY_LEFT, ARRAY_TOP, ARRAY_WIDTH, ARRAY_HEIGHT };
		return 0;
	}
	return -EINVAL;
}

static const struct v4l2_subdev_pad_ops pad_ops = {
	.enum_mbus_code = enum_code,
	.enum_frame_size = enum_size,
	.get_fmt = get_fmt,
	.set_fmt = set_fmt,
	.get_selection = get_selection,
};

static const struct v4l2_subdev_core_ops core_ops = {
	.subscribe_event = v4l2_ctrl_subdev_subscribe_event,
	.unsubscribe_event = v4l2_event_subdev_unsubscribe,
};

const struct v4l2_subdev_ops sensor_subdev_ops = { .core = &core_ops, .pad = &pad_ops };
