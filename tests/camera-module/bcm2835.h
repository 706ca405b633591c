/* SPDX-License-Identifier: GPL-2.0-only */
/* Numbers and layouts of Raspberry Pi's drivers for the Pi 4, as userspace knows them: other kernels lack them. */
#ifndef BCM2835_H
#define BCM2835_H

#include <linux/types.h>
#include <linux/videodev2.h>

#define MEDIA_BUS_FMT_SENSOR_DATA 0x7002
#define META_FMT_SENSOR_DATA v4l2_fourcc('S', 'E', 'N', 'S')
#define META_FMT_ISP_STATS v4l2_fourcc('B', 'S', 'T', 'A')

#define ISP_CID_BASE (V4L2_CID_USER_BASE + 0x10e0)
#define ISP_CID_CCM (ISP_CID_BASE + 1)
#define ISP_CID_LENS_SHADING (ISP_CID_BASE + 2)
#define ISP_CID_BLACK_LEVEL (ISP_CID_BASE + 3)
#define ISP_CID_GREEN_EQUALISATION (ISP_CID_BASE + 4)
#define ISP_CID_GAMMA (ISP_CID_BASE + 5)
#define ISP_CID_DENOISE (ISP_CID_BASE + 6)
#define ISP_CID_SHARPEN (ISP_CID_BASE + 7)
#define ISP_CID_DEFECTIVE_PIXELS (ISP_CID_BASE + 8)
#define ISP_CID_COLOUR_DENOISE (ISP_CID_BASE + 9)

struct isp_ratio {
	__s32 num;
	__u32 den;
};

struct isp_ccm {
	__u32 enabled;
	struct isp_ratio matrix[3][3];
	__s32 offsets[3];
};

#define GAMMA_POINTS 33
struct isp_gamma {
	__u32 enabled;
	__u16 x[GAMMA_POINTS], y[GAMMA_POINTS];
};

struct isp_lens_shading {
	__u32 enabled, cell, width, stride, height;
	__s32 dmabuf;
	__u32 transform, corner, format;
};

struct isp_region {
	__u32 counted, notcounted;
	__u64 sum[3];	/* red, green, blue */
};

#define AWB_COLUMNS 16
#define AWB_ROWS 12
#define AGC_ZONES 15
#define FOCUS_COLUMNS 4
#define FOCUS_ROWS 3
struct isp_stats {
	__u32 version, size;
	struct {
		__u32 bins[3][128];	/* red, green, blue */
	} histogram[2];
	struct isp_region awb[AWB_COLUMNS * AWB_ROWS], floating[16], agc[16];
	struct {
		__u64 contrast[2][2];	/* below and above a threshold, by two filters */
		__u32 count[2][2];
	} focus[FOCUS_COLUMNS * FOCUS_ROWS];
};

/* bcm2835_statistics.c */
struct shot;
void isp_count(struct isp_stats *stats, const struct shot *shot);

#endif
