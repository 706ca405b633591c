// SPDX-License-Identifier: GPL-2.0-only
/*
 * Counts what the Pi 5's front end counts, from the same scene that is drawn, over the whole raw picture: colours
 * before white balance, brightness after it and with the weights of exposure control.
 *
 * Colours are counted before the lens's shading is taken away, so libcamera multiplies them by its own table against
 * it. This lens has just the shading that the back end's newest table takes away: there is none in the picture.
 */
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/mutex.h>
#include <linux/string.h>

#include "camera.h"
#include "pisp.h"

/* As many pixels as a cell is said to have. */
#define CELL 1000
/* White balance leaves out cells above this. */
#define SATURATED (RAW_WHITE * 98 / 100)
/* What the focus filter gives: without any detail, and more at the sharpest. */
#define CONTRAST_FLOOR 200
#define CONTRAST_RANGE 20000
/* Of a figure of merit, libcamera leaves out so many bits. */
#define CONTRAST_SHIFT 20

/* From 13 bits a sample to 16. */
#define SHIFT 3

static u32 shading[PISP_SHADING_SIZE][PISP_SHADING_SIZE];
static bool shading_known;
static DEFINE_MUTEX(shading_lock);

/* Takes a table as the back end gets it: red, green and blue gain of 10 bits, and what they mean in the upper two. */
void pisp_learn_shading(const u32 packed[PISP_SHADING_SIZE][PISP_SHADING_SIZE])
{
	mutex_lock(&shading_lock);
	memcpy(shading, packed, sizeof(shading));
	shading_known = true;
	mutex_unlock(&shading_lock);
}

/* 1024 is 1. */
static u32 unpacked(u32 packed, u32 colour)
{
	u32 value = packed >> 10 * colour & 0x3ff, range = packed >> 30;

	return range ? value << range : value + 512;
}

/* What the lens leaves of the colours in a cell. */
static void shade(u32 row, u32 column, u32 rgb[3])
{
	u32 i;

	for (i = 0; i < 3; i++) {
		u32 corners = unpacked(shading[row][column], i) + unpacked(shading[row][column + 1], i) +
			      unpacked(shading[row + 1][column], i) + unpacked(shading[row + 1][column + 1], i);

		rgb[i] = rgb[i] * 4096 / max(corners, 1u);
	}
}

static u32 brightness(const u32 rgb[3], const struct pisp_front *front)
{
	u64 sum = 0;
	u32 i;

	for (i = 0; i < 3; i++)
		sum += (u64)(rgb[i] << SHIFT) * front->rgby[i];
	return min_t(u64, sum >> 10, 0xffff);
}

/* Exposure control divides the picture into 15x15 zones. */
static u32 weight(const struct pisp_front *front, u32 row, u32 column)
{
	u32 x = column * PISP_AGC_SIZE / PISP_AWB_SIZE, y = row * PISP_AGC_SIZE / PISP_AWB_SIZE;
	u8 pair = front->weights[y][x / 2];

	return x & 1 ? pair >> 4 : pair & 15;
}

static void count_colours(struct pisp_stats *stats, const struct shot *shot, const struct view *view,
			  const struct pisp_front *front)
{
	u32 row, column, i;

	mutex_lock(&shading_lock);
	for (row = 0; row < PISP_AWB_SIZE; row++)
		for (column = 0; column < PISP_AWB_SIZE; column++) {
			typeof(stats->awb[0]) *cell = &stats->awb[row * PISP_AWB_SIZE + column];
			u32 rgb[3], y;

			scene_average(shot, view_x(view, column, PISP_AWB_SIZE), view_y(view, row, PISP_AWB_SIZE), rgb);
			if (max3(rgb[0], rgb[1], rgb[2]) < SATURATED)
				cell->counted = CELL;
			y = brightness(rgb, front);
			if (shading_known)
				shade(row, column, rgb);
			for (i = 0; i < 3; i++)
				cell->sum[i] = (rgb[i] << SHIFT) * cell->counted;
			stats->histogram[y * PISP_HISTOGRAM >> 16] += CELL * weight(front, row, column);
			stats->agc_floating[0].sum += (u64)y * CELL;
			stats->agc_floating[0].counted += CELL;
		}
	mutex_unlock(&shading_lock);
}

/* Each zone is as sharp as its half of the scene. */
static void count_focus(struct pisp_stats *stats, const struct shot *shot, const struct view *view)
{
	u32 row, column;

	for (row = 0; row < PISP_FOCUS_SIZE; row++)
		for (column = 0; column < PISP_FOCUS_SIZE; column++) {
			enum half half = scene_half(view_x(view, column, PISP_FOCUS_SIZE));
			u32 sharp = shot->pattern ? 0 : scene_sharpness(shot, half) * shot->contrast / 1000;

			stats->foms[row * PISP_FOCUS_SIZE + column] =
				(u64)(CONTRAST_FLOOR + CONTRAST_RANGE * sharp / 1000) << CONTRAST_SHIFT;
		}
}

void pisp_count(struct pisp_stats *stats, const struct shot *shot, const struct pisp_front *front)
{
	struct view view;

	memset(stats, 0, sizeof(*stats));
	view_init(&view, shot, NULL);
	count_colours(stats, shot, &view, front);
	count_focus(stats, shot, &view);
}
