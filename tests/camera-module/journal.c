// SPDX-License-Identifier: GPL-2.0-only
/*
 * Plays a logic analyser on the camera's cable: the newest frames and register writes with their times, in the debugfs
 * file `journal`, the oldest first. README.md describes its lines.
 */
#include <linux/debugfs.h>
#include <linux/math64.h>
#include <linux/seq_file.h>
#include <linux/spinlock.h>
#include <linux/timekeeping.h>
#include <media/v4l2-ctrls.h>

#include "camera.h"

struct entry {
	u64 ns;
	u32 sequence;
	const char *fate;	/* of a frame; NULL: a write */
	union {
		struct {
			u32 exposure_us, gain, frame_us, lens, sharpness[2];
		};
		struct {
			u32 control;
			s32 value;
		};
	};
};

#define ENTRIES 2048
static struct entry entries[ENTRIES];
static u64 written;
static DEFINE_SPINLOCK(journal_lock);

static void journal_add(const struct entry *entry)
{
	unsigned long flags;

	spin_lock_irqsave(&journal_lock, flags);
	entries[written++ % ENTRIES] = *entry;
	spin_unlock_irqrestore(&journal_lock, flags);
}

/* A frame that starts, and what becomes of it. */
void journal_frame(const struct shot *shot, const char *fate)
{
	journal_add(&(struct entry){
		.ns = shot->start_ns,
		.sequence = shot->sequence,
		.fate = fate,
		.exposure_us = div_u64(shot->exposure_ns, 1000),
		.gain = shot->gain,
		.frame_us = div_u64(shot->frame_ns, 1000),
		.lens = shot->lens,
		.sharpness = { scene_sharpness(shot, LEFT), scene_sharpness(shot, RIGHT) },
	});
}

/* A control that reached the sensor or the lens during frame `sequence`. */
void journal_write(u32 sequence, u32 control, s32 value)
{
	journal_add(&(struct entry){ .ns = ktime_get_ns(), .sequence = sequence, .control = control, .value = value });
}

void journal_clear(void)
{
	spin_lock_irq(&journal_lock);
	written = 0;
	spin_unlock_irq(&journal_lock);
}

/* The position is the number of the line; an entry that is overwritten meanwhile is the one that is there now. */
static void *journal_start(struct seq_file *s, loff_t *at)
{
	u64 kept = min_t(u64, READ_ONCE(written), ENTRIES);

	return *at < kept ? at : NULL;
}

static void *journal_next(struct seq_file *s, void *v, loff_t *at)
{
	++*at;
	return journal_start(s, at);
}

static void journal_stop(struct seq_file *s, void *v)
{
}

static int journal_show(struct seq_file *s, void *v)
{
	u64 line = *(loff_t *)v, us;
	struct entry e;

	spin_lock_irq(&journal_lock);
	e = entries[(written > ENTRIES ? written - ENTRIES + line : line) % ENTRIES];
	spin_unlock_irq(&journal_lock);
	us = div_u64(e.ns, 1000);
	if (e.fate)
		seq_printf(s, "%llu frame %u %s exposure_us=%u gain=%u frame_us=%u lens=%u sharpness=%u sharpness_right=%u\n",
			   us, e.sequence, e.fate, e.exposure_us, e.gain, e.frame_us, e.lens, e.sharpness[LEFT],
			   e.sharpness[RIGHT]);
	else
		seq_printf(s, "%llu write %u %d %s\n", us, e.sequence, e.value, v4l2_ctrl_get_name(e.control) ?: "?");
	return 0;
}

static const struct seq_operations journal_sops = {
	.start = journal_start,
	.next = journal_next,
	.stop = journal_stop,
	.show = journal_show,
};
DEFINE_SEQ_ATTRIBUTE(journal);

void journal_debugfs(struct dentry *folder)
{
	debugfs_create_file("journal", 0444, folder, NULL, &journal_fops);
}
