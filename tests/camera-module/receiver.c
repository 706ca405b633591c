// SPDX-License-Identifier: GPL-2.0-only
/*
 * Plays what all receivers have in common: the thread that is the sensor's clock, and the frames' way into buffers.
 *
 * As the real drivers: sequence numbers start at 0 and count ends of frames, also of those that found no buffer. A
 * buffer must be there when its frame starts, has the time of that start, and is done when its frame is read out.
 */
#include <linux/debugfs.h>
#include <linux/hrtimer.h>
#include <linux/kthread.h>
#include <linux/math64.h>
#include <media/media-device.h>
#include <media/v4l2-event.h>
#include <media/v4l2-subdev.h>

#include "receiver.h"

/* From the sensor's start to the first exposure, about. */
#define SENSOR_START_NS (5 * NSEC_PER_MSEC)

/* A frame that is being read out. */
struct frame {
	struct shot shot;
	struct node_buffer *buffers[RECEIVER_NODES];
	u64 end_ns;
	bool silent;	/* nothing of it arrives */
};

static struct receiver {
	const struct receiver_kind *kind;
	struct media_device media;
	struct v4l2_device v4l2;
	struct v4l2_subdev *sensor, *lens;
	struct video_node nodes[RECEIVER_NODES];
	u32 node_count;
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

/* Buffers for the frame that begins; whether its picture has one. */
static bool take_buffers(struct frame *frame)
{
	struct video_node *nodes = receiver.nodes;
	u32 i, count = receiver.node_count;

	for (i = 0; i < count; i++)
		if (receiver.kind->together && node_streams(&nodes[i]) && !node_ready(&nodes[i]))
			return false;
	for (i = 0; i < count; i++)
		frame->buffers[i] = node_take(&nodes[i]);
	return frame->buffers[0];
}

/* The first line arrives. */
static void frame_begin(const struct shot *shot)
{
	struct v4l2_event event = { .type = V4L2_EVENT_FRAME_SYNC };
	struct frame *frame = &receiver.frame;
	bool again = READ_ONCE(faults.freeze) && frame->shot.magic;
	bool lost, taken;

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
	taken = !lost && take_buffers(frame);
	WRITE_ONCE(receiver.number, frame->shot.sequence);
	receiver.exposure_us = div_u64(frame->shot.exposure_ns, 1000);
	receiver.gain = frame->shot.gain;
	event.u.frame_sync.frame_sequence = frame->shot.sequence;
	v4l2_event_queue(&receiver.nodes[0].vdev, &event);
	journal_frame(&frame->shot, lost ? "lost" : taken ? "taken" : "unbuffered");
unlock:
	mutex_unlock(&receiver.lock);
}

/* The last line has arrived. */
static void frame_end(void)
{
	struct frame *frame = &receiver.frame;
	const struct shot *shot = &frame->shot;
	bool good;
	u32 i;

	mutex_lock(&receiver.lock);
	if (frame->silent)
		goto unlock;
	good = !frame->buffers[0] || !faults_take(&faults.errors);
	for (i = 0; i < receiver.node_count; i++) {
		struct node_buffer *buffer = frame->buffers[i];

		if (!buffer)
			continue;
		if (i == 0)
			memcpy(node_memory(buffer), shot, sizeof(*shot));
		else
			receiver.kind->fill(i, node_memory(buffer), shot);
	}
	/* All together, as by one interrupt. */
	for (i = 0; i < receiver.node_count; i++) {
		if (frame->buffers[i])
			node_done(&receiver.nodes[i], frame->buffers[i], shot->sequence, shifted(shot->start_ns), good);
		frame->buffers[i] = NULL;
	}
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

/* If this was the last node that it needs, the sensor starts. */
int receiver_start(struct video_node *node)
{
	struct task_struct *thread;
	int ret = 0;

	if (node == &receiver.nodes[0])
		faults_sleep(READ_ONCE(faults.start_ms));
	mutex_lock(&receiver.lock);
	if (receiver.thread)
		goto unlock;
	ret = receiver.kind->starts(receiver.kind, receiver.nodes);
	if (ret <= 0)
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

void receiver_stop(struct video_node *node)
{
	/* Without the picture there is nothing. */
	bool all = receiver.kind->together || node == &receiver.nodes[0];
	struct task_struct *thread = NULL;
	u32 i;

	mutex_lock(&receiver.lock);
	if (all)
		swap(thread, receiver.thread);
	mutex_unlock(&receiver.lock);
	if (thread) {
		kthread_stop(thread);
		sensor_stop();
	}
	mutex_lock(&receiver.lock);
	for (i = 0; i < receiver.node_count; i++) {
		struct node_buffer **buffer = &receiver.frame.buffers[i];

		if (!*buffer || (!all && node != &receiver.nodes[i]))
			continue;
		node_done(&receiver.nodes[i], *buffer, 0, 0, false);
		*buffer = NULL;
	}
	mutex_unlock(&receiver.lock);
}

static bool has_streams(const struct receiver_kind *kind)
{
	return kind->streams && camera_embedded;
}

static int register_camera(struct device *dev)
{
	const struct receiver_kind *kind = receiver.kind;
	struct media_entity *sensor;
	int ret;
	u32 i;

	ret = sensor_register(dev, &receiver.v4l2, has_streams(kind), &receiver.sensor);
	ret = ret ?: lens_register(dev, &receiver.v4l2, &receiver.lens);
	for (i = 0; i < receiver.node_count; i++)
		ret = ret ?: node_register(&receiver.nodes[i], &kind->nodes[i], &receiver.v4l2, NULL);
	if (ret)
		return ret;
	sensor = &receiver.sensor->entity;
	ret = kind->link(kind, sensor, receiver.nodes);
	if (!ret && IS_ERR(media_create_ancillary_link(sensor, &receiver.lens->entity)))
		ret = -ENOMEM;
	return ret;
}

int receiver_register(struct device *dev, const struct receiver_kind *kind)
{
	int ret;

	mutex_init(&receiver.lock);
	receiver.kind = kind;
	receiver.node_count = kind->node_count - (camera_embedded ? 0 : kind->data_nodes);
	ret = media_begin(&receiver.media, &receiver.v4l2, dev, kind->name);
	receiver.media.hw_revision = kind->revision;
	if (kind->register_subdevices)
		ret = ret ?: kind->register_subdevices(kind, &receiver.v4l2);
	if (camera_sensor)
		ret = ret ?: register_camera(dev);
	ret = ret ?: v4l2_device_register_subdev_nodes(&receiver.v4l2);
	if (camera_sensor && has_streams(kind) && !ret)
		streams_add(receiver.sensor);
	return ret ?: media_device_register(&receiver.media);
}

void receiver_unregister(void)
{
	u32 i;

	for (i = 0; i < receiver.node_count; i++)
		node_unregister(&receiver.nodes[i]);
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
