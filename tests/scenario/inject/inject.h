/* SPDX-License-Identifier: BSD-2-Clause */
/* What the injectors share: options as plain arguments, time, and work that takes CPU. */
#pragma once
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

static inline uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static inline uint64_t thread_cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* That this thread has waited for a CPU so far, as the kernel counts; 0 where it does not. */
static inline uint64_t thread_queued_ns(void)
{
	unsigned long long ns = 0;
	FILE *f = fopen("/proc/thread-self/schedstat", "r");

	if (f && fscanf(f, "%*u %llu", &ns) != 1)
		ns = 0;
	if (f)
		fclose(f);
	return ns;
}

static inline void sleep_ns(uint64_t ns)
{
	nanosleep(&(struct timespec){(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)}, NULL);
}

/* Argument number i as a number, with what is meant when it is left out. */
static inline unsigned argument(int argc, char **argv, int i, unsigned otherwise)
{
	return i < argc ? (unsigned)strtoul(argv[i], NULL, 10) : otherwise;
}

/* Ends with the one that started it, so that nothing is left behind. */
static inline void die_with_parent(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
}

static inline pid_t spawn(const char *name, void (*run)(void *arg), void *arg)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	die_with_parent();
	prctl(PR_SET_NAME, name);
	run(arg);
	_exit(0);
}

/* Arithmetic that the compiler cannot leave out. */
static inline uint64_t work(uint64_t rounds, uint64_t seed)
{
	for (uint64_t i = 0; i < rounds; i++)
		seed = seed * 6364136223846793005u + 1442695040888963407u;
	__asm__ volatile("" : "+r"(seed));
	return seed;
}
