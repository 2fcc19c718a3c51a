// SPDX-License-Identifier: BSD-2-Clause
/* faulter MIB: a service that takes fresh memory for each request and gives it back, and a client that always waits for it. */
#include <sys/mman.h>
#include <sys/socket.h>

#include "inject.h"

static int fds[2];
static size_t size;

__attribute__((noinline, noclone)) static void fill_pages(char *memory)
{
	for (size_t i = 0; i < size; i += 4096)
		memory[i] = 1;
}

static void serve(void *arg)
{
	char byte;

	while (read(fds[0], &byte, 1) == 1) {
		char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (memory == MAP_FAILED)
			return;
		madvise(memory, size, MADV_NOHUGEPAGE);
		fill_pages(memory);
		munmap(memory, size);
		if (write(fds[0], &byte, 1) != 1)
			return;
	}
}

static void ask(void *arg)
{
	char byte = 0;

	while (write(fds[1], &byte, 1) == 1 && read(fds[1], &byte, 1) == 1)
		;
}

int main(int argc, char **argv)
{
	size = (size_t)argument(argc, argv, 1, 16) << 20;
	die_with_parent();
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0)
		return 1;
	spawn("painter", serve, NULL);
	spawn("viewer", ask, NULL);
	pause();
	return 0;
}
