// SPDX-License-Identifier: BSD-2-Clause
/* symbol_hostile SAMPLES: damaged files, changing files, exploding names, and a dying child. */
#include "symbol_bench.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"
#include "demangle.h"
#include "io.h"

static void check_demangled(const char *mangled, const char *wanted)
{
	_cleanup_(buf_done) struct buf b = BUF_INIT;

	demangle(&b, mangled, strlen(mangled));
	CHECK_STR(b.data, wanted);
}

/* f<a, b<a, a>, c<b<a, a>, b<a, a> >, ...>: each argument is twice as long as the one before it. */
static void check_bomb(void)
{
	static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
	_cleanup_(buf_done) struct buf b = BUF_INIT, mangled = BUF_INIT;
	uint64_t start = clock_mono_ns();
	int last = 0, next = 1;

	buf_addstr(&mangled, "_Z1fI1a");
	for (int i = 0; i < 17; i++, last = next + 1, next += 2)
		buf_addf(&mangled, "1%cIS%c_S%c_E", 'b' + i, digits[last], digits[last]);
	buf_addstr(&mangled, "Evv");
	demangle(&b, mangled.data, mangled.len);
	CHECK(b.len > 1000 && b.len <= 4096 && !strncmp(b.data, "f<a, b<a, a>, c<b<a, a>", 23));
	CHECK(clock_mono_ns() - start < NS_PER_S);
	buf_reset(&mangled);
	buf_reset(&b);
	for (int i = 0; i < 100000; i++)
		buf_addstr(&mangled, i ? "INvC" : "_RNvC");
	demangle(&b, mangled.data, mangled.len);
	CHECK(b.len > 0 && b.len <= 4096 && clock_mono_ns() - start < 2 * NS_PER_S);
}

static void test_demangle(struct bench *b)
{
	check_demangled("_ZNSt6vectorIiSaIiEE9push_backERKi",
			"std::vector<int, std::allocator<int> >::push_back");
	check_demangled("_ZZ4mainENKUlvE_clEv", "main::{lambda()#1}::operator()");
	check_demangled("_ZN3fooEv.constprop.0", "foo");
	check_demangled("_ZN4core3ptr13drop_in_place17h0123456789abcdefE.llvm.123",
			"core::ptr::drop_in_place");
	check_demangled("_Z3foov@plt", "foo@plt");
	check_demangled("_Zero", "_Zero");
	check_demangled("main", "main");
	check_bomb();
}

static void test_killed(struct bench *b)
{
	uint64_t helper = address_of(b, "quiet_helper");
	uint64_t restarts = symbolizer_stats(b->s)->restarts;
	int m = sample_module(b, "sample");

	/* More often than a child is started in a row: then the names come later. */
	for (int i = 0; i < 9; i++) {
		CHECK_STR(ask(b, m, helper), "quiet_helper");
		pid_t child = symbolizer_stats(b->s)->child_pid;
		CHECK(child > 0);
		if (child > 0)
			CHECK(kill(child, SIGKILL) == 0);
		CHECK_STR(ask(b, m, helper), "quiet_helper");
	}
	CHECK(symbolizer_stats(b->s)->restarts >= restarts + 8);
}

static pid_t parent_of(pid_t pid)
{
	_cleanup_(buf_done) struct buf path = BUF_INIT, status = BUF_INIT;

	buf_addf(&path, "/proc/%d/status", (int)pid);
	CHECK(read_file(path.data, 65536, &status) == 0);
	const char *line = strstr(status.data, "\nPPid:\t");
	CHECK(line);
	return line ? atoi(line + 7) : -1;
}

/* Without the process that starts children there are no names, but every question is answered. */
static void test_zygote_killed(struct bench *b)
{
	uint64_t helper = address_of(b, "quiet_helper");
	int m = sample_module(b, "sample");

	CHECK_STR(ask(b, m, helper), "quiet_helper");
	pid_t zygote = parent_of(symbolizer_stats(b->s)->child_pid);
	CHECK(zygote > 1 && parent_of(zygote) == getpid());
	if (zygote > 1 && parent_of(zygote) == getpid())
		CHECK(kill(zygote, SIGKILL) == 0);
	usleep(20000);
	CHECK_STR(ask(b, m, helper), "");
	CHECK_STR(ask(b, sample_module(b, "packed"), helper), "");
	CHECK(symbolizer_stats(b->s)->child_pid == 0);
}

/* Each time the child dies in the middle of work on one module, that is what has killed it as far
 * as anyone knows. */
