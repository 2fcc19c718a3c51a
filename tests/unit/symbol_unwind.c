// SPDX-License-Identifier: BSD-2-Clause
/* Copied stacks through the symbolizer: the same as the unwinder in this process says, each
 * answered once whatever is asked and whatever happens to the child. Needs no privileges. */
#include "check.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "unwind_bench.h"

static void test_same(struct bench *b)
{
	static const char *const shapes[][3] = {
		{"nofp", "small", "500"}, {"fp", "small", "100"}, {"static", "small", "500"},
		{"stripped", "small", "500"}, {"debug-frame", "small", "500"},
		{"nofp", "large", "30"}, {"nofp", "callback", "0"}, {"nofp", "signal", "10"},
		{"nofp", "aligned", "50"}, {"nofp", "small", "2000"},
	};
	uint32_t count = sizeof(shapes) / sizeof(shapes[0]);

	for (uint32_t i = 0; i < count; i++) {
		static struct subject x;
		unsigned before = b->seen.answers;

		CHECK(subject_start(&x, shapes[i][0], shapes[i][1], shapes[i][2]));
		CHECK(define_space(b, &x, i) == 0);
		CHECK(ask(b, &x, i, i) == 0);
		symbolizer_flush(b->s, PATIENCE);
		CHECK(b->seen.answers == before + 1 && b->seen.last_cookie == i);
		CHECK(b->seen.status[x.expected.status] && as_expected(b, &x));
		CHECK(x.expected.count > 5);
		symbolizer_forget_space(b->s, i);
		CHECK(ask(b, &x, i, i) == -ENOENT);
		subject_end(&x);
	}
	const struct symbolizer_stats *stats = symbolizer_stats(b->s);
	CHECK(stats->unwinds == count && stats->unwound[UNWIND_COMPLETE] == count - 1);
	CHECK(stats->truncated[UNWIND_REASON_DEPTH] == 1);
	CHECK(stats->tables >= 6 && stats->table_bytes > 200000 && stats->tables_failed == 0);
	CHECK(stats->unwind_restarts == 0);
}

static void ask_and_wait(struct bench *b, const struct subject *x, uint64_t cookie)
{
	CHECK(ask(b, x, 1, cookie) == 0);
	symbolizer_flush(b->s, PATIENCE);
}

/* From the third time on a stack is known at once; one whose callers are others is not, nor in a space that has changed. */
static void test_remembered(struct bench *b)
{
	static struct subject x;
	static struct unwind_output out;
	struct symbol_space_mapping elsewhere = {.start = 0x1000, .end = 0x2000, .module = -1};
	const struct symbolizer_stats *stats;

	bench_close(b);
	b->remembers = true;
	bench_open(b);
	stats = symbolizer_stats(b->s);
	CHECK(subject_start(&x, "nofp", "small", "20"));
	CHECK(define_space(b, &x, 1) == 0);
	for (unsigned i = 0; i < 2; i++) {
		ask_and_wait(b, &x, i);
		CHECK(stats->remembered == 0 && as_expected(b, &x));
	}
	for (unsigned i = 2; i < 10; i++) {
		x.capture->input.regs.value[UNWIND_RDX]++; /* nobody goes by it */
		CHECK(ask(b, &x, 1, i) == 0);
		CHECK(stats->remembered == i - 1 && b->seen.answers == i + 1 && b->seen.last_cookie == i && as_expected(b, &x));
	}
	x.capture->input.explain = true;
	unwind_stack(&x.capture->input, &out);
	CHECK(out.needs.known && out.needs.count > 10);
	/* A return address in the middle. */
	const struct unwind_word *word = &out.needs.words[out.needs.count / 2];
	uint64_t *there = (void *)((uintptr_t)x.capture->stacks[0].bytes + (word->address - x.capture->stacks[0].start));
	CHECK(*there == word->value);
	++*there;
	unwind_stack(&x.capture->input, &x.expected);
	ask_and_wait(b, &x, 10);
	CHECK(stats->remembered == 8 && as_expected(b, &x));
	--*there;
	unwind_stack(&x.capture->input, &x.expected);
	CHECK(ask(b, &x, 1, 11) == 0 && stats->remembered == 9 && as_expected(b, &x));
	/* What a child has said is not believed when it has come to a bad end. */
	kill(stats->unwind_pid, SIGKILL);
	for (unsigned i = 0; i < 1000 && !stats->unwind_restarts; i++) {
		usleep(1000);
		symbolizer_dispatch(b->s);
	}
	ask_and_wait(b, &x, 12);
	CHECK(stats->unwind_restarts == 1 && stats->remembered == 9 && as_expected(b, &x));
	CHECK(symbolizer_space(b->s, 1, &elsewhere, 1) == 0);
	ask_and_wait(b, &x, 13);
	CHECK(stats->remembered == 9 && b->seen.reason[UNWIND_REASON_NO_MAPPING] == 1);
	subject_end(&x);
}

