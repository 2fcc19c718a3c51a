// SPDX-License-Identifier: BSD-2-Clause
#include "check.h"

#include <errno.h>
#include <stdlib.h>

#include "clock.h"
#include "fail.h"
#include "stack_view.h"
#include "stack_weight.h"
#include "store_query.h"
#include "store_write.h"

/* main -> work (with twice and once inlined) -> [libx.so+0x30] -> read (kernel); and one JIT frame. */
static void fill(struct store *s)
{
	store_add_metric(s, 1, "cpu.time", "ns", "");
	store_add_metric(s, 2, "offcpu.disk", "ns", "");
	store_add_metric(s, 3, "offcpu.lock", "ns", "");
	for (uint32_t i = 1; i <= 3; i++)
		store_add_slice(s, i, (i - 1) * NS_PER_S, i * NS_PER_S);
	for (uint32_t i = 1; i <= 2; i++)
		store_put_process(s, &(struct process_row){.id = i, .pid = 100 * i, .comm = i == 1 ? "one" : "two"});
	for (uint32_t i = 1; i <= 3; i++)
		store_put_task(s, &(struct task_row){.id = i, .process = i < 3 ? 1 : 2, .tid = 100 + i, .comm = "t"});
	store_put_module(s, 1, "kernel", "[kernel]", NULL, 0);
	store_put_module(s, 4, "elf", "/usr/lib/libx.so", NULL, 0);
	store_put_module(s, 5, "jit", "[jit]", NULL, 0);
	store_add_symbol(s, 1, 4, "main", "main.c", 0x10, 16);
	store_add_symbol(s, 2, 4, "work", "work.c", 0x20, 16);
	store_add_symbol(s, 3, 4, "once", NULL, 0x20, 8);
	store_add_symbol(s, 4, 4, "twice", "twice.h", 0x20, 8);
	store_add_symbol(s, 5, 1, "read", NULL, 0, 0);
	store_add_frame(s, 1, 4, 0x11);
	store_name_frame(s, 1, 1, 7);
	store_add_frame(s, 2, 4, 0x22);
	store_name_frame(s, 2, 2, 8);
	store_add_inlined(s, 2, 0, 3, 9);
	store_add_inlined(s, 2, 1, 4, 10);
	store_add_frame(s, 3, 4, 0x30);
	store_add_frame(s, 4, 1, 0xffffffff81000000);
	store_name_frame(s, 4, 5, 0);
	store_add_frame(s, 5, 5, 0x7f00);
	store_add_frame(s, 6, 4, 0x24); /* work, elsewhere */
	store_name_frame(s, 6, 2, 0);
	store_add_stack(s, 1, 0, 1);
	store_add_stack(s, 2, 1, 2);
	store_add_stack(s, 3, 2, 3);
	store_add_stack(s, 4, 3, 4);
	store_add_stack(s, 5, 0, 5);
	store_add_stack(s, 6, 1, 6);
}

static struct store *filled(void)
{
	struct store *s = NULL;

	CHECK(store_create(":memory:", &s) == 0);
	CHECK(store_begin(s) == 0);
	fill(s);
	return s;
}

static void test_walk(void)
{
	_cleanup_(store_freep) struct store *s = filled();
	_cleanup_(stack_view_freep) struct stack_view *v = NULL;
	static const char *const names[] = {"main", "work", "twice", "once", "[libx.so+0x30]", "read"};
	const struct stack_frame *const *f;
	size_t depth;

	CHECK(stack_view_new(s, &v) == 0);
	f = stack_view_walk(v, 4, &depth);
	CHECK(depth == 6);
	for (size_t i = 0; i < depth && i < 6; i++)
		CHECK_STR(f[i]->name, names[i]);
	CHECK(f[0]->line == 7 && !f[0]->inlined && f[0]->symbol == 1);
	CHECK_STR(f[0]->file, "main.c");
	CHECK_STR(f[0]->module, "/usr/lib/libx.so");
	CHECK(f[2]->inlined && f[2]->line == 10 && f[3]->inlined && f[3]->line == 9 && !f[3]->file);
	CHECK(f[4]->kind == CODE_ELF && !f[4]->symbol && !f[4]->inlined);
	CHECK(f[5]->kind == CODE_KERNEL);
	uint32_t work = f[1]->function;
	f = stack_view_walk(v, 6, &depth);
	CHECK(depth == 2 && f[1]->function == work && f[0]->function != work);
	CHECK(work < stack_view_functions(v));
	f = stack_view_walk(v, 5, &depth);
	CHECK(depth == 1 && f[0]->kind == CODE_JIT);
	CHECK_STR(f[0]->name, "[jit+0x7f00]");
	stack_view_walk(v, 0, &depth);
	CHECK(depth == 0);
	stack_view_walk(v, 7, &depth);
	CHECK(depth == 0);
	stack_view_walk(v, UINT32_MAX, &depth);
	CHECK(depth == 0);
}

