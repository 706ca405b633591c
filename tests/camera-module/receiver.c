// SPDX-License-Identifier: GPL-2.0-only
/*
 * Plays unicam, the Pi 4's CSI-2 receiver: two nodes, and the thread that is the sensor's clock.
 *
 * As the real driver: the sensor starts when every opened node streams. Sequence numbers start at 0 and count ends of
 * frames, also of those that found no buffer. A buffer must be there when its frame starts, has the time of that start,
 * and is done when its frame is read out.
 */
#include <linux/debugfs.h>
#include <linux/hrtimer.h>
#include <linux/kthread.h>
#include <linux/math64.h>
#include <media/media-device.h>
#include <media/v4l2-event.h>
#include <media/v4l2-subdev.h>

#include "bcm2835.h"
#include "camera.h"
#include "node.h"

/* From the sensor's start to the first exposure, about. */
#define SENSOR_START_NS (5 * NSEC_PER_MSEC)

/* A frame that is being read out. */
struct frame {
	struct shot shot;
	struct node_buffer *image, *data;
	u64 end_ns;
	bool silent;	/* nothing of it arrives */
};

static struct receiver {
	struct media_device media;
	struct v4l2_device v4l2;
	struct v4l2_subdev *sensor, *lens;
	struct video_node image, data;
	struct mutex lock;		/* of what follows */
	struct task_struct *thread;
	struct frame frame;		/* the one under way */
	u32 sequence;			/* frames that ended */
	/* Of the frame that started last, for debugfs. */
	u32 number, exposure_us, gain;
} receiver;

/* Number of the frame that started last. */
u32 receiver_sequence(void)
{
	return READ_ONCE(receiver.number);
}

/* Whether it is time; false: the thread is to end. */
static bool sleep_until(u64 when_ns)
{
	ktime_t when = ns_to_ktime(when_ns);

	while (!kthread_should_stop() && ktime_before(ktime_get(), when)) {
		set_current_state(TASK_IDLE);
		if (!kthread_should_stop())
			schedule_hrtimeout(&when, HRTIMER_MODE_ABS);
		__set_current_state(TASK_RUNNING);
	}
	return !kthread_should_stop();
}

static u64 shifted(u64 ns)
{
	return ns + (s64)READ_ONCE(faults.time_shift_ms) * NSEC_PER_MSEC;
}

/* The first line arrives. */
static void frame_begin(const struct shot *shot)
{
	struct v4l2_event event = { .type = V4L2_EVENT_FRAME_SYNC };
	struct frame *frame = &receiver.frame;
	bool again = READ_ONCE(faults.freeze) && frame->shot.magic;
	bool lost;

	mutex_lock(&receiver.lock);
	frame->end_ns = shot->start_ns + shot->readout_ns;
	/* A sensor that lost its power does not go on by itself. */
	if (READ_ONCE(faults.gone) && sensor_on())
		sensor_stop();
	frame->silent = READ_ONCE(faults.stall) || !sensor_on();
	if (frame->silent)
		goto unlock;
	if (!again) {
		frame->shot = *shot;
		frame->shot.sequence = receiver.sequence;
	}
	lost = faults_take(&faults.lose);
	frame->image = lost ? NULL : node_take(&receiver.image);
	frame->data = lost ? NULL : node_take(&receiver.data);
	WRITE_ONCE(receiver.number, frame->shot.sequence);
	receiver.exposure_us = div_u64(frame->shot.exposure_ns, 1000);
	receiver.gain = frame->shot.gain;
	event.u.frame_sync.frame_sequence = frame->shot.sequence;
	v4l2_event_queue(&receiver.image.vdev, &event);
	journal_frame(&frame->shot, lost ? "lost" : frame->image ? "taken" : "unbuffered");
unlock:
	mutex_unlock(&receiver.lock);
}

/* The last line has arrived. */
static void frame_end(void)
{
	struct frame *frame = &receiver.frame;
	const struct shot *shot = &frame->shot;
	bool good;

	mutex_lock(&receiver.lock);
	if (frame->silent)
		goto unlock;
	good = !frame->image || !faults_take(&faults.errors);
	if (frame->data) {
		embedded_write(node_memory(frame->data), shot);
		node_done(&receiver.data, frame->data, shot->sequence, shifted(shot->start_ns), good);
	}
	if (frame->image) {
		memcpy(node_memory(frame->image), shot, sizeof(*shot));
		node_done(&receiver.image, frame->image, shot->sequence, shifted(shot->start_ns), good);
	}
	frame->image = frame->data = NULL;
	receiver.sequence++;
unlock:
	mutex_unlock(&receiver.lock);
}

/*
 * The exposure of a frame lies before its start, so its middle comes before the end of the frame before or after it.
 * What happens in time order is: middle and end in either order, then the start.
 */
static int receive(void *unused)
{
	u64 start = ktime_get_ns() + SENSOR_START_NS;
	bool reading = false;
	struct shot shot;
	u32 number;

	for (number = 0; ; number++) {
		u64 middle;

		sensor_plan(&shot, number);
		start += number ? shot.frame_ns : shot.exposure_ns;
		middle = start - shot.exposure_ns / 2;
		if (reading && receiver.frame.end_ns < middle) {
			if (!sleep_until(receiver.frame.end_ns))
				break;
			frame_end();
			reading = false;
		}
		if (!sleep_until(middle))
			break;
		scene_expose(&shot, middle);
		if (reading) {
			if (!sleep_until(receiver.frame.end_ns))
				break;
			frame_end();
		}
		if (!sleep_until(start))
			break;
		/* A machine that was too busy for a whole frame has a sensor that waited. */
		if (ktime_get_ns() > start + shot.frame_ns)
			start = ktime_get_ns();
		shot.start_ns = start;
		sensor_latch(number);
		frame_begin(&shot);
		reading = true;
	}
	return 0;
}

