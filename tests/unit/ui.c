// SPDX-License-Identifier: BSD-2-Clause
/* ui GOLDEN_DIR [write]: screens of a store that is filled by hand, compared with the texts in the folder. */
#include "check.h"

#include "buf.h"
#include "clock.h"
#include "histogram.h"
#include "io.h"
#include "mem.h"
#include "store_query.h"
#include "store_write.h"
#include "ui.h"

enum {
	METRIC_RUNNING = 1, METRIC_RUNNABLE, METRIC_SLEEPING, METRIC_DISK, METRIC_STOPPED, METRIC_LOCK, METRIC_LATENCY,
	METRIC_USER, METRIC_SYSTEM, METRIC_SOFTIRQ, METRIC_STEAL, METRIC_LOAD, METRIC_OWN, METRIC_MEMORY, METRIC_LOST,
	METRICS
};

static const char *golden;
static bool write_golden;

static const char *const metric_names[METRICS] = {
	[METRIC_RUNNING] = "task.running", [METRIC_RUNNABLE] = "task.runnable", [METRIC_SLEEPING] = "offcpu.poll",
	[METRIC_DISK] = "offcpu.disk", [METRIC_STOPPED] = "offcpu.stopped", [METRIC_LOCK] = "offcpu.lock", [METRIC_LATENCY] = "runqueue.latency",
	[METRIC_USER] = "cpu.user", [METRIC_SYSTEM] = "cpu.system", [METRIC_SOFTIRQ] = "cpu.softirq",
	[METRIC_STEAL] = "cpu.steal", [METRIC_LOAD] = "load", [METRIC_OWN] = "self.cpu",
	[METRIC_MEMORY] = "self.memory", [METRIC_LOST] = "lost.records",
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
enum { PROCESSES = sizeof(processes) / sizeof(processes[0]), JAVA = 5, WORKERS = 3, FIRST_WORKER = 100 };

static const char *user_of(void *arg, uint32_t pid)
{
	for (int i = 0; i < PROCESSES; i++)
		if (processes[i].pid == pid)
			return processes[i].user;
	return NULL;
}

static size_t findings(void *arg, struct ui_finding *f, size_t most)
{
	static const struct ui_finding found[] = {
		{"lock.contention", "critical", "3 threads of shop wait for one mutex (inventory_lock)"},
		{"cpu.hotspot", "info", "java spends 61 % of its CPU in crc32"},
	};

	memcpy(f, found, sizeof(found));
	return *(const bool *)arg && most >= 2 ? 2 : 0;
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
}

static void add(struct store *s, uint32_t slice, uint32_t task, uint32_t metric, uint64_t count, uint64_t ms)
{
	store_add_sample(s, &(struct sample_row){.slice = slice, .metric = metric, .task = task, .count = count,
						 .value = ms * NS_PER_MS});
}

/* A second: the first half of the slices is quiet, then the machine is busy. */
static void fill_slice(struct store *s, uint32_t id, bool busy)
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
	store_add_slice(s, id, (id - 1) * NS_PER_S, id * NS_PER_S);
	CHECK(store_commit(s) == 0);
}

/* Ten slices, busy from the sixth on. Threads 1, 2, 4, 5, 8 and 9 sleep through all of them; 4 is stopped from the ninth on. */
static struct store *fixture(void)
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

static struct ui *make_ui(struct store *s, bool *has_findings)
{
	struct ui *ui;

	CHECK(ui_new(s, &(struct ui_options){.window_ns = NS_PER_S, .user = user_of, .findings = findings,
					     .arg = has_findings}, &ui) == 0);
	return ui;
}

static void update(struct ui *ui)
{
	bool changed;

	CHECK(ui_update(ui, &changed) == 0);
}

static void press(struct ui *ui, const char *keys)
{
	for (; *keys; keys++)
		CHECK(ui_key(ui, &(struct key_event){.code = *keys}) != UI_QUIT);
}

static void check_golden(const char *name, const struct grid *g)
{
	_cleanup_free_ char *path = xasprintf("%s/%s.txt", golden, name);
	_cleanup_(buf_done) struct buf want = BUF_INIT, got = BUF_INIT;
	_cleanup_fclose_ FILE *f = NULL;

	grid_dump(g, &got);
	for (const char *p = got.data; *p; p++)
		if ((unsigned char)*p < ' ' && *p != '\n')
			CHECK(!"a control character on the screen");
	if (write_golden && (f = fopen(path, "w")))
		fputs(got.data, f);
	else
		CHECK(read_file(path, 1 << 20, &want) == 0);
	if (!write_golden && strcmp(got.data, want.data))
		fprintf(stderr, "%s differs\n", path);
	CHECK_STR(got.data, write_golden ? got.data : want.data);
}

