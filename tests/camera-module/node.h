/* SPDX-License-Identifier: GPL-2.0-only */
/* A video node: a queue of buffers with a format, of pixels or of data. */
#ifndef NODE_H
#define NODE_H

#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/videodev2.h>
#include <media/v4l2-dev.h>
#include <media/v4l2-device.h>
#include <media/videobuf2-v4l2.h>

struct node_format {
	u32 fourcc;
	u32 depth;	/* bits a pixel in the first plane */
	u32 align;	/* of the stride, in bytes */
	u32 halves;	/* of the first plane that the whole picture has */
	u32 code;	/* of the bus; 0: not raw */
};

struct video_node;

/* What makes one node differ from another. Of data, only meta_* say what it is. */
struct node_kind {
	const char *name, *driver;
	enum v4l2_buf_type type;
	const struct node_format *formats;
	u32 format_count;
	u32 meta_fourcc, meta_bytes;
	const char *meta_name;
	bool meta_lines;	/* the data have a width and a height */
	bool keeps_stride;	/* a longer one than is needed, if asked for */
	bool copies_time;	/* buffers have the time of the frame that was put in */
	bool croppable;
	bool frame_sync;	/* tells the start of each frame */
	u32 extra_caps;
	int (*start)(struct video_node *node);
	void (*stop)(struct video_node *node);	/* must give back what it took */
	void (*queued)(struct video_node *node);
};

struct node_buffer {
	struct vb2_v4l2_buffer vb;
	struct list_head list;
};

struct video_node {
	const struct node_kind *kind;
	struct video_device vdev;
	struct vb2_queue queue;
	struct mutex lock;		/* of the calls from userspace */
	struct media_pad pad;
	struct v4l2_pix_format pix;	/* of data with lines: width, height and stride */
	struct v4l2_rect crop;
	u32 bytes;			/* of a buffer */
	u32 sequence;
	spinlock_t buffers_lock;	/* of what follows */
	struct list_head buffers;
	bool streaming;
};

/* formats.c */
extern const struct node_format raw_formats[8], pisp_raw_formats[8];
extern const struct v4l2_ioctl_ops node_ioctl_ops;
void node_default_format(struct video_node *node);

/* node.c */
int media_begin(struct media_device *media, struct v4l2_device *v4l2, struct device *dev, const char *name);
int node_register(struct video_node *node, const struct node_kind *kind, struct v4l2_device *v4l2,
		  struct v4l2_ctrl_handler *controls);
void node_unregister(struct video_node *node);
bool node_ready(struct video_node *node);
struct node_buffer *node_take(struct video_node *node);
void node_put_back(struct video_node *node, struct node_buffer *buffer);
void *node_first(struct video_node *node);
void *node_memory(struct node_buffer *buffer);
void node_done(struct video_node *node, struct node_buffer *buffer, u32 sequence, u64 ns, bool good);
struct v4l2_rect node_crop(struct video_node *node);

static inline bool node_is_meta(const struct video_node *node)
{
	return node->kind->type == V4L2_BUF_TYPE_META_CAPTURE || node->kind->type == V4L2_BUF_TYPE_META_OUTPUT;
}

static inline bool node_is_output(const struct video_node *node)
{
	return V4L2_TYPE_IS_OUTPUT(node->kind->type);
}

static inline bool node_streams(struct video_node *node)
{
	return READ_ONCE(node->streaming);
}

#endif
