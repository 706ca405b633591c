/* SPDX-License-Identifier: GPL-2.0-only */
/* The sensor inside: what sensor.c and its subdevice in subdevice.c share. */
#ifndef SENSOR_H
#define SENSOR_H

#include <linux/spinlock.h>
#include <media/v4l2-ctrls.h>
#include <media/v4l2-subdev.h>

#include "camera.h"

/* Newer kernels have this: such a pad is inside, and only routes lead to it. */
#ifndef MEDIA_PAD_FL_INTERNAL
#define MEDIA_PAD_FL_INTERNAL BIT(3)
#endif

struct sensor_mode {
	u32 width, height, line_length, vblank_min, vblank_default, exposure_min, exposure_step, sensitivity;
	u64 pixel_rate;
	struct v4l2_rect crop;	/* of the scene */
	bool hdr;
};

struct sensor_registers {
	u32 exposure, gain, frame_length, pattern, solid[4];
};

struct sensor {
	struct v4l2_subdev subdev;
	struct media_pad pads[3];
	struct v4l2_ctrl_handler controls;
	struct v4l2_ctrl *exposure, *vblank, *hblank, *pixel_rate, *hflip, *vflip, *hdr;
	const struct sensor_mode *mode;	/* under the lock of the controls */
	s32 temperature;
	bool on;			/* written under the lock of the controls */

	spinlock_t lock;		/* of what follows */
	struct sensor_registers registers;
	struct sensor_registers latched[4];	/* as they were when the last frames began, by number */
};

extern struct sensor sensor;
extern const struct v4l2_subdev_ops sensor_subdev_ops;

const struct sensor_mode *sensor_modes(bool hdr, u32 *count);
const struct sensor_mode *sensor_nearest_mode(bool hdr, u32 width, u32 height);
void sensor_set_mode(const struct sensor_mode *mode);

#endif