static void check_screen(struct ui *ui, const char *name, unsigned rows, unsigned columns)
{
	_cleanup_(grid_freep) struct grid *g = grid_new(rows, columns);
	_cleanup_free_ char *full = xasprintf("top-%s-%ux%u", name, columns, rows);

	ui_draw(ui, g);
	check_golden(full, g);
}

static void test_goldens(void)
{
	_cleanup_(store_freep) struct store *s = fixture();
	bool has_findings = true;
	_cleanup_(ui_freep) struct ui *ui = make_ui(s, &has_findings);
	_cleanup_(grid_freep) struct grid *g = grid_new(0, 0);

	check_screen(ui, "empty", 24, 80);
	for (uint32_t i = 1; i <= 10; i++) {
		fill_slice(s, i, i > 5);
		update(ui);
	}
	check_screen(ui, "processes", 24, 80);
	check_screen(ui, "processes", 60, 200);
	check_screen(ui, "processes", 12, 20);
	press(ui, "t");
	check_screen(ui, "tree", 24, 80);
	press(ui, "H");
	check_screen(ui, "tree-threads", 24, 140);
	press(ui, "t");
	check_screen(ui, "threads", 24, 80);
	press(ui, "N/WORKER-1\n");
	check_screen(ui, "search", 24, 80);
	press(ui, "?");
	check_screen(ui, "help", 60, 100);
	check_screen(ui, "help", 10, 30);
	press(ui, "?+++");
	has_findings = false;
	check_screen(ui, "window", 24, 80);
	ui_draw_all(ui, g, 120);
	check_golden("top-all-120", g);
}

/* Every size there may be: nothing may be read or written outside. */
static void test_sizes(void)
{
	_cleanup_(store_freep) struct store *s = fixture();
	bool has_findings = true;
	_cleanup_(ui_freep) struct ui *ui = make_ui(s, &has_findings);
	_cleanup_(grid_freep) struct grid *g = grid_new(0, 0);
	unsigned drawn = 0;

	fill_slice(s, 1, true);
	update(ui);
	for (unsigned rows = 0; rows < 30; rows++)
		for (unsigned columns = 0; columns < 210; columns += columns < 24 ? 1 : 7) {
			grid_resize(g, rows, columns);
			ui_draw(ui, g);
			ui_key(ui, &(struct key_event){.code = UI_KEY_END});
			ui_key(ui, &(struct key_event){.code = UI_KEY_CLICK, .row = rows / 2, .column = columns / 2});
			ui_draw(ui, g);
			drawn++;
		}
	CHECK(drawn > 1000);
}

static uint64_t time_of(const struct window *w, uint32_t task, enum state state)
{
	for (uint32_t i = 0; i < window_thread_count(w); i++)
		if (window_thread(w, i)->id == task)
			return window_thread(w, i)->times.ns[state] / NS_PER_MS;
	return 0;
}

/* However the window gets there, it shows what the store's own views say of those slices. */
static void check_window(struct store *s, struct window *w, uint32_t first, uint32_t last)
{
	_cleanup_(query_freep) struct query *q = NULL;
	uint64_t sums[2] = {0}, wanted[2] = {0};

	CHECK(window_show(w, first, last) == 0);
	CHECK(window_ns(w) == (last - first + 1) * NS_PER_S);
	for (uint32_t i = 0; i < window_thread_count(w); i++) {
		sums[0] += window_thread(w, i)->times.ns[RUNNING];
		sums[1] += window_thread(w, i)->times.ns[SLEEPING] + window_thread(w, i)->times.ns[STOPPED] +
			   window_thread(w, i)->times.ns[LOCK];
	}
	CHECK(store_select(s, &(struct selection){.from_ns = (first - 1) * NS_PER_S, .to_ns = last * NS_PER_S}) == 0);
	CHECK(query_new(s, "SELECT sum(running), sum(sleeping) + sum(stopped) FROM thread_state", &q) == 0);
	CHECK(query_next(q) == 1);
	for (int i = 0; i < 2; i++)
		wanted[i] = (uint64_t)query_int(q, i);
	CHECK(sums[0] == wanted[0] && sums[1] == wanted[1]);
	query_free(q);
	q = NULL;
	CHECK(store_select(s, &(struct selection){0}) == 0);
}