/* Nothing in the file says how its frames are laid out, but its separate debug file does. */
static void test_debug_file(struct bench *b)
{
	static struct subject whole, split;

	CHECK(subject_start(&whole, "debug-frame", "small", "200"));
	CHECK(subject_start(&split, "split", "small", "200"));
	CHECK(whole.expected.status == UNWIND_COMPLETE && split.expected.status == UNWIND_TRUNCATED);
	CHECK(define_space(b, &split, 1) == 0 && ask(b, &split, 1, 1) == 0);
	symbolizer_flush(b->s, PATIENCE);
	CHECK(b->seen.status[UNWIND_COMPLETE] == 1 && b->seen.depth == whole.expected.count);
	subject_end(&whole);
	subject_end(&split);
}

/* A space is replaced by one without the program; then by the right one. */
static void test_replaced(struct bench *b)
{
	static struct subject x;
	struct symbol_space_mapping elsewhere = {.start = 0x1000, .end = 0x2000, .module = -1};

	CHECK(subject_start(&x, "nofp", "small", "50"));
	CHECK(symbolizer_space(b->s, 1, &elsewhere, 1) == 0 && ask(b, &x, 1, 0) == 0);
	CHECK(define_space(b, &x, 1) == 0 && ask(b, &x, 1, 1) == 0);
	symbolizer_forget_space(b->s, 1); /* what was asked is still answered */
	symbolizer_flush(b->s, PATIENCE);
	CHECK(b->seen.answers == 2 && b->seen.reason[UNWIND_REASON_NO_MAPPING] == 1);
	CHECK(b->seen.status[UNWIND_COMPLETE] == 1 && as_expected(b, &x));
	subject_end(&x);
}

/* Queued while the child stands still: in order, until the queue is full, and all of them later. */
static void test_full(struct bench *b)
{
	static struct subject x;
	unsigned accepted = 0;
	int r = 0;

	CHECK(subject_start(&x, "nofp", "large", "20"));
	CHECK(define_space(b, &x, 7) == 0 && ask(b, &x, 7, accepted++) == 0);
	symbolizer_flush(b->s, PATIENCE);
	pid_t child = symbolizer_stats(b->s)->unwind_pid;
	CHECK(child > 0 && kill(child, SIGSTOP) == 0);
	while (accepted < COOKIES && (r = ask(b, &x, 7, accepted)) == 0) {
		accepted++;
		symbolizer_dispatch(b->s);
	}
	CHECK(r == -EAGAIN && accepted > 50);
	CHECK(b->seen.answers == 1);
	kill(child, SIGCONT);
	symbolizer_flush(b->s, PATIENCE);
	CHECK(b->seen.answers == accepted && b->seen.last_cookie == accepted - 1 &&
	      as_expected(b, &x));
	CHECK(b->seen.status[UNWIND_COMPLETE] == accepted);
	CHECK(ask(b, &x, 7, accepted) == 0); /* there is room again */
	symbolizer_flush(b->s, PATIENCE);
	CHECK(b->seen.answers == accepted + 1 && as_expected(b, &x));
	subject_end(&x);
}

