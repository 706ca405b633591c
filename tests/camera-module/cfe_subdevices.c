// SPDX-License-Identifier: GPL-2.0-only
/*
 * Plays what lies between the sensor and the nodes of the Pi 5's receiver: csi2, which takes the packets apart, and
 * pisp-fe, the front end. They keep the formats that they are given. As in the real drivers, frames come only where the
 * formats at both ends of each link are the same.
 */
#include <media/v4l2-device.h>
#include <media/v4l2-event.h>
#include <media/v4l2-subdev.h>

#include "cfe.h"
#include "receiver.h"
#include "sensor.h"

struct bridge {
	struct v4l2_subdev subdev;
	struct media_pad pads[CSI2_PADS_MAX];
	struct v4l2_mbus_framefmt formats[CSI2_PADS_MAX];
};

static struct bridge csi2, front_end;
static const struct cfe_shape *used;

static int get_fmt(struct v4l2_subdev *sd, struct v4l2_subdev_state *state, struct v4l2_subdev_format *it)
{
	it->format = container_of(sd, struct bridge, subdev)->formats[it->pad];
	return 0;
}

static int set_fmt(struct v4l2_subdev *sd, struct v4l2_subdev_state *state, struct v4l2_subdev_format *it)
{
	struct v4l2_mbus_framefmt *formats = container_of(sd, struct bridge, subdev)->formats;

	if (it->which != V4L2_SUBDEV_FORMAT_ACTIVE)
		return 0;
	/* The kernel hides the numbers of streams; the data's must not replace the picture's of the same pad. */
	if (sd == &csi2.subdev && !used->copies && it->format.code == MEDIA_BUS_FMT_META_10)
		return 0;
	if (sd == &csi2.subdev && used->copies && it->pad >= used->sinks) {
		/* Of a source only the code can be another one. */
		formats[it->pad].code = it->format.code;
		it->format = formats[it->pad];
		return 0;
	}
	formats[it->pad] = it->format;
	if (sd == &csi2.subdev && used->copies)
		formats[it->pad + used->sinks] = it->format;
	return 0;
}

static const struct v4l2_subdev_pad_ops pad_ops = { .get_fmt = get_fmt, .set_fmt = set_fmt };

static const struct v4l2_subdev_core_ops core_ops = {
	.subscribe_event = v4l2_ctrl_subdev_subscribe_event,
	.unsubscribe_event = v4l2_event_subdev_unsubscribe,
};

static const struct v4l2_subdev_ops ops = { .core = &core_ops, .pad = &pad_ops };

static int register_bridge(struct bridge *bridge, struct v4l2_device *v4l2, const char *name, u32 sinks, u32 pads)
{
	struct v4l2_subdev *sd = &bridge->subdev;
	u32 i;
	int ret;

	v4l2_subdev_init(sd, &ops);
	sd->owner = THIS_MODULE;
	sd->dev = v4l2->dev;
	sd->flags = V4L2_SUBDEV_FL_HAS_DEVNODE;
	sd->entity.function = MEDIA_ENT_F_VID_IF_BRIDGE;
	strscpy(sd->name, name, sizeof(sd->name));
	for (i = 0; i < pads; i++)
		bridge->pads[i].flags = i < sinks ? MEDIA_PAD_FL_SINK : MEDIA_PAD_FL_SOURCE;
	ret = media_entity_pads_init(&sd->entity, pads, bridge->pads);
	return ret ?: v4l2_device_register_subdev(v4l2, sd);
}

int cfe_register_subdevices(const struct receiver_kind *kind, struct v4l2_device *v4l2)
{
	int ret;

	used = kind->shape;
	ret = register_bridge(&csi2, v4l2, "csi2", used->sinks, used->pads);
	return ret ?: register_bridge(&front_end, v4l2, "pisp-fe", FE_IMAGE0, FE_PADS);
}

struct media_entity *cfe_csi2(void)
{
	return &csi2.subdev.entity;
}

struct media_entity *cfe_front_end(void)
{
	return &front_end.subdev.entity;
}

static bool fits(const char *what, const struct v4l2_mbus_framefmt *from, const struct v4l2_mbus_framefmt *to)
{
	if (from->width == to->width && from->height == to->height && from->code == to->code)
		return true;
	v4l2_err(csi2.subdev.v4l2_dev, "%s: %ux%u code %x is not %ux%u code %x\n", what, from->width, from->height,
		 from->code, to->width, to->height, to->code);
	return false;
}

/* Whether frames can pass from the sensor to a node for pictures like `image`, and data to theirs. */
bool cfe_formats_fit(const struct v4l2_pix_format *image, bool with_data)
{
	const struct v4l2_mbus_framefmt *written = &front_end.formats[FE_IMAGE0];
	struct v4l2_subdev_format picture = { .pad = 0 }, data = { .pad = 1 };
	bool fit;

	sensor_subdev_ops.pad->get_fmt(&sensor.subdev, NULL, &picture);
	fit = fits("sensor to csi2", &picture.format, &csi2.formats[0]) &&
	      fits("csi2 to pisp-fe", &csi2.formats[used->picture_source], &front_end.formats[FE_SINK]);
	if (with_data && used->copies) {
		sensor_subdev_ops.pad->get_fmt(&sensor.subdev, NULL, &data);
		fit = fit && fits("sensor to csi2, data", &data.format, &csi2.formats[used->data_sink]) &&
		      fits("csi2 to its node, data", &data.format, &csi2.formats[used->data_source]);
	}
	return fit && image->width == written->width && image->height == written->height;
}
