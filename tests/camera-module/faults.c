// SPDX-License-Identifier: GPL-2.0-only
/* Plays a loose cable, a busy board and a bad day: what the tests break, in debugfs. README.md describes each file. */
#include <linux/debugfs.h>
#include <linux/delay.h>
#include <linux/sched.h>
#include <linux/spinlock.h>

#include "camera.h"

struct faults faults;
static DEFINE_SPINLOCK(faults_lock);

void faults_reset(void)
{
	faults = (struct faults){};
}

/* Whether one of so many is still to happen; it has, then. */
bool faults_take(u32 *count)
{
	unsigned long flags;
	bool taken;

	spin_lock_irqsave(&faults_lock, flags);
	taken = *count > 0;
	if (taken)
		--*count;
	spin_unlock_irqrestore(&faults_lock, flags);
	return taken;
}

/* Stays here, deaf to signals, as long as the fault does. */
void faults_hang(void)
{
	while (READ_ONCE(faults.hang))
		schedule_timeout_uninterruptible(HZ / 10);
}

/* Takes so much longer. */
void faults_sleep(u32 ms)
{
	if (ms)
		msleep(ms);
}

/* What a transfer on the sensor's bus ends with. */
int faults_bus(void)
{
	return READ_ONCE(faults.gone) || faults_take(&faults.bus_errors) ? -EREMOTEIO : 0;
}

static int s32_get(void *value, u64 *out)
{
	*out = *(s32 *)value;
	return 0;
}

static int s32_set(void *value, u64 in)
{
	*(s32 *)value = (s32)in;
	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE_SIGNED(s32_fops, s32_get, s32_set, "%lld\n");

void debugfs_create_s32(const char *name, struct dentry *folder, s32 *value)
{
	debugfs_create_file_unsafe(name, 0644, folder, value, &s32_fops);
}

void faults_debugfs(struct dentry *folder)
{
	debugfs_create_bool("stall", 0644, folder, &faults.stall);
	debugfs_create_bool("gone", 0644, folder, &faults.gone);
	debugfs_create_bool("freeze", 0644, folder, &faults.freeze);
	debugfs_create_bool("hang", 0644, folder, &faults.hang);
	debugfs_create_u32("errors", 0644, folder, &faults.errors);
	debugfs_create_u32("bus_errors", 0644, folder, &faults.bus_errors);
	debugfs_create_u32("drop", 0644, folder, &faults.drop);
	debugfs_create_u32("lose", 0644, folder, &faults.lose);
	debugfs_create_u32("slow_ms", 0644, folder, &faults.slow_ms);
	debugfs_create_u32("start_ms", 0644, folder, &faults.start_ms);
	debugfs_create_s32("time_shift_ms", folder, &faults.time_shift_ms);
}
