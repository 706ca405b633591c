// SPDX-License-Identifier: GPL-2.0-only
/*
 * Plays what is in front of the camera: a board of patches and stripes with a light on it, and how the lens images it.
 *
 * From the top: plain grey (4/24 of the height, where pictures have their stamp), a row of 8 greys (to 10/24), a row of
 * 8 colours (to 14/24), black and white stripes that move to the left by one period of 96 pixels a second. The left
 * half and the right half may be at different distances.
 */
#include <linux/debugfs.h>
#include <linux/math64.h>
#include <linux/minmax.h>

#include "camera.h"

/* Of focus_right: as far away as the left half. */
#define FOLLOWS U32_MAX
#define PERIOD 96

static struct scene {
	u32 lux;
	u32 red, blue;		/* of grey in the raw picture, in thousandths of its green */
	u32 focus, focus_right;	/* where it is sharp, in thousandths of a dioptre */
	u32 swing, swing_ms;	/* amplitude and period of that */
	u32 contrast;		/* of the stripes, in thousandths */
	bool pdaf;
} scene;

/* How much red, green and blue light a patch reflects, in thousandths. */
static const u16 reflects[][3] = {
	[FIELD_GREY] = { 180, 180, 180 },
	[FIELD_GREYS] = { 800, 800, 800 }, { 500, 500, 500 }, { 350, 350, 350 }, { 200, 200, 200 },
	{ 120, 120, 120 }, { 60, 60, 60 }, { 30, 30, 30 }, { 180, 180, 180 },
	[FIELD_COLOURS] = { 500, 100, 80 }, { 120, 450, 120 }, { 80, 120, 500 }, { 600, 500, 80 },
	{ 500, 120, 450 }, { 80, 450, 500 }, { 550, 350, 260 }, { 130, 230, 80 },
};

/* Stripes at full contrast reflect this much, more or less. */
#define STRIPE_MIDDLE 325
#define STRIPE_SWING 275
/* Of the whole scene: the brightness that libcamera makes its Lux of, in thousandths of what white reflects. */
#define AVERAGE 285

void scene_reset(void)
{
	scene = (struct scene){
		.lux = 500, .red = 511, .blue = 537, .focus = 3000, .focus_right = FOLLOWS, .contrast = 1000,
	};
}

/* A triangle between -amplitude and amplitude. */
static s32 swing(u64 when_ns)
{
	u32 period_us = scene.swing_ms * 1000u, at;
	s64 quarters;

	if (!scene.swing || !period_us)
		return 0;
	div_u64_rem(div_u64(when_ns, 1000), period_us, &at);
	quarters = div_u64(4000ull * at, period_us);	/* thousandths of a quarter */
	if (quarters >= 3000)
		quarters -= 4000;
	else if (quarters > 1000)
		quarters = 2000 - quarters;
	return div_s64(quarters * scene.swing, 1000);
}

/* Writes down what there was to see at `when_ns`, the middle of the exposure. */
void scene_expose(struct shot *shot, u64 when_ns)
{
	s32 moved = swing(when_ns), left = scene.focus, right = scene.focus_right == FOLLOWS ? left : scene.focus_right;

	shot->middle_ns = when_ns;
	shot->lens = lens_code();
	shot->defocus[LEFT] = lens_dioptres(shot->lens) - max(left + moved, 0);
	shot->defocus[RIGHT] = lens_dioptres(shot->lens) - max(right + moved, 0);
	shot->lux = scene.lux;
	shot->red = scene.red;
	shot->blue = scene.blue;
	shot->contrast = min(scene.contrast, 1000u);
	shot->pdaf = scene.pdaf;
}

/* Thousandths: half of it is lost 0.7 dioptres away from where the scene is sharp. */
u32 scene_sharpness(const struct shot *shot, enum half half)
{
	s64 away = shot->defocus[half];

	return div64_u64(1000ull * 700 * 700, 700 * 700 + away * away);
}

/* How wide an edge becomes, in pixels of the array. */
u32 scene_blur(const struct shot *shot, enum half half)
{
	return 1 + abs(shot->defocus[half]) / 20;
}

static enum field pattern_field(const struct shot *shot, u32 x, u32 y)
{
	u32 bar = min(x / PATCH_WIDTH, 7u), bits = x / 16 * 2654435761u;

	switch (shot->pattern) {
	case 1:
		return FIELD_BARS + bar;
	case 2:
		return FIELD_SOLID;
	case 3:
		return (y < ARRAY_HEIGHT / 2 ? FIELD_BARS : FIELD_PALE_BARS) + bar;
	default:
		return FIELD_NOISE + (bits >> 30);
	}
}

static enum field stripe(const struct shot *shot, u32 x)
{
	u32 blur = scene_blur(shot, scene_half(x)), quarter = PERIOD / 4, phase;
	int edge, shade;

	div_u64_rem(x + div_u64(shot->middle_ns * PERIOD, NSEC_PER_SEC), PERIOD, &phase);
	edge = phase < PERIOD / 2 ? min(phase, PERIOD / 2 - phase) : -(int)min(phase - PERIOD / 2, PERIOD - phase);
	shade = clamp(edge * 32 / (int)min(blur, quarter), -32, 32);
	if (blur > quarter)
		shade = shade * (int)quarter / (int)blur;
	return FIELD_STRIPES + SHADES / 2 + shade;
}

enum field scene_field(const struct shot *shot, u32 x, u32 y)
{
	u32 patch = min(x / PATCH_WIDTH, 7u), row = y * 24 / ARRAY_HEIGHT;

