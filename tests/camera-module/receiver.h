/* SPDX-License-Identifier: GPL-2.0-only */
/* What makes one receiver differ from another. */
#ifndef RECEIVER_H
#define RECEIVER_H

#include "camera.h"
#include "node.h"

#define RECEIVER_NODES 6

struct cfe_shape;

struct receiver_kind {
	const char *name;		/* of the media device and its driver */
	u32 revision;			/* of the hardware */
	bool streams;			/* it wants embedded data as a stream: see streams.c */
	/* A frame takes a buffer of each node that streams, or none at all; and one that stops, stops it all. */
	bool together;
	const struct node_kind *nodes;	/* the first is the picture's */
	u32 node_count;
	u32 data_nodes;			/* so many, the last, are not there where the sensor has no embedded data */
	const struct cfe_shape *shape;	/* of the Pi 5's: see cfe.h */
	/* Registers what is between the sensor and the nodes, also where there is no sensor. May be missing. */
	int (*register_subdevices)(const struct receiver_kind *kind, struct v4l2_device *v4l2);
	int (*link)(const struct receiver_kind *kind, struct media_entity *sensor, struct video_node *nodes);
	/* Whether the sensor is to start, now that some nodes stream; an error: they cannot, as they are set. */
	int (*starts)(const struct receiver_kind *kind, struct video_node *nodes);
	/* What a frame puts into a buffer of a node but the first, or takes out of it. */
	void (*fill)(u32 node, void *memory, const struct shot *shot);
};

/* For the nodes of any receiver. */
int receiver_start(struct video_node *node);
void receiver_stop(struct video_node *node);

#endif
