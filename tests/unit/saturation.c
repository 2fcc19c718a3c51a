// SPDX-License-Identifier: BSD-2-Clause
/* The saturation table of a recording that was made by hand. */
#include "saturation.h"

#include "check.h"

#include <math.h>

#include "clock.h"
#include "histogram.h"
#include "store_query.h"
#include "store_write.h"

enum {
	RUNNING = 1, RUNNABLE, LATENCY, USER, IDLE, DISK_SIZE, DISK_BUSY, DISK_QUEUE, DISK_READ, DISK_WRITE, DISK_ERRORS, IO_TIME,
	RESIDENT, SENT, AGAIN, MEMORY_TOTAL, MEMORY_FREE, PRESSURE, SWAP_TOTAL, SPACE, SPACE_USED, SPEED, QUOTA, PERIODS, STOPPED, TASKS, TASKS_LIMIT, REFUSED, CONNECTIONS, METRICS,
};

static const char *const metrics[METRICS] = {
	[RUNNING] = "task.running", [RUNNABLE] = "task.runnable", [LATENCY] = "runqueue.latency", [USER] = "cpu.user",
	[IDLE] = "cpu.idle", [DISK_SIZE] = "disk.size", [DISK_BUSY] = "disk.busy", [DISK_QUEUE] = "disk.queue",
	[DISK_READ] = "disk.device_time.read", [DISK_WRITE] = "disk.device_time.write", [DISK_ERRORS] = "disk.errors",
	[IO_TIME] = "io.time", [RESIDENT] = "memory.resident", [SENT] = "connection.sent", [AGAIN] = "connection.retransmits", [MEMORY_TOTAL] = "memory.total", [MEMORY_FREE] = "memory.available",
	[PRESSURE] = "pressure.memory.some", [SWAP_TOTAL] = "swap.total", [SPACE] = "filesystem.size",
	[SPACE_USED] = "filesystem.used", [SPEED] = "interface.speed", [QUOTA] = "cgroup.quota", [PERIODS] = "cgroup.periods",
	[STOPPED] = "cgroup.periods_throttled", [TASKS] = "cgroup.tasks", [TASKS_LIMIT] = "cgroup.tasks_limit",
	[REFUSED] = "cgroup.tasks_refused", [CONNECTIONS] = "tcp.established",
};

enum { CPU = 1, DISK, ROOT, ETHERNET, GROUP, CHILD };

static void add(struct store *s, uint32_t metric, uint32_t task, uint32_t resource, uint64_t ms)
{
	store_add_sample(s, &(struct sample_row){.slice = 1, .metric = metric, .task = task, .resource = resource, .count = 1,
						 .value = ms * NS_PER_MS});
}

static void add_gauges(struct store *s)
{
	store_add_gauge(s, 1, USER, CPU, 85);
	store_add_gauge(s, 1, IDLE, CPU, 15);
	store_add_gauge(s, 2, IDLE, CPU, 100);
	/* Of two seconds, one at 90 %: what is not written is 0. */
	store_add_gauge(s, 2, DISK_BUSY, DISK, 90);
	store_add_gauge(s, 2, DISK_QUEUE, DISK, 7);
	store_add_gauge(s, 1, DISK_ERRORS, DISK, 2);
	store_add_gauge(s, 1, DISK_SIZE, DISK, 1e9);
	/* A level lasts until it is written again. */
	store_add_gauge(s, 1, MEMORY_TOTAL, 0, 1000);
	store_add_gauge(s, 1, MEMORY_FREE, 0, 400);
	store_add_gauge(s, 2, MEMORY_FREE, 0, 100);
	store_add_gauge(s, 2, PRESSURE, 0, 50);
	store_add_gauge(s, 1, SWAP_TOTAL, 0, 0);
	store_add_gauge(s, 1, SPACE, ROOT, 200);
	store_add_gauge(s, 1, SPACE_USED, ROOT, 190);
	store_add_gauge(s, 1, SPEED, ETHERNET, 0);
	store_add_gauge(s, 1, QUOTA, GROUP, 0.5);
	store_add_gauge(s, 2, PERIODS, GROUP, 20);
	store_add_gauge(s, 2, STOPPED, GROUP, 15);
	store_add_gauge(s, 1, TASKS_LIMIT, GROUP, 10);
	store_add_gauge(s, 1, TASKS, GROUP, 10);
	store_add_gauge(s, 2, REFUSED, CHILD, 3);
	store_add_gauge(s, 2, REFUSED, GROUP, 3); /* the same, as Linux counts them from 6.11 on */
	store_add_gauge(s, 1, CONNECTIONS, 0, 1);
}

static struct store *filled(void)
{
	static const char *const resources[][2] = {{0}, {"cpu", "0"}, {"disk", "sda"}, {"filesystem", "/"},
						   {"interface", "eth0"}, {"cgroup", "/g"}, {"cgroup", "/g/child"}};
	struct store *s = NULL;

