/*
 * The client inside the guest: it costs little, and its clock is the camera's. Times are µs of CLOCK_MONOTONIC.
 *
 *   client now                              prints the time
 *   client ask PATH [FOLDER TIMES]          asks once, or TIMES times at moments spread evenly over 125 ms
 *                                           "asked answered status bytes"; JPEGs are kept in FOLDER
 *   client first PATH                       asks every 5 ms until the answer is 200: the same line for that one
 *   client stream MS FOLDER [US]            reads /stream, asks again when it ends; begins US after a full 125 ms
 *                                           "arrived bytes" for each picture, kept in FOLDER; "arrived closed"
 *
 * A picture is kept as FOLDER/NNNNN.jpg, by the number of its line from 0.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PORT 8000
#define WAIT_SECONDS 60
#define PERIOD_US 125000

static char buffer[32 << 20];
static long have;

static long now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000l + t.tv_nsec / 1000;
}

/* A connection that has asked for `path`, or -1. */
static int ask(const char *path)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(PORT), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct timeval wait = { WAIT_SECONDS, 0 };
	char request[512];
	int length, s = socket(AF_INET, SOCK_STREAM, 0);

	setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	length = snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", path);
	if (!connect(s, (struct sockaddr *)&to, sizeof(to)) && write(s, request, length) == length)
		return s;
	close(s);
	return -1;
}

/* Reads until `need` bytes are there; false at the end of the connection. */
static int fill(int s, long need)
{
	while (have < need) {
		long room = sizeof(buffer) - 1 - have, got = room > 0 ? read(s, buffer + have, room) : 0;

		if (got <= 0)
			return 0;
		have += got;
	}
	buffer[have] = 0;
	return 1;
}

static void keep(const char *folder, int number, const char *jpeg, long bytes)
{
	char name[300];
	FILE *file;

	snprintf(name, sizeof(name), "%s/%05d.jpg", folder, number);
	file = fopen(name, "w");
	if (!file || fwrite(jpeg, 1, bytes, file) != (size_t)bytes || fclose(file)) {
		perror(name);
		exit(1);
	}
}

/* Whether all of an answer is there that says its length. */
static int whole(void)
{
	char *length = strcasestr(buffer, "\ncontent-length:"), *end = length ? strstr(length, "\r\n\r\n") : NULL;

	return end && have >= end + 4 - buffer + atol(length + 16);
}

/* Asks once; prints the line unless it must be 200 and is not. */
static int ask_once(const char *path, const char *folder, int number, int must)
{
	long asked = now(), answered;
	int status = 0, s = ask(path);
	char *body;

	have = 0;
	while (s >= 0 && fill(s, have + 1) && !whole())
		;
	answered = now();
	if (s >= 0)
		close(s);
	buffer[have] = 0;
	sscanf(buffer, "HTTP/%*s %d", &status);
	if (must && status != 200)
		return 0;
	body = strstr(buffer, "\r\n\r\n");
	if (folder && body && !memcmp(body + 4, "\xff\xd8", 2))
		keep(folder, number, body + 4, buffer + have - body - 4);
	printf("%ld %ld %d %ld\n", asked, answered, status, have);
	return 1;
}

/* The bytes of the next picture of a stream, which then stands at *jpeg; 0 at its end. */
static long next_picture(int s, char **jpeg)
{
	char *length, *end;

	/* A part's head says its length and ends in an empty line; what came before belongs to no part. */
	for (;;) {
		buffer[have] = 0;
		length = strcasestr(buffer, "\ncontent-length:");
		end = length ? strstr(length, "\r\n\r\n") : NULL;
		if (end)
			break;
		if (!fill(s, have + 1))
			return 0;
	}
	*jpeg = end + 4;
	return fill(s, *jpeg - buffer + atol(length + 16)) ? atol(length + 16) : 0;
}

/* Waits until the clock is `us` after a full period. */
static void wait_phase(long us)
{
	usleep((us + PERIOD_US - now() % PERIOD_US) % PERIOD_US);
}

static void stream(long ms, const char *folder, long phase)
{
	long end = now() + ms * 1000, bytes;
	int number = 0;

	wait_phase(phase);
	while (now() < end) {
		int s = ask("/stream");
		char *jpeg;

		have = 0;
		while (s >= 0 && now() < end && (bytes = next_picture(s, &jpeg)) > 0) {
			long arrived = now();

			keep(folder, number++, jpeg, bytes);
			printf("%ld %ld\n", arrived, bytes);
			have -= jpeg + bytes - buffer;
			memmove(buffer, jpeg + bytes, have);
		}
		if (s >= 0)
			close(s);
		if (now() < end) {
			printf("%ld closed\n", now());
			number++;
			usleep(100000);
		}
	}
}

int main(int argc, char **argv)
{
	const char *verb = argc > 1 ? argv[1] : "", *what = argc > 2 ? argv[2] : NULL, *folder = argc > 3 ? argv[3] : NULL;

	if (!strcmp(verb, "now")) {
		printf("%ld\n", now());
	} else if (!strcmp(verb, "ask") && what) {
		int i, times = argc > 4 ? atoi(argv[4]) : 1;

		for (i = 0; i < times; i++) {
			if (times > 1) {
				usleep(PERIOD_US);
				wait_phase((long)i * PERIOD_US / times);
			}
			ask_once(what, folder, i, 0);
		}
	} else if (!strcmp(verb, "first") && what) {
		while (!ask_once(what, NULL, 0, 1))
			usleep(5000);
	} else if (!strcmp(verb, "stream") && folder) {
		stream(atol(what), folder, argc > 4 ? atol(argv[4]) : 0);
	} else {
		fprintf(stderr, "client now | ask PATH [FOLDER TIMES] | first PATH | stream MS FOLDER [US]\n");
		return 2;
	}
	return 0;
}
