// SPDX-License-Identifier: GPL-2.0-only
/*
 * Plays unicam, the Pi 4's CSI-2 receiver, by Raspberry Pi's driver: two nodes that the sensor is linked to. As there,
 * the sensor starts when every opened node streams.
 */
#include "bcm2835.h"
#include "receiver.h"

enum { IMAGE, DATA, NODES };

static int link(const struct receiver_kind *kind, struct media_entity *sensor, struct video_node *nodes)
{
	const u32 fixed = MEDIA_LNK_FL_ENABLED | MEDIA_LNK_FL_IMMUTABLE;
	int ret = media_create_pad_link(sensor, 0, &nodes[IMAGE].vdev.entity, 0, fixed);

	if (camera_embedded)
		ret = ret ?: media_create_pad_link(sensor, 1, &nodes[DATA].vdev.entity, 0, fixed);
	return ret;
}

static int starts(const struct receiver_kind *kind, struct video_node *nodes)
{
	bool opened = video_is_registered(&nodes[DATA].vdev) && !list_empty(&nodes[DATA].vdev.fh_list);

	return node_streams(&nodes[IMAGE]) && (node_streams(&nodes[DATA]) || !opened);
}

static void fill(u32 node, void *memory, const struct shot *shot)
{
	embedded_write(memory, shot);
}

#define ALL .driver = "unicam", .extra_caps = V4L2_CAP_IO_MC, .start = receiver_start, .stop = receiver_stop
static const struct node_kind kinds[NODES] = {
	[IMAGE] = {
		.name = "unicam-image", .type = V4L2_BUF_TYPE_VIDEO_CAPTURE, .frame_sync = true,
		.formats = raw_formats, .format_count = ARRAY_SIZE(raw_formats), ALL,
	},
	[DATA] = {
		.name = "unicam-embedded", .type = V4L2_BUF_TYPE_META_CAPTURE, .meta_name = "Sensor data",
		.meta_fourcc = META_FMT_SENSOR_DATA, .meta_bytes = EMBEDDED_BYTES, ALL,
	},
};

const struct receiver_kind unicam = {
	.name = "unicam", .nodes = kinds, .node_count = NODES, .data_nodes = 1,
	.link = link, .starts = starts, .fill = fill,
};
