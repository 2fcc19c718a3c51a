// SPDX-License-Identifier: BSD-2-Clause
/* collector WORK KIB-PER-S: a service that takes memory for each of its hundred requests a second. WORK: blocks (of some hundred
 * bytes, kept for ever), later (the same from the fifth second on), maps (mapped pages, kept for ever), shared (the same of shared
 * memory), freed (all given back, some of them later), cache (kept until there are KIB-PER-S in all, within the first second), pool
 * (of a minute's size, set aside at the start), buffers (the same of shared memory). */
#include <sys/mman.h>

#include "inject.h"

enum { REQUESTS = 100, KEPT = 64, BLOCK = 400 };

static size_t bytes; /* a request */

__attribute__((noinline)) static void keep_session(void)
{
	for (size_t left = bytes; left >= BLOCK; left -= BLOCK) {
		char *block = malloc(BLOCK);

		if (!block)
			_exit(1);
		memset(block, 1, BLOCK);
	}
}

static char *map_touched(size_t length, int sharing)
{
	char *memory = mmap(NULL, length, PROT_READ | PROT_WRITE, sharing | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		_exit(1);
	memset(memory, 1, length);
	__asm__ volatile("" : : "r"(memory) : "memory"); /* not the last call: the caller stays on the stack */
	return memory;
}

__attribute__((noinline)) static void keep_image(int sharing)
{
	if (!map_touched(bytes, sharing))
		_exit(1);
}

/* Also memory that comes and goes: a leak hides behind it. */
__attribute__((noinline)) static void answer_request(unsigned request)
{
	static char *later[KEPT];
	char **place = &later[request % KEPT], *scratch = map_touched(1 << 20, MAP_PRIVATE);

	munmap(scratch, 1 << 20);
	if (*place)
		munmap(*place, 65536);
	*place = map_touched(65536, MAP_PRIVATE);
}

/* A database's buffers: it has all of them, and has not used them yet. */
static void fill_pool(size_t length, int sharing)
{
	static char *pool;
	static size_t used;

	if (!pool)
		pool = mmap(NULL, length, PROT_READ | PROT_WRITE, sharing | MAP_ANONYMOUS, -1, 0);
	if (pool == MAP_FAILED)
		_exit(1);
	for (size_t left = bytes; left && used < length; left--)
		pool[used++] = 1;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "blocks";
	size_t rate = (size_t)argument(argc, argv, 2, 4096) << 10, kept = 0;

	bytes = rate / REQUESTS;
	die_with_parent();
	prctl(PR_SET_NAME, "collector");
	for (unsigned request = 0;; request++) {
		answer_request(request);
		if (!strcmp(what, "maps"))
			keep_image(MAP_PRIVATE);
		else if (!strcmp(what, "shared"))
			keep_image(MAP_SHARED);
		else if (!strcmp(what, "pool") || !strcmp(what, "buffers"))
			fill_pool(60 * rate, *what == 'p' ? MAP_PRIVATE : MAP_SHARED);
		else if (!strcmp(what, "blocks") || (!strcmp(what, "later") && request > 5 * REQUESTS) || (!strcmp(what, "cache") && (kept += bytes * 4) < rate))
			keep_session();
		sleep_ns(1000000000 / REQUESTS);
	}
}
