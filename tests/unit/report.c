// SPDX-License-Identifier: BSD-2-Clause
/* The report's numbers against a recording that was made by hand. */
#include "report.h"

#include "check.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "clock.h"
#include "fail.h"
#include "histogram.h"
#include "store_query.h"
#include "store_write.h"

enum { RUNNING = 1, RUNNABLE, SLEEPING, CPU_TIME, LATENCY, USER, IDLE, LOAD, OWN_CPU, OWN_BPF, OWN_MEMORY, LOST };

static const char *const metrics[] = {
	[RUNNING] = "task.running", [RUNNABLE] = "task.runnable", [SLEEPING] = "task.sleeping", [CPU_TIME] = "cpu.time",
	[LATENCY] = "runqueue.latency", [USER] = "cpu.user", [IDLE] = "cpu.idle", [LOAD] = "load",
	[OWN_CPU] = "self.cpu", [OWN_BPF] = "self.bpf", [OWN_MEMORY] = "self.memory", [LOST] = "lost.records",
};

static void add(struct store *s, uint32_t slice, uint32_t metric, uint32_t task, uint32_t stack, uint64_t count,
		uint64_t ms)
{
	store_add_sample(s, &(struct sample_row){.slice = slice, .metric = metric, .task = task, .stack = stack,
						 .count = count, .value = ms * NS_PER_MS});
}

/* a() calls itself and b(); two slices of a second on two CPUs, of which one is away in the second slice. */
static void add_code(struct store *s)
{
	store_put_module(s, 1, "elf", "/bin/x", NULL, 0);
	store_put_module(s, 2, "kernel", "[kernel]", NULL, 0);
	store_add_symbol(s, 1, 1, "a", NULL, 0, 0);
	store_add_symbol(s, 2, 1, "b", NULL, 0, 0);
	store_add_frame(s, 1, 1, 1);
	store_add_frame(s, 2, 1, 2);
	store_add_frame(s, 3, 2, 0xabc);
	store_name_frame(s, 1, 1, 0);
	store_name_frame(s, 2, 2, 0);
	store_add_stack(s, 1, 0, 1);
	store_add_stack(s, 2, 1, 1);
	store_add_stack(s, 3, 2, 2);
	store_add_stack(s, 4, 0, 3);
}

static void add_numbers(struct store *s)
{
	add(s, 1, CPU_TIME, 1, 2, 3, 30);
	add(s, 1, CPU_TIME, 2, 3, 5, 50);
	add(s, 2, CPU_TIME, 3, 4, 1, 10);
	add(s, 2, CPU_TIME, 3, 0, 1, 10);
	add(s, 1, RUNNING, 1, 0, 7, 100);
	add(s, 2, RUNNING, 1, 0, 1, 50);
	add(s, 1, RUNNABLE, 1, 0, 2, 200);
	add(s, 1, RUNNING, 2, 0, 1, 800);
	add(s, 1, RUNNING, 3, 0, 1, 20);
	add(s, 1, RUNNING, 4, 0, 1, 5);
	store_add_span(s, 1, 1, 0, SLEEPING, 2, 0, 0);
	for (uint32_t slice = 1; slice <= 2; slice++) {
		store_add_gauge(s, slice, USER, 1, 75);
		store_add_gauge(s, slice, IDLE, 1, 25);
		store_add_gauge(s, slice, LOAD, 0, slice);
		store_add_gauge(s, slice, OWN_CPU, 0, 10e6);
		store_add_gauge(s, slice, OWN_BPF, 0, 2e6);
		store_add_gauge(s, slice, OWN_MEMORY, 0, slice * 1e6);
	}
	store_add_gauge(s, 1, USER, 2, 100);
	store_add_gauge(s, 2, LOST, 0, 17);
	store_add_histogram(s, 1, LATENCY, 1, histogram_bucket(1000), 98);
	store_add_histogram(s, 2, LATENCY, 1, histogram_bucket(1000000), 2);
	store_add_histogram(s, 2, LATENCY, 2, histogram_bucket(5000), 1);
	store_add_histogram(s, 2, LATENCY, 2, 100000, 1); /* no such bucket */
	store_add_unavailable(s, "offcpu", "no ring");
}

static struct store *filled(void)
{
	struct store *s = NULL;

	CHECK(store_create(":memory:", &s) == 0);
	CHECK(store_begin(s) == 0);
	store_set_text(s, "host", "h\xff");
	store_set_int(s, "cpus", 2);
	store_set_int(s, "start_wall_ns", 1000 * (int64_t)NS_PER_S);
	for (uint32_t i = 1; i < sizeof(metrics) / sizeof(metrics[0]); i++)
		store_add_metric(s, i, metrics[i], "ns", "");
	for (uint32_t i = 1; i <= 2; i++) {
		store_add_slice(s, i, (i - 1) * NS_PER_S, i * NS_PER_S);
		store_add_resource(s, i, "cpu", i == 1 ? "0" : "1");
	}
	store_put_process(s, &(struct process_row){.id = 1, .pid = 10, .comm = "one", .end_ns = UINT64_MAX, .exit_status = -1});
	for (uint32_t i = 2; i <= 3; i++)
		store_put_process(s, &(struct process_row){.id = i, .pid = 10 * i, .ppid = 10, .comm = i == 2 ? "brief" : "own",
			.start_ns = NS_PER_S / 4, .end_ns = NS_PER_S / 2, .exit_status = 256, .flags = i == 3 ? PROCESS_OWN : 0});
	for (uint32_t i = 1; i <= 4; i++)
		store_put_task(s, &(struct task_row){.id = i, .process = i < 3 ? 1 : i - 1, .tid = 100 + i, .comm = "t"});
	add_code(s);
	add_numbers(s);
	CHECK(store_commit(s) == 0);
	return s;
}