/* Every opened node streams: now it starts. */
static int start(struct video_node *node)
{
	struct task_struct *thread;
	int ret = 0;

	if (node == &receiver.image)
		faults_sleep(READ_ONCE(faults.start_ms));
	mutex_lock(&receiver.lock);
	if (!node_streams(&receiver.image) || receiver.thread ||
	    (!node_streams(&receiver.data) && camera_embedded && !list_empty(&receiver.data.vdev.fh_list)))
		goto unlock;
	memset(&receiver.frame, 0, sizeof(receiver.frame));
	receiver.sequence = 0;
	WRITE_ONCE(receiver.number, 0);
	ret = sensor_start();
	if (ret)
		goto unlock;
	thread = kthread_run(receive, NULL, "camera-receiver");
	if (IS_ERR(thread)) {
		ret = PTR_ERR(thread);
		sensor_stop();
	} else {
		receiver.thread = thread;
	}
unlock:
	mutex_unlock(&receiver.lock);
	return ret;
}

static void abandon(struct video_node *node, struct node_buffer **buffer)
{
	if (*buffer)
		node_done(node, *buffer, 0, 0, false);
	*buffer = NULL;
}

static void stop(struct video_node *node)
{
	struct task_struct *thread = NULL;

	mutex_lock(&receiver.lock);
	if (node == &receiver.image)
		swap(thread, receiver.thread);
	mutex_unlock(&receiver.lock);
	if (thread) {
		kthread_stop(thread);
		sensor_stop();
	}
	mutex_lock(&receiver.lock);
	/* Without the picture there are no data either. */
	if (node == &receiver.image)
		abandon(&receiver.image, &receiver.frame.image);
	abandon(&receiver.data, &receiver.frame.data);
	mutex_unlock(&receiver.lock);
}

static const struct node_kind image_kind = {
	.name = "unicam-image", .driver = "unicam", .type = V4L2_BUF_TYPE_VIDEO_CAPTURE,
	.formats = raw_formats, .format_count = ARRAY_SIZE(raw_formats),
	.frame_sync = true, .extra_caps = V4L2_CAP_IO_MC, .start = start, .stop = stop,
};

static const struct node_kind data_kind = {
	.name = "unicam-embedded", .driver = "unicam", .type = V4L2_BUF_TYPE_META_CAPTURE,
	.meta_fourcc = META_FMT_SENSOR_DATA, .meta_bytes = EMBEDDED_BYTES, .meta_name = "Sensor data",
	.extra_caps = V4L2_CAP_IO_MC, .start = start, .stop = stop,
};

static int register_camera(struct device *dev)
{
	const u32 fixed = MEDIA_LNK_FL_ENABLED | MEDIA_LNK_FL_IMMUTABLE;
	struct media_entity *sensor, *lens;
	int ret;

	ret = sensor_register(dev, &receiver.v4l2, &receiver.sensor);
	ret = ret ?: lens_register(dev, &receiver.v4l2, &receiver.lens);
	ret = ret ?: node_register(&receiver.image, &image_kind, &receiver.v4l2, NULL);
	if (ret)
		return ret;
	sensor = &receiver.sensor->entity;
	lens = &receiver.lens->entity;
	ret = media_create_pad_link(sensor, 0, &receiver.image.vdev.entity, 0, fixed);
	if (camera_embedded) {
		ret = ret ?: node_register(&receiver.data, &data_kind, &receiver.v4l2, NULL);
		ret = ret ?: media_create_pad_link(sensor, 1, &receiver.data.vdev.entity, 0, fixed);
	}
	if (!ret && IS_ERR(media_create_ancillary_link(sensor, lens)))
		ret = -ENOMEM;
	return ret ?: v4l2_device_register_subdev_nodes(&receiver.v4l2);
}

int receiver_register(struct device *dev)
{
	int ret;

	mutex_init(&receiver.lock);
	ret = media_begin(&receiver.media, &receiver.v4l2, dev, "unicam");
	if (camera_sensor)
		ret = ret ?: register_camera(dev);
	return ret ?: media_device_register(&receiver.media);
}

void receiver_unregister(void)
{
	node_unregister(&receiver.image);
	node_unregister(&receiver.data);
	if (media_devnode_is_registered(receiver.media.devnode))
		media_device_unregister(&receiver.media);
	v4l2_device_unregister(&receiver.v4l2);
	sensor_free();
	lens_free();
	media_device_cleanup(&receiver.media);
}

static int streaming_get(void *unused, u64 *out)
{
	*out = READ_ONCE(receiver.thread) && sensor_on();
	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(streaming_fops, streaming_get, NULL, "%llu\n");

void receiver_debugfs(struct dentry *folder)
{
	debugfs_create_u32("frame", 0444, folder, &receiver.number);
	debugfs_create_u32("exposure", 0444, folder, &receiver.exposure_us);
	debugfs_create_u32("gain", 0444, folder, &receiver.gain);
	debugfs_create_file_unsafe("streaming", 0444, folder, NULL, &streaming_fops);
}