static void test_killed(struct bench *b)
{
	enum { ROUNDS = 5, EACH = 60 };
	static struct subject x;
	uint64_t cookie = 0;

	CHECK(subject_start(&x, "nofp", "small", "100"));
	CHECK(define_space(b, &x, 7) == 0);
	for (unsigned round = 0; round < ROUNDS; round++) {
		CHECK(ask(b, &x, 7, cookie++) == 0);
		symbolizer_flush(b->s, PATIENCE);
		CHECK(b->seen.status[UNWIND_COMPLETE] == round + 1 && as_expected(b, &x));
		pid_t child = symbolizer_stats(b->s)->unwind_pid;
		kill(child, SIGSTOP);
		for (unsigned i = 0; i < EACH; i++) {
			CHECK(ask(b, &x, 7, cookie++) == 0);
			if (i % 7 == 0)
				symbolizer_dispatch(b->s);
		}
		kill(child, SIGKILL);
		symbolizer_flush(b->s, PATIENCE);
		CHECK(b->seen.answers == cookie);
		CHECK(b->seen.status[UNWIND_LOST] == (round + 1) * EACH);
	}
	CHECK(symbolizer_stats(b->s)->unwind_restarts == ROUNDS);
	CHECK(symbolizer_stats(b->s)->restarts == 0); /* names go on */
	subject_end(&x);
}

/* A module that children die over is not tried a third time. */
static void test_poisoned(struct bench *b)
{
	static struct subject x;
	uint64_t cookie = 0;

	CHECK(subject_start(&x, "static", "small", "100"));
	CHECK(define_space(b, &x, 7) == 0);
	CHECK(symbolizer_space(b->s, 8, NULL, 0) == 0);
	for (unsigned i = 0; i < 2; i++) {
		CHECK(ask(b, &x, 8, cookie++) == 0); /* needs no file */
		symbolizer_flush(b->s, PATIENCE);
		CHECK(ask(b, &x, 7, cookie++) == 0);
		symbolizer_dispatch(b->s);
		usleep(200000); /* now it waits for the program's file */
		CHECK(b->seen.answers == cookie - 1);
		kill(symbolizer_stats(b->s)->unwind_pid, SIGKILL);
		symbolizer_flush(b->s, PATIENCE);
		CHECK(b->seen.answers == cookie && b->seen.status[UNWIND_LOST] == i + 1);
	}
	CHECK(symbolizer_stats(b->s)->poisoned == 1);
	CHECK(ask(b, &x, 7, cookie++) == 0);
	symbolizer_flush(b->s, PATIENCE);
	CHECK(b->seen.answers == cookie && b->seen.reason[UNWIND_REASON_NO_TABLE] == 1);
	CHECK(b->seen.address[0] == x.expected.ip[0]);
	subject_end(&x);
}

static uint64_t random_word(uint64_t *state)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return *state >> 1 ^ *state << 40;
}

/* Random registers over random stacks that hold addresses of code. */
static void test_hostile(struct bench *b)
{
	static struct subject x;
	static uint64_t words[8192];
	uint64_t state = 1, cookie = 0;

	CHECK(subject_start(&x, "nofp", "small", "100"));
	CHECK(define_space(b, &x, 7) == 0);
	for (unsigned i = 0; i < 4000; i++) {
		struct unwind_regs regs = x.capture->input.regs;
		uint64_t sp = x.capture->stacks[0].start;
		size_t count = random_word(&state) % 8192;

		for (size_t w = 0; w < count; w++)
			words[w] = w % 3 ? sp + random_word(&state) % 0x10000 :
					   x.expected.ip[random_word(&state) % x.expected.count];
		for (unsigned r = 0; r < UNWIND_X86_64_REGS; r++)
			if (random_word(&state) % 4 == 0)
				regs.value[r] = random_word(&state) << random_word(&state) % 64;
		if (i % 5 == 0)
			regs.known = random_word(&state);
		uint64_t start = i % 3 ? sp : random_word(&state);
		const struct stack_copy stack = {.start = start, .bytes = words, .len = i % 11 ? count * 8 : 0,
						 .present = i % 4 ? 0 : random_word(&state)};
		int r = symbolizer_unwind(b->s, 7, &regs, &stack, cookie);
		if (r == 0)
			cookie++;
		else
			CHECK(r == -EAGAIN);
		symbolizer_dispatch(b->s);
	}
	symbolizer_flush(b->s, PATIENCE);
	CHECK(cookie > 1000 && b->seen.answers == cookie);
	CHECK(ask(b, &x, 7, cookie) == 0);
	symbolizer_flush(b->s, PATIENCE);
	CHECK(as_expected(b, &x));
	CHECK(symbolizer_stats(b->s)->unwind_restarts == 0);
	subject_end(&x);
}

