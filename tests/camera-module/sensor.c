// SPDX-License-Identifier: GPL-2.0-only
/*
 * Plays the sensor and its driver: modes, controls, registers, and the time it takes from a register to a frame.
 *
 * What is written while frame n is read out holds from frame n + 2 on (exposure, gain) or n + 3 (frame length, the time
 * from the start of the frame before). A sensor that is off keeps nothing: the driver writes all registers at its start.
 */
#include <linux/debugfs.h>
#include <linux/math64.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <media/v4l2-ctrls.h>
#include <media/v4l2-device.h>
#include <media/v4l2-event.h>
#include <media/v4l2-subdev.h>

#include "bcm2835.h"
#include "camera.h"

#define EXPOSURE_MARGIN 48	/* lines that a frame is longer than its exposure, at least */
#define EXPOSURE_DEFAULT 0x640
#define LENGTH_MAX (0xffff << 7)	/* 16 bits, and a shift for long exposures */
#define GAIN_MIN 112
#define GAIN_MAX 960
#define SOLID_MAX 0xfff

struct mode {
	u32 width, height, line_length, vblank_min, vblank_default, exposure_min, exposure_step, sensitivity;
	u64 pixel_rate;
	struct v4l2_rect crop;	/* of the scene */
	bool hdr;
};

static const struct mode modes[] = {
	{ 4608, 2592, 15648, 58, 58, 8, 1, 1, 595200000, { 0, 0, ARRAY_WIDTH, ARRAY_HEIGHT } },
	{ 2304, 1296, 7824, 40, 1198, 4, 2, 2, 585600000, { 0, 0, ARRAY_WIDTH, ARRAY_HEIGHT } },
	{ 1536, 864, 5216, 40, 2755, 4, 2, 2, 566400000, { 768, 432, 3072, 1728 } },
};

static const struct mode hdr_modes[] = {
	{ 2304, 1296, 5216, 3673, 3673, 128, 32, 2, 777600000, { 0, 0, ARRAY_WIDTH, ARRAY_HEIGHT }, true },
};

struct registers {
	u32 exposure, gain, frame_length, pattern, solid[4];
};

static struct sensor {
	struct v4l2_subdev subdev;
	struct media_pad pads[2];
	struct v4l2_ctrl_handler controls;
	struct v4l2_ctrl *exposure, *vblank, *hblank, *pixel_rate, *hflip, *vflip, *hdr;
	const struct mode *mode;	/* under the lock of the controls */
	s32 temperature;

	spinlock_t lock;		/* of what follows */
	bool on;
	struct registers registers;
	struct registers latched[4];	/* as they were when the last frames began, by number */
} sensor;

bool sensor_on(void)
{
	return READ_ONCE(sensor.on);
}

static const struct mode *mode_list(u32 *count)
{
	*count = sensor.hdr->val ? ARRAY_SIZE(hdr_modes) : ARRAY_SIZE(modes);
	return sensor.hdr->val ? hdr_modes : modes;
}

static const struct mode *nearest_mode(u32 width, u32 height)
{
	const struct mode *list;
	u32 count;

	list = mode_list(&count);
	return v4l2_find_nearest_size(list, count, width, height, width, height);
}

static void set_mode(const struct mode *mode)
{
	u32 hblank = mode->line_length - mode->width;

	sensor.mode = mode;
	__v4l2_ctrl_modify_range(sensor.pixel_rate, mode->pixel_rate, mode->pixel_rate, 1, mode->pixel_rate);
	__v4l2_ctrl_modify_range(sensor.vblank, mode->vblank_min, LENGTH_MAX - mode->height, 1, mode->vblank_default);
	__v4l2_ctrl_s_ctrl(sensor.vblank, mode->vblank_default);
	__v4l2_ctrl_modify_range(sensor.hblank, hblank, hblank, 1, hblank);
}