static void test_empty(void)
{
	_cleanup_(store_freep) struct store *s = NULL;
	_cleanup_(stack_view_freep) struct stack_view *v = NULL;
	size_t depth;

	CHECK(store_create(":memory:", &s) == 0);
	CHECK(stack_view_new(s, &v) == 0);
	stack_view_walk(v, 1, &depth);
	CHECK(depth == 0);
}

/* Each breaks the tables in one way. */
static void parent_is_itself(struct store *s) { store_add_stack(s, 7, 7, 1); }
static void parent_is_later(struct store *s) { store_add_stack(s, 7, 8, 1); store_add_stack(s, 8, 7, 1); }
static void parent_is_missing(struct store *s) { store_add_stack(s, 9, 7, 1); }
static void frame_is_missing(struct store *s) { store_add_stack(s, 7, 1, 99); }
static void module_is_missing(struct store *s) { store_add_frame(s, 7, 2, 1); }
static void module_is_far(struct store *s) { store_add_frame(s, 7, UINT32_MAX, 1); }
static void symbol_is_missing(struct store *s) { store_name_frame(s, 3, 77, 1); }
static void symbol_without_module(struct store *s) { store_add_symbol(s, 6, 3, "x", NULL, 0, 0); }
static void inlined_nowhere(struct store *s) { store_add_inlined(s, 77, 0, 1, 1); }
static void inlined_before(struct store *s) { store_add_inlined(s, 0, 0, 1, 1); }
static void inlined_nothing(struct store *s) { store_add_inlined(s, 3, 0, 78, 1); }
static void stack_is_far(struct store *s) { store_add_stack(s, 4000000000u, 0, 1); }
static void frame_is_far(struct store *s) { store_add_frame(s, 1u << 30, 1, 1); }

static void stack_is_negative(struct store *s)
{
	_cleanup_(query_freep) struct query *q = NULL;

	CHECK(query_new(s, "INSERT INTO stack VALUES(-1, NULL, 1)", &q) == 0 && query_next(q) == 0);
	store_add_stack(s, 1000000, 0, 1);
}

static void too_deep(struct store *s)
{
	for (uint32_t i = 7; i < 6000; i++)
		store_add_stack(s, i, i == 7 ? 0 : i - 1, 1);
}

static void too_deep_inlined(struct store *s)
{
	for (uint32_t i = 0; i < 5000; i++)
		store_add_inlined(s, 3, i, 1, 1);
}

