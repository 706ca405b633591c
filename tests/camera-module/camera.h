/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the parts of the simulated camera tell each other.
 *
 * The way of a frame: the receiver's thread asks the sensor for the registers that hold (sensor.c), the scene for what
 * there was to see in the middle of the exposure (scene.c), and puts both as one `struct shot` into the raw buffer in
 * place of pixels. A processor finds it there and draws the picture (picture.c). The statistics are counted where the
 * board has that hardware: in the Pi 4's processor, in the Pi 5's receiver. Sensor, lens, scene, faults and journal
 * know nothing of receiver and processor.
 */
#ifndef CAMERA_H
#define CAMERA_H

#include <linux/types.h>
#include <linux/v4l2-controls.h>
#include <linux/videodev2.h>

struct dentry;
struct device;
struct seq_file;
struct v4l2_device;
struct v4l2_subdev;

/* The sensor's light-sensitive array. The scene has its coordinates, from its upper left corner. */
#define ARRAY_LEFT 16
#define ARRAY_TOP 24
#define ARRAY_WIDTH 4608
#define ARRAY_HEIGHT 2592

/* Samples have 13 bits from the receiver to the statistics, as in the Pi 4's processor. */
#define RAW_WHITE 8191

enum half { LEFT, RIGHT };

/* How one frame was exposed: everything that picture, statistics and embedded data are made of. */
struct shot {
	u32 magic;
	u32 sequence;		/* as the receiver counts */
	u64 start_ns;		/* of the readout; the exposure of the first line ends here */
	u64 exposure_ns;
	u64 frame_ns;		/* since the start of the frame before */
	u64 readout_ns;
	u32 gain;		/* thousandths */
	/* The sensor's settings. */
	u32 exposure_lines, gain_code, frame_length, line_length;
	u32 width, height;
	struct v4l2_rect crop;	/* of the scene */
	bool hflip, vflip;
	bool hdr;
	u32 sensitivity;	/* of binned pixels */
	u32 pattern;		/* test pattern, of the menu; 0: none */
	u32 pattern_rgb[3];
	s32 temperature;	/* degrees Celsius */
	/* The lens and the scene in the middle of the exposure. */
	u32 lens;		/* register */
	s32 defocus[2];		/* of the halves: thousandths of a dioptre that the lens is set nearer */
	u32 lux, red, blue, contrast;
	bool pdaf;
	u64 middle_ns;
};
#define SHOT_MAGIC 0x0ca3e7a5

/* Parameters of the module that concern more than one part. */
extern char *camera_model;
extern bool camera_embedded, camera_sensor, camera_hdr;

/* ---- scene.c ---- */

/* What a point of the scene, or of a test pattern in its place, looks like. */
enum field {
	FIELD_GREY,
	FIELD_GREYS,				/* 8 patches */
	FIELD_COLOURS = FIELD_GREYS + 8,	/* 8 patches */
	FIELD_BARS = FIELD_COLOURS + 8,		/* 8 bars of a test pattern */
	FIELD_PALE_BARS = FIELD_BARS + 8,
	FIELD_SOLID = FIELD_PALE_BARS + 8,
	FIELD_NOISE,				/* 4 shades */
	FIELD_STRIPES = FIELD_NOISE + 4,	/* from the darkest shade on */
};
#define SHADES 65
#define FIELDS (FIELD_STRIPES + SHADES)
#define PATCH_WIDTH (ARRAY_WIDTH / 8)

/* A part of the scene as a picture shows it. */
struct view {
	u32 left, top, width, height;
	bool hflip, vflip;
};

void scene_reset(void);
void scene_debugfs(struct dentry *folder);
void scene_expose(struct shot *shot, u64 when_ns);
u32 scene_sharpness(const struct shot *shot, enum half half);
u32 scene_blur(const struct shot *shot, enum half half);
enum field scene_field(const struct shot *shot, u32 x, u32 y);
void scene_raw(const struct shot *shot, enum field field, u32 rgb[3]);
void scene_average(const struct shot *shot, u32 x, u32 y, u32 rgb[3]);
void view_init(struct view *view, const struct shot *shot, const struct v4l2_rect *crop);
u32 view_x(const struct view *view, u32 index, u32 count);
u32 view_y(const struct view *view, u32 index, u32 count);

static inline enum half scene_half(u32 x)
{
	return x < ARRAY_WIDTH / 2 ? LEFT : RIGHT;
}

/* ---- faults.c ---- */

extern struct faults {
	bool stall, gone, freeze, hang;
	u32 errors, bus_errors, drop, lose;
	u32 slow_ms, start_ms;
	s32 time_shift_ms;
} faults;

void faults_reset(void);
void faults_debugfs(struct dentry *folder);
bool faults_take(u32 *count);
void faults_hang(void);
void faults_sleep(u32 ms);
int faults_bus(void);
void debugfs_create_s32(const char *name, struct dentry *folder, s32 *value);

/* ---- journal.c ---- */

void journal_frame(const struct shot *shot, const char *fate);
void journal_write(u32 sequence, u32 control, s32 value);
void journal_clear(void);
void journal_debugfs(struct dentry *folder);

/* ---- sensor.c, streams.c and lens.c ---- */

int sensor_register(struct device *dev, struct v4l2_device *v4l2, bool streams, struct v4l2_subdev **sensor);
void sensor_free(void);
void sensor_reset(void);
void sensor_debugfs(struct dentry *folder);
int sensor_start(void);
void sensor_stop(void);
bool sensor_on(void);
void sensor_latch(u32 frame);
void sensor_plan(struct shot *shot, u32 frame);

void streams_add(struct v4l2_subdev *sensor);

int lens_register(struct device *dev, struct v4l2_device *v4l2, struct v4l2_subdev **lens);
void lens_free(void);
void lens_debugfs(struct dentry *folder);
u32 lens_code(void);
s32 lens_dioptres(u32 code);

/* What the models' lenses differ in: the figures of libcamera's tuning files. */
struct optics {
	u32 infinity;		/* register where it is focused at 0 dioptres */
	u32 travel;		/* of the register, thousandths a dioptre */
	u32 phase;		/* what phase detection says, a dioptre away */
	u32 light;		/* how bright it is: 9231 is 0.1316 of the range for 977 lux, 10672 us, 1.12 */
};
const struct optics *lens_optics(void);

/* ---- embedded.c ---- */

#define EMBEDDED_BYTES (5 * 5760)
void embedded_write(u8 *out, const struct shot *shot);

/* ---- receiver.c, processor.c, heap.c ---- */

/* What differs by the board, and by the driver that it has. */
struct receiver_kind;
extern const struct receiver_kind unicam, cfe, cfe_mainline;
struct processor_kind;
extern const struct processor_kind bcm2835_isp, pisp;

int receiver_register(struct device *dev, const struct receiver_kind *kind);
void receiver_unregister(void);
void receiver_debugfs(struct dentry *folder);
u32 receiver_sequence(void);

int processor_register(struct device *dev, const struct processor_kind *kind);
void processor_unregister(void);

int heap_register(void);
void heap_unregister(void);
void heap_debugfs(struct dentry *folder);

#endif
