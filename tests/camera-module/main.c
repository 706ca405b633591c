// SPDX-License-Identifier: GPL-2.0-only
/*
 * A Raspberry Pi Camera Module 3 made of software, with the receiver and the image processor of a Pi 4 or a Pi 5, for
 * virtual machines: libcamera's real pipeline handlers and algorithms run on it. README.md says what it simulates and
 * what it does not.
 */
#include <linux/debugfs.h>
#include <linux/module.h>
#include <linux/of.h>
#include <linux/platform_device.h>

#include "camera.h"

static char *board_name = "pi4";
module_param_named(board, board_name, charp, 0444);
MODULE_PARM_DESC(board, "pi4, pi5, or pi5-mainline for the driver that is in the kernel's mainline");
char *camera_model = "imx708";
module_param_named(model, camera_model, charp, 0444);
MODULE_PARM_DESC(model, "imx708, imx708_wide, imx708_noir or imx708_wide_noir");
bool camera_embedded = true;
module_param_named(embedded, camera_embedded, bool, 0444);
MODULE_PARM_DESC(embedded, "whether the sensor sends embedded data");
bool camera_sensor = true;
module_param_named(sensor, camera_sensor, bool, 0444);
MODULE_PARM_DESC(sensor, "whether a sensor is plugged in");
bool camera_hdr;
module_param_named(hdr, camera_hdr, bool, 0444);
MODULE_PARM_DESC(hdr, "whether the sensor's HDR mode is on at first");
static bool with_heap = true;
module_param_named(heap, with_heap, bool, 0444);
MODULE_PARM_DESC(heap, "whether to offer /dev/dma_heap/linux,cma and system");

static const struct board {
	const char *name;
	const struct receiver_kind *receiver;
	const struct processor_kind *processor;
} boards[] = {
	{ "pi4", &unicam, &bcm2835_isp },
	{ "pi5", &cfe, &pisp },
	{ "pi5-mainline", &cfe_mainline, &pisp },
};

static struct platform_device *device;
static struct dentry *folder;

static int reset_set(void *unused, u64 value)
{
	scene_reset();
	faults_reset();
	sensor_reset();
	journal_clear();
	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(reset_fops, NULL, reset_set, "%llu\n");

static void create_debugfs(void)
{
	folder = debugfs_create_dir("camera-module", NULL);
	debugfs_create_file_unsafe("reset", 0200, folder, NULL, &reset_fops);
	scene_debugfs(folder);
	faults_debugfs(folder);
	sensor_debugfs(folder);
	lens_debugfs(folder);
	receiver_debugfs(folder);
	heap_debugfs(folder);
	journal_debugfs(folder);
}

/* V4L2 asks the device's driver whose module it is, so there has to be one. */
static int probe(struct platform_device *pdev)
{
	return 0;
}

static struct platform_driver driver = { .driver.name = "camera-module", .probe = probe };

static const struct board *find_board(void)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(boards); i++)
		if (!strcmp(boards[i].name, board_name))
			return &boards[i];
	return NULL;
}

/* The device is the sensor's node of the device tree, if there is one: of a sensor with streams libcamera wants it. */
static struct platform_device *register_device(void)
{
	struct device_node *node = of_find_node_by_path("/imx708@1a");
	const struct platform_device_info info = { .name = "camera-module", .fwnode = of_fwnode_handle(node) };
	struct platform_device *registered = platform_device_register_full(&info);

	of_node_put(node);
	return registered;
}

static int __init camera_init(void)
{
	static const char * const models[] = { "imx708", "imx708_wide", "imx708_noir", "imx708_wide_noir" };
	const struct board *board = find_board();
	int ret;

	if (match_string(models, ARRAY_SIZE(models), camera_model) < 0) {
		pr_err("camera_module: model=%s: expected imx708, imx708_wide, imx708_noir or imx708_wide_noir\n",
		       camera_model);
		return -EINVAL;
	}
	if (!board) {
		pr_err("camera_module: board=%s: expected pi4, pi5 or pi5-mainline\n", board_name);
		return -EINVAL;
	}
	reset_set(NULL, 0);
	ret = platform_driver_register(&driver);
	if (ret)
		return ret;
	device = register_device();
	if (IS_ERR(device)) {
		ret = PTR_ERR(device);
		goto driver;
	}
	/* The heap comes first: who finds the camera wants memory for it. */
	ret = with_heap ? heap_register() : 0;
	if (ret)
		goto device;
	ret = receiver_register(&device->dev, board->receiver);
	if (ret)
		goto receiver;
	ret = processor_register(&device->dev, board->processor);
	if (ret)
		goto processor;
	create_debugfs();
	return 0;

processor:
	processor_unregister();
receiver:
	receiver_unregister();
	if (with_heap)
		heap_unregister();
device:
	platform_device_unregister(device);
driver:
	platform_driver_unregister(&driver);
	return ret;
}

static void __exit camera_exit(void)
{
	debugfs_remove(folder);
	receiver_unregister();
	processor_unregister();
	if (with_heap)
		heap_unregister();
	platform_device_unregister(device);
	platform_driver_unregister(&driver);
}

module_init(camera_init);
module_exit(camera_exit);
MODULE_DESCRIPTION("A Raspberry Pi Camera Module 3 for virtual machines");
MODULE_LICENSE("GPL");