static void set_register(const struct v4l2_ctrl *ctrl)
{
	struct registers *registers = &sensor.registers;

	spin_lock_irq(&sensor.lock);
	switch (ctrl->id) {
	case V4L2_CID_EXPOSURE:
		registers->exposure = max_t(u32, ctrl->val, sensor.mode->exposure_min);
		registers->exposure -= registers->exposure % sensor.mode->exposure_step;
		break;
	case V4L2_CID_ANALOGUE_GAIN:
		registers->gain = ctrl->val;
		break;
	case V4L2_CID_VBLANK:
		registers->frame_length = sensor.mode->height + ctrl->val;
		break;
	case V4L2_CID_TEST_PATTERN:
		registers->pattern = ctrl->val;
		break;
	case V4L2_CID_TEST_PATTERN_RED:
	case V4L2_CID_TEST_PATTERN_GREENR:
	case V4L2_CID_TEST_PATTERN_BLUE:
	case V4L2_CID_TEST_PATTERN_GREENB:
		registers->solid[ctrl->id - V4L2_CID_TEST_PATTERN_RED] = ctrl->val;
		break;
	}
	spin_unlock_irq(&sensor.lock);
}

static int sensor_s_ctrl(struct v4l2_ctrl *ctrl)
{
	int ret;

	if (ctrl->id == V4L2_CID_VBLANK) {
		u32 most = sensor.mode->height + ctrl->val - EXPOSURE_MARGIN;

		__v4l2_ctrl_modify_range(sensor.exposure, sensor.exposure->minimum, most, 1,
					 min_t(u32, most, sensor.exposure->val));
	}
	if (ctrl->id == V4L2_CID_WIDE_DYNAMIC_RANGE && sensor.mode->hdr != ctrl->val)
		set_mode(nearest_mode(sensor.mode->width, sensor.mode->height));
	if (!sensor_on())
		return 0;
	ret = faults_bus();
	if (ret)
		return ret;
	set_register(ctrl);
	if (!ctrl->is_array)
		journal_write(receiver_sequence(), ctrl->id, ctrl->val);
	return 0;
}

static const struct v4l2_ctrl_ops control_ops = { .s_ctrl = sensor_s_ctrl };

/* Flips and HDR cannot change while frames are under way. */
static void grab(bool grabbed)
{
	__v4l2_ctrl_grab(sensor.hflip, grabbed);
	__v4l2_ctrl_grab(sensor.vflip, grabbed);
	__v4l2_ctrl_grab(sensor.hdr, grabbed);
}

/* Powers it up and writes its registers. The first frame has all of them. */
int sensor_start(void)
{
	int ret = faults_bus();
	u32 i;

	if (ret)
		return ret;
	mutex_lock(sensor.controls.lock);
	WRITE_ONCE(sensor.on, true);
	ret = __v4l2_ctrl_handler_setup(&sensor.controls);
	WRITE_ONCE(sensor.on, !ret);
	if (!ret)
		grab(true);
	mutex_unlock(sensor.controls.lock);
	spin_lock_irq(&sensor.lock);
	for (i = 0; i < ARRAY_SIZE(sensor.latched); i++)
		sensor.latched[i] = sensor.registers;
	spin_unlock_irq(&sensor.lock);
	return ret;
}

void sensor_stop(void)
{
	mutex_lock(sensor.controls.lock);
	WRITE_ONCE(sensor.on, false);
	grab(false);
	mutex_unlock(sensor.controls.lock);
}

/* Frame number `frame`, from 0 at each start, begins. */
void sensor_latch(u32 frame)
{
	spin_lock_irq(&sensor.lock);
	sensor.latched[frame % 4] = sensor.registers;
	spin_unlock_irq(&sensor.lock);
}

