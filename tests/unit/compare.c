// SPDX-License-Identifier: BSD-2-Clause
#include "compare.h"

#include <errno.h>
#include <stdint.h>

#include "check.h"
#include "clock.h"
#include "fail.h"
#include "hash.h"
#include "store_write.h"

enum { RUNNING = 1, CPU_TIME, LATENCY };

/* Two processes over `slices` seconds: "steady" runs 40 % give or take 2, "work\n" the share given. */
static struct store *fill(uint32_t slices, double share, uint64_t seed)
{
	struct store *s;

	CHECK(store_create(":memory:", &s) == 0);
	CHECK(store_begin(s) == 0);
	store_add_metric(s, RUNNING, "task.running", "ns", "");
	store_add_metric(s, CPU_TIME, "cpu.time", "ns", "");
	store_add_metric(s, LATENCY, "runqueue.latency", "ns", "");
	store_add_cgroup(s, 1, "/");
	store_put_module(s, 1, "elf", "/bin/x", NULL, 0);
	store_add_symbol(s, 1, 1, "hot", NULL, 0, 16);
	store_add_frame(s, 1, 1, 4);
	store_name_frame(s, 1, 1, 0);
	store_add_stack(s, 1, 0, 1);
	for (uint32_t i = 1; i <= 2; i++) {
		store_put_process(s, &(struct process_row){.id = i, .pid = i * 10, .cgroup = 1, .exit_status = -1,
			.comm = i == 1 ? "steady" : "work\n", .end_ns = UINT64_MAX});
		store_put_task(s, &(struct task_row){.id = i, .process = i, .tid = i * 10, .comm = "x",
						     .end_ns = UINT64_MAX});
	}
	for (uint32_t slice = 1; slice <= slices; slice++) {
		double noise = (double)(hash_u64(seed + slice) % 1000) / 1000 * 0.02;

		store_add_slice(s, slice, (slice - 1) * NS_PER_S, slice * NS_PER_S);
		store_add_sample(s, &(struct sample_row){.slice = slice, .metric = RUNNING, .task = 1,
			.value = (uint64_t)((0.40 + noise) * 1e9)});
		store_add_sample(s, &(struct sample_row){.slice = slice, .metric = RUNNING, .task = 2,
			.value = (uint64_t)((share + noise) * 1e9)});
		store_add_sample(s, &(struct sample_row){.slice = slice, .metric = CPU_TIME, .task = 2, .stack = 1,
			.count = 10, .value = (uint64_t)((share + noise) * 1e9)});
		store_add_histogram(s, slice, LATENCY, 0, 40 + slice % 2, 1000);
	}
	CHECK(store_commit(s) == 0);
	return s;
}

static struct compare *compare(double before, double after)
{
	_cleanup_(store_freep) struct store *a = fill(8, before, 1), *b = fill(8, after, 100);
	struct compare *c = NULL;

	CHECK(compare_new(a, b, &c) == 0);
	return c;
}

static void test_same(void)
{
	_cleanup_(compare_freep) struct compare *c = compare(0.30, 0.30);

	CHECK(c->count == 0 && c->regressions == 0 && c->worst == SEVERITY_INFO);
	CHECK(c->compared == 4);
	CHECK(c->slices_before == 8 && c->slices_after == 8);
}

static void test_small(void)
{
	/* Six standard errors, but less than a tenth: real, and not worth a word. */
	_cleanup_(compare_freep) struct compare *c = compare(0.30, 0.32);

	CHECK(c->count == 0);
}

static void test_regression(void)
{
	_cleanup_(compare_freep) struct compare *c = compare(0.30, 0.36), *much = compare(0.30, 0.60);

	CHECK(c->regressions == 2 && c->worst == SEVERITY_WARNING);
	CHECK_STR(c->changes[0].name, "work\n");
	CHECK(c->changes[0].kind == COMPARE_PROCESS && c->changes[0].sigma > 4);
	CHECK(c->changes[0].before > 30 && c->changes[0].before < 32 && c->changes[0].after > 36);
	CHECK_STR(c->changes[1].name, "hot");
	CHECK(much->worst == SEVERITY_CRITICAL);
}

static void test_improvement(void)
{
	_cleanup_(compare_freep) struct compare *c = compare(0.60, 0.30);

	CHECK(c->count == 2 && c->regressions == 0 && c->worst == SEVERITY_INFO);
}

static void test_json(void)
{
	_cleanup_(compare_freep) struct compare *c = compare(0.30, 0.60);
	json_t *document = compare_json(c), *first = json_array_get(json_object_get(document, "changes"), 0);

	CHECK_STR(json_string_value(json_object_get(document, "schema")), "perfscope.compare/1");
	CHECK_STR(json_string_value(json_object_get(first, "verdict")), "regression");
	CHECK_STR(json_string_value(json_object_get(first, "severity")), "critical");
	CHECK_STR(json_string_value(json_object_get(first, "name")), "work\n");
	json_decref(document);
}

static void test_short(void)
{
	_cleanup_(store_freep) struct store *a = fill(8, 0.3, 1), *b = fill(2, 0.3, 1);
	struct compare *c = NULL;

	CHECK(compare_new(a, b, &c) == -EINVAL);
	CHECK(strstr(fail_message(), "too few"));
}

int main(void)
{
	test_same();
	test_small();
	test_regression();
	test_improvement();
	test_json();
	test_short();
	return check_done("compare");
}
