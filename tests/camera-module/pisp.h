/* SPDX-License-Identifier: GPL-2.0-only */
/* Numbers of the Pi 5's drivers, and what the kernel's headers do not have yet: the front end's structures. */
#ifndef PISP_H
#define PISP_H

#include <linux/build_bug.h>
#include <linux/types.h>
#include <linux/videodev2.h>

#define CFE_REVISION 0x00114666
#define PISP_REVISION 0x02252700	/* BCM2712 C0 */

#define META_FMT_FE_STATS v4l2_fourcc('R', 'P', 'F', 'S')
#define META_FMT_FE_CONFIG v4l2_fourcc('R', 'P', 'F', 'C')

/* What the front end counts. */
#define PISP_AWB_SIZE 32
#define PISP_HISTOGRAM 1024
#define PISP_FOCUS_SIZE 8
struct pisp_stats {
	struct {
		__u32 sum[3], counted;	/* red, green, blue: 16 bits a sample */
	} awb[PISP_AWB_SIZE * PISP_AWB_SIZE], awb_floating[4];
	__u32 row_sums[512], histogram[PISP_HISTOGRAM];
	struct {
		__u64 sum;
		__u32 counted, pad;
	} agc_floating[4];
	__u64 foms[PISP_FOCUS_SIZE * PISP_FOCUS_SIZE], foms_floating[4];
};
static_assert(sizeof(struct pisp_stats) == 23200);

/* The front end's configuration, of which only the statistics' part matters here. */
#define PISP_AGC_SIZE 15
struct pisp_front {
	__u8 a[248];
	__u16 rgby[3];		/* what makes brightness of red, green and blue: 1024 is 1 */
	__u8 b[304 - 254];
	__u8 weights[16][8];	/* 4 bits a zone, the left one in the lower bits */
	__u8 c[632 - 432];
} __packed;
static_assert(sizeof(struct pisp_front) == 632);

/* The back end's table against lens shading: gains at the corners of 32x32 cells. */
#define PISP_SHADING_SIZE (PISP_AWB_SIZE + 1)

/* pisp_statistics.c */
struct shot;
void pisp_learn_shading(const __u32 packed[PISP_SHADING_SIZE][PISP_SHADING_SIZE]);
void pisp_count(struct pisp_stats *stats, const struct shot *shot, const struct pisp_front *front);

#endif
