// SPDX-License-Identifier: BSD-2-Clause
#include "ui_fixture.h"

#include "check.h"

#include "buf.h"
#include "clock.h"
#include "histogram.h"
#include "mem.h"
#include "store_write.h"

#include "ui.h"

enum {
	METRIC_RUNNING = 1, METRIC_RUNNABLE, METRIC_SLEEPING, METRIC_DISK, METRIC_STOPPED, METRIC_LOCK, METRIC_LATENCY,
	METRIC_USER, METRIC_SYSTEM, METRIC_SOFTIRQ, METRIC_STEAL, METRIC_LOAD, METRIC_OWN, METRIC_MEMORY, METRIC_LOST,
	METRIC_CPU_TIME, METRIC_WAIT_LOCK, METRIC_WAIT_DISK, METRIC_WAKER, METRIC_TOTAL, METRIC_AVAILABLE, METRIC_DISK_SIZE,
	METRIC_DISK_BUSY, METRIC_DISK_QUEUE, METRIC_DISK_WRITTEN, METRIC_DISK_WRITES, METRIC_DISK_TIME, METRIC_IO_TIME,
	METRIC_IO_WRITE, METRIC_IN, METRIC_OUT, METRIC_SPEED, METRIC_SENT, METRIC_NOT_READ, METRIC_ROUND_TRIP, METRIC_QUEUED,
	METRIC_SPACE, METRIC_SPACE_USED, METRIC_RECLAIM, METRIC_REQUEST, METRIC_RESIDENT,
	METRICS
};

/* Resources behind those of the CPUs. */
enum { DISK_A = 10, ETH_0, MUTEX, SERVICE, CONNECTION, ROOT_FS, PORT, FILE_X };
/* Stacks: of a worker that computes under a lock, that waits for it, that gives it back; of one that writes. */
enum { STACK_WORK = 4, STACK_WAIT = 7, STACK_GIVE = 9, STACK_WRITE = 11 };
static const char *const metric_names[METRICS] = {
	[METRIC_RUNNING] = "task.running", [METRIC_RUNNABLE] = "task.runnable", [METRIC_SLEEPING] = "offcpu.poll",
	[METRIC_DISK] = "offcpu.disk", [METRIC_STOPPED] = "offcpu.stopped", [METRIC_LOCK] = "offcpu.lock", [METRIC_LATENCY] = "runqueue.latency",
	[METRIC_USER] = "cpu.user", [METRIC_SYSTEM] = "cpu.system", [METRIC_SOFTIRQ] = "cpu.softirq",
	[METRIC_STEAL] = "cpu.steal", [METRIC_LOAD] = "load", [METRIC_OWN] = "self.cpu",
	[METRIC_MEMORY] = "self.memory", [METRIC_LOST] = "lost.records",
	[METRIC_CPU_TIME] = "cpu.time", [METRIC_WAIT_LOCK] = "wait.lock", [METRIC_WAIT_DISK] = "wait.disk", [METRIC_WAKER] = "waker",
	[METRIC_TOTAL] = "memory.total", [METRIC_AVAILABLE] = "memory.available", [METRIC_DISK_SIZE] = "disk.size",
	[METRIC_DISK_BUSY] = "disk.busy", [METRIC_DISK_QUEUE] = "disk.queue", [METRIC_DISK_WRITTEN] = "disk.written",
	[METRIC_DISK_WRITES] = "disk.writes", [METRIC_DISK_TIME] = "disk.device_time.write", [METRIC_IO_TIME] = "io.time",
	[METRIC_IO_WRITE] = "io.write", [METRIC_IN] = "interface.received", [METRIC_OUT] = "interface.sent",
	[METRIC_SPEED] = "interface.speed", [METRIC_SENT] = "connection.sent", [METRIC_NOT_READ] = "connection.not_read",
	[METRIC_ROUND_TRIP] = "connection.round_trip", [METRIC_QUEUED] = "port.queue", [METRIC_SPACE] = "filesystem.size",
	[METRIC_SPACE_USED] = "filesystem.used", [METRIC_RECLAIM] = "reclaim.direct", [METRIC_REQUEST] = "request.time",
	[METRIC_RESIDENT] = "memory.resident",
};

