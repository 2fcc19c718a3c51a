// SPDX-License-Identifier: BSD-2-Clause
/* Loops that wait, and loops that work, as this machine's compiler makes them. */
#include "check.h"

#include <stdbool.h>
#include <stdint.h>

#include "wait_loops.h"

/* Each in a section of its own, so that its bytes are known. */
#define ALONE(name) __attribute__((section("code_" #name), noinline, no_sanitize("address", "undefined"), used)) static
#define BYTES(name) extern const char __start_code_##name[], __stop_code_##name[]

struct node {
	struct node *next;
	int value;
};

static volatile int flag, sequence, day, hour;

ALONE(pausing) void pausing(void)
{
	while (flag)
#ifdef __x86_64__
		__builtin_ia32_pause();
#else
		__asm__ volatile("yield");
#endif
}

ALONE(exchanging) void exchanging(int *lock)
{
	while (__atomic_exchange_n(lock, 1, __ATOMIC_ACQUIRE))
		;
}

ALONE(loading) void loading(void)
{
	while (!flag)
		;
}

ALONE(comparing) void comparing(const uint64_t *ticket, uint64_t mine)
{
	while (__atomic_load_n(ticket, __ATOMIC_RELAXED) != mine)
		;
}

ALONE(computing) uint64_t computing(uint64_t seed, uint64_t rounds)
{
	for (uint64_t i = 0; i < rounds; i++)
		seed = seed * 6364136223846793005u + 1442695040888963407u;
	return seed;
}

ALONE(adding) uint64_t adding(const uint32_t *numbers, uint64_t count)
{
	uint64_t sum = 0;

	for (uint64_t i = 0; i < count; i++)
		sum += numbers[i] ^ sum >> 3;
	return sum;
}

ALONE(walking) const struct node *walking(const struct node *n, int value)
{
	while (n && n->value != value)
		n = n->next;
	return n;
}

ALONE(measuring) uint64_t measuring(const char *text)
{
	const char *end = text;

	while (*end)
		end++;
	return (uint64_t)(end - text);
}

ALONE(filling) void filling(volatile int *numbers, int count)
{
	while (count--)
		numbers[count] = flag;
}

/* Reads again only if what it reads was changed meanwhile. */
ALONE(retrying) int retrying(void)
{
	int before, sum;

	do {
		before = sequence;
		sum = day * 24 + hour;
	} while (before != sequence);
	return sum;
}

BYTES(pausing);
BYTES(exchanging);
BYTES(loading);
BYTES(comparing);
BYTES(computing);
BYTES(adding);
BYTES(walking);
BYTES(measuring);
BYTES(filling);
BYTES(retrying);

static void check_code(const char *name, const char *start, const char *end, bool waits, uint32_t kind)
{
	struct wait_loop loops[WAIT_LOOPS_MOST];
	size_t size = (size_t)(end - start), count = wait_loops_find(start, size, 0x1000, loops);

	if ((count > 0) != waits)
		fprintf(stderr, "%s: %zu loops\n", name, count);
	CHECK((count > 0) == waits);
	CHECK(!count || (loops[0].kind == kind && loops[0].start >= 0x1000 && loops[0].end > loops[0].start &&
			 loops[0].end <= 0x1000 + size));
}

#define CHECK_CODE(name, ...) check_code(#name, __start_code_##name, __stop_code_##name, __VA_ARGS__)

static void test_compiled(void)
{
	CHECK_CODE(pausing, true, WAIT_LOOP_PAUSE);
#ifdef __x86_64__
	CHECK_CODE(exchanging, true, WAIT_LOOP_EXCHANGE); /* elsewhere a function of the compiler's library may do it */
#endif
	CHECK_CODE(loading, true, WAIT_LOOP_LOAD);
#ifdef __OPTIMIZE__
	CHECK_CODE(comparing, true, WAIT_LOOP_LOAD);
#endif
	CHECK_CODE(computing, false, 0);
	CHECK_CODE(adding, false, 0);
	CHECK_CODE(walking, false, 0);
	CHECK_CODE(measuring, false, 0);
	CHECK_CODE(filling, false, 0);
	CHECK_CODE(retrying, false, 0);
}

static void test_bytes(void)
{
	struct wait_loop loops[WAIT_LOOPS_MOST];
	unsigned char bytes[4096];
	uint32_t seed = 1;

	CHECK(wait_loops_find("", 0, 0, loops) == 0);
	for (int round = 0; round < 50; round++) {
		for (size_t i = 0; i < sizeof(bytes); i++)
			bytes[i] = (unsigned char)((seed = seed * 1103515245 + 12345) >> 16);
		size_t count = wait_loops_find(bytes, sizeof(bytes), 0x400000, loops);
		CHECK(count <= WAIT_LOOPS_MOST);
	}
#ifdef __x86_64__
	/* pause; jmp, so often that not all find room */
	for (size_t i = 0; i + 4 <= sizeof(bytes); i += 4)
		memcpy(bytes + i, "\xf3\x90\xeb\xfc", 4);
	CHECK(wait_loops_find(bytes, sizeof(bytes), 0, loops) == WAIT_LOOPS_MOST);
	/* A jump back into the middle of an instruction, and one to before the start. */
	CHECK(wait_loops_find("\x48\x8b\x05\x00\x00\x00\x00\xeb\xfa\xeb\x80", 11, 0, loops) == 0);
#endif
}

#ifdef __x86_64__
/* As HotSpot makes `while (turn != me);`: a load, a look at the page that stops threads, a comparison. */
static const char generated[] = "\x0f\x1f\x44\x00\x00\x90\x90\x90"
				"\x44\x8b\x5e\x70\x4d\x8b\x97\x58\x04\x00\x00\x41\x85\x02\x41\x39\xdb\x75\xed\xc3";
/* A sum. */
static const char summing[] = "\x90\x90\x8b\x0e\x01\xc8\xeb\xfa";

static void test_generated(void)
{
	struct wait_loop loop = {0};

	for (uint64_t at = 0x1008; at < 0x101b; at += at == 0x1008 ? 4 : at == 0x100c ? 7 : 3) {
		CHECK(wait_loops_around(generated, sizeof(generated) - 1, 0x1000, at, &loop) == 1);
		CHECK(loop.start == 0x1008 && loop.end == 0x101b && loop.kind == WAIT_LOOP_LOAD);
	}
	CHECK(wait_loops_around(generated, sizeof(generated) - 1, 0x1000, 0x101b, &loop) == 0);
	CHECK(wait_loops_around(summing, sizeof(summing) - 1, 0x1000, 0x1002, &loop) == 0);
	/* It begins before what is known, or its end is not. */
	CHECK(wait_loops_around(generated + 12, sizeof(generated) - 13, 0x100c, 0x100c, &loop) == 0);
	CHECK(wait_loops_around(generated, 24, 0x1000, 0x1008, &loop) == 0);
}
#endif

int main(void)
{
	test_compiled();
	test_bytes();
#ifdef __x86_64__
	test_generated();
#endif
	return check_done("wait_loops");
}
