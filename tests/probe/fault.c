// SPDX-License-Identifier: BSD-2-Clause
/* Page faults and memory of known number: keeps 24 MiB under keep(), touches and gives back 40 times as much under
 * borrow(), reads FILE once through a mapping under look(), and says when it is ready and when it has done its work. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { PAGE = 4096, MIB = 1 << 20, ROUNDS = 96 };

static volatile unsigned sum;

__attribute__((noinline)) static char *touch(size_t bytes)
{
	char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	madvise(memory, bytes, MADV_NOHUGEPAGE);
	for (size_t i = 0; i < bytes; i += PAGE)
		memory[i] = 1;
	return memory;
}

__attribute__((noinline)) static void keep(void)
{
	touch(MIB / 4)[1] = 1;
}

__attribute__((noinline)) static void borrow(void)
{
	munmap(touch(10 * MIB), 10 * MIB);
}

__attribute__((noinline)) static void look(const char *file)
{
	size_t bytes = 32 * MIB;
	int fd = open(file, O_RDONLY);
	char *memory = mmap(NULL, bytes, PROT_READ, MAP_SHARED, fd, 0);

	madvise(memory, bytes, MADV_RANDOM);
	for (size_t i = 0; memory != MAP_FAILED && i < bytes; i += PAGE)
		sum += (unsigned char)memory[i];
}

int main(int argc, char **argv)
{
	struct rusage before, after;

	puts("ready");
	fflush(stdout);
	getchar();
	getrusage(RUSAGE_SELF, &before);
	look(argv[1]);
	for (int i = 0; i < ROUNDS; i++) {
		keep();
		borrow();
		nanosleep(&(struct timespec){0, 20000000}, NULL);
	}
	getrusage(RUSAGE_SELF, &after);
	printf("%ld %ld\n", after.ru_minflt - before.ru_minflt, after.ru_majflt - before.ru_majflt);
	fflush(stdout);
	getchar();
	return argc < 2;
}