struct fixture_process {
	uint32_t pid, ppid, flags;
	const char *comm, *command, *cgroup, *user;
};

static const struct fixture_process processes[] = {
	{1, 0, 0, "systemd", "/sbin/init splash", "/init.scope", "root"},
	{2, 0, PROCESS_KERNEL, "kthreadd", NULL, "/", "root"},
	{812, 1, 0, "postgres", "/usr/lib/postgresql/15/bin/postgres -D /var/lib/postgresql/15/main", "/system.slice/postgresql.service",
	 "postgres"},
	{845, 812, 0, "postgres", "postgres: 15/main: checkpointer ", "/system.slice/postgresql.service", "postgres"},
	{900, 1, 0, "java", "java -Xmx2g -jar /srv/shop/shop.jar --server.port=8080", "/system.slice/shop.service", "shop"},
	{1203, 900, 0, "日本語プロセス", "/opt/日本語/プロセス --名前 値", "/user.slice/user-1000.slice", "山田"},
	{1204, 900, 0, "\033[2J\033]0;x\007", "/tmp/\033[31mred\033[0m\nnew\u202eline \xff\xfe \U0001f600\U0001f600",
	 "/user.slice/\u2066evil\033c", "e\u0301ve\u0301"},
	{1300, 2, PROCESS_KERNEL, "kworker/u8:2-ev", NULL, "/", "root"},
	{4194304, 1, PROCESS_OWN, "perfscope", "perfscope top", "/user.slice", "root"},
};
enum { PROCESSES = sizeof(processes) / sizeof(processes[0]), JAVA = 5, WORKERS = 3 };

static bool facts_of(void *arg, uint32_t pid, struct process_facts *ret_facts)
{
	for (int i = 0; i < PROCESSES; i++)
		if (processes[i].pid == pid) {
			*ret_facts = (struct process_facts){processes[i].user, i == 1 ? -5 : 0, i == 1 ? 15 : 20,
							    (uint64_t)pid * pid * 34567890};
			return true;
		}
	return false;
}

static const char findings_text[] =
	"[{\"id\": \"lock.contention\", \"severity\": \"critical\", \"impact\": 0.83, \"number\": 1, \"since_ns\": 5000000000,"
	" \"until_ns\": 0, \"title\": \"3 threads of java wait for one mutex (inventory_lock)\","
	" \"affected\": [{\"role\": \"culprit\", \"pid\": 900, \"tid\": 902, \"comm\": \"worker-1\"},"
	" {\"role\": \"culprit\", \"pid\": 900, \"tid\": 903, \"comm\": \"worker-1\"},"
	" {\"role\": \"victim\", \"pid\": 812, \"tid\": 0, \"comm\": \"postgres\"}],"
	" \"resource\": {\"kind\": \"futex\", \"name\": \"0x7f12 (inventory_lock+0x0)\"},"
	" \"evidence\": [{\"metric\": \"lock wait share\", \"value\": 83.1, \"unit\": \"%\", \"threshold\": 20},"
	" {\"metric\": \"mean wait\", \"value\": 52.71, \"unit\": \"ms\"}],"
	" \"stacks\": [{\"role\": \"holder\", \"weight_ms\": 8120.0, \"frames\": [\"main\", \"reserve_item\", \"crc32\"]}],"
	" \"actions\": [\"Keep the lock shorter in reserve_item: move what needs no protection out of it, or split the lock's"
	" data\"]},"
	" {\"id\": \"cpu.hotspot\", \"severity\": \"info\", \"impact\": 0.6, \"number\": 2, \"since_ns\": 5000000000, \"until_ns\": 0,"
	" \"title\": \"java spends 61 % of its CPU in crc32\", \"affected\": [{\"role\": \"culprit\", \"pid\": 900, \"tid\": 0,"
	" \"comm\": \"java\"}]},"
	" {\"id\": \"disk.sync\", \"severity\": \"warning\", \"impact\": 0.3, \"number\": 3, \"since_ns\": 1000000000,"
	" \"until_ns\": 8000000000, \"title\": \"postgres \\u001b[31mwaits\\u202e for fsync\", \"affected\": []}]";

