// SPDX-License-Identifier: GPL-2.0-only
/*
 * Plays what all image processors have in common: nodes around one entity, and jobs, which run one after the other as
 * soon as each node that they need has a buffer. Each node counts by itself from 0, so a frame that the sensor lost
 * does not show in its numbers.
 */
#include <linux/math64.h>
#include <linux/workqueue.h>
#include <media/media-device.h>
#include <media/v4l2-ctrls.h>

#include "processor.h"

#define INPUT 0

static struct processor {
	const struct processor_kind *kind;
	struct media_device media;
	struct v4l2_device v4l2;
	struct media_entity entity;
	struct media_pad pads[PROCESSOR_NODES];
	struct video_node nodes[PROCESSOR_NODES];
	struct v4l2_ctrl_handler controls;
	struct workqueue_struct *queue;
	struct work_struct work;
} processor;

/* ---- jobs ---- */

static void job_run(struct node_buffer *buffers[PROCESSOR_NODES])
{
	u64 taken_ns = buffers[INPUT]->vb.vb2_buf.timestamp, ns;
	struct shot shot;
	bool good, drop;
	u32 i;

	memcpy(&shot, node_memory(buffers[INPUT]), sizeof(shot));
	good = shot.magic == SHOT_MAGIC;
	if (!good)
		dev_warn_ratelimited(processor.v4l2.dev, "a buffer without a frame was put into the processor\n");
	faults_sleep(READ_ONCE(faults.slow_ms));
	if (good)
		good = processor.kind->run(processor.nodes, buffers, &shot);
	drop = faults_take(&faults.drop);
	ns = ktime_get_ns();
	for (i = 0; i < processor.kind->node_count; i++) {
		struct video_node *node = &processor.nodes[i];

		if (!buffers[i])
			continue;
		if (drop && !node_is_output(node))
			node_put_back(node, buffers[i]);
		else
			node_done(node, buffers[i], node->sequence++,
				  node->kind->copies_time ? div_u64(taken_ns, 1000) * 1000 : ns, good);
	}
}

/* The nodes that the next job needs, by bits; 0: it has to wait. */
static u32 job_needs(void)
{
	u32 i, needed = node_ready(&processor.nodes[INPUT]) ? processor.kind->needs(processor.nodes) : 0;

	for (i = 0; i < processor.kind->node_count; i++)
		if (needed & BIT(i) && !node_ready(&processor.nodes[i]))
			return 0;
	return needed;
}

static void work(struct work_struct *unused)
{
	u32 needed;

	while ((needed = job_needs())) {
		struct node_buffer *buffers[PROCESSOR_NODES];
		bool whole = true;
		u32 i;

		/* A node may have stopped since. */
		for (i = 0; i < processor.kind->node_count; i++) {
			buffers[i] = node_take(&processor.nodes[i]);
			if (!buffers[i] && needed & BIT(i))
				whole = false;
		}
		if (whole) {
			job_run(buffers);
			continue;
		}
		for (i = 0; i < processor.kind->node_count; i++)
			if (buffers[i])
				node_put_back(&processor.nodes[i], buffers[i]);
	}
}

void processor_queued(struct video_node *node)
{
	queue_work(processor.queue, &processor.work);
}

int processor_start(struct video_node *node)
{
	processor_queued(node);
	return 0;
}

void processor_stop(struct video_node *node)
{
	flush_work(&processor.work);
}

/* ---- nodes ---- */

static int register_nodes(void)
{
	const u32 fixed = MEDIA_LNK_FL_ENABLED | MEDIA_LNK_FL_IMMUTABLE;
	const struct processor_kind *kind = processor.kind;
	struct media_entity *entity = &processor.entity;
	u32 i;
	int ret;

	entity->name = kind->entity;
	entity->obj_type = MEDIA_ENTITY_TYPE_BASE;
	entity->function = MEDIA_ENT_F_PROC_VIDEO_SCALER;
	for (i = 0; i < kind->node_count; i++)
		processor.pads[i].flags = V4L2_TYPE_IS_OUTPUT(kind->nodes[i].type) ? MEDIA_PAD_FL_SINK :
										     MEDIA_PAD_FL_SOURCE;
	ret = media_entity_pads_init(entity, kind->node_count, processor.pads);
	ret = ret ?: media_device_register_entity(&processor.media, entity);
	for (i = 0; i < kind->node_count && !ret; i++) {
		struct video_node *node = &processor.nodes[i];

		ret = node_register(node, &kind->nodes[i], &processor.v4l2,
				    i == INPUT && kind->create_controls ? &processor.controls : NULL);
		if (ret)
			break;
		ret = node_is_output(node) ? media_create_pad_link(&node->vdev.entity, 0, entity, i, fixed) :
					     media_create_pad_link(entity, i, &node->vdev.entity, 0, fixed);
	}
	return ret;
}

int processor_register(struct device *dev, const struct processor_kind *kind)
{
	int ret;

	INIT_WORK(&processor.work, work);
	processor.kind = kind;
	ret = media_begin(&processor.media, &processor.v4l2, dev, kind->name);
	processor.media.hw_revision = kind->revision;
	processor.queue = alloc_workqueue("camera-processor", WQ_UNBOUND, 1);
	if (!processor.queue)
		return -ENOMEM;
	if (kind->create_controls)
		ret = ret ?: kind->create_controls(&processor.controls);
	ret = ret ?: register_nodes();
	return ret ?: media_device_register(&processor.media);
}

void processor_unregister(void)
{
	u32 i;

	for (i = 0; i < processor.kind->node_count; i++)
		node_unregister(&processor.nodes[i]);
	if (media_devnode_is_registered(processor.media.devnode))
		media_device_unregister(&processor.media);
	v4l2_device_unregister(&processor.v4l2);
	v4l2_ctrl_handler_free(&processor.controls);
	media_device_cleanup(&processor.media);
	if (processor.queue)
		destroy_workqueue(processor.queue);
}
