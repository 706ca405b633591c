/* SPDX-License-Identifier: GPL-2.0-only */
/* What makes one image processor differ from another. */
#ifndef PROCESSOR_H
#define PROCESSOR_H

#include "camera.h"
#include "node.h"
#include "picture.h"

#define PROCESSOR_NODES 8

struct processor_kind {
	const char *name;		/* of the media device and its driver */
	const char *entity;		/* that all nodes are linked to */
	u32 revision;			/* of the hardware */
	const struct node_kind *nodes;	/* the first is the raw picture's */
	u32 node_count;
	/* Controls of the first node. May be missing. */
	int (*create_controls)(struct v4l2_ctrl_handler *controls);
	/* By bits, the nodes that the next job needs a buffer of; asked while the first node has one. 0: not yet known. */
	u32 (*needs)(struct video_node *nodes);
	/* Fills the buffers, of which those that no job needs may be missing; whether it could. */
	bool (*run)(struct video_node *nodes, struct node_buffer *const *buffers, const struct shot *shot);
};

/* For the nodes of any processor. */
int processor_start(struct video_node *node);
void processor_stop(struct video_node *node);
void processor_queued(struct video_node *node);

#endif