static const char resources_text[] =
	"[{\"kind\": \"CPU\", \"name\": null, \"utilisation_percent\": 64.0, \"high\": false, \"saturation\": 0.6,"
	" \"saturation_unit\": \"threads\", \"errors\": null, \"errors_unit\": null, \"latency\": {\"p99_us\": 12000.0},"
	" \"most_by\": {\"pid\": 900, \"comm\": \"java\"}},"
	" {\"kind\": \"memory\", \"name\": null, \"utilisation_percent\": 31.0, \"high\": false, \"saturation\": 0.0,"
	" \"errors\": 0.0, \"latency\": null, \"most_by\": null},"
	" {\"kind\": \"disk\", \"name\": \"sda\", \"utilisation_percent\": 91.0, \"high\": true, \"saturation\": 4.2,"
	" \"saturation_unit\": \"requests\", \"errors\": 2, \"errors_unit\": \"failed\", \"latency\": {\"p99_us\": 31000.0},"
	" \"most_by\": {\"pid\": 812, \"comm\": \"postgres\"}}]";

static const char annotation_text[] =
	"{\"function\": \"crc32\", \"module\": \"/srv/shop/libshop.so\", \"samples\": 210, \"ms\": 2100.0, \"percent\": 61.0,"
	" \"instructions\": ["
	"{\"address\": 4096, \"offset\": 0, \"mnemonic\": \"xorl\", \"operands\": \"%eax, %eax\", \"samples\": 0, \"percent\": 0.0,"
	" \"jumped_to\": false, \"target\": null, \"file\": null, \"line\": null},"
	"{\"address\": 4098, \"offset\": 2, \"mnemonic\": \"movzbl\", \"operands\": \"(%rdi), %ecx\", \"samples\": 190, \"percent\": 90.5,"
	" \"jumped_to\": true, \"target\": null, \"file\": \"/src/crc32.c\", \"line\": 12},"
	"{\"address\": 4101, \"offset\": 5, \"mnemonic\": \"jne\", \"operands\": \"0x1002\", \"samples\": 20, \"percent\": 9.5,"
	" \"jumped_to\": false, \"target\": {\"address\": 4098, \"inside\": true, \"name\": null}, \"file\": \"/src/crc32.c\","
	" \"line\": 13},"
	"{\"address\": 4103, \"offset\": 7, \"mnemonic\": \"callq\", \"operands\": \"0x2000\", \"samples\": 0, \"percent\": 0.0,"
	" \"jumped_to\": false, \"target\": {\"address\": 8192, \"inside\": false, \"name\": \"free@plt\"}, \"file\": null,"
	" \"line\": null}]}";

static const json_t *findings(void *arg)
{
	const struct answers *a = arg;

	return a->silent ? NULL : a->findings;
}

static const json_t *resources(void *arg, uint64_t from_ns, uint64_t to_ns)
{
	return ((const struct answers *)arg)->resources;
}

static const json_t *annotation(void *arg, const char *function, const char *module, bool intel)
{
	return !strcmp(function, "crc32") ? ((const struct answers *)arg)->annotation : NULL;
}

static void save(void *arg, const struct ui_save *what)
{
	struct answers *a = arg;

	a->saved = *what;
	a->saves++;
}

struct answers answers_new(void)
{
	struct answers a = {.findings = json_loads(findings_text, 0, NULL), .resources = json_loads(resources_text, 0, NULL),
			    .annotation = json_loads(annotation_text, 0, NULL)};

	CHECK(a.findings && a.resources && a.annotation);
	return a;
}

void answers_done(struct answers *a)
{
	json_decref(a->findings);
	json_decref(a->resources);
	json_decref(a->annotation);
}