/* What is too large for one packet takes more than one attempt. */
static int ask_patiently(struct bench *b, const struct subject *x, uint32_t space, uint64_t cookie)
{
	int r;

	for (int turn = 0; (r = ask(b, x, space, cookie)) == -EAGAIN && turn < 1000; turn++) {
		usleep(1000);
		symbolizer_dispatch(b->s);
	}
	return r;
}

/* Mappings of any number, order and kind. */
static void test_spaces(struct bench *b)
{
	enum { MANY = 65536 };
	static struct subject x;
	struct symbol_space_mapping *m = calloc(MANY + 1, sizeof(*m));
	uint64_t state = 3;

	CHECK(m && subject_start(&x, "nofp", "small", "10"));
	CHECK(symbolizer_space(b->s, 1, m, MANY + 1) == -E2BIG);
	for (unsigned i = 0; i < MANY; i++) {
		m[i].start = random_word(&state) << i % 20;
		m[i].end = i % 3 ? m[i].start + i : random_word(&state);
		m[i].offset = random_word(&state);
		m[i].module = (int)random_word(&state);
	}
	CHECK(symbolizer_space(b->s, 1, m, MANY) == 0 && ask_patiently(b, &x, 1, 0) == 0);
	CHECK(symbolizer_space(b->s, 2, NULL, 0) == 0 && ask(b, &x, 2, 1) == 0);
	/* One that does not fit into a packet: code at every other page, the right one in the
	 * middle. */
	uint64_t first = (x.expected.ip[0] & ~4095ull) - 4096ull * MANY;
	for (unsigned i = 0; i < MANY; i++)
		m[i] = (struct symbol_space_mapping){
			.start = first + 8192ull * i, .end = first + 8192ull * i + 4096, .module = -1};
	CHECK(symbolizer_space(b->s, 3, m, MANY) == 0);
	symbolizer_flush(b->s, PATIENCE);
	CHECK(ask_patiently(b, &x, 3, 2) == 0);
	symbolizer_flush(b->s, PATIENCE);
	CHECK(b->seen.answers == 3 && b->seen.status[UNWIND_TRUNCATED] == 3);
	CHECK(b->seen.reason[UNWIND_REASON_NO_MAPPING] == 2 &&
	      b->seen.reason[UNWIND_REASON_NO_FP] == 1);
	for (uint32_t i = 10; i < 2000; i++) { /* come and go */
		CHECK(symbolizer_space(b->s, i, m, i % 50) == 0);
		symbolizer_forget_space(b->s, i - 3);
	}
	CHECK(define_space(b, &x, 5000) == 0 && ask(b, &x, 5000, 3) == 0);
	symbolizer_flush(b->s, PATIENCE);
	CHECK(b->seen.answers == 4 && as_expected(b, &x));
	CHECK(symbolizer_stats(b->s)->unwind_restarts == 0);
	free(m);
	subject_end(&x);
}

/* Code that was generated, with frame pointers and without. */
static void test_generated(struct bench *b)
{
	uint64_t word[64] = {0};
	struct unwind_regs regs = {0};
	const struct stack_copy copy = {.start = 0x10000, .bytes = word, .len = sizeof(word)}, nothing = {0};
	struct symbol_space_mapping code = {.start = 0x400000, .end = 0x401000, .module = -1};

	CHECK(symbolizer_space(b->s, 1, &code, 1) == 0);
	unwind_regs_set(&regs, UNWIND_RIP, 0x400100);
	unwind_regs_set(&regs, UNWIND_RSP, 0x10000);
	unwind_regs_set(&regs, UNWIND_RBP, 0x10020);
	word[4] = 0x10080, word[5] = 0x400200;
	word[16] = 0x10100, word[17] = 0x400300;
	CHECK(symbolizer_unwind(b->s, 1, &regs, &copy, 0) == 0);
	symbolizer_flush(b->s, PATIENCE);
	CHECK(b->seen.depth == 3 && b->seen.address[1] == 0x400200 &&
	      b->seen.address[2] == 0x400300);
	CHECK(b->seen.status[UNWIND_TRUNCATED] == 1); /* never shown as complete */
	unwind_regs_set(&regs, UNWIND_RBP, 77);
	CHECK(symbolizer_unwind(b->s, 1, &regs, &copy, 1) == 0);
	CHECK(symbolizer_unwind(b->s, 1, &regs, &nothing, 2) == 0);
	symbolizer_flush(b->s, PATIENCE);
	CHECK(b->seen.answers == 3 && b->seen.reason[UNWIND_REASON_NO_FP] >= 1);
	CHECK(b->seen.status[UNWIND_UNREADABLE] == 1 && b->seen.depth == 0);
	/* A frame that the chain seems to skip; what is known to keep frame pointers has left
	 * remains. */
	unwind_regs_set(&regs, UNWIND_RBP, 0x10020);
	word[1] = 0x10020, word[2] = 0x400280;
	CHECK(symbolizer_unwind(b->s, 1, &regs, &copy, 3) == 0);
	symbolizer_flush(b->s, PATIENCE);
	CHECK(b->seen.depth == 1);
	code.module = SYMBOL_CODE_GENERATED_FP;
	CHECK(symbolizer_space(b->s, 1, &code, 1) == 0);
	CHECK(symbolizer_unwind(b->s, 1, &regs, &copy, 4) == 0);
	symbolizer_flush(b->s, PATIENCE);
	CHECK(b->seen.depth == 3 && b->seen.address[2] == 0x400300);
}

