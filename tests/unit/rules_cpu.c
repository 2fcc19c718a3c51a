// SPDX-License-Identifier: BSD-2-Clause
/* Rules about CPUs that this machine cannot be brought to break: recordings made by hand. */
#include "check.h"

#include <string.h>

#include "clock.h"
#include "findings.h"
#include "mem.h"
#include "rule.h"
#include "store_write.h"

enum { RUNNING = 1, RUNNABLE, BOUND, IDLE, USER, STEAL, SOFTIRQ_TIME, SOFTIRQ_COUNT };
enum { SLICES = 4 };

static struct store *begin(void)
{
	static const char *const names[] = {
		[RUNNING] = "task.running", [RUNNABLE] = "task.runnable", [BOUND] = "affinity.wait", [IDLE] = "cpu.idle",
		[USER] = "cpu.user", [STEAL] = "cpu.steal", [SOFTIRQ_TIME] = "softirq.time", [SOFTIRQ_COUNT] = "softirq.count"};
	struct store *s;

	CHECK(store_create(":memory:", &s) == 0);
	CHECK(store_begin(s) == 0);
	for (uint32_t i = 1; i < ARRAY_SIZE(names); i++)
		store_add_metric(s, i, names[i], "", "");
	for (uint32_t i = 1; i <= SLICES; i++)
		store_add_slice(s, i, (i - 1) * NS_PER_S, i * NS_PER_S);
	store_set_int(s, "cpus", 4);
	return s;
}

/* A CPU's share in percent; the rest is idle. */
static void cpu(struct store *s, uint32_t resource, const char *name, double user, double steal)
{
	store_add_resource(s, resource, "cpu", name);
	for (uint32_t i = 1; i <= SLICES; i++) {
		store_add_gauge(s, i, USER, resource, user);
		store_add_gauge(s, i, STEAL, resource, steal);
		store_add_gauge(s, i, IDLE, resource, 100 - user - steal);
	}
}

static void thread(struct store *s, uint32_t id, const char *comm, uint64_t running, uint64_t runnable)
{
	store_put_process(s, &(struct process_row){.id = id, .pid = 100 * id, .comm = comm, .end_ns = UINT64_MAX, .exit_status = -1});
	store_put_task(s, &(struct task_row){.id = id, .process = id, .tid = 100 * id, .comm = comm, .end_ns = UINT64_MAX});
	for (uint32_t i = 1; i <= SLICES; i++) {
		store_add_sample(s, &(struct sample_row){.slice = i, .metric = RUNNING, .task = id, .count = 10,
			.value = running * NS_PER_S / 100});
		store_add_sample(s, &(struct sample_row){.slice = i, .metric = RUNNABLE, .task = id,
			.value = runnable * NS_PER_S / 100});
	}
}

static struct findings *ask(struct store *s, const struct rules *rules, const char *rule)
{
	struct findings *f = NULL;

	CHECK(store_commit(s) == 0);
	CHECK(findings_new(s, rules, &(struct findings_options){.only = (const char *const[]){rule, NULL}}, &f) == 0);
	CHECK(f->error_count == 0);
	return f;
}

static void test_steal(double user, double steal, bool found)
{
	_cleanup_(rules_freep) struct rules *rules = rules_new(NULL);
	struct store *s = begin();

	cpu(s, 1, "0", user, steal);
	cpu(s, 2, "1", user, 0);
	thread(s, 1, "web", 60, 0);
	_cleanup_(findings_freep) struct findings *f = ask(s, rules, "cpu.steal");
	CHECK(f->count == found);
	if (f->count) {
		CHECK(f->items[0].severity == SEVERITY_WARNING && f->items[0].impact > 0.42 && f->items[0].impact < 0.44);
		CHECK(strstr(f->items[0].title, "43 %") && strstr(f->items[0].title, "CPU 0 (60 %)"));
		CHECK_STR(f->items[0].affected[0].comm, "web");
		CHECK_STR(f->items[0].affected[0].role, "victim");
	}
	store_free(s);
}

/* The host stopped the machine for so long. */
static void test_standstill(double ms, int severity)
{
	_cleanup_(rules_freep) struct rules *rules = rules_new(NULL);
	struct store *s = begin();

	cpu(s, 1, "0", 50, 0);
	cpu(s, 2, "1", 50, 1);
	thread(s, 1, "web", 60, 0);
	store_add_event(s, NS_PER_S / 2, "pause.host", 0, 0, (int64_t)(ms * NS_PER_MS), NULL);
	_cleanup_(findings_freep) struct findings *f = ask(s, rules, "cpu.steal");
	CHECK(f->count == (severity >= 0));
	if (f->count) {
		CHECK((int)f->items[0].severity == severity);
		CHECK(strstr(f->items[0].title, "the whole machine stood still for"));
	}
	store_free(s);
}

/* Bound to those CPUs of four, of which the first two are busy. */
static void test_affinity(const char *mask, bool found)
{
	_cleanup_(rules_freep) struct rules *rules = rules_new(NULL);
	struct store *s = begin();

	for (uint32_t i = 0; i < 4; i++)
		cpu(s, i + 1, (const char *const[]){"0", "1", "2", "10"}[i], i < 2 ? 100 : 5, 0);
	store_add_resource(s, 9, "cpus", mask);
	for (uint32_t id = 1; id <= 4; id++) {
		thread(s, id, "encoder", 50, 50);
		for (uint32_t i = 1; i <= SLICES; i++)
			store_add_sample(s, &(struct sample_row){.slice = i, .metric = BOUND, .task = id, .resource = 9, .count = 1,
				.value = NS_PER_S / 2});
	}
	_cleanup_(findings_freep) struct findings *f = ask(s, rules, "cpu.affinity");
	CHECK(f->count == found);
	if (f->count) {
		CHECK(f->items[0].impact > 0.49 && f->items[0].impact < 0.51 && f->items[0].affected_count == 4);
		CHECK(strstr(f->items[0].resource_name, mask));
	}
	store_free(s);
}

static void test_irq(double ns, double count, bool found)
{
	_cleanup_(rules_freep) struct rules *rules = rules_new(NULL);
	struct store *s = begin();

	store_add_resource(s, 1, "softirq", "3:NET_RX");
	for (uint32_t i = 1; i <= SLICES; i++) {
		store_add_gauge(s, i, SOFTIRQ_TIME, 1, ns);
		store_add_gauge(s, i, SOFTIRQ_COUNT, 1, count);
	}
	_cleanup_(findings_freep) struct findings *f = ask(s, rules, "cpu.irq");
	CHECK(f->count == found);
	if (f->count) {
		CHECK_STR(f->items[0].resource_name, "NET_RX on CPU 3");
		CHECK(f->items[0].severity >= SEVERITY_WARNING && f->items[0].affected_count == 0);
	}
	store_free(s);
}

int main(void)
{
	test_steal(40, 60, true);
	test_steal(95, 3, false); /* a little now and then */
	test_steal(1, 2, false);  /* a large share of nearly nothing */
	test_standstill(60, -1);
	test_standstill(200, SEVERITY_INFO);
	test_standstill(900, SEVERITY_WARNING);
	test_affinity("0-1", true);
	test_affinity("0,1", true);
	test_affinity("1", true);
	test_affinity("0-1,10", false); /* room within */
	test_affinity("10", false);
	test_irq(0.7e9, 20000, true);   /* batches of packets, nothing else */
	test_irq(0.3e9, 300000, true);  /* a flood of small ones */
	test_irq(0.3e9, 30000, false);  /* a busy service's */
	test_irq(0.02e9, 300000, false);
	return check_done("rules_cpu");
}