static void fill_stacks(struct store *s)
{
	static const struct {
		uint32_t module;
		const char *name;
	} functions[] = {{1, "_start"}, {1, "main"}, {1, "reserve_item"}, {1, "crc32"}, {2, "pthread_mutex_lock"}, {2, "__lll_lock_wait"},
			 {3, "__x64_sys_futex"}, {2, "pthread_mutex_unlock"}, {3, "futex_wake"}, {1, "save_order\033[1m"}, {3, "__x64_sys_fsync"}};

	store_put_module(s, 1, "elf", "/srv/shop/libshop.so", NULL, 0);
	store_put_module(s, 2, "elf", "/usr/lib/libc.so.6", NULL, 0);
	store_put_module(s, 3, "kernel", "[kernel]", NULL, 0);
	for (uint32_t i = 0; i < ARRAY_SIZE(functions); i++) {
		store_add_symbol(s, i + 1, functions[i].module, functions[i].name, i == 2 ? "shop.c" : NULL, 16 * i, 16);
		store_add_frame(s, i + 1, functions[i].module, 16 * i + 4);
		store_name_frame(s, i + 1, i + 1, i == 2 ? 77 : 0);
	}
	for (uint32_t i = 1; i <= 4; i++)
		store_add_stack(s, i, i - 1, i);
	store_add_stack(s, 5, 3, 5);
	store_add_stack(s, 6, 5, 6);
	store_add_stack(s, STACK_WAIT, 6, 7);
	store_add_stack(s, 8, 3, 8);
	store_add_stack(s, STACK_GIVE, 8, 9);
	store_add_stack(s, 10, 2, 10);
	store_add_stack(s, STACK_WRITE, 10, 11);
}

static void fill_resources(struct store *s)
{
	static const struct {
		uint32_t id;
		const char *kind, *name;
	} all[] = {{DISK_A, "disk", "sda"}, {ETH_0, "interface", "eth0"}, {MUTEX, "futex", "0x7f12"}, {SERVICE, "service", "10.0.0.1:8080"},
		   {CONNECTION, "connection", "10.0.0.7:41234 -> 10.0.0.1:8080"}, {ROOT_FS, "filesystem", "/"}, {PORT, "port", "*:8080"},
		   {FILE_X, "file", "/var/lib/\033[31morders"}};

	for (uint32_t i = 0; i < ARRAY_SIZE(all); i++)
		store_add_resource(s, all[i].id, all[i].kind, all[i].name);
}

static void fill_names(struct store *s)
{
	store_set_text(s, "host", "db1");
	store_set_text(s, "kernel", "6.1.0-31-amd64");
	store_set_int(s, "start_wall_ns", 1767225600LL * (int64_t)NS_PER_S);
	for (uint32_t i = 1; i < METRICS; i++)
		store_add_metric(s, i, metric_names[i], "", "");
	for (uint32_t i = 0; i < PROCESSES; i++) {
		const struct fixture_process *p = &processes[i];

		store_add_cgroup(s, i + 1, p->cgroup);
		store_put_process(s, &(struct process_row){.id = i + 1, .pid = p->pid, .ppid = p->ppid, .comm = p->comm,
			.command = p->command, .cgroup = i + 1, .end_ns = UINT64_MAX, .exit_status = -1, .flags = p->flags});
		store_put_task(s, &(struct task_row){.id = i + 1, .process = i + 1, .tid = p->pid, .comm = p->comm,
						     .end_ns = UINT64_MAX});
	}
	for (uint32_t i = 0; i < WORKERS; i++) {
		_cleanup_free_ char *comm = xasprintf("worker-%u", i);

		store_put_task(s, &(struct task_row){.id = FIRST_WORKER + i, .process = JAVA, .tid = 901 + i,
						     .comm = comm, .end_ns = UINT64_MAX});
	}
	for (uint32_t cpu = 0; cpu < 4; cpu++) {
		_cleanup_free_ char *name = xasprintf("%u", cpu);

		store_add_resource(s, cpu + 1, "cpu", name);
	}
	fill_resources(s);
	fill_stacks(s);
}

static void add(struct store *s, uint32_t slice, uint32_t task, uint32_t metric, uint64_t count, uint64_t ms)
{
	store_add_sample(s, &(struct sample_row){.slice = slice, .metric = metric, .task = task, .count = count,
						 .value = ms * NS_PER_MS});
}

static void sample(struct store *s, uint32_t slice, uint32_t metric, uint32_t task, uint32_t stack, uint32_t resource,
		   uint64_t count, uint64_t value)
{
	store_add_sample(s, &(struct sample_row){slice, metric, task, stack, resource, count, value});
}

