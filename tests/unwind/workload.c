// SPDX-License-Identifier: BSD-2-Clause
/* Programs with stacks of known shape. Each mode gets there and stops at a breakpoint for the tracer
 * that started it; built with and without frame pointers, static and stripped. */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline, noclone))

static void breakpoint(void)
{
	__asm__ volatile("int3" ::: "memory");
}

static volatile unsigned sink;

static NOINLINE unsigned small(unsigned depth)
{
	unsigned r;

	if (depth == 1)
		breakpoint();
	r = depth > 1 ? small(depth - 1) : 0;
	sink += r; /* after the call: no tail call */
	return r + depth;
}

static NOINLINE unsigned large(unsigned depth)
{
	volatile char room[4096 - 64];
	unsigned r;

	room[0] = (char)depth;
	if (depth == 1)
		breakpoint();
	r = depth > 1 ? large(depth - 1) : 0;
	sink += r + (unsigned char)room[0];
	return r + depth;
}

/* Over-aligned locals and a variable length: the frame begins at an address kept in memory. */
static NOINLINE unsigned aligned(unsigned depth)
{
	_Alignas(64) volatile char line[64];
	volatile char *room = __builtin_alloca(depth * 16 + 16);
	unsigned r;

	line[0] = (char)depth;
	room[0] = line[0];
	if (depth == 1)
		breakpoint();
	r = depth > 1 ? aligned(depth - 1) : 0;
	sink += r + (unsigned char)line[0] + (unsigned char)room[0];
	return r + depth;
}

static int descending(const void *a, const void *b)
{
	int x = *(const int *)a, y = *(const int *)b;

	return (y > x) - (y < x);
}

static int stopping(const void *a, const void *b)
{
	breakpoint();
	return descending(a, b);
}

static void fill(int *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		v[i] = (int)(i * 7919 % n);
}

static NOINLINE void callback(void)
{
	int v[64];

	fill(v, 64);
	qsort(v, 64, sizeof(*v), stopping);
	sink += (unsigned)v[3];
}

static void on_signal(int number)
{
	breakpoint();
	sink += (unsigned)number;
}

static NOINLINE void raise_here(int alternate)
{
	static char stack[65536];
	struct sigaction sa = {.sa_handler = on_signal, .sa_flags = alternate ? SA_ONSTACK : 0};
	stack_t ss = {.ss_sp = stack, .ss_size = sizeof(stack)};

	sigaltstack(&ss, NULL);
	sigaction(SIGUSR1, &sa, NULL);
	raise(SIGUSR1);
	sink++;
}

static NOINLINE unsigned interrupted(unsigned depth, int alternate)
{
	unsigned r = 0;

	if (depth > 1)
		r = interrupted(depth - 1, alternate);
	else
		raise_here(alternate);
	sink += r;
	return r + depth;
}

static void *thread(void *arg)
{
	small(20);
	return arg;
}

/* Assembly that keeps a return address in a register. */
static NOINLINE void jump_and_fork(void)
{
	jmp_buf here;
	pid_t pid;

	if (!setjmp(here))
		longjmp(here, 1);
	pid = vfork();
	if (!pid)
		_exit(0);
	sink += waitpid(pid, NULL, 0) == pid;
}

/* A stretch to be single-stepped: the C library, its PLT entries and the vDSO. */
static NOINLINE void stretch(void)
{
	char text[128];
	struct timespec now;
	int v[24];

	breakpoint();
	jump_and_fork();
	fill(v, 24);
	qsort(v, 24, sizeof(*v), descending);
	clock_gettime(CLOCK_MONOTONIC, &now);
	snprintf(text, sizeof(text), "%d %s %.3f %lx", v[0], "text", 1.25 * v[1], (long)now.tv_sec);
	sink += (unsigned)strlen(text) + (unsigned)strtol("1234567", NULL, 10);
	free(malloc(sink % 1000 + 1));
	breakpoint();
}

int main(int argc, char **argv)
{
	const char *mode = argc > 1 ? argv[1] : "";
	unsigned depth = argc > 2 ? (unsigned)atoi(argv[2]) : 1;
	pthread_t t;

	if (!strcmp(mode, "small"))
		small(depth);
	else if (!strcmp(mode, "large"))
		large(depth);
	else if (!strcmp(mode, "aligned"))
		aligned(depth);
	else if (!strcmp(mode, "callback"))
		callback();
	else if (!strcmp(mode, "signal"))
		interrupted(depth, 0);
	else if (!strcmp(mode, "altstack"))
		interrupted(depth, 1);
	else if (!strcmp(mode, "stretch"))
		stretch();
	else if (!strcmp(mode, "thread") && !pthread_create(&t, NULL, thread, NULL))
		pthread_join(t, NULL);
	return (int)(sink & 1);
}