static void test_window(void)
{
	_cleanup_(store_freep) struct store *s = fixture();
	_cleanup_(window_freep) struct window *w = NULL;

	for (uint32_t i = 1; i <= 10; i++)
		fill_slice(s, i, i > 5);
	CHECK(window_new(s, NULL, NULL, &w) == 0);
	CHECK(window_show(w, 1, 1) == 0 && window_newest(w) == 0);
	CHECK(window_follow(w) == 0);
	CHECK(window_newest(w) == 10);
	check_window(s, w, 1, 1);
	check_window(s, w, 3, 7);
	check_window(s, w, 5, 9);
	check_window(s, w, 10, 10);
	check_window(s, w, 2, 4);
	check_window(s, w, 1, 10);
	CHECK(time_of(w, 4, SLEEPING) == 8000 && time_of(w, 4, STOPPED) == 2000);
	CHECK(window_level(w, "cpu.user", 1) > 21.4 && window_level(w, "cpu.user", 1) < 21.6);
	CHECK(window_level_sum(w, "lost.records") == 10);
	CHECK(window_level(w, "cpu.user", 9) == 0 && window_level(w, "nothing", -1) == 0);
	CHECK(window_show_ns(w, 0, 3 * NS_PER_S) == 0 && window_ns(w) == 3 * NS_PER_S && window_last(w) == 10);
	CHECK(window_show_ns(w, 4, 2 * NS_PER_S) == 0 && window_ns(w) == 2 * NS_PER_S && window_last(w) == 4);
	/* What has been forgotten is gone, what is shown stays. */
	store_prune(s, 6);
	window_forget(w, 6);
	CHECK(window_ns(w) == 2 * NS_PER_S && time_of(w, FIRST_WORKER, RUNNING) == 140);
	check_window(s, w, 6, 10);
	window_forget(w, 6);
	check_window(s, w, 8, 8);
	fill_slice(s, 11, true);
	CHECK(window_follow(w) == 0);
	check_window(s, w, 9, 11);
	CHECK(window_show(w, 1, 3) == 0 && window_last(w) >= 3);
}

static void test_pause(void)
{
	_cleanup_(store_freep) struct store *s = fixture();
	bool has_findings = false;
	_cleanup_(ui_freep) struct ui *ui = make_ui(s, &has_findings);
	bool changed;

	for (uint32_t i = 1; i <= 3; i++)
		fill_slice(s, i, false);
	update(ui);
	press(ui, "p");
	fill_slice(s, 4, true);
	CHECK(ui_update(ui, &changed) == 0 && !changed);
	CHECK(window_last(ui_window(ui)) == 3);
	press(ui, "+");
	CHECK(window_last(ui_window(ui)) == 3 && window_ns(ui_window(ui)) == 2 * NS_PER_S);
	press(ui, " ");
	CHECK(window_last(ui_window(ui)) == 4);
	press(ui, "-");
	CHECK(window_ns(ui_window(ui)) == NS_PER_S);
	CHECK(ui_key(ui, &(struct key_event){.code = 'q'}) == UI_QUIT);
}

/* A store that may take nothing keeps losing its oldest tenth. */
static void test_bounds(void)
{
	_cleanup_(store_freep) struct store *s = fixture();
	_cleanup_(ui_freep) struct ui *ui = NULL;
	int64_t kept;

	CHECK(ui_new(s, &(struct ui_options){.window_ns = NS_PER_S, .keep_ns = 600 * NS_PER_S, .keep_bytes = 1}, &ui) == 0);
	for (uint32_t i = 1; i <= 400; i++) {
		fill_slice(s, i, i % 2);
		update(ui);
	}
	CHECK(query_one_int(s, "SELECT count(*) FROM slice", 0, &kept) == 0 && kept > 30 && kept < 120);
	press(ui, "++++++++");
	CHECK(window_ns(ui_window(ui)) == (uint64_t)kept * NS_PER_S);
}

int main(int argc, char **argv)
{
	golden = argc > 1 ? argv[1] : "tests/golden";
	write_golden = argc > 2 && !strcmp(argv[2], "write");
	setenv("TZ", "UTC", 1);
	test_goldens();
	test_sizes();
	test_window();
	test_pause();
	test_bounds();
	return check_done("ui");
}
