/*
 * A V4L2 camera for programs that `make bench` measures beside picam: LD_PRELOAD it, for a machine without cameras.
 *
 * It behaves as a driver does: from VIDIOC_STREAMON on a thread fills the buffers that are queued, at a fixed rate; pictures
 * that nobody fetches wait, and without a queued buffer one is lost. One program has it open at a time.
 *
 *   BENCH_CAMERA    the path that is the camera; it need not be one
 *   BENCH_FORMAT    its only format: YUYV or YU12
 *   BENCH_PICTURES  a file of pictures of that format, 2304x1296, one behind the other
 *
 * Each picture carries picam's stamp: see src/picture/draw.rs.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/videodev2.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define WIDTH 2304
#define HEIGHT 1296
#define INTERVAL_NS 125000000l
#define BUFFERS 32
#define SLOT 0x1000000 /* where a buffer begins for mmap(); each fits in */
#define BLOCK (WIDTH / 72 / 2 * 2)
#define COLUMNS 48

/* The program's end of a pipe that is readable while pictures wait. */
static int camera = -1, tell = -1;
static uint32_t format, stride, size;
static const uint8_t *pictures;
static size_t picture_count;
static uint8_t *memory[BUFFERS];
static struct timespec captured[BUFFERS];
static uint32_t number[BUFFERS], next_number;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_t beat;
static int running;
/* Rings of buffers' indices. */
static struct ring { unsigned at[BUFFERS], first, count; } queued, filled;

#define REAL(name) ((__typeof__(name) *)dlsym(RTLD_NEXT, #name))

static void push(struct ring *ring, unsigned index)
{
	ring->at[(ring->first + ring->count++) % BUFFERS] = index;
}

static int pop(struct ring *ring)
{
	if (!ring->count)
		return -1;
	ring->count--;
	return ring->at[ring->first++ % BUFFERS];
}

static void load(void)
{
	const char *name = getenv("BENCH_FORMAT"), *path = getenv("BENCH_PICTURES");
	struct stat told;
	int file;

	if (!name || strlen(name) != 4 || !path)
		abort();
	format = v4l2_fourcc(name[0], name[1], name[2], name[3]);
	stride = format == V4L2_PIX_FMT_YUYV ? WIDTH * 2 : WIDTH;
	size = format == V4L2_PIX_FMT_YUYV ? WIDTH * HEIGHT * 2 : WIDTH * HEIGHT * 3 / 2;
	file = REAL(open64)(path, O_RDONLY | O_CLOEXEC);
	if (file < 0 || fstat(file, &told) || told.st_size < size)
		abort();
	picture_count = told.st_size / size;
	pictures = REAL(mmap64)(NULL, told.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, file, 0);
	REAL(close)(file);
	if (pictures == MAP_FAILED)
		abort();
}

static void stamp(uint8_t *picture, uint32_t count, const struct timespec *unix_time)
{
	uint64_t milliseconds = unix_time->tv_sec * 1000ull + unix_time->tv_nsec / 1000000;
	uint8_t payload[12];
	uint16_t crc = 0xffff;
	int step = format == V4L2_PIX_FMT_YUYV ? 2 : 1;

	for (int i = 0; i < 4; i++)
		payload[i] = count >> (24 - 8 * i);
	for (int i = 0; i < 6; i++)
		payload[4 + i] = milliseconds >> (40 - 8 * i);
	for (int i = 0; i < 10; i++) {
		crc ^= payload[i] << 8;
		for (int bit = 0; bit < 8; bit++)
			crc = crc & 0x8000 ? crc << 1 ^ 0x1021 : crc << 1;
	}
	payload[10] = crc >> 8;
	payload[11] = crc;
	for (int y = 0; y < 4 * BLOCK; y++)
		for (int x = 0; x < (COLUMNS + 2) * BLOCK; x++) {
			int row = y / BLOCK - 1, column = x / BLOCK - 1, bit = row * COLUMNS + column;
			int inside = row >= 0 && row < 2 && column >= 0 && column < COLUMNS;

			picture[y * stride + x * step] = !inside ? 128 : payload[bit / 8] >> (7 - bit % 8) & 1 ? 240 : 16;
		}
}

static void *capture(void *unused)
{
	struct timespec due, unix_time;

	clock_gettime(CLOCK_MONOTONIC, &due);
	while (__atomic_load_n(&running, __ATOMIC_SEQ_CST)) {
		int index;

		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL);
		pthread_mutex_lock(&lock);
		index = pop(&queued);
		pthread_mutex_unlock(&lock);
		if (index >= 0) {
			clock_gettime(CLOCK_REALTIME, &unix_time);
			captured[index] = due;
			number[index] = next_number;
			memcpy(memory[index], pictures + next_number % picture_count * size, size);
			stamp(memory[index], next_number, &unix_time);
			pthread_mutex_lock(&lock);
			push(&filled, index);
			pthread_mutex_unlock(&lock);
			if (write(tell, "", 1) < 0)
				abort();
		}
		next_number++;
		due.tv_nsec += INTERVAL_NS;
		if (due.tv_nsec >= 1000000000) {
			due.tv_nsec -= 1000000000;
			due.tv_sec++;
		}
	}
	return unused;
}

static void stop(void)
{
	char told[BUFFERS];
	int flags = fcntl(camera, F_GETFL);

	if (__atomic_exchange_n(&running, 0, __ATOMIC_SEQ_CST))
		pthread_join(beat, NULL);
	fcntl(camera, F_SETFL, flags | O_NONBLOCK);
	while (read(camera, told, sizeof(told)) > 0)
		;
	fcntl(camera, F_SETFL, flags);
	memset(&queued, 0, sizeof(queued));
	memset(&filled, 0, sizeof(filled));
}

