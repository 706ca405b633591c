// SPDX-License-Identifier: GPL-2.0-only
/*
 * Draws a shot as a processor would develop it, in any format of a Raspberry Pi's processors.
 *
 * The scene is made of horizontal bands, so a picture is a few different rows, each made once and copied: that is what
 * makes 4608x2592 at 8 Hz bearable on an emulated processor. A row is a list of indices into a palette of developed
 * colours first. README.md has the layout, and that of the stamp in the upper 4/24 of the height.
 */
#include <linux/kernel.h>
#include <linux/math64.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "picture.h"

#define STAMP_ROWS 4
#define STAMP_BITS 32

/* The palette: the scene's fields, what is between two patches that are out of focus, and the stamp's colours. */
#define EDGE_STEPS 8
#define EDGES FIELDS
#define BLACK (EDGES + 2 * 7 * EDGE_STEPS)
#define WHITE (BLACK + 1)
#define COLOURS (WHITE + 1)

enum channel { RED, GREEN, BLUE, LUMA, CB, CR, CHANNELS };

struct palette {
	u8 value[CHANNELS][COLOURS];
};

/* How a plane's bytes follow each other: letters of channels, a small one for the second pixel of `span`. */
struct plane_layout {
	const char *bytes;
	u32 span, lines;
};

struct layout {
	u32 fourcc;
	struct plane_layout planes[3];
};

static const struct layout layouts[] = {
	{ V4L2_PIX_FMT_YUV420, { { "Y", 1, 1 }, { "U", 2, 2 }, { "V", 2, 2 } } },
	{ V4L2_PIX_FMT_YVU420, { { "Y", 1, 1 }, { "V", 2, 2 }, { "U", 2, 2 } } },
	{ V4L2_PIX_FMT_NV12, { { "Y", 1, 1 }, { "UV", 2, 2 } } },
	{ V4L2_PIX_FMT_NV21, { { "Y", 1, 1 }, { "VU", 2, 2 } } },
	{ V4L2_PIX_FMT_YUYV, { { "YUyV", 2, 1 } } },
	{ V4L2_PIX_FMT_UYVY, { { "UYVy", 2, 1 } } },
	{ V4L2_PIX_FMT_YVYU, { { "YVyU", 2, 1 } } },
	{ V4L2_PIX_FMT_VYUY, { { "VYUy", 2, 1 } } },
	{ V4L2_PIX_FMT_RGB24, { { "RGB", 1, 1 } } },
	{ V4L2_PIX_FMT_BGR24, { { "BGR", 1, 1 } } },
	{ V4L2_PIX_FMT_XBGR32, { { "BGRX", 1, 1 } } },
	{ V4L2_PIX_FMT_RGBX32, { { "RGBX", 1, 1 } } },
};

/* ---- colours ---- */

static u32 curve_value(const struct development *how, u32 linear)
{
	u32 i = 1;

	if (!how->curve_points)
		return linear;
	while (i < how->curve_points - 1 && how->curve_x[i] < linear)
		i++;
	if (how->curve_x[i] <= how->curve_x[i - 1] || linear >= how->curve_x[i])
		return how->curve_y[i];
	return how->curve_y[i - 1] + (s32)(linear - how->curve_x[i - 1]) * (how->curve_y[i] - how->curve_y[i - 1]) /
					     (how->curve_x[i] - how->curve_x[i - 1]);
}

/* Raw colours of 13 bits become 8 bits a channel. */
static void develop(const struct development *how, const u32 raw[3], u8 rgb[3])
{
	s32 in[3];
	u32 i, j;

	for (i = 0; i < 3; i++)
		in[i] = min_t(u64, div_u64((u64)raw[i] * 8 * how->gain[i], 1000), 0xffff);
	for (i = 0; i < 3; i++) {
		s64 sum = 0;

		for (j = 0; j < 3; j++)
			sum += (s64)in[j] * how->matrix[i][j];
		rgb[i] = curve_value(how, clamp_t(s64, div_s64(sum, 1000), 0, 0xffff)) >> 8;
	}
}

/* Luma, blue and red difference, as the processor was told to make them. */
static void convert(const struct development *how, const u8 rgb[3], u8 out[3])
{
	u32 i, j;

	for (i = 0; i < 3; i++) {
		s64 sum = how->conversion_offsets[i] + (1 << 17);

		for (j = 0; j < 3; j++)
			sum += (s64)how->conversion[i][j] * rgb[j] * 257;
		out[i] = clamp_t(s64, sum >> 18, 0, 255);
	}
}

