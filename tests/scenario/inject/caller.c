// SPDX-License-Identifier: BSD-2-Clause
/* caller KIND [CALLS]: a service that asks the kernel so often for each request, and a client that always waits for it. Kinds: stat
 * (does a path exist), byte (a file, byte by byte), letter (alone only: the same of a socket whose sender is ahead); alone-KIND: the same without anyone who waits; copy: a job that copies
 * files in large pieces, healthy though it is all in the kernel. */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "inject.h"

static unsigned calls;
static int fds[2], book;

__attribute__((noinline)) static uint64_t find_plugin(void)
{
	uint64_t found = 0;
	struct stat st;

	for (unsigned i = 0; i < calls; i++)
		found += stat("/usr/lib/plugins/none.so", &st) == 0;
	return found + 1;
}

__attribute__((noinline)) static uint64_t read_book(void)
{
	uint64_t sum = 1;
	char byte = 0;

	lseek(book, 0, SEEK_SET);
	for (unsigned i = 0; i < calls; i++)
		sum += read(book, &byte, 1) == 1 ? (uint64_t)byte : 0;
	return sum;
}

__attribute__((noinline)) static uint64_t read_letter(void)
{
	uint64_t sum = 1;
	char byte = 0;

	for (unsigned i = 0; i < calls; i++)
		sum += recv(fds[0], &byte, 1, 0) == 1 ? (uint64_t)byte : 0;
	return sum;
}

static void write_letter(void *arg)
{
	static const char page[64 << 10];

	while (write(fds[1], page, sizeof(page)) > 0)
		;
}

__attribute__((noinline)) static uint64_t copy_book(void)
{
	static char piece[128 << 10];
	int copy = memfd_create("copy", 0);

	for (off_t at = 0; at < 64 << 20; at += (off_t)sizeof(piece))
		if (pread(book, piece, sizeof(piece), at % (1 << 20)) < 0 || write(copy, piece, sizeof(piece)) < 0)
			_exit(1);
	close(copy);
	return 1;
}

static struct kind {
	const char *name;
	uint64_t (*serve)(void);
	void (*feed)(void *arg);
} kinds[] = {
	{"stat", find_plugin, NULL},
	{"byte", read_book, NULL},
	{"letter", read_letter, write_letter},
	{"copy", copy_book, NULL},
};

static void serve_requests(void *arg)
{
	const struct kind *kind = arg;
	uint64_t request;

	while (read(fds[0], &request, sizeof(request)) == sizeof(request)) {
		request = kind->serve();
		if (write(fds[0], &request, sizeof(request)) != sizeof(request))
			return;
	}
}

static void serve_alone(void *arg)
{
	const struct kind *kind = arg;

	for (;;)
		kind->serve();
}

static void ask(void *arg)
{
	uint64_t request = 1;

	while (write(fds[1], &request, sizeof(request)) == sizeof(request) &&
	       read(fds[1], &request, sizeof(request)) == sizeof(request))
		;
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "stat";
	int alone = !strncmp(name, "alone-", 6);

	calls = argument(argc, argv, 2, 5000);
	book = memfd_create("book", 0);
	die_with_parent();
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0 || ftruncate(book, 1 << 20))
		return 1;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strcmp(kinds[i].name, alone ? name + 6 : name))
			continue;
		spawn("inspector", alone ? serve_alone : serve_requests, &kinds[i]);
		if (!alone)
			spawn("visitor", ask, NULL);
		else if (kinds[i].feed)
			spawn("writer", kinds[i].feed, NULL);
	}
	pause();
	return 0;
}