static int is_camera(const char *path)
{
	const char *name = getenv("BENCH_CAMERA");

	return name && path && !strcmp(path, name);
}

static int open_camera(int flags)
{
	int ends[2];

	if (!pictures)
		load();
	if (pipe2(ends, O_CLOEXEC | (flags & O_NONBLOCK)))
		return -1;
	camera = ends[0];
	tell = ends[1];
	return camera;
}

#define OPEN(name) \
	int name(const char *path, int flags, ...) \
	{ \
		va_list rest; \
		mode_t mode; \
		va_start(rest, flags); \
		mode = va_arg(rest, mode_t); \
		va_end(rest); \
		return is_camera(path) ? open_camera(flags) : REAL(name)(path, flags, mode); \
	}
OPEN(open)
OPEN(open64)

int close(int file)
{
	if (file >= 0 && file == camera) {
		stop();
		camera = -1;
		REAL(close)(tell);
	}
	return REAL(close)(file);
}

#define MMAP(name) \
	void *name(void *address, size_t length, int protection, int flags, int file, off_t offset) \
	{ \
		if (file >= 0 && file == camera) \
			return memory[offset / SLOT]; \
		return REAL(name)(address, length, protection, flags, file, offset); \
	}
MMAP(mmap)
MMAP(mmap64)

int munmap(void *address, size_t length)
{
	for (int i = 0; i < BUFFERS; i++)
		if (address && address == memory[i])
			return 0;
	return REAL(munmap)(address, length);
}

/* A buffer's place, and what is in it. */
static void describe(struct v4l2_buffer *buffer)
{
	unsigned index = buffer->index;

	buffer->length = size;
	buffer->bytesused = size;
	buffer->m.offset = index * SLOT;
	buffer->field = V4L2_FIELD_NONE;
	buffer->flags = V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC;
	buffer->sequence = number[index];
	buffer->timestamp.tv_sec = captured[index].tv_sec;
	buffer->timestamp.tv_usec = captured[index].tv_nsec / 1000;
}

static int fail(int error)
{
	errno = error;
	return -1;
}

static int camera_ioctl(unsigned request, void *argument)
{
	switch (request) {
	case VIDIOC_QUERYCAP: {
		struct v4l2_capability *it = argument;

		memset(it, 0, sizeof(*it));
		strcpy((char *)it->driver, "bench");
		strcpy((char *)it->card, "bench");
		it->device_caps = V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING;
		it->capabilities = it->device_caps | V4L2_CAP_DEVICE_CAPS;
		return 0;
	}
	case VIDIOC_ENUMINPUT: {
		struct v4l2_input *it = argument;

		if (it->index)
			return fail(EINVAL);
		strcpy((char *)it->name, "bench");
		it->type = V4L2_INPUT_TYPE_CAMERA;
		it->std = 0;
		it->status = 0;
		return 0;
	}
	case VIDIOC_G_INPUT:
		*(int *)argument = 0;
		return 0;
	case VIDIOC_S_INPUT:
		return 0;
	case VIDIOC_ENUM_FMT: {
		struct v4l2_fmtdesc *it = argument;

		if (it->index)
			return fail(EINVAL);
		it->flags = 0;
		it->pixelformat = format;
		strcpy((char *)it->description, "bench");
		return 0;
	}
	case VIDIOC_G_FMT:
	case VIDIOC_S_FMT:
	case VIDIOC_TRY_FMT: {
		struct v4l2_pix_format *it = &((struct v4l2_format *)argument)->fmt.pix;

		it->width = WIDTH;
		it->height = HEIGHT;
		it->pixelformat = format;
		it->field = V4L2_FIELD_NONE;
		it->bytesperline = stride;
		it->sizeimage = size;
		it->colorspace = V4L2_COLORSPACE_JPEG;
		return 0;
	}
	case VIDIOC_REQBUFS: {
		struct v4l2_requestbuffers *it = argument;

		if (it->count > BUFFERS)
			it->count = BUFFERS;
		for (unsigned i = 0; i < it->count; i++)
			if (!memory[i] && !(memory[i] = malloc(size)))
				return fail(ENOMEM);
		return 0;
	}
	case VIDIOC_QUERYBUF: {
		struct v4l2_buffer *it = argument;

		if (it->index >= BUFFERS || !memory[it->index])
			return fail(EINVAL);
		describe(it);
		return 0;
	}
	case VIDIOC_QBUF:
		pthread_mutex_lock(&lock);
		push(&queued, ((struct v4l2_buffer *)argument)->index);
		pthread_mutex_unlock(&lock);
		return 0;
	case VIDIOC_DQBUF: {
		struct v4l2_buffer *it = argument;
		char told;

		if (read(camera, &told, 1) != 1)
			return -1;
		pthread_mutex_lock(&lock);
		it->index = pop(&filled);
		pthread_mutex_unlock(&lock);
		describe(it);
		return 0;
	}
	case VIDIOC_STREAMON:
		if (!__atomic_exchange_n(&running, 1, __ATOMIC_SEQ_CST) && pthread_create(&beat, NULL, capture, NULL)) {
			running = 0;
			return fail(EAGAIN);
		}
		return 0;
	case VIDIOC_STREAMOFF:
		stop();
		return 0;
	}
	return fail(ENOTTY);
}

int ioctl(int file, unsigned long request, ...)
{
	va_list rest;
	void *argument;

	va_start(rest, request);
	argument = va_arg(rest, void *);
	va_end(rest);
	if (file >= 0 && file == camera)
		return camera_ioctl(request, argument);
	return REAL(ioctl)(file, request, argument);
}
