// SPDX-License-Identifier: GPL-2.0-only
/*
 * Plays a sensor whose embedded data are a second stream of the picture's pad, as mainline's receiver of the Pi 5
 * wants it. The kernel hides streams behind a switch that is off, so here the subdevice's calls that show them are
 * answered in the kernel's place; all others go on to it.
 *
 * The pads: 0 is the source of both streams; 1 and 2 are inside, where pixels and data come from.
 */
#include <linux/uaccess.h>
#include <linux/version.h>
#include <media/v4l2-ioctl.h>

#include "sensor.h"

#define MEDIA_BUS_FMT_CCS_EMBEDDED 0x9001
#define DATA_LINES 5

static const struct v4l2_subdev_route routes[] = {
	{ .sink_pad = 1, .source_pad = 0, .source_stream = 0, .flags = V4L2_SUBDEV_ROUTE_FL_ACTIVE },
	{ .sink_pad = 2, .source_pad = 0, .source_stream = 1, .flags = V4L2_SUBDEV_ROUTE_FL_ACTIVE },
};

static const struct v4l2_file_operations *kernels;
static struct v4l2_file_operations with_streams;

static bool is_data(u32 pad, u32 stream)
{
	return pad == 2 || stream == 1;
}

static u32 data_code(u32 pad)
{
	return pad ? MEDIA_BUS_FMT_CCS_EMBEDDED : MEDIA_BUS_FMT_META_10;
}

static long enum_code(struct v4l2_subdev_mbus_code_enum *it)
{
	if (it->index)
		return -EINVAL;
	if (is_data(it->pad, it->stream))
		it->code = data_code(it->pad);
	else if (it->pad)
		it->code = MEDIA_BUS_FMT_SRGGB10_1X10;
	else
		return sensor_subdev_ops.pad->enum_mbus_code(&sensor.subdev, NULL, it);
	return 0;
}

static long enum_size(struct v4l2_subdev_frame_size_enum *it)
{
	bool data = is_data(it->pad, it->stream);

	if (!data && !it->pad)
		return sensor_subdev_ops.pad->enum_frame_size(&sensor.subdev, NULL, it);
	if (it->index)
		return -EINVAL;
	it->min_width = it->max_width = data ? sensor.mode->width : ARRAY_WIDTH;
	it->min_height = it->max_height = data ? DATA_LINES : ARRAY_HEIGHT;
	return 0;
}

static long format(struct v4l2_subdev_format *it, bool set)
{
	bool data = is_data(it->pad, it->stream);

	if (!data && !it->pad)
		return set ? sensor_subdev_ops.pad->set_fmt(&sensor.subdev, NULL, it) :
			     sensor_subdev_ops.pad->get_fmt(&sensor.subdev, NULL, it);
	it->format = (struct v4l2_mbus_framefmt){
		.width = data ? sensor.mode->width : ARRAY_WIDTH, .height = data ? DATA_LINES : ARRAY_HEIGHT,
		.code = data ? data_code(it->pad) : MEDIA_BUS_FMT_SRGGB10_1X10, .field = V4L2_FIELD_NONE,
	};
	return 0;
}

static long routing(struct v4l2_subdev_routing *it)
{
	u32 count = min_t(u32, it->len_routes, ARRAY_SIZE(routes));

	if (copy_to_user(u64_to_user_ptr(it->routes), routes, count * sizeof(routes[0])))
		return -EFAULT;
	it->num_routes = ARRAY_SIZE(routes);
	return 0;
}

static long call(struct file *file, unsigned int command, unsigned long argument)
{
	union {
		struct v4l2_subdev_capability capability;
		struct v4l2_subdev_client_capability client;
		struct v4l2_subdev_routing routing;
		struct v4l2_subdev_mbus_code_enum code;
		struct v4l2_subdev_frame_size_enum size;
		struct v4l2_subdev_format format;
		struct v4l2_subdev_selection selection;
	} u;
	void __user *user = (void __user *)argument;
	long ret = 0;

	if (_IOC_SIZE(command) > sizeof(u) || copy_from_user(&u, user, _IOC_SIZE(command)))
		return kernels->unlocked_ioctl(file, command, argument);
	switch (command) {
	case VIDIOC_SUBDEV_QUERYCAP:
		u.capability = (struct v4l2_subdev_capability){
			.version = LINUX_VERSION_CODE, .capabilities = V4L2_SUBDEV_CAP_STREAMS,
		};
		break;
	case VIDIOC_SUBDEV_G_CLIENT_CAP:
	case VIDIOC_SUBDEV_S_CLIENT_CAP:
		u.client.capabilities = V4L2_SUBDEV_CLIENT_CAP_STREAMS;
		break;
	case VIDIOC_SUBDEV_G_ROUTING:
	case VIDIOC_SUBDEV_S_ROUTING:
		ret = routing(&u.routing);
		break;
	case VIDIOC_SUBDEV_ENUM_MBUS_CODE:
		ret = enum_code(&u.code);
		break;
	case VIDIOC_SUBDEV_ENUM_FRAME_SIZE:
		ret = enum_size(&u.size);
		break;
	case VIDIOC_SUBDEV_G_FMT:
	case VIDIOC_SUBDEV_S_FMT:
		ret = format(&u.format, command == VIDIOC_SUBDEV_S_FMT);
		break;
	case VIDIOC_SUBDEV_G_SELECTION:
		ret = sensor_subdev_ops.pad->get_selection(&sensor.subdev, NULL, &u.selection);
		break;
	default:
		return kernels->unlocked_ioctl(file, command, argument);
	}
	if (!ret && copy_to_user(user, &u, _IOC_SIZE(command)))
		ret = -EFAULT;
	return ret;
}

/* Puts itself before the calls of the sensor's subdevice, which has just got its device. */
void streams_add(struct v4l2_subdev *subdev)
{
	kernels = subdev->devnode->fops;
	with_streams = *kernels;
	with_streams.unlocked_ioctl = call;
	subdev->devnode->fops = &with_streams;
}
