// SPDX-License-Identifier: BSD-2-Clause
/* crowd [THREADS [CONNECTIONS]]: a machine with much to show and little to do: threads that wake once a second, and loopback
 * connections with both ends here on which one byte a second comes and goes. Prints a line when all are there; runs until killed. */
#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static void *doze(void *arg)
{
	for (;;)
		usleep(1000 * 1000);
	return NULL;
}

struct line {
	int ends[2];
};

static int connect_to_itself(int listener, struct line *line)
{
	struct sockaddr_in address;
	socklen_t size = sizeof(address);

	line->ends[0] = socket(AF_INET, SOCK_STREAM, 0);
	if (line->ends[0] < 0 || getsockname(listener, (struct sockaddr *)&address, &size) < 0 ||
	    connect(line->ends[0], (struct sockaddr *)&address, size) < 0)
		return -1;
	line->ends[1] = accept(listener, NULL, NULL);
	return line->ends[1];
}

static int open_lines(struct line *lines, long count)
{
	struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	if (listener < 0 || bind(listener, (struct sockaddr *)&here, sizeof(here)) < 0 || listen(listener, 16) < 0)
		return -1;
	for (long i = 0; i < count; i++)
		if (connect_to_itself(listener, &lines[i]) < 0)
			return -1;
	return 0;
}

static void talk(const struct line *lines, long count)
{
	char byte = 0;

	for (long i = 0;; i = (i + 1) % count) {
		for (int k = 0; k < 2; k++)
			if (write(lines[i].ends[k], &byte, 1) != 1 || read(lines[i].ends[!k], &byte, 1) != 1)
				exit(1);
		usleep((useconds_t)(1000 * 1000 / count));
	}
}

int main(int argc, char **argv)
{
	long threads = argc > 1 ? atol(argv[1]) : 2000, count = argc > 2 ? atol(argv[2]) : 250;
	const struct rlimit files = {4096, 4096};
	struct line *lines = calloc((size_t)count, sizeof(*lines));
	pthread_attr_t attributes;
	pthread_t thread;

	prctl(PR_SET_PDEATHSIG, 9);
	setrlimit(RLIMIT_NOFILE, &files);
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, 64 << 10);
	for (long i = 0; i < threads; i++)
		if (pthread_create(&thread, &attributes, doze, NULL))
			return 1;
	if (!lines || open_lines(lines, count) < 0)
		return 1;
	puts("ready");
	fflush(stdout);
	talk(lines, count);
}