static void test_hostile(void)
{
	static const struct {
		void (*spoil)(struct store *s);
		const char *message;
	} cases[] = {
		{parent_is_itself, "stack 7 has a parent that is not before it"},
		{parent_is_later, "stack 7 has a parent that is not before it"},
		{parent_is_missing, "stack 9 has a parent that is not before it"},
		{frame_is_missing, "stack 7 has a frame that is not there"},
		{module_is_missing, "frame 7 belongs to no module"},
		{module_is_far, "frame 7 belongs to no module"},
		{symbol_is_missing, "frame 3 has a symbol that is not there"},
		{symbol_without_module, "symbol 6 belongs to no module"},
		{inlined_nowhere, "inlined frame 77 is no frame"},
		{inlined_before, "inlined frame 0 is no frame"},
		{inlined_nothing, "inlined frame 3 has a symbol that is not there"},
		{stack_is_negative, "stack -1 is no valid id"},
		{stack_is_far, "stack 4000000000 is too large"},
		{frame_is_far, "frame 1073741824 is far above the number of rows"},
		{too_deep, "is too deep"},
		{too_deep_inlined, "is too deep"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_(store_freep) struct store *s = filled();
		struct stack_view *v = NULL;

		cases[i].spoil(s);
		CHECK(store_commit(s) == 0);
		int r = stack_view_new(s, &v);
		CHECK(r == -EBADMSG && !v);
		CHECK(strstr(fail_message(), ":memory:") && strstr(fail_message(), cases[i].message));
		if (!strstr(fail_message(), cases[i].message))
			fprintf(stderr, "  %s, not %s\n", fail_message(), cases[i].message);
	}
}

static void add(struct store *s, uint32_t slice, uint32_t metric, uint32_t task, uint32_t stack, uint32_t resource,
		uint64_t value)
{
	store_add_sample(s, &(struct sample_row){.slice = slice, .metric = metric, .task = task, .stack = stack,
						 .resource = resource, .count = 1, .value = value});
}

static void test_weights(void)
{
	_cleanup_(store_freep) struct store *s = filled();
	struct stack_weight *w = NULL;
	size_t n;

	store_add_resource(s, 1, "disk", "vda");
	add(s, 1, 1, 1, 4, 0, 10);
	add(s, 2, 1, 2, 4, 0, 5);
	add(s, 2, 1, 3, 4, 0, 2);
	add(s, 3, 1, 3, 5, 0, 100);
	add(s, 1, 2, 1, 6, 1, 1000);
	add(s, 1, 3, 1, 6, 0, 7);
	store_add_span(s, 1, 2, 0, 3, 3, 5, 0); /* locked out in slices 2 and 3 */
	CHECK(store_commit(s) == 0);

	CHECK(stack_weights(s, &(struct stack_filter){.metric = "cpu.time"}, &w, &n) == 0);
	CHECK(n == 2 && w[0].stack == 5 && w[0].value == 100 && w[1].stack == 4 && w[1].value == 17 && w[1].count == 3);
	free(w);
	CHECK(stack_weights(s, &(struct stack_filter){.metric = "cpu.time", .by_process = true}, &w, &n) == 0);
	CHECK(n == 3 && w[0].process == 2 && w[1].process == 1 && w[1].value == 15 && w[2].process == 2);
	free(w);
	CHECK(stack_weights(s, &(struct stack_filter){.metric = "cpu.time", .process = 1}, &w, &n) == 0);
	CHECK(n == 1 && w[0].value == 15 && !w[0].process);
	free(w);
	CHECK(stack_weights(s, &(struct stack_filter){.metric = "cpu.time", .task = 3}, &w, &n) == 0);
	CHECK(n == 2 && w[0].value == 100 && w[1].value == 2);
	free(w);
	CHECK(stack_weights(s, &(struct stack_filter){.metric = "cpu.time", .tasks = (const uint32_t[]){1, 2},
						      .task_count = 2}, &w, &n) == 0);
	CHECK(n == 1 && w[0].value == 15);
	free(w);
	CHECK(stack_weights(s, &(struct stack_filter){.metric = "offcpu.*"}, &w, &n) == 0);
	CHECK(n == 2 && w[0].stack == 5 && w[0].value == (int64_t)(2 * NS_PER_S) && w[1].value == 1007);
	free(w);
	CHECK(stack_weights(s, &(struct stack_filter){.metric = "offcpu.*", .resource = 1}, &w, &n) == 0);
	CHECK(n == 1 && w[0].value == 1000);
	free(w);
	CHECK(stack_weights(s, &(struct stack_filter){.metric = "none"}, &w, &n) == 0 && n == 0);
	free(w);

	CHECK(store_select(s, &(struct selection){.from_ns = NS_PER_S, .to_ns = 2 * NS_PER_S}) == 0);
	CHECK(stack_weights(s, &(struct stack_filter){.metric = "*"}, &w, &n) == 0);
	CHECK(n == 2 && w[0].value == (int64_t)NS_PER_S && w[1].stack == 4 && w[1].value == 7);
	free(w);
}

/* A store that keeps the last minutes, after years: ids are large, stacks are few, and one wait has lasted since the beginning. */
static void test_long_run(void)
{
	enum { STACKS = 1000, KEPT = 3, RUNS = 30, FIRST = 5000000 };
	_cleanup_(store_freep) struct store *s = filled();
	_cleanup_(stack_view_freep) struct stack_view *v = NULL, *fresh = NULL;
	uint32_t id = FIRST, before = 0;
	size_t depth;

	store_add_span(s, 1, 1, 0, 3, 3, 4, 0);
	CHECK(stack_view_new(s, &v) == 0);
	for (uint32_t slice = 4; slice < 4 + RUNS; slice++) {
		store_add_slice(s, slice, (slice - 1) * NS_PER_S, slice * NS_PER_S);
		store_add_stack(s, ++id, 0, 1);
		for (uint32_t i = 1; i < STACKS; i++, id++)
			store_add_stack(s, id + 1, id, i % 2 ? 2 : 6);
		add(s, slice, 1, 1, id, 0, 1);
		store_end_stacks(s, id);
		CHECK(stack_view_follow(v) == 0);
		stack_view_walk(v, id, &depth);
		CHECK(depth == STACKS + STACKS / 2 * 2 && stack_view_at(v, stack_view_place(v, id)) == id);
		if (slice > KEPT)
			store_prune(s, slice - KEPT);
	}
	CHECK(store_commit(s) == 0 && stack_view_follow(v) == 0 && stack_view_new(s, &fresh) == 0);
	CHECK(stack_view_places(v) < 10 * STACKS && stack_view_places(fresh) < 10 * STACKS);
	for (uint32_t stack = 1; stack <= id; stack += stack == 6 ? FIRST - 6 : 1) {
		const struct stack_frame *const *a = stack_view_walk(v, stack, &depth);
		const char *leaf = depth ? a[depth - 1]->name : "";
		size_t deep = depth;
		const struct stack_frame *const *b = stack_view_walk(fresh, stack, &depth);

		CHECK(deep == depth && !strcmp(leaf, depth ? b[depth - 1]->name : ""));
		CHECK(stack_view_parent(v, stack) == stack_view_parent(fresh, stack));
		if (depth)
			CHECK(stack_view_at(v, stack_view_place(v, stack)) == stack && stack_view_place(v, stack) < stack_view_places(v));
		before += depth > 0;
	}
	CHECK(before >= 4 + KEPT * STACKS && before <= 4 + (KEPT + 2) * STACKS);
	stack_view_walk(v, 4, &depth);
	CHECK(depth == 6);
}

/* A hundred thousand stacks, thirty frames deep, each walked once. */
static void test_speed(void)
{
	enum { LEAVES = 100000, DEPTH = 30 };
	_cleanup_(store_freep) struct store *s = filled();
	_cleanup_(stack_view_freep) struct stack_view *v = NULL;
	uint32_t trunk = 0, id = 6;
	uint64_t start, took, sum = 0;
	size_t depth;

	for (int i = 1; i < DEPTH; i++, trunk = id)
		store_add_stack(s, ++id, trunk, 1);
	for (int i = 0; i < LEAVES; i++)
		store_add_stack(s, ++id, trunk, 3);
	start = clock_cpu_ns();
	CHECK(stack_view_new(s, &v) == 0);
	for (uint32_t i = id - LEAVES + 1; i <= id; i++) {
		const struct stack_frame *const *f = stack_view_walk(v, i, &depth);

		for (size_t k = 0; k < depth; k++)
			sum += f[k]->function;
	}
	took = clock_cpu_ns() - start;
	CHECK(depth == DEPTH && sum > 0);
	printf("stack_view: %d stacks of depth %d read and walked in %.0f ms of CPU\n", LEAVES, DEPTH,
	       (double)took / 1e6);
	CHECK(took < 2 * NS_PER_S); /* far more than it takes: with a sanitizer, on a busy machine */
}

int main(void)
{
	test_walk();
	test_empty();
	test_hostile();
	test_weights();
	test_long_run();
	test_speed();
	return check_done("stack_view");
}
