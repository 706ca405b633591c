/* SPDX-License-Identifier: GPL-2.0-only */
/* Drawing: what a processor, whichever it is, makes of a shot. */
#ifndef PICTURE_H
#define PICTURE_H

#include <linux/types.h>

#include "camera.h"
#include "node.h"

#define CURVE_POINTS 65

/* How raw colours become a picture's. */
struct development {
	u32 gain[3];			/* of red, green and blue: white balance and digital gain, in thousandths */
	s32 matrix[3][3];		/* thousandths */
	u32 curve_points;		/* 0: straight */
	u16 curve_x[CURVE_POINTS], curve_y[CURVE_POINTS];
	bool converts;			/* to luma and differences of colour by this, not by the picture's colour space */
	s16 conversion[3][3];		/* 1024 is 1 */
	s32 conversion_offsets[3];	/* of 16 bits a sample, times 1024 */
};

int picture_draw(const struct v4l2_pix_format *pix, u8 *out, const struct shot *shot, const struct view *view,
		 const struct development *how);

#endif