/* How frame number `frame` will be taken; to be asked when the one before has begun. */
void sensor_plan(struct shot *shot, u32 frame)
{
	const struct mode *mode = sensor.mode;
	u64 line_ps = div64_u64(1000000000000ull * mode->line_length, mode->pixel_rate);
	struct registers registers;
	u32 frame_length;

	spin_lock_irq(&sensor.lock);
	registers = sensor.latched[(frame - 1) % 4];
	frame_length = sensor.latched[(frame - 2) % 4].frame_length;
	spin_unlock_irq(&sensor.lock);
	registers.exposure = min(registers.exposure, frame_length - EXPOSURE_MARGIN);
	*shot = (struct shot){
		.magic = SHOT_MAGIC,
		.exposure_ns = div_u64(line_ps * registers.exposure, 1000),
		.frame_ns = div_u64(line_ps * frame_length, 1000),
		.readout_ns = div_u64(line_ps * mode->height, 1000),
		.gain = 1024000 / (1024 - registers.gain),
		.exposure_lines = registers.exposure,
		.gain_code = registers.gain,
		.frame_length = frame_length,
		.line_length = mode->line_length,
		.width = mode->width,
		.height = mode->height,
		.crop = mode->crop,
		.hflip = sensor.hflip->val,
		.vflip = sensor.vflip->val,
		.hdr = mode->hdr,
		.sensitivity = mode->sensitivity,
		.pattern = registers.pattern,
		.pattern_rgb = { registers.solid[0], registers.solid[1], registers.solid[2] },
		.temperature = sensor.temperature,
	};
}

/* ---- the subdevice ---- */

/* The order of the colours, by the flips. */
u32 sensor_code(void)
{
	static const u32 codes[] = {
		MEDIA_BUS_FMT_SRGGB10_1X10, MEDIA_BUS_FMT_SGRBG10_1X10,
		MEDIA_BUS_FMT_SGBRG10_1X10, MEDIA_BUS_FMT_SBGGR10_1X10,
	};

	return codes[sensor.hflip->val | sensor.vflip->val << 1];
}

static int enum_code(struct v4l2_subdev *sd, struct v4l2_subdev_state *state, struct v4l2_subdev_mbus_code_enum *it)
{
	if (it->index)
		return -EINVAL;
	it->code = it->pad ? MEDIA_BUS_FMT_SENSOR_DATA : sensor_code();
	return 0;
}

static int enum_size(struct v4l2_subdev *sd, struct v4l2_subdev_state *state, struct v4l2_subdev_frame_size_enum *it)
{
	u32 count, width = EMBEDDED_BYTES, height = 1;
	const struct mode *list;

	if (it->pad) {
		if (it->index || it->code != MEDIA_BUS_FMT_SENSOR_DATA)
			return -EINVAL;
	} else {
		list = mode_list(&count);
		if (it->index >= count || it->code != sensor_code())
			return -EINVAL;
		width = list[it->index].width;
		height = list[it->index].height;
	}
	it->min_width = it->max_width = width;
	it->min_height = it->max_height = height;
	return 0;
}