	if (shot->pattern)
		return pattern_field(shot, x, y);
	if (row < 4)
		return FIELD_GREY;
	if (row < 10)
		return FIELD_GREYS + patch;
	if (row < 14)
		return FIELD_COLOURS + patch;
	return stripe(shot, x);
}

/* What the sensor makes of something that reflects this much of a light. */
static u32 exposed(const struct shot *shot, u32 reflects, u32 light)
{
	u64 value = div_u64(shot->exposure_ns, 1000) * shot->gain;

	value = div_u64(value, 1000) * shot->lux * shot->sensitivity;
	value = div_u64(div_u64(value * lens_optics()->light, 100000) * reflects, AVERAGE * 1000);
	value = div_u64(value * light, 1000);
	/* HDR has four times the range: the upper half of the numbers is compressed. */
	if (shot->hdr && value > RAW_WHITE / 2)
		value = RAW_WHITE / 2 + div_u64((value - RAW_WHITE / 2) * (RAW_WHITE / 2), RAW_WHITE * 4 - RAW_WHITE / 2);
	return min_t(u64, value, RAW_WHITE);
}

static void pattern_raw(const struct shot *shot, enum field field, u32 rgb[3])
{
	/* White, yellow, cyan, green, magenta, red, blue, black. */
	static const u8 bars[] = { 7, 6, 3, 2, 5, 4, 1, 0 };
	u32 i;

	for (i = 0; i < 3; i++) {
		if (field >= FIELD_NOISE)
			rgb[i] = (field - FIELD_NOISE) * RAW_WHITE / 3;
		else if (field == FIELD_SOLID)
			rgb[i] = shot->pattern_rgb[i] * RAW_WHITE / 0xfff;
		else
			rgb[i] = bars[(field - FIELD_BARS) % 8] & (4 >> i) ? RAW_WHITE : 0;
		if (field >= FIELD_PALE_BARS && field < FIELD_SOLID)
			rgb[i] = (rgb[i] + RAW_WHITE / 2) / 2;
	}
}

/* Red, green and blue of a field in the raw picture. */
void scene_raw(const struct shot *shot, enum field field, u32 rgb[3])
{
	const u32 light[3] = { shot->red, 1000, shot->blue };
	s32 shade = (s32)field - FIELD_STRIPES - SHADES / 2;
	u32 i;

	if (field >= FIELD_BARS && field < FIELD_STRIPES) {
		pattern_raw(shot, field, rgb);
		return;
	}
	for (i = 0; i < 3; i++) {
		u32 much = field < FIELD_STRIPES ? reflects[field][i] :
			   STRIPE_MIDDLE + shade * STRIPE_SWING / 32 * (s32)shot->contrast / 1000;

		rgb[i] = exposed(shot, much, light[i]);
	}
}

/* The same around a point of the scene: of stripes, their mean. */
void scene_average(const struct shot *shot, u32 x, u32 y, u32 rgb[3])
{
	enum field field = scene_field(shot, x, y);
	u32 dark[3], i;

	if (field < FIELD_STRIPES) {
		scene_raw(shot, field, rgb);
		return;
	}
	scene_raw(shot, FIELD_STRIPES, dark);
	scene_raw(shot, FIELD_STRIPES + SHADES - 1, rgb);
	for (i = 0; i < 3; i++)
		rgb[i] = (rgb[i] + dark[i]) / 2;
}

/* The part of the scene that `crop`, in pixels of the raw picture, shows; all of it without. */
void view_init(struct view *view, const struct shot *shot, const struct v4l2_rect *crop)
{
	const struct v4l2_rect all = { 0, 0, shot->width, shot->height };
	const struct v4l2_rect *part = crop ?: &all;
	u32 left = part->left * shot->crop.width / shot->width, top = part->top * shot->crop.height / shot->height;

	view->width = part->width * shot->crop.width / shot->width;
	view->height = part->height * shot->crop.height / shot->height;
	view->hflip = shot->hflip;
	view->vflip = shot->vflip;
	view->left = shot->crop.left + (shot->hflip ? shot->crop.width - left - view->width : left);
	view->top = shot->crop.top + (shot->vflip ? shot->crop.height - top - view->height : top);
}

/* Where in the scene the middle of number `index` of `count` columns is. */
u32 view_x(const struct view *view, u32 index, u32 count)
{
	u32 x = view->width * (2 * index + 1) / (2 * count);

	return view->left + (view->hflip ? view->width - 1 - x : x);
}

u32 view_y(const struct view *view, u32 index, u32 count)
{
	u32 y = view->height * (2 * index + 1) / (2 * count);

	return view->top + (view->vflip ? view->height - 1 - y : y);
}

void scene_debugfs(struct dentry *folder)
{
	debugfs_create_u32("lux", 0644, folder, &scene.lux);
	debugfs_create_u32("red", 0644, folder, &scene.red);
	debugfs_create_u32("blue", 0644, folder, &scene.blue);
	debugfs_create_u32("focus", 0644, folder, &scene.focus);
	debugfs_create_u32("focus_right", 0644, folder, &scene.focus_right);
	debugfs_create_u32("swing", 0644, folder, &scene.swing);
	debugfs_create_u32("swing_ms", 0644, folder, &scene.swing_ms);
	debugfs_create_u32("contrast", 0644, folder, &scene.contrast);
	debugfs_create_bool("pdaf", 0644, folder, &scene.pdaf);
}
