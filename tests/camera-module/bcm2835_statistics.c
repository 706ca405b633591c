// SPDX-License-Identifier: GPL-2.0-only
/*
 * Counts what the Pi 4's processor counts, from the same scene that is drawn, over the whole raw picture and before
 * white balance. Of the 15 zones of exposure control each has the sums of all: README.md says what that means.
 */
#include <linux/minmax.h>
#include <linux/string.h>

#include "bcm2835.h"
#include "camera.h"

/* As many pixels as a cell is said to have. */
#define CELL 1000
/* White balance leaves out cells above this. */
#define SATURATED (RAW_WHITE * 95 / 100)
/* What the focus filter gives: without any detail, and more at the sharpest. */
#define CONTRAST_FLOOR 200
#define CONTRAST_RANGE 20000

static void count_colours(struct isp_stats *stats, const struct shot *shot, const struct view *view)
{
	u64 sums[3] = {};
	u32 row, column, i;

	for (row = 0; row < AWB_ROWS; row++)
		for (column = 0; column < AWB_COLUMNS; column++) {
			struct isp_region *cell = &stats->awb[row * AWB_COLUMNS + column];
			u32 rgb[3];

			scene_average(shot, view_x(view, column, AWB_COLUMNS), view_y(view, row, AWB_ROWS), rgb);
			if (max3(rgb[0], rgb[1], rgb[2]) < SATURATED)
				cell->counted = CELL;
			cell->notcounted = CELL - cell->counted;
			for (i = 0; i < 3; i++) {
				cell->sum[i] = (u64)rgb[i] * cell->counted;
				stats->histogram[0].bins[i][rgb[i] * 128 / (RAW_WHITE + 1)] += CELL;
				sums[i] += (u64)rgb[i] * CELL;
			}
		}
	for (i = 0; i < AGC_ZONES; i++) {
		stats->agc[i].counted = AWB_ROWS * AWB_COLUMNS * CELL;
		memcpy(stats->agc[i].sum, sums, sizeof(sums));
	}
}

/* Each zone is as sharp as its half of the scene. */
static void count_focus(struct isp_stats *stats, const struct shot *shot, const struct view *view)
{
	u32 row, column;

	for (row = 0; row < FOCUS_ROWS; row++)
		for (column = 0; column < FOCUS_COLUMNS; column++) {
			enum half half = scene_half(view_x(view, column, FOCUS_COLUMNS));
			u32 sharp = shot->pattern ? 0 : scene_sharpness(shot, half) * shot->contrast / 1000;
			typeof(stats->focus[0]) *zone = &stats->focus[row * FOCUS_COLUMNS + column];

			/* In thousandths: libcamera divides. */
			zone->contrast[1][1] = CONTRAST_FLOOR * 1000ull + CONTRAST_RANGE * (u64)sharp;
			zone->count[1][1] = zone->count[1][0] = CELL;
		}
}

void isp_count(struct isp_stats *stats, const struct shot *shot)
{
	struct view view;

	memset(stats, 0, sizeof(*stats));
	stats->version = 1;
	stats->size = sizeof(*stats);
	view_init(&view, shot, NULL);
	count_colours(stats, shot, &view);
	count_focus(stats, shot, &view);
}
