/* SPDX-License-Identifier: GPL-2.0-only */
/* The Pi 5's receiver by its two drivers, which differ in pads and in the way of the embedded data. */
#ifndef CFE_H
#define CFE_H

#include <linux/types.h>

#define CSI2_PADS_MAX 8

struct cfe_shape {
	u32 sinks;			/* pads of csi2, of which these are the first */
	u32 pads;
	u32 picture_source;		/* of csi2's pads */
	u32 data_sink, data_source;
	bool copies;			/* what a sink of csi2 is set to, its source is as well */
};

/* Pads of pisp-fe. */
enum { FE_SINK, FE_CONFIG, FE_IMAGE0, FE_IMAGE1, FE_STATISTICS, FE_PADS };

struct media_entity;
struct receiver_kind;
struct v4l2_device;
struct v4l2_pix_format;

/* cfe_subdevices.c */
int cfe_register_subdevices(const struct receiver_kind *kind, struct v4l2_device *v4l2);
struct media_entity *cfe_csi2(void);
struct media_entity *cfe_front_end(void);
bool cfe_formats_fit(const struct v4l2_pix_format *image, bool with_data);

#endif