static bool is(double value, double wanted)
{
	return fabs(value - wanted) < 1e-6;
}

static void test_machine(const struct report *r)
{
	CHECK_STR(r->host, "h\xef\xbf\xbd");
	CHECK(r->ns == 2 * NS_PER_S && r->start_wall_ns == 1000 * NS_PER_S && !r->complete);
	CHECK(r->cpu_count == 2);
	CHECK_STR(r->cpu[0].name, "0");
	CHECK(is(r->cpu[0].busy, 75) && is(r->cpu[0].user, 75));
	CHECK(is(r->cpu[1].busy, 100)); /* of the time that it was there */
	CHECK(is(r->load, 1.5) && is(r->load_max, 2));
	CHECK(r->cpu[0].latency.count == 100 && r->cpu[1].latency.count == 1 && r->latency.count == 101);
	CHECK(r->cpu[0].latency.p50 >= 896 && r->cpu[0].latency.p50 <= 1152);
	CHECK(r->cpu[0].latency.p99 >= 900000 && r->cpu[0].latency.p99 <= 1200000);
	CHECK(r->cpu[0].latency.max >= 1000000 && r->cpu[0].latency.max <= 1130000);
	CHECK(is(r->cost.cpu_percent, 1) && is(r->cost.bpf_percent, 0.2) && is(r->cost.memory, 2e6));
	CHECK(r->cost.lost[LOSS_RECORDS] == 17 && r->cost.lost[LOSS_STACKS] == 0);
	CHECK(r->gap_count == 1);
	CHECK_STR(r->gaps[0].reason, "no ring");
}

static void test_tasks(const struct report *r)
{
	CHECK(r->process_count == 3 && r->thread_count == 4);
	CHECK(r->processes[0].pid == 10 && r->processes[0].threads == 2 && r->processes[0].end_ns == -1);
	CHECK(r->processes[0].times.running == 950 * NS_PER_MS && r->processes[0].times.runnable == 200 * NS_PER_MS);
	CHECK(r->processes[0].times.sleeping == 2 * NS_PER_S);
	CHECK(r->processes[0].times.switches == 9 && r->processes[0].times.preempted == 2);
	CHECK(r->processes[1].pid == 20 && r->processes[1].exit_status == 256 && r->processes[1].ppid == 10);
	CHECK(r->processes[2].own);
	CHECK(r->threads[0].tid == 102 && r->threads[1].tid == 101 && r->threads[2].tid == 103);
	CHECK(r->threads[2].process == 1 && r->threads[3].process == 2);
	CHECK(r->ended_count == 1 && r->ended[0].count == 1 && r->ended[0].lifetime == NS_PER_S / 4);
}

static const struct report_function *find(const struct report *r, const char *name)
{
	for (size_t i = 0; i < r->function_count; i++)
		if (!strcmp(r->functions[i].name, name))
			return &r->functions[i];
	return NULL;
}

static void test_functions(const struct report *r)
{
	const struct report_function *a = find(r, "a"), *b = find(r, "b"), *k = find(r, "[kernel+0xabc]");
	struct report_function *by_total;
	size_t count;

	CHECK(r->samples == 10 && r->sampled_ns == 100 * NS_PER_MS && r->function_count == 3);
	CHECK(a && a->self == 30 * NS_PER_MS && a->total == 80 * NS_PER_MS && a->samples == 3);
	CHECK(b && b->self == 50 * NS_PER_MS && b->total == 50 * NS_PER_MS);
	CHECK(k && k->kind == CODE_KERNEL && k->self == 10 * NS_PER_MS);
	CHECK(b == &r->functions[0]);
	by_total = report_by_total(r, 1, &count);
	CHECK(count == 1);
	CHECK_STR(by_total[0].name, "a");
	free(by_total);
}

/* The same store, a part of it. */
static void test_parts(struct store *s)
{
	struct report *r = NULL;

	CHECK(store_select(s, &(struct selection){.from_ns = NS_PER_S}) == 0);
	CHECK(report_new(s, &r) == 0 && r->ns == NS_PER_S && r->from_ns == NS_PER_S && r->samples == 2);
	CHECK(r->start_wall_ns == 1001 * NS_PER_S && r->recording_ns == 2 * NS_PER_S);
	CHECK(r->processes[0].times.running == 50 * NS_PER_MS && r->processes[0].times.sleeping == NS_PER_S);
	report_free(r);
	r = NULL;
	CHECK(store_select(s, &(struct selection){.pid = 20}) == 0);
	CHECK(report_new(s, &r) == 0 && r->process_count == 1 && r->samples == 2 && r->cpu_count == 2);
	report_free(r);
}

static void test_empty(void)
{
	_cleanup_(store_freep) struct store *s = NULL;
	struct report *r = NULL;

	CHECK(store_create(":memory:", &s) == 0);
	CHECK(report_new(s, &r) == -EBADMSG && !r);
	CHECK(strstr(fail_message(), "slices"));
	CHECK(store_begin(s) == 0);
	store_add_slice(s, 1, 0, NS_PER_S);
	CHECK(store_commit(s) == 0);
	CHECK(report_new(s, &r) == 0 && r->process_count == 0 && r->cpu_count == 0 && r->function_count == 0);
	report_free(r);
}

int main(void)
{
	_cleanup_(store_freep) struct store *s = filled();
	_cleanup_(report_freep) struct report *r = NULL;

	CHECK(report_new(s, &r) == 0);
	if (r) {
		test_machine(r);
		test_tasks(r);
		test_functions(r);
	}
	test_parts(s);
	test_empty();
	return check_done("report");
}