static void fill_format(struct v4l2_subdev_format *it, const struct mode *mode)
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
		.code = sensor_code(), .field = V4L2_FIELD_NONE, .colorspace = V4L2_COLORSPACE_RAW,
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
	const struct mode *mode;
	int ret = 0;

	mutex_lock(sensor.controls.lock);
	mode = nearest_mode(it->format.width, it->format.height);
	fill_format(it, mode);
	if (!it->pad && it->which == V4L2_SUBDEV_FORMAT_ACTIVE) {
		if (sensor_on())
			ret = -EBUSY;
		else
			set_mode(mode);
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

static const struct v4l2_subdev_ops sensor_ops = { .core = &core_ops, .pad = &pad_ops };

static int create_controls(void)
{
	static const char * const patterns[] = { "Disabled", "Color Bars", "Solid Color", "Grey Color Bars", "PN9" };
	static const struct v4l2_ctrl_config notify_gains = {
		.ops = &control_ops, .id = V4L2_CID_NOTIFY_GAINS, .type = V4L2_CTRL_TYPE_U32,
		.min = 1, .max = 0xffff, .step = 1, .def = 0x100, .dims = { 4 },
	};
	struct v4l2_ctrl_handler *h = &sensor.controls;
	const struct v4l2_ctrl_ops *ops = &control_ops;
	const struct mode *mode = &modes[0];
	u32 hblank = mode->line_length - mode->width, i;

	v4l2_ctrl_handler_init(h, 16);
	/* The frame length decides how long an exposure may be, so it comes first. */
	sensor.vblank = v4l2_ctrl_new_std(h, ops, V4L2_CID_VBLANK, 0, LENGTH_MAX, 1, mode->vblank_default);
	sensor.exposure = v4l2_ctrl_new_std(h, ops, V4L2_CID_EXPOSURE, 1, LENGTH_MAX, 1, EXPOSURE_DEFAULT);
	sensor.hblank = v4l2_ctrl_new_std(h, NULL, V4L2_CID_HBLANK, 0, 0xffff, 1, hblank);
	sensor.pixel_rate = v4l2_ctrl_new_std(h, NULL, V4L2_CID_PIXEL_RATE, 1, 1000000000, 1, mode->pixel_rate);
	v4l2_ctrl_new_std(h, ops, V4L2_CID_ANALOGUE_GAIN, GAIN_MIN, GAIN_MAX, 1, GAIN_MIN);
	v4l2_ctrl_new_std(h, ops, V4L2_CID_DIGITAL_GAIN, 0x100, 0xffff, 1, 0x100);
	sensor.hflip = v4l2_ctrl_new_std(h, ops, V4L2_CID_HFLIP, 0, 1, 1, 0);
	sensor.vflip = v4l2_ctrl_new_std(h, ops, V4L2_CID_VFLIP, 0, 1, 1, 0);
	sensor.hdr = v4l2_ctrl_new_std(h, ops, V4L2_CID_WIDE_DYNAMIC_RANGE, 0, 1, 1, camera_hdr);
	v4l2_ctrl_new_std_menu_items(h, ops, V4L2_CID_TEST_PATTERN, ARRAY_SIZE(patterns) - 1, 0, 0, patterns);
	for (i = 0; i < 4; i++)
		v4l2_ctrl_new_std(h, ops, V4L2_CID_TEST_PATTERN_RED + i, 0, SOLID_MAX, 1, SOLID_MAX);
	v4l2_ctrl_new_custom(h, &notify_gains, NULL);
	v4l2_ctrl_new_std_menu(h, NULL, V4L2_CID_CAMERA_ORIENTATION, V4L2_CAMERA_ORIENTATION_EXTERNAL, 0,
			       V4L2_CAMERA_ORIENTATION_EXTERNAL);
	v4l2_ctrl_new_std(h, NULL, V4L2_CID_CAMERA_SENSOR_ROTATION, 0, 0, 1, 0);
	if (h->error)
		return h->error;
	sensor.hblank->flags |= V4L2_CTRL_FLAG_READ_ONLY;
	sensor.hflip->flags |= V4L2_CTRL_FLAG_MODIFY_LAYOUT;
	sensor.vflip->flags |= V4L2_CTRL_FLAG_MODIFY_LAYOUT;
	sensor.hdr->flags |= V4L2_CTRL_FLAG_MODIFY_LAYOUT;
	sensor.mode = mode;
	mutex_lock(h->lock);
	set_mode(nearest_mode(mode->width, mode->height));
	mutex_unlock(h->lock);
	return 0;
}

int sensor_register(struct device *dev, struct v4l2_device *v4l2, struct v4l2_subdev **subdev)
{
	int ret;

	spin_lock_init(&sensor.lock);
	ret = create_controls();
	if (ret)
		return ret;
	v4l2_subdev_init(&sensor.subdev, &sensor_ops);
	sensor.subdev.owner = THIS_MODULE;
	sensor.subdev.dev = dev;
	sensor.subdev.flags = V4L2_SUBDEV_FL_HAS_DEVNODE | V4L2_SUBDEV_FL_HAS_EVENTS;
	sensor.subdev.ctrl_handler = &sensor.controls;
	sensor.subdev.entity.function = MEDIA_ENT_F_CAM_SENSOR;
	strscpy(sensor.subdev.name, camera_model, sizeof(sensor.subdev.name));
	sensor.pads[0].flags = sensor.pads[1].flags = MEDIA_PAD_FL_SOURCE;
	ret = media_entity_pads_init(&sensor.subdev.entity, 2, sensor.pads);
	*subdev = &sensor.subdev;
	return ret ?: v4l2_device_register_subdev(v4l2, &sensor.subdev);
}

void sensor_free(void)
{
	v4l2_ctrl_handler_free(&sensor.controls);
}

void sensor_reset(void)
{
	sensor.temperature = 40;
}

void sensor_debugfs(struct dentry *folder)
{
	debugfs_create_s32("temperature", folder, &sensor.temperature);
}
