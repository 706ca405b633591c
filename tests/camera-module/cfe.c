// SPDX-License-Identifier: GPL-2.0-only
/*
 * Plays rp1-cfe, the Pi 5's CSI-2 receiver with the front end of its image processor, by either of its drivers:
 * Raspberry Pi's own, and the one in the kernel's mainline. As there, the sensor starts when every node with an enabled
 * link streams, and each frame takes a buffer of all of them or of none. The front end counts the statistics.
 */
#include <media/media-entity.h>

#include "bcm2835.h"
#include "cfe.h"
#include "pisp.h"
#include "receiver.h"

enum { IMAGE0, CONFIG, STATISTICS, DATA, IMAGE1, CHANNEL0, NODES };

static const struct cfe_shape raspberrypi_shape = {
	.sinks = 4, .pads = 8, .picture_source = 4, .data_sink = 1, .data_source = 5, .copies = true,
};

static const struct cfe_shape mainline_shape = { .sinks = 1, .pads = 5, .picture_source = 1, .data_source = 2 };

/* What the next frames are counted by. */
static struct pisp_front front;

static int link(const struct receiver_kind *kind, struct media_entity *sensor, struct video_node *nodes)
{
	const struct cfe_shape *shape = kind->shape;
	const u32 fixed = MEDIA_LNK_FL_ENABLED | MEDIA_LNK_FL_IMMUTABLE;
	struct media_entity *csi2 = cfe_csi2(), *fe = cfe_front_end();
	const struct {
		struct media_entity *source;
		u32 pad;
		struct media_entity *sink;
		u32 sink_pad, flags;
	} links[] = {
		{ sensor, 0, csi2, 0, fixed },
		/* At first pictures go past the front end. */
		{ csi2, shape->picture_source, &nodes[CHANNEL0].vdev.entity, 0, MEDIA_LNK_FL_ENABLED },
		{ csi2, shape->picture_source, fe, FE_SINK },
		{ csi2, shape->data_source, &nodes[DATA].vdev.entity, 0 },
		{ &nodes[CONFIG].vdev.entity, 0, fe, FE_CONFIG },
		{ fe, FE_IMAGE0, &nodes[IMAGE0].vdev.entity, 0 },
		{ fe, FE_IMAGE1, &nodes[IMAGE1].vdev.entity, 0 },
		{ fe, FE_STATISTICS, &nodes[STATISTICS].vdev.entity, 0 },
	};
	int ret = 0;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(links); i++)
		ret = ret ?: media_create_pad_link(links[i].source, links[i].pad, links[i].sink, links[i].sink_pad,
						   links[i].flags);
	if (shape->data_sink && camera_embedded)
		ret = ret ?: media_create_pad_link(sensor, 1, csi2, shape->data_sink, fixed);
	return ret;
}

static int starts(const struct receiver_kind *kind, struct video_node *nodes)
{
	u32 i;

	for (i = 0; i < NODES; i++)
		if (media_pad_remote_pad_first(&nodes[i].pad) && !node_streams(&nodes[i]))
			return 0;
	return cfe_formats_fit(&nodes[IMAGE0].pix, node_streams(&nodes[DATA])) ? 1 : -EPIPE;
}

static void fill(u32 node, void *memory, const struct shot *shot)
{
	switch (node) {
	case CONFIG:
		memcpy(&front, memory, sizeof(front));
		break;
	case STATISTICS:
		pisp_count(memory, shot, &front);
		break;
	case DATA:
		embedded_write(memory, shot);
		break;
	}
}

#define ALL .driver = "rp1-cfe", .extra_caps = V4L2_CAP_IO_MC, .keeps_stride = true, \
	.start = receiver_start, .stop = receiver_stop
#define PICTURES .type = V4L2_BUF_TYPE_VIDEO_CAPTURE, .formats = pisp_raw_formats, \
	.format_count = ARRAY_SIZE(pisp_raw_formats)
/* The names have a hyphen here or an underscore. */
#define KINDS(_, data, ...) { \
	[IMAGE0] = { .name = "rp1-cfe-fe" _ "image0", .frame_sync = true, PICTURES, ALL }, \
	[CONFIG] = { \
		.name = "rp1-cfe-fe" _ "config", .type = V4L2_BUF_TYPE_META_OUTPUT, .meta_name = "PiSP configuration", \
		.meta_fourcc = META_FMT_FE_CONFIG, .meta_bytes = sizeof(struct pisp_front), ALL, \
	}, \
	[STATISTICS] = { \
		.name = "rp1-cfe-fe" _ "stats", .type = V4L2_BUF_TYPE_META_CAPTURE, .meta_name = "PiSP statistics", \
		.meta_fourcc = META_FMT_FE_STATS, .meta_bytes = sizeof(struct pisp_stats), ALL, \
	}, \
	[DATA] = { \
		.name = data, .type = V4L2_BUF_TYPE_META_CAPTURE, .meta_name = "Sensor data", \
		.meta_bytes = EMBEDDED_BYTES, __VA_ARGS__, ALL, \
	}, \
	[IMAGE1] = { .name = "rp1-cfe-fe" _ "image1", PICTURES, ALL }, \
	[CHANNEL0] = { .name = "rp1-cfe-csi2" _ "ch0", PICTURES, ALL }, \
}

#define RECEIVER .name = "rp1-cfe", .revision = CFE_REVISION, .together = true, .node_count = NODES, \
	.register_subdevices = cfe_register_subdevices, .link = link, .starts = starts, .fill = fill

static const struct node_kind raspberrypi_kinds[NODES] =
	KINDS("_", "rp1-cfe-embedded", .meta_fourcc = META_FMT_SENSOR_DATA);
const struct receiver_kind cfe = { .nodes = raspberrypi_kinds, .shape = &raspberrypi_shape, RECEIVER };

static const struct node_kind mainline_kinds[NODES] =
	KINDS("-", "rp1-cfe-csi2-ch1", .meta_fourcc = V4L2_META_FMT_GENERIC_CSI2_10, .meta_lines = true);
const struct receiver_kind cfe_mainline = {
	.nodes = mainline_kinds, .shape = &mainline_shape, .streams = true, RECEIVER,
};