/* Workers compute under a mutex and wait for it; postgres writes, and waits for its disk. */
static void fill_work(struct store *s, uint32_t id, bool busy)
{
	for (uint32_t i = 0; i < WORKERS; i++) {
		sample(s, id, METRIC_CPU_TIME, FIRST_WORKER + i, STACK_WORK, 0, busy ? 60 : 6, (busy ? 600 : 60) * NS_PER_MS);
		sample(s, id, METRIC_CPU_TIME, FIRST_WORKER + i, STACK_GIVE, 0, 5, 50 * NS_PER_MS);
		sample(s, id, METRIC_WAIT_LOCK, FIRST_WORKER + i, STACK_WAIT, MUTEX, 20, (busy ? 100 : 10) * NS_PER_MS);
		store_add_edge(s, &(struct edge_row){.slice = id, .kind = METRIC_WAKER, .task = FIRST_WORKER + i, .stack = STACK_WAIT,
			.resource = MUTEX, .other_task = FIRST_WORKER + (i + 1) % WORKERS, .other_stack = STACK_GIVE, .count = 20,
			.ns = (i + 1) * 10 * NS_PER_MS});
		sample(s, id, METRIC_REQUEST, FIRST_WORKER + i, 0, SERVICE, 10, 90 * NS_PER_MS);
	}
	sample(s, id, METRIC_CPU_TIME, 3, STACK_WRITE, 0, 2, 20 * NS_PER_MS);
	sample(s, id, METRIC_WAIT_DISK, 3, STACK_WRITE, FILE_X, 12, 300 * NS_PER_MS);
	sample(s, id, METRIC_IO_TIME, 3, 0, DISK_A, 0, 290 * NS_PER_MS);
	sample(s, id, METRIC_IO_WRITE, 3, 0, DISK_A, 120, 4 << 20);
	sample(s, id, METRIC_SENT, FIRST_WORKER, 0, SERVICE, 100, 1 << 20);
	sample(s, id, METRIC_NOT_READ, 6, 0, CONNECTION, 3, 300 * NS_PER_MS);
	sample(s, id, METRIC_RECLAIM, 6, 0, 0, 2, 20 * NS_PER_MS);
}

static void fill_levels(struct store *s, uint32_t id, bool busy)
{
	store_add_gauge(s, id, METRIC_AVAILABLE, 0, (busy ? 5.5 : 7.0) * (1 << 30));
	store_add_gauge(s, id, METRIC_DISK_BUSY, DISK_A, busy ? 91 : 4);
	store_add_gauge(s, id, METRIC_DISK_QUEUE, DISK_A, busy ? 4.2 : 0.1);
	store_add_gauge(s, id, METRIC_DISK_WRITTEN, DISK_A, 4 << 20);
	store_add_gauge(s, id, METRIC_DISK_WRITES, DISK_A, 120);
	store_add_histogram(s, id, METRIC_DISK_TIME, DISK_A, histogram_bucket(30 * NS_PER_MS), 120);
	store_add_gauge(s, id, METRIC_IN, ETH_0, 1 << 20);
	store_add_gauge(s, id, METRIC_OUT, ETH_0, 300 << 10);
	store_add_histogram(s, id, METRIC_ROUND_TRIP, SERVICE, histogram_bucket(250000), 40);
	store_add_histogram(s, id, METRIC_REQUEST, SERVICE, histogram_bucket(9 * NS_PER_MS), 30);
	store_add_gauge(s, id, METRIC_QUEUED, PORT, 3);
	store_add_gauge(s, id, METRIC_SPACE_USED, ROOT_FS, 90.0 * (1 << 30) + id * (10 << 20));
	if (id > 1)
		return;
	/* Written when it changes. */
	for (uint32_t i = 3; i <= 7; i++)
		sample(s, id, METRIC_RESIDENT, i, 0, 0, 1, (uint64_t)i << 24);
	store_add_gauge(s, id, METRIC_TOTAL, 0, 8.0 * (1 << 30));
	store_add_gauge(s, id, METRIC_DISK_SIZE, DISK_A, 100.0 * (1 << 30));
	store_add_gauge(s, id, METRIC_SPEED, ETH_0, 125e6);
	store_add_gauge(s, id, METRIC_SPACE, ROOT_FS, 100.0 * (1 << 30));
}

