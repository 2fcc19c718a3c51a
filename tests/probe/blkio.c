// SPDX-License-Identifier: BSD-2-Clause
/* blkio FILE: writes and reads FILE past the page cache, syncs it, and tells what it did:
 *   write COUNT BYTES NS, read COUNT BYTES NS, sync COUNT 0 NS, of one read: median 1 0 NS; and what it left to the kernel
 *   to write: buffered COUNT BYTES NS */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { BLOCK = 65536, BLOCKS = 300, PAGE = 4096, READS = 400, SYNCS = 500 };

#define SYNCED_NS 400000000ull /* at the least: where they are quick, waits of which some are surely drawn take longer together */

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void must(int fact, const char *what)
{
	if (!fact) {
		perror(what);
		exit(1);
	}
}

static void tell(const char *what, unsigned count, unsigned long bytes, uint64_t since)
{
	printf("%s %u %lu %lu\n", what, count, bytes, (unsigned long)(now_ns() - since));
}

static int by_time(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	char *block = aligned_alloc(PAGE, BLOCK);
	int fd = argc == 2 ? open(argv[1], O_RDWR | O_CREAT | O_DIRECT, 0600) : -1;
	unsigned seed = 1;

	must(fd >= 0, "open");
	memset(block, 'x', BLOCK);
	/* The blocks are allotted first, so that what follows is one request a call. */
	must(posix_fallocate(fd, 0, (off_t)BLOCK * BLOCKS) == 0, "fallocate");
	for (int i = 0; i < BLOCKS; i++)
		must(pwrite(fd, block, BLOCK, (off_t)i * BLOCK) == BLOCK, "write");
	fsync(fd);
	usleep(200000);
	uint64_t start = now_ns();
	for (int i = 0; i < BLOCKS; i++)
		must(pwrite(fd, block, BLOCK, (off_t)i * BLOCK) == BLOCK, "write");
	tell("write", BLOCKS * 2, 2ul * BLOCK * BLOCKS, start);
	uint64_t times[READS];
	start = now_ns();
	for (int i = 0; i < READS; i++) {
		uint64_t began = now_ns();

		must(pread(fd, block, PAGE, (off_t)(rand_r(&seed) % (BLOCKS * (BLOCK / PAGE))) * PAGE) == PAGE, "read");
		times[i] = now_ns() - began;
	}
	tell("read", READS, (unsigned long)PAGE * READS, start);
	struct rusage self;
	must(getrusage(RUSAGE_SELF, &self) == 0, "getrusage");
	printf("all-read 0 %lu 0\n", (unsigned long)self.ru_inblock * 512); /* its own pages, and where the file's blocks are, too */
	qsort(times, READS, sizeof(times[0]), by_time);
	printf("median 1 0 %lu\n", (unsigned long)times[READS / 2]);
	unsigned syncs = 0;
	for (start = now_ns(); syncs < SYNCS || now_ns() - start < SYNCED_NS; syncs++)
		must(pwrite(fd, block, PAGE, 0) == PAGE && fdatasync(fd) == 0, "sync");
	tell("sync", syncs, 0, start);
	fcntl(fd, F_SETFL, 0);
	start = now_ns();
	for (int i = 0; i < BLOCKS; i++)
		must(pwrite(fd, block, BLOCK, (off_t)i * BLOCK) == BLOCK, "write");
	sync();
	tell("buffered", BLOCKS, (unsigned long)BLOCK * BLOCKS, start);
	unlink(argv[1]);
	free(block);
	return 0;
}
