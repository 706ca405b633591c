// SPDX-License-Identifier: GPL-2.0-only
/*
 * Plays the sensor and its driver: modes, controls, registers, and the time it takes from a register to a frame.
 *
 * What is written while frame n is read out holds from frame n + 2 on (exposure, gain) or n + 3 (frame length, the time
 * from the start of the frame before). A sensor that is off keeps nothing: the driver writes everything at its start.
 */
#include <linux/debugfs.h>
#include <linux/math64.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <media/v4l2-ctrls.h>
#include <media/v4l2-device.h>
#include <media/v4l2-event.h>
#include <media/v4l2-subdev.h>

#include "camera.h"
#include "sensor.h"

#define EXPOSURE_MARGIN 48	/* lines that a frame is longer than its exposure, at least */
#define EXPOSURE_DEFAULT 0x640
#define LENGTH_MAX (0xffff << 7)	/* 16 bits, and a shift for long exposures */
#define GAIN_MIN 112
#define GAIN_MAX 960
#define SOLID_MAX 0xfff

static const struct sensor_mode modes[] = {
	{ 4608, 2592, 15648, 58, 58, 8, 1, 1, 595200000, { 0, 0, ARRAY_WIDTH, ARRAY_HEIGHT } },
	{ 2304, 1296, 7824, 40, 1198, 4, 2, 2, 585600000, { 0, 0, ARRAY_WIDTH, ARRAY_HEIGHT } },
	{ 1536, 864, 5216, 40, 2755, 4, 2, 2, 566400000, { 768, 432, 3072, 1728 } },
};

static const struct sensor_mode hdr_modes[] = {
	{ 2304, 1296, 5216, 3673, 3673, 128, 32, 2, 777600000, { 0, 0, ARRAY_WIDTH, ARRAY_HEIGHT }, true },
};

struct sensor sensor;

bool sensor_on(void)
{
	return READ_ONCE(sensor.on);
}

/* Modes with or without HDR. */
const struct sensor_mode *sensor_modes(bool hdr, u32 *count)
{
	*count = hdr ? ARRAY_SIZE(hdr_modes) : ARRAY_SIZE(modes);
	return hdr ? hdr_modes : modes;
}

const struct sensor_mode *sensor_nearest_mode(bool hdr, u32 width, u32 height)
{
	const struct sensor_mode *list;
	u32 count;

	list = sensor_modes(hdr, &count);
	return v4l2_find_nearest_size(list, count, width, height, width, height);
}

/* Under the lock of the controls. */
void sensor_set_mode(const struct sensor_mode *mode)
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
	struct sensor_registers *registers = &sensor.registers;

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
					 min_t(u32, most, sensor.exposure->cur.val));
	}
	if (ctrl->id == V4L2_CID_WIDE_DYNAMIC_RANGE && sensor.mode->hdr != ctrl->val)
		sensor_set_mode(sensor_nearest_mode(ctrl->val, sensor.mode->width, sensor.mode->height));
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
	const struct sensor_mode *mode = sensor.mode;
	u64 line_ps = div64_u64(1000000000000ull * mode->line_length, mode->pixel_rate);
	struct sensor_registers registers;
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
		.hflip = sensor.hflip->cur.val,
		.vflip = sensor.vflip->cur.val,
		.hdr = mode->hdr,
		.sensitivity = mode->sensitivity,
		.pattern = registers.pattern,
		.pattern_rgb = { registers.solid[0], registers.solid[1], registers.solid[2] },
		.temperature = sensor.temperature,
	};
}

static int create_controls(void)
{
	static const char * const patterns[] = { "Disabled", "Color Bars", "Solid Color", "Grey Color Bars", "PN9" };
	static const struct v4l2_ctrl_config notify_gains = {
		.ops = &control_ops, .id = V4L2_CID_NOTIFY_GAINS, .type = V4L2_CTRL_TYPE_U32,
		.min = 1, .max = 0xffff, .step = 1, .def = 0x100, .dims = { 4 },
	};
	struct v4l2_ctrl_handler *h = &sensor.controls;
	const struct v4l2_ctrl_ops *ops = &control_ops;
	const struct sensor_mode *mode = &modes[0];
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
	sensor_set_mode(sensor_nearest_mode(camera_hdr, mode->width, mode->height));
	mutex_unlock(h->lock);
	return 0;
}

/* With `streams` the embedded data are a stream of the picture's pad, otherwise they have a pad of their own. */
int sensor_register(struct device *dev, struct v4l2_device *v4l2, bool streams, struct v4l2_subdev **subdev)
{
	u32 pads = camera_embedded ? 2 : 1;
	int ret;

	spin_lock_init(&sensor.lock);
	ret = create_controls();
	if (ret)
		return ret;
	v4l2_subdev_init(&sensor.subdev, &sensor_subdev_ops);
	sensor.subdev.owner = THIS_MODULE;
	sensor.subdev.dev = dev;
	sensor.subdev.flags = V4L2_SUBDEV_FL_HAS_DEVNODE | V4L2_SUBDEV_FL_HAS_EVENTS;
	sensor.subdev.ctrl_handler = &sensor.controls;
	sensor.subdev.entity.function = MEDIA_ENT_F_CAM_SENSOR;
	strscpy(sensor.subdev.name, camera_model, sizeof(sensor.subdev.name));
	sensor.pads[0].flags = sensor.pads[1].flags = MEDIA_PAD_FL_SOURCE;
	if (streams) {
		sensor.pads[1].flags = sensor.pads[2].flags = MEDIA_PAD_FL_SINK | MEDIA_PAD_FL_INTERNAL;
		pads = 3;
	}
	ret = media_entity_pads_init(&sensor.subdev.entity, pads, sensor.pads);
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