/* A second: the first half of the slices is quiet, then the machine is busy. */
void fill_slice(struct store *s, uint32_t id, bool busy)
{
	uint64_t ms = busy ? 700 : 70;

	CHECK(store_begin(s) == 0);
	add(s, id, 3, METRIC_RUNNING, 40, 20);
	add(s, id, 3, METRIC_DISK, 0, 300);
	add(s, id, 3, METRIC_SLEEPING, 0, 680);
	for (uint32_t i = 0; i < WORKERS; i++) {
		add(s, id, FIRST_WORKER + i, METRIC_RUNNING, 1000 * (i + 1), ms);
		add(s, id, FIRST_WORKER + i, METRIC_RUNNABLE, 10, 200);
		add(s, id, FIRST_WORKER + i, METRIC_LOCK, 0, 800 - ms);
	}
	for (uint32_t i = 6; i <= 7; i++) {
		add(s, id, i, METRIC_RUNNING, 3, 5 * i);
		add(s, id, i, METRIC_SLEEPING, 0, 1000 - 5 * i);
	}
	for (uint32_t cpu = 1; cpu <= 4; cpu++) {
		store_add_gauge(s, id, METRIC_USER, cpu, busy ? 20.0 * cpu : 3);
		store_add_gauge(s, id, METRIC_SYSTEM, cpu, 8);
		store_add_gauge(s, id, METRIC_SOFTIRQ, cpu, 4);
		store_add_gauge(s, id, METRIC_STEAL, cpu, 2);
		store_add_histogram(s, id, METRIC_LATENCY, cpu, histogram_bucket(6000), 900);
		store_add_histogram(s, id, METRIC_LATENCY, cpu, histogram_bucket(12 * NS_PER_MS), busy ? 30 : 1);
	}
	store_add_gauge(s, id, METRIC_LOAD, 0, busy ? 4.71 : 0.2);
	store_add_gauge(s, id, METRIC_OWN, 0, 8e6);
	store_add_gauge(s, id, METRIC_MEMORY, 0, 12e6);
	if (busy)
		store_add_gauge(s, id, METRIC_LOST, 0, 2);
	fill_work(s, id, busy);
	fill_levels(s, id, busy);
	if (id == 7)
		store_add_event(s, 6500 * NS_PER_MS, "oom.kill", 6, 0, 1203, "by \033[2J the kernel");
	store_add_slice(s, id, (id - 1) * NS_PER_S, id * NS_PER_S);
	CHECK(store_commit(s) == 0);
}
struct store *ui_fixture(void)
{
	static const uint32_t sleepers[] = {1, 2, 5, 8, 9};
	struct store *s;

	CHECK(store_create(":memory:", &s) == 0);
	CHECK(store_begin(s) == 0);
	fill_names(s);
	for (uint32_t i = 0; i < ARRAY_SIZE(sleepers); i++)
		store_add_span(s, i + 1, 1, 0, METRIC_SLEEPING, sleepers[i], 0, 0);
	store_add_span(s, 10, 1, 8, METRIC_SLEEPING, 4, 0, 0);
	store_add_span(s, 11, 9, 0, METRIC_STOPPED, 4, 0, 0);
	CHECK(store_commit(s) == 0);
	return s;
}

struct ui *make_ui(struct store *s, struct answers *answers)
{
	struct ui *ui;

	CHECK(ui_new(s, &(struct ui_options){.window_ns = NS_PER_S, .facts = facts_of, .findings = findings, .resources = resources,
					     .annotation = annotation, .save = save, .arg = answers}, &ui) == 0);
	return ui;
}

bool screen_shows(struct ui *ui, unsigned columns, const char *text)
{
	_cleanup_(grid_freep) struct grid *g = grid_new(40, columns);
	_cleanup_(buf_done) struct buf dump = BUF_INIT;

	ui_draw(ui, g);
	grid_dump(g, &dump);
	return strstr(dump.data, text);
}