static void palette_set(struct palette *palette, u32 index, const u8 rgb[3], const struct development *how,
			enum v4l2_colorspace space)
{
	/* Luma, blue and red difference in 256ths; the first is the full range of JPEG, the others leave room at both ends. */
	static const struct {
		s32 black, weights[3][3];
	} spaces[] = {
		{ 0, { { 77, 150, 29 }, { -43, -85, 128 }, { 128, -107, -21 } } },
		{ 16, { { 66, 129, 25 }, { -38, -74, 112 }, { 112, -94, -18 } } },
		{ 16, { { 47, 157, 16 }, { -26, -86, 112 }, { 112, -102, -10 } } },
	};
	u32 which = space == V4L2_COLORSPACE_SMPTE170M ? 1 : space == V4L2_COLORSPACE_REC709 ? 2 : 0, i;
	u8 converted[3];

	if (how->converts)
		convert(how, rgb, converted);
	for (i = 0; i < 3; i++) {
		const s32 *w = spaces[which].weights[i];
		s32 sum = (w[0] * rgb[0] + w[1] * rgb[1] + w[2] * rgb[2] + 128) >> 8;

		palette->value[RED + i][index] = rgb[i];
		palette->value[LUMA + i][index] = how->converts ? converted[i] :
						  clamp(sum + (i ? 128 : spaces[which].black), 0, 255);
	}
}

static void palette_fill(struct palette *palette, const struct shot *shot, const struct development *how,
			 enum v4l2_colorspace space)
{
	static const u8 black[3] = { 0, 0, 0 }, white[3] = { 255, 255, 255 };
	u8 rgb[FIELDS][3], mixed[3];
	u32 raw[3], field, row, patch, step, i;

	for (field = 0; field < FIELDS; field++) {
		scene_raw(shot, field, raw);
		develop(how, raw, rgb[field]);
		palette_set(palette, field, rgb[field], how, space);
	}
	for (row = 0; row < 2; row++)
		for (patch = 0; patch < 7; patch++)
			for (step = 0; step < EDGE_STEPS; step++) {
				const u8 *from = rgb[(row ? FIELD_COLOURS : FIELD_GREYS) + patch], *to = from + 3;

				for (i = 0; i < 3; i++)
					mixed[i] = (from[i] * (2 * EDGE_STEPS - 2 * step - 1) + to[i] * (2 * step + 1)) /
						   (2 * EDGE_STEPS);
				palette_set(palette, EDGES + (row * 7 + patch) * EDGE_STEPS + step, mixed, how, space);
			}
	palette_set(palette, BLACK, black, how, space);
	palette_set(palette, WHITE, white, how, space);
}

/* ---- rows ---- */

/* One row of the stamp: 32 fields, the highest bit first. */
static void stamp_row(u8 *row, u32 width, u32 bits)
{
	u32 x;

	for (x = 0; x < width; x++)
		row[x] = bits & BIT(STAMP_BITS - 1 - min(x * STAMP_BITS / width, STAMP_BITS - 1u)) ? WHITE : BLACK;
}

static u8 colour_at(const struct shot *shot, u32 x, u32 y)
{
	enum field field = scene_field(shot, x, y);
	u32 edge, blur;
	s32 beyond;

	if (field < FIELD_GREYS || field >= FIELD_BARS)
		return field;
	/* Number of the nearest boundary between two patches, from 1, and how far behind its soft part's beginning this is. */
	edge = (x + PATCH_WIDTH / 2) / PATCH_WIDTH;
	if (edge == 0 || edge == 8)
		return field;
	blur = min_t(u32, scene_blur(shot, scene_half(x)), PATCH_WIDTH - 2);
	beyond = (s32)x - (s32)(edge * PATCH_WIDTH) + (s32)blur / 2;
	if (beyond < 0 || beyond >= (s32)blur)
		return field;
	return EDGES + ((field >= FIELD_COLOURS ? 7 : 0) + edge - 1) * EDGE_STEPS + beyond * EDGE_STEPS / blur;
}

/* Rows of the scene with the same number look the same. */
static u32 band_of(u32 y)
{
	u32 row = y * 24 / ARRAY_HEIGHT;

	return (row < 4 ? 0 : row < 10 ? 1 : row < 14 ? 2 : 3) | (y < ARRAY_HEIGHT / 2 ? 0 : 4);
}

static const u8 *channel_of(const struct palette *palette, char letter)
{
	switch (letter) {
	case 'R':
		return palette->value[RED];
	case 'G':
		return palette->value[GREEN];
	case 'B':
		return palette->value[BLUE];
	case 'U':
		return palette->value[CB];
	case 'V':
		return palette->value[CR];
	default:
		return palette->value[LUMA];
	}
}

