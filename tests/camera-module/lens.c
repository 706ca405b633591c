// SPDX-License-Identifier: GPL-2.0-only
/* Plays the lens and its driver: a register that moves the lens at once, on the sensor's bus. */
#include <linux/debugfs.h>
#include <linux/math64.h>
#include <linux/string.h>
#include <media/v4l2-ctrls.h>
#include <media/v4l2-device.h>
#include <media/v4l2-event.h>
#include <media/v4l2-subdev.h>

#include "camera.h"

static const struct optics normal = { .infinity = 445, .travel = 32000, .phase = 37, .light = 9231 };
static const struct optics wide = { .infinity = 420, .travel = 14286, .phase = 20, .light = 8663 };

static struct v4l2_subdev lens;
static struct v4l2_ctrl_handler controls;
static u32 code;

const struct optics *lens_optics(void)
{
	return strstr(camera_model, "_wide") ? &wide : &normal;
}

u32 lens_code(void)
{
	return READ_ONCE(code);
}

/* Thousandths of a dioptre where the lens is focused. */
s32 lens_dioptres(u32 code)
{
	const struct optics *optics = lens_optics();

	return div_s64(((s64)code - optics->infinity) * 1000000, optics->travel);
}

static int lens_s_ctrl(struct v4l2_ctrl *ctrl)
{
	int ret = faults_bus();

	if (ret)
		return ret;
	WRITE_ONCE(code, ctrl->val);
	journal_write(receiver_sequence(), ctrl->id, ctrl->val);
	return 0;
}

static const struct v4l2_ctrl_ops control_ops = { .s_ctrl = lens_s_ctrl };

static const struct v4l2_subdev_core_ops core_ops = {
	.subscribe_event = v4l2_ctrl_subdev_subscribe_event,
	.unsubscribe_event = v4l2_event_subdev_unsubscribe,
};

static const struct v4l2_subdev_ops lens_ops = { .core = &core_ops };

int lens_register(struct device *dev, struct v4l2_device *v4l2, struct v4l2_subdev **subdev)
{
	int ret;

	v4l2_ctrl_handler_init(&controls, 1);
	v4l2_ctrl_new_std(&controls, &control_ops, V4L2_CID_FOCUS_ABSOLUTE, 0, 1023, 1, 0);
	if (controls.error)
		return controls.error;
	v4l2_subdev_init(&lens, &lens_ops);
	lens.owner = THIS_MODULE;
	lens.dev = dev;
	lens.flags = V4L2_SUBDEV_FL_HAS_DEVNODE | V4L2_SUBDEV_FL_HAS_EVENTS;
	lens.ctrl_handler = &controls;
	lens.entity.function = MEDIA_ENT_F_LENS;
	strscpy(lens.name, "dw9807 10-000c", sizeof(lens.name));
	ret = media_entity_pads_init(&lens.entity, 0, NULL);
	*subdev = &lens;
	return ret ?: v4l2_device_register_subdev(v4l2, &lens);
}

void lens_free(void)
{
	v4l2_ctrl_handler_free(&controls);
}

void lens_debugfs(struct dentry *folder)
{
	debugfs_create_u32("lens", 0444, folder, &code);
}