	CHECK(store_create(":memory:", &s) == 0 && store_begin(s) == 0);
	for (uint32_t i = 1; i < METRICS; i++)
		store_add_metric(s, i, metrics[i], "", "");
	for (uint32_t i = CPU; i <= CHILD; i++)
		store_add_resource(s, i, resources[i][0], resources[i][1]);
	for (uint32_t i = 1; i <= 2; i++)
		store_add_slice(s, i, (i - 1) * NS_PER_S, i * NS_PER_S);
	store_add_cgroup(s, 1, "/g/child");
	store_add_cgroup(s, 2, "/gentle");
	store_put_process(s, &(struct process_row){.id = 1, .pid = 10, .comm = "reader", .cgroup = 1, .end_ns = UINT64_MAX});
	store_put_process(s, &(struct process_row){.id = 2, .pid = 20, .comm = "busy", .cgroup = 2, .end_ns = UINT64_MAX});
	store_put_process(s, &(struct process_row){.id = 3, .pid = 30, .comm = "gone", .cgroup = 2, .end_ns = NS_PER_S});
	for (uint32_t i = 1; i <= 3; i++)
		store_put_task(s, &(struct task_row){.id = i, .process = i, .tid = 10 * i, .comm = "t", .end_ns = UINT64_MAX});
	add(s, RUNNING, 1, 0, 800);
	add(s, RUNNING, 2, 0, 900);
	add(s, RUNNABLE, 2, 0, 500);
	add(s, IO_TIME, 1, DISK, 300);
	add(s, IO_TIME, 2, DISK, 200);
	add(s, RESIDENT, 1, 0, 100);
	add(s, RESIDENT, 2, 0, 300);
	add(s, RESIDENT, 3, 0, 900);
	add(s, SENT, 2, 0, 900);
	add(s, AGAIN, 1, 0, 1);
	add_gauges(s);
	store_add_histogram(s, 1, LATENCY, CPU, histogram_bucket(1000), 10);
	store_add_histogram(s, 1, DISK_READ, DISK, histogram_bucket(100000), 95);
	store_add_histogram(s, 2, DISK_WRITE, DISK, histogram_bucket(9000000), 5);
	CHECK(store_commit(s) == 0);
	return s;
}

static const struct saturation_row *find(const struct saturation *t, const char *kind, const char *name)
{
	static const struct saturation_row none = {.kind = "", .name = "", .comm = "", .note = "", .missing = ""};

	for (size_t i = 0; i < t->count; i++)
		if (!strcmp(t->rows[i].kind, kind) && !strcmp(t->rows[i].name, name))
			return &t->rows[i];
	return &none;
}

static bool is(const struct saturation_figure *f, double wanted)
{
	return f->known && fabs(f->value - wanted) < 1e-6;
}

static void test_rows(const struct saturation *t)
{
	const struct saturation_row *cpu = find(t, "CPU", ""), *disk = find(t, "disk", "sda");
	const struct saturation_row *memory = find(t, "memory", ""), *swap = find(t, "swap", "");
	const struct saturation_row *root = find(t, "file system", "/"), *eth = find(t, "interface", "eth0");
	const struct saturation_row *quota = find(t, "CPU quota", "/g"), *tasks = find(t, "task limit", "/g");

	CHECK(is(&cpu->utilisation, 42.5) && is(&cpu->saturation, 0.25) && cpu->pid == 20 && cpu->has_latency);
	CHECK(is(&find(t, "run queue", "0")->utilisation, 42.5));
	CHECK(is(&disk->utilisation, 45) && is(&disk->saturation, 3.5) && is(&disk->errors, 2) && disk->pid == 10);
	CHECK_STR(disk->comm, "reader");
	CHECK(disk->p50 >= 100000 && disk->p50 < 125000 && disk->p90 < 125000);
	CHECK(disk->p99 >= 9000000 && disk->max >= disk->p99 && disk->max < 11000000);
	CHECK(is(&memory->utilisation, 90) && is(&memory->saturation, 25) && saturation_is_high(memory));
	CHECK(!swap->utilisation.known && !saturation_is_high(swap));
	CHECK_STR(swap->missing, "there is none");
	CHECK(is(&root->utilisation, 95) && saturation_is_high(root) && !root->saturation.known);
	/* Who has most of it, or is at fault. */
	CHECK(memory->pid == 20 && find(t, "TCP", "")->pid == 10);
	CHECK(is(&tasks->utilisation, 100) && is(&tasks->errors, 3) && tasks->pid == 10 && saturation_is_high(tasks));
	CHECK(find(t, "cgroup limits", "")->kind[0] == 0);
	CHECK(!eth->utilisation.known && is(&eth->errors, 0));
	CHECK_STR(eth->missing, "speed unknown");
	/* Only who is in the cgroup: /gentle is another. 0.8 s of 2 s at half a CPU. */
	CHECK(is(&quota->utilisation, 80) && is(&quota->saturation, 75) && quota->pid == 10 && saturation_is_high(quota));
}

/* Nothing has a limit, or it is not known whether. */
static void test_unlimited(const char *metric, const char *told)
{
	struct saturation *t = NULL;
	struct store *s = NULL;

	CHECK(store_create(":memory:", &s) == 0 && store_begin(s) == 0);
	store_add_metric(s, 1, metric, "", "");
	store_add_slice(s, 1, 0, NS_PER_S);
	CHECK(store_commit(s) == 0 && saturation_new(s, &t) == 0);
	CHECK_STR(find(t, "cgroup limits", "")->missing, told);
	saturation_free(t);
	store_free(s);
}

int main(void)
{
	struct store *s = filled();
	struct saturation *t = NULL;

	CHECK(saturation_new(s, &t) == 0);
	test_rows(t);
	saturation_free(t);
	/* What is looked at begins later: levels of before still hold. */
	CHECK(store_select(s, &(struct selection){.from_ns = NS_PER_S + 1}) == 0);
	CHECK(saturation_new(s, &t) == 0);
	CHECK(is(&find(t, "disk", "sda")->utilisation, 90) && is(&find(t, "disk", "sda")->errors, 0));
	CHECK(is(&find(t, "file system", "/")->utilisation, 95));
	saturation_free(t);
	store_free(s);
	test_unlimited("cgroup.tasks_limit", "none for CPU or memory, and none for tasks is half used");
	test_unlimited("cpu.user", "not measured");
	return check_done("saturation");
}