static void test_poisoned(struct bench *b)
{
	uint64_t helper = address_of(b, "quiet_helper");
	int m = sample_module(b, "sample"), healthy = sample_module(b, "packed");
	unsigned asked = 0, before;
	const struct symbolizer_stats *stats = symbolizer_stats(b->s);

	CHECK_STR(ask(b, healthy, helper), "quiet_helper");
	before = b->seen.answers;
	b->seen.in_order = true;
	while (symbolizer_request(b->s, m, helper, b->seen.last_frame + 1 + asked) == 0)
		asked++;
	for (int i = 0; i < 6 && !stats->poisoned; i++) {
		uint64_t restarts = stats->restarts, deadline = clock_mono_ns() + PATIENCE;

		while (!stats->child_pid && clock_mono_ns() < deadline)
			symbolizer_dispatch(b->s);
		usleep(1000);
		if (stats->child_pid > 0)
			kill(stats->child_pid, SIGKILL);
		while (stats->restarts == restarts && clock_mono_ns() < deadline)
			symbolizer_dispatch(b->s);
	}
	CHECK(stats->poisoned == 1);
	symbolizer_flush(b->s, PATIENCE);
	CHECK(b->seen.answers == before + asked && b->seen.in_order);
	CHECK_STR(ask(b, m, helper), "");
	CHECK_STR(ask(b, healthy, helper), "quiet_helper");
}

/* The file shrinks behind the child's back: reading the mapping then is fatal for the child, and
 * only for it. */
static void test_truncated_while_mapped(struct bench *b)
{
	_cleanup_(buf_done) struct buf from = BUF_INIT;
	uint64_t helper = address_of(b, "quiet_helper"), main_function = address_of(b, "main");
	char path[64];

	snprintf(path, sizeof(path), "/tmp/sample-shrinks-%d", (int)getpid());
	buf_addf(&from, "%s/sample", b->samples);
	copy_file(from.data, path);
	int m = module_of(b, path), healthy = sample_module(b, "sample");
	CHECK_STR(ask(b, m, helper), "quiet_helper");
	CHECK(truncate(path, 0) == 0);
	CHECK_STR(ask(b, m, main_function), "");
	CHECK(symbolizer_stats(b->s)->restarts > 0);
	CHECK_STR(ask(b, healthy, helper), "quiet_helper");
	unlink(path);
}

static uint64_t pseudo_random(uint64_t *state)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return *state >> 33;
}

static void ask_everywhere(struct bench *b, const char *path, uint32_t variant)
{
	struct symbol_mapping m = mapping_of(path);
	unsigned before = b->seen.answers;

	m.inode_generation = variant + 1; /* each is a file of its own */
	int module = symbolizer_elf(b->s, &m);
	for (uint64_t offset = 0; offset < 0x6000; offset += 512)
		CHECK(symbolizer_request(b->s, module, offset, b->seen.last_frame + 1) == 0);
	symbolizer_flush(b->s, PATIENCE);
	CHECK(b->seen.answers == before + 0x6000 / 512);
}

static void test_hostile_elf(struct bench *b)
{
	static const char *const samples[] = {"sample", "packed"};
	_cleanup_(buf_done) struct buf path = BUF_INIT;
	uint64_t state = 42;
	uint32_t variant = 0;
	char victim[64];

	snprintf(victim, sizeof(victim), "/tmp/sample-hostile-%d", (int)getpid());
	for (int i = 0; i < 2; i++) {
		_cleanup_(buf_done) struct buf image = BUF_INIT;

		buf_reset(&path);
		buf_addf(&path, "%s/%s", b->samples, samples[i]);
		CHECK(read_file(path.data, 1 << 24, &image) == 0);
		for (size_t len = 0; len < image.len; len += len < 128 ? 8 : image.len / 60) {
			write_file(victim, image.data, len);
			ask_everywhere(b, victim, variant++);
		}
		for (int round = 0; round < 150; round++) {
			_cleanup_(buf_done) struct buf bad = BUF_INIT;

			buf_add(&bad, image.data, image.len);
			for (int flip = 0; flip < 1 << round % 8; flip++) {
				/* Half of them in the headers, where they hurt most. */
				size_t at = pseudo_random(&state) % image.len;

				if (flip % 2)
					at = round % 2 ? at % 1024 : image.len - 1 - at % 2400;
				bad.data[at] = (char)pseudo_random(&state);
			}
			write_file(victim, bad.data, bad.len);
			ask_everywhere(b, victim, variant++);
		}
	}
	unlink(victim);
	CHECK_STR(ask(b, sample_module(b, "sample"), address_of(b, "quiet_helper")),
		  "quiet_helper");
	printf("symbol_hostile: %u bad files, %llu restarts of the child\n", variant,
	       (unsigned long long)symbolizer_stats(b->s)->restarts);
}

int main(int argc, char **argv)
{
	static void (*const tests[])(struct bench *) = {
		test_demangle, test_killed, test_zygote_killed, test_truncated_while_mapped,
		test_hostile_elf, test_poisoned,
	};
	_cleanup_free_ char *samples = argc == 2 ? realpath(argv[1], NULL) : NULL;
	struct bench b = {0};

	if (!samples) {
		fprintf(stderr, "usage: symbol_hostile SAMPLES\n");
		return 2;
	}
	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
		bench_init(&b, samples, true);
		tests[i](&b);
		bench_done(&b);
	}
	return check_done("symbol_hostile");
}
