// SPDX-License-Identifier: BSD-2-Clause
/* tenants WORK THREADS MIB: threads of one process that touch memory for each piece of work. WORK: maps (each maps MIB for it and
 * unmaps them), protects (beside them one changes the protection of MIB, page by page), own (in memory that they keep), arena
 * (in memory whose pages they give back, without a change of the address space). */
#include <pthread.h>
#include <sys/mman.h>

#include "inject.h"

enum { PAGE = 4096 };

static size_t size;

static char *map_anew(size_t bytes)
{
	char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		_exit(1);
	madvise(memory, bytes, MADV_NOHUGEPAGE);
	return memory;
}

__attribute__((noinline)) static void touch_rows(char *memory, size_t bytes)
{
	for (size_t i = 0; i < bytes; i += PAGE)
		memory[i]++;
}

__attribute__((noinline)) static void furnish_room(void)
{
	char *memory = map_anew(size);

	touch_rows(memory, size);
	munmap(memory, size);
	__asm__ volatile("" : : : "memory"); /* not the last call: this function stays on the stack */
}

static void *move_in_and_out(void *arg)
{
	for (uint64_t seed = 1;; seed = work(2000, seed))
		furnish_room();
	return NULL;
}

static void *stay(void *arg)
{
	size_t bytes = 1 << 20;
	char *memory = map_anew(bytes);

	for (uint64_t seed = 1;; seed = work(20000, seed)) {
		touch_rows(memory, bytes);
		if (arg)
			madvise(memory, bytes, MADV_DONTNEED);
	}
	return NULL;
}

__attribute__((noinline)) static void lock_doors(char *memory)
{
	for (size_t i = 0; i < size; i += 2 * PAGE)
		mprotect(memory + i, PAGE, PROT_READ);
	mprotect(memory, size, PROT_READ | PROT_WRITE);
	__asm__ volatile("" : : : "memory"); /* not the last call: this function stays on the stack */
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "maps";
	unsigned threads = argument(argc, argv, 2, 4);

	size = (size_t)argument(argc, argv, 3, 4) << 20;
	die_with_parent();
	prctl(PR_SET_NAME, "landlord");
	for (uintptr_t i = 0; i < threads; i++) {
		pthread_t thread;

		if (pthread_create(&thread, NULL, strcmp(what, "maps") ? stay : move_in_and_out, strcmp(what, "own") ? "" : NULL))
			return 1;
	}
	if (strcmp(what, "protects"))
		pause();
	for (char *memory = map_anew(size);;)
		lock_doors(memory);
}