/* Turns a row of indices into a plane's bytes; their number. */
static u32 pack(const struct palette *palette, const struct plane_layout *plane, const u8 *indices, u32 width, u8 *out)
{
	u32 count = strlen(plane->bytes), c, x;

	for (c = 0; c < count; c++) {
		const u8 *from = indices + (plane->bytes[c] == 'y');
		const u8 *channel = channel_of(palette, plane->bytes[c]);
		u8 *to = out + c;

		for (x = 0; x < width; x += plane->span, to += count)
			*to = plane->bytes[c] == 'X' ? 255 : channel[from[x]];
	}
	return width / plane->span * count;
}

struct canvas {
	const struct v4l2_pix_format *pix;
	const struct layout *layout;
	u8 *planes[3];
	u32 strides[3];
	u8 *indices, *packed;
	struct palette palette;
};

/* Fills lines `from` to `to` (both even, or single planes) with the row of indices. */
static void fill_lines(struct canvas *canvas, u32 from, u32 to)
{
	u32 p, y;

	for (p = 0; p < 3 && canvas->layout->planes[p].bytes; p++) {
		const struct plane_layout *plane = &canvas->layout->planes[p];
		u32 bytes = pack(&canvas->palette, plane, canvas->indices, canvas->pix->width, canvas->packed);

		for (y = DIV_ROUND_UP(from, plane->lines); y < DIV_ROUND_UP(to, plane->lines); y++)
			memcpy(canvas->planes[p] + y * canvas->strides[p], canvas->packed, bytes);
	}
	cond_resched();
}

static void draw_stamp(struct canvas *canvas, const struct shot *shot)
{
	const u32 stamps[STAMP_ROWS] = {
		shot->sequence,
		div_u64(shot->start_ns - shot->exposure_ns, 1000),
		div_u64(shot->exposure_ns, 1000),
		shot->gain << 16 | shot->lens,
	};
	u32 height = canvas->pix->height, i;

	for (i = 0; i < STAMP_ROWS; i++) {
		stamp_row(canvas->indices, canvas->pix->width, stamps[i]);
		fill_lines(canvas, height * i / 24, height * (i + 1) / 24);
	}
}

static void draw_scene(struct canvas *canvas, const struct shot *shot, const struct view *view)
{
	u32 width = canvas->pix->width, height = canvas->pix->height, from, to, x;

	for (from = height * STAMP_ROWS / 24; from < height; from = to) {
		u32 y = view_y(view, from, height), band = band_of(y);

		for (to = from + 1; to < height && band_of(view_y(view, to, height)) == band; to++)
			;
		for (x = 0; x < width; x++)
			canvas->indices[x] = colour_at(shot, view_x(view, x, width), y);
		fill_lines(canvas, from, to);
	}
}

/* Draws `shot` as `view` shows it into `out`, which has pix->sizeimage bytes. */
int picture_draw(const struct v4l2_pix_format *pix, u8 *out, const struct shot *shot, const struct view *view,
		 const struct development *how)
{
	struct canvas *canvas;
	int ret = -ENOMEM;
	u32 i, p;

	canvas = kzalloc(sizeof(*canvas), GFP_KERNEL);
	if (!canvas)
		return -ENOMEM;
	canvas->pix = pix;
	for (i = 0; i < ARRAY_SIZE(layouts); i++)
		if (layouts[i].fourcc == pix->pixelformat)
			canvas->layout = &layouts[i];
	canvas->indices = kmalloc(pix->width, GFP_KERNEL);
	canvas->packed = kmalloc(pix->bytesperline, GFP_KERNEL);
	if (!canvas->layout || !canvas->indices || !canvas->packed)
		goto free;
	/* Planes follow each other; a small one's lines are as much shorter as its pixels are wider. */
	for (p = 0; p < 3 && canvas->layout->planes[p].bytes; p++) {
		const struct plane_layout *plane = &canvas->layout->planes[p];
		const char *bytes = plane->bytes;

		canvas->strides[p] = p ? pix->bytesperline * strlen(bytes) / plane->span : pix->bytesperline;
		canvas->planes[p] = p ? canvas->planes[p - 1] + canvas->strides[p - 1] * pix->height /
						canvas->layout->planes[p - 1].lines : out;
	}
	palette_fill(&canvas->palette, shot, how, pix->colorspace);
	draw_stamp(canvas, shot);
	draw_scene(canvas, shot, view);
	ret = 0;
free:
	kfree(canvas->packed);
	kfree(canvas->indices);
	kfree(canvas);
	return ret;
}