/* Pages that are missing between those that were copied. */
static void test_gaps(struct bench *b)
{
	static uint64_t word[2 * 512];
	struct stack_copy copy = {.start = 0x10000, .bytes = word, .len = sizeof(word), .present = 1 | 1 << 3};
	const struct symbol_space_mapping code = {.start = 0x400000, .end = 0x401000, .module = SYMBOL_CODE_GENERATED_FP};
	struct unwind_regs regs = {0};

	CHECK(symbolizer_space(b->s, 1, &code, 1) == 0);
	unwind_regs_set(&regs, UNWIND_RIP, 0x400100);
	unwind_regs_set(&regs, UNWIND_RSP, 0x10000);
	unwind_regs_set(&regs, UNWIND_RBP, 0x10020);
	word[4] = 0x13080, word[5] = 0x400200;
	word[512 + 16] = 0x13100, word[512 + 17] = 0x400300;
	CHECK(symbolizer_unwind(b->s, 1, &regs, &copy, 0) == 0);
	symbolizer_flush(b->s, PATIENCE);
	CHECK(b->seen.depth == 3 && b->seen.address[1] == 0x400200 && b->seen.address[2] == 0x400300);
	copy.present = 1 | 1 << 2; /* the bytes are another page's */
	CHECK(symbolizer_unwind(b->s, 1, &regs, &copy, 1) == 0);
	symbolizer_flush(b->s, PATIENCE);
	CHECK(b->seen.depth == 2);
	copy.present = UINT64_MAX; /* more than there are */
	CHECK(symbolizer_unwind(b->s, 1, &regs, &copy, 2) == 0);
	symbolizer_flush(b->s, PATIENCE);
	CHECK(b->seen.answers == 3 && symbolizer_stats(b->s)->unwind_restarts == 0);
}

/* Once all is answered nothing wakes the caller any more, but for one look a second later. */
static void test_quiet(struct bench *b)
{
	static struct subject x;
	struct pollfd wait = {.fd = symbolizer_fd(b->s), .events = POLLIN};
	unsigned turns = 0;

	CHECK(subject_start(&x, "nofp", "small", "10"));
	CHECK(define_space(b, &x, 1) == 0 && ask(b, &x, 1, 0) == 0);
	while (poll(&wait, 1, 1500) > 0 && turns++ < 100)
		CHECK(symbolizer_dispatch(b->s) == 0);
	CHECK(b->seen.answers == 1 && as_expected(b, &x));
	CHECK(turns < 30);
	subject_end(&x);
}

int main(void)
{
	static void (*const tests[])(struct bench *) = {
		test_same, test_remembered, test_debug_file, test_replaced, test_full, test_killed, test_poisoned, test_hostile,
		test_spaces, test_generated, test_gaps, test_quiet,
	};
	struct bench b;

	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
		b = (struct bench){0};
		bench_open(&b);
		tests[i](&b);
		CHECK(b.seen.wrong == 0);
		bench_close(&b);
	}
	return check_done("symbol_unwind");
}
