// SPDX-License-Identifier: GPL-2.0-only
/*
 * Plays the lines that the sensor sends beside the picture: two of registers (the second stays empty), one of phase
 * detection, two of brightness histograms (of the first and in HDR only, as on the sensor).
 */
#include <linux/kernel.h>
#include <linux/log2.h>
#include <linux/string.h>

#include "camera.h"

/* What the registers of exposure and frame length hold at most; longer ones are shifted. */
#define LENGTH_MAX 0xffff

/* Every fifth byte carries the low bits of four samples. Of registers and histograms these say nothing: a filler. */
#define FILLER 0x55
#define STEP 5

#define PHASE_COLUMNS 16
#define PHASE_ROWS 12

/* SMIA's tags. */
#define TAG_START 0x0a
#define TAG_HIGH 0xaa
#define TAG_LOW 0xa5
#define TAG_VALUE 0x5a
#define TAG_END 0x07

struct line {
	u8 *start;
	u32 at;
};

static void put(struct line *line, u8 tag, u8 value)
{
	line->start[line->at++] = tag;
	/* Tags and values come in pairs, so a filler only ever follows a tag. */
	if ((line->at + 1) % STEP == 0)
		line->start[line->at++] = FILLER;
	line->start[line->at++] = value;
}

static void put_register(struct line *line, u16 address, u32 bytes, u32 value)
{
	put(line, TAG_HIGH, address >> 8);
	put(line, TAG_LOW, address);
	while (bytes--)
		put(line, TAG_VALUE, value >> 8 * bytes);
}

static void put_registers(u8 *out, const struct shot *shot)
{
	struct line line = { .start = out, .at = 1 };
	u32 shift = 0;

	while (shot->frame_length >> shift > LENGTH_MAX)
		shift++;
	out[0] = TAG_START;
	put_register(&line, 0x013a, 1, shot->temperature);
	put_register(&line, 0x0202, 2, shot->exposure_lines >> shift);
	put_register(&line, 0x0204, 2, shot->gain_code);
	put_register(&line, 0x0340, 2, shot->frame_length >> shift);
	put_register(&line, 0x0342, 2, shot->line_length);
	put(&line, TAG_END, TAG_END);
}

/* A header of two steps, then 16x12 pairs of a confidence (11 bits) and a phase (11 bits, signed). */
static void put_phases(u8 *out, const struct shot *shot)
{
	struct view view;
	u32 row, column;

	view_init(&view, shot, NULL);
	out += 2 * STEP;
	for (row = 0; row < PHASE_ROWS; row++)
		for (column = 0; column < PHASE_COLUMNS; column++, out += STEP) {
			enum half half = scene_half(view_x(&view, column, PHASE_COLUMNS));
			s32 away = shot->defocus[half], phase = away * (s32)lens_optics()->phase / 1000;
			u32 confidence = 0;

			if (shot->pdaf && !shot->pattern && abs(away) < 5000)
				confidence = 20 + scene_sharpness(shot, half) * shot->contrast / 2500;
			phase = clamp(phase, -1000, 1000);
			out[0] = confidence >> 3;
			out[1] = (confidence & 7) << 5 | ((phase >> 6) & 0x1f);
			out[2] = (phase & 0x3f) << 2;
		}
}

static void put_count(u8 *out, u32 count)
{
	out[0] = count >> 14;
	out[1] = count >> 6;
	out[2] = count << 2;
	out[3] = FILLER;
}

/*
 * Pixels of the shortest of the three exposures by brightness: 128 linear steps, then ten doubling ones, of which the
 * last is the second linear one.
 */
static void put_histogram(u8 *out, const struct shot *shot)
{
	u32 linear[128] = {}, doubling[10] = {}, row, column, i;
	struct view view;

	view_init(&view, shot, NULL);
	for (row = 0; row < 12; row++)
		for (column = 0; column < 16; column++) {
			u32 rgb[3], value;

			scene_average(shot, view_x(&view, column, 16), view_y(&view, row, 12), rgb);
			value = rgb[1];
			/* The uncompressed range is four times as long, and so much shorter is that exposure. */
			if (value > RAW_WHITE / 2)
				value = RAW_WHITE / 2 + (value - RAW_WHITE / 2) * 7;
			value = min_t(u32, value / 4, RAW_WHITE);
			linear[value / 64] += 1024;
			if (value < 128)
				doubling[value ? min(ilog2(value * 8), 9) : 0] += 1024;
		}
	for (i = 0; i < ARRAY_SIZE(linear); i++, out += STEP)
		put_count(out, linear[i]);
	for (i = 0; i < ARRAY_SIZE(doubling); i++, out += STEP)
		put_count(out, doubling[i]);
}

/* Writes what belongs to `shot` into EMBEDDED_BYTES at `out`. */
void embedded_write(u8 *out, const struct shot *shot)
{
	u32 stride = shot->width * 10 / 8;

	memset(out, 0, EMBEDDED_BYTES);
	put_registers(out, shot);
	put_phases(out + 2 * stride, shot);
	if (shot->hdr)
		put_histogram(out + 3 * stride, shot);
}
