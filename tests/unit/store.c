// SPDX-License-Identifier: BSD-2-Clause
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "buf.h"
#include "clock.h"
#include "fail.h"
#include "io.h"
#include "mem.h"
#include "store_query.h"
#include "store_write.h"
#include "task_times.h"

static char directory[] = "/tmp/perfscope-store-XXXXXX";

static char *in_directory(const char *name)
{
	return xasprintf("%s/%s", directory, name);
}

static int64_t ask(struct store *s, const char *sql)
{
	int64_t value = -1;

	return query_one_int(s, sql, -2, &value) < 0 ? -3 : value;
}

/* Two processes (1: pid 100 in /a, 2: its child 200 in /a/b), three slices of a second. */
static void fill(struct store *s)
{
	CHECK(store_begin(s) == 0);
	store_add_metric(s, 1, "task.running", "ns", "");
	store_add_metric(s, 2, "offcpu.sleep", "ns", "");
	store_add_cgroup(s, 1, "/a");
	store_add_cgroup(s, 2, "/a/b");
	store_put_process(s, &(struct process_row){.id = 1, .pid = 100, .cgroup = 1, .comm = "one\xff",
						   .end_ns = UINT64_MAX, .exit_status = -1});
	store_put_process(s, &(struct process_row){.id = 2, .pid = 200, .ppid = 100, .cgroup = 2,
						   .comm = "two", .exit_status = 0});
	store_put_task(s, &(struct task_row){.id = 1, .process = 1, .tid = 100, .comm = "one"});
	store_put_task(s, &(struct task_row){.id = 2, .process = 2, .tid = 200, .comm = "two"});
	store_add_sample(s, &(struct sample_row){.slice = 2, .metric = 1, .task = 2, .count = 1, .value = 7});
	for (uint32_t i = 1; i <= 3; i++) {
		store_add_slice(s, i, (i - 1) * NS_PER_S, i * NS_PER_S);
		store_add_sample(s, &(struct sample_row){.slice = i, .metric = 1, .task = 1, .count = 5, .value = 100 * i});
	}
	store_add_span(s, 1, 1, 0, 2, 2, 0, 0);
	CHECK(store_commit(s) == 0);
}

static void test_selection(void)
{
	_cleanup_free_ char *path = in_directory("a.db");
	_cleanup_(store_freep) struct store *s = NULL;
	struct stat st;

	CHECK(store_create(path, &s) == 0);
	CHECK(stat(path, &st) == 0 && (st.st_mode & 0777) == 0600);
	fill(s);
	CHECK(store_finish(s) == 0);
	store_free(s);
	s = NULL;
	CHECK(store_open(path, &s) == 0);
	CHECK(ask(s, "SELECT sum(running) FROM thread_state") == 607);
	CHECK(ask(s, "SELECT sleeping FROM thread_state WHERE tid = 200") == (int64_t)(3 * NS_PER_S));
	CHECK(store_select(s, &(struct selection){.from_ns = NS_PER_S, .to_ns = 2 * NS_PER_S}) == 0);
	CHECK(ask(s, "SELECT sum(running) FROM thread_state") == 207);
	CHECK(ask(s, "SELECT sleeping FROM thread_state WHERE tid = 200") == (int64_t)NS_PER_S);
	CHECK(store_select(s, &(struct selection){.pid = 200}) == 0);
	CHECK(ask(s, "SELECT sum(running) FROM thread_state") == 7);
	CHECK(store_select(s, &(struct selection){.pid = 100}) == 0);
	CHECK(ask(s, "SELECT sum(running) FROM thread_state") == 607);
	CHECK(store_select(s, &(struct selection){.cgroup = "/a/b/"}) == 0);
	CHECK(ask(s, "SELECT sum(running) FROM thread_state") == 7);
	CHECK(store_select(s, &(struct selection){.cgroup = "/"}) == 0);
	CHECK(ask(s, "SELECT sum(running) FROM thread_state") == 607);
	CHECK(store_select(s, &(struct selection){.cgroup = "/a"}) == 0);
	CHECK(ask(s, "SELECT count(*) FROM thread_state") == 2);
	CHECK(store_select(s, &(struct selection){.pid = 300}) == -ENOENT);
	CHECK(store_select(s, &(struct selection){.from_ns = 5 * NS_PER_S}) == -ENOENT);
	CHECK(store_select(s, &(struct selection){0}) == 0);
	CHECK(ask(s, "SELECT sum(running) FROM thread_state") == 607);
}

static long writes_so_far(void)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/self/io", "re");
	long count = -1;

	CHECK(f && fscanf(f, "%*s %*d %*s %*d %*s %*d syscw: %ld", &count) == 1);
	return count;
}

static void write_file(const char *path, const void *data, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	CHECK(fd >= 0 && write_all(fd, data, len) == 0);
	close(fd);
}

static void copy_part(const char *name, const char *copy)
{
	_cleanup_free_ char *from = in_directory(name), *to = in_directory(copy);
	_cleanup_(buf_done) struct buf b = BUF_INIT;

	CHECK(read_file(from, 1 << 28, &b) == 0);
	write_file(to, b.data, b.len);
}

/* What would be left were the writer killed now. */
static int64_t ask_copy(const char *sql)
{
	_cleanup_free_ char *path = in_directory("copy.db"), *shared = in_directory("copy.db-shm");
	_cleanup_(store_freep) struct store *copy = NULL;

	copy_part("commit.db", "copy.db");
	copy_part("commit.db-wal", "copy.db-wal");
	unlink(shared);
	return store_open(path, &copy) == 0 ? ask(copy, sql) : -4;
}

/* A slice is written at once, and then others see it. */
static void test_commit(void)
{
	_cleanup_free_ char *path = in_directory("commit.db");
	_cleanup_(store_freep) struct store *s = NULL;
	enum { ROWS = 10000 };

	CHECK(store_create(path, &s) == 0);
	fill(s);
	for (uint32_t slice = 4; slice < 8; slice++) {
		_cleanup_(store_freep) struct store *reader = NULL;

		CHECK(store_begin(s) == 0);
		for (uint32_t i = 0; i < ROWS; i++)
			store_add_sample(s, &(struct sample_row){.slice = slice, .metric = 1, .task = i, .count = 1, .value = i});
		long before = writes_so_far();
		CHECK(store_commit(s) == 0);
		CHECK(writes_so_far() - before < 20); /* of two hundred pages */
		CHECK(store_open(path, &reader) == 0 && ask(reader, "SELECT count(*) FROM sample") == 4 + ROWS * (slice - 3));
		CHECK(ask_copy("SELECT count(*) FROM sample") == 4 + ROWS * (slice - 3));
	}
	CHECK(store_finish(s) == 0);
}

/* More than SQLite's cache holds, with pages that are written, come back and are written again. While somebody reads the log is not
 * taken over into the recording, which would write what is left of it. */
static void test_large_commit(void)
{
	_cleanup_free_ char *path = in_directory("commit.db");
	_cleanup_(store_freep) struct store *s = NULL, *reader = NULL;
	_cleanup_(query_freep) struct query *reading = NULL;
	enum { TASKS = 100000, APART = 7919 };
	char name[300] = "";

	memset(name, 'n', sizeof(name) - 1);
	unlink(path);
	CHECK(store_create(path, &s) == 0);
	fill(s);
	CHECK(store_open(path, &reader) == 0 && query_new(reader, "SELECT id FROM slice", &reading) == 0 && query_next(reading) == 1);
	for (uint64_t round = 1; round <= 2; round++) {
		CHECK(store_begin(s) == 0);
		for (uint64_t i = 0; i < TASKS; i++)
			store_put_task(s, &(struct task_row){.id = (uint32_t)(1 + i * APART % TASKS), .process = 1, .tid = 100,
							     .start_ns = round, .comm = name});
		CHECK(store_commit(s) == 0);
		CHECK(ask_copy("SELECT count(*) * min(start_ns) FROM task") == (int64_t)(TASKS * round));
	}
}

/* Cut at any byte: an error with the file's name, or an answer; never a crash. */
static void test_truncated(void)
{
	_cleanup_free_ char *path = in_directory("a.db"), *cut = in_directory("cut.db");
	_cleanup_(buf_done) struct buf whole = BUF_INIT;
	int bad = 0;

	CHECK(read_file(path, 1 << 24, &whole) == 0);
	for (size_t len = 0; len < whole.len; len += len < 200 ? 1 : 511) {
		_cleanup_(store_freep) struct store *s = NULL;

		write_file(cut, whole.data, len);
		int r = store_open(cut, &s);
		if (r < 0)
			bad += !strstr(fail_message(), "cut.db");
		else
			bad += ask(s, "SELECT sum(running) FROM thread_state") != -3 &&
			       ask(s, "SELECT count(*) FROM sample") != 4;
	}
	CHECK(bad == 0);
}

static void test_foreign(void)
{
	_cleanup_free_ char *path = in_directory("foreign.db");
	_cleanup_(store_freep) struct store *s = NULL;

	write_file(path, "hello, I am a text file and long enough to have a header of an SQLite file, am I not?", 86);
	CHECK(store_open(path, &s) == -EBADMSG);
	CHECK(store_create(path, &s) == -EEXIST);
	CHECK(strstr(fail_message(), "foreign.db"));
	CHECK(store_open("/nonexistent/x.db", &s) == -ENOENT);
	CHECK(store_open(directory, &s) == -EISDIR);
	CHECK(store_create("/nonexistent/x.db", &s) == -ENOENT);
}

static void test_tampered(void)
{
	_cleanup_free_ char *path = in_directory("t.db");
	_cleanup_free_ char *command = xasprintf(
		"sqlite3 %s \"CREATE TABLE evil(x)\" && test -s %s", path, path);
	_cleanup_free_ char *newer = xasprintf("sqlite3 %s \"DROP TABLE evil; PRAGMA user_version = 99\"", path);
	_cleanup_(store_freep) struct store *s = NULL;

	if (system("command -v sqlite3 >/dev/null") != 0)
		return;
	CHECK(store_create(path, &s) == 0);
	fill(s);
	CHECK(store_finish(s) == 0);
	store_free(s);
	s = NULL;
	CHECK(system(command) == 0);
	CHECK(store_open(path, &s) == -EBADMSG);
	CHECK(system(newer) == 0);
	CHECK(store_open(path, &s) == -EPROTONOSUPPORT);
}

/* Another version's views, or evil ones, are not asked: ours are, whatever part is looked at. */
static void test_foreign_views(void)
{
	_cleanup_free_ char *path = in_directory("v.db");
	_cleanup_free_ char *command = xasprintf(
		"sqlite3 %s \"DROP VIEW thread_state; CREATE VIEW thread_state AS SELECT 42 AS running; DROP VIEW period; "
		"CREATE VIEW evil AS SELECT 1\"", path);
	_cleanup_(store_freep) struct store *s = NULL;
	int64_t running;

	if (system("command -v sqlite3 >/dev/null") != 0)
		return;
	CHECK(store_create(path, &s) == 0);
	fill(s);
	running = ask(s, "SELECT sum(running) FROM thread_state");
	CHECK(running != 42 && store_finish(s) == 0);
	store_free(s);
	s = NULL;
	CHECK(system(command) == 0);
	CHECK(store_open(path, &s) == 0);
	CHECK(ask(s, "SELECT sum(running) FROM thread_state") == running);
	CHECK(ask(s, "SELECT count(*) FROM period") == 1);
	CHECK(store_keep_totals(s) == 1 && ask(s, "SELECT sum(running) FROM thread_state") == running);
	CHECK(store_drop_totals(s) == 0 && ask(s, "SELECT sum(running) FROM thread_state") == running);
	CHECK(store_select(s, &(struct selection){.from_ns = 1}) == 0 && store_keep_totals(s) == 1);
	CHECK(store_drop_totals(s) == 0 && ask(s, "SELECT count(*) FROM period") == 1);
	CHECK(store_select(s, &(struct selection){0}) == 0 && ask(s, "SELECT sum(running) FROM thread_state") == running);
}

/* A name that would fill a report's every row is an error with the file's name. */
static void test_long_name(void)
{
	_cleanup_free_ char *path = in_directory("l.db"), *name = xcalloc(2 << 20, 1);
	_cleanup_(store_freep) struct store *s = NULL;

	memset(name, 'a', (2 << 20) - 1);
	CHECK(store_create(path, &s) == 0 && store_begin(s) == 0);
	store_add_resource(s, 1, "file", name);
	CHECK(store_commit(s) == 0 && store_finish(s) == 0);
	store_free(s);
	s = NULL;
	CHECK(store_open(path, &s) == 0);
	CHECK(ask(s, "SELECT length(name) FROM resource") == -3);
	CHECK(strstr(fail_message(), "l.db: ") != NULL);
}

/* An older recording, also one that was cut off, is kept beside the new one. */
static void test_replace(void)
{
	_cleanup_free_ char *path = in_directory("r.db"), *old = in_directory("r.db.old");
	_cleanup_(store_freep) struct store *s = NULL;

	for (int i = 0; i < 3; i++) {
		CHECK(store_create(path, &s) == 0 && !store_has_slices(s));
		if (i < 2)
			fill(s);
		CHECK(store_has_slices(s) == (i < 2));
		store_free(s);
		s = NULL;
	}
	CHECK(store_open(old, &s) == 0);
	CHECK(ask(s, "SELECT count(*) FROM sample") == 4);
	store_free(s);
	s = NULL;
	/* One without a slice is not worth the one that is kept. */
	CHECK(store_create(path, &s) == 0);
	store_free(s);
	s = NULL;
	CHECK(store_open(old, &s) == 0);
	store_free(s);
	s = NULL;

	/* With none to keep, the one that is kept stays. */
	CHECK(unlink(path) == 0);
	CHECK(store_create(path, &s) == 0);
	fill(s);
	store_free(s);
	s = NULL;
	CHECK(store_open(old, &s) == 0);
	store_free(s);
	s = NULL;

	/* What is no recording is no older one. */
	write_file(old, "somebody's notes", 16);
	CHECK(store_create(path, &s) == -EEXIST);
	CHECK(strstr(fail_message(), "r.db.old: not a perfscope recording") != NULL);
	CHECK(unlink(old) == 0);
}

static void test_withdraw(void)
{
	_cleanup_free_ char *path = in_directory("w.db"), *old = in_directory("w.db.old"), *journal = in_directory("w.db-wal"),
			     *older = in_directory("w.db.older");
	_cleanup_(store_freep) struct store *s = NULL;

	CHECK(store_create(path, &s) == 0);
	fill(s);
	store_free(s);
	for (int i = 0; i < 2; i++) {
		CHECK(store_create(path, &s) == 0 && access(old, F_OK) == 0);
		CHECK(store_begin(s) == 0);
		store_add_metric(s, 1, "task.running", "ns", "");
		CHECK(store_commit(s) == 0 && !store_has_slices(s));
		store_withdraw(s);
		CHECK(access(old, F_OK) < 0);
	}
	CHECK(store_open(path, &s) == 0 && ask(s, "SELECT count(*) FROM sample") == 4);
	store_free(s);

	/* Both that were there come back; the older one goes when there is something new. */
	CHECK(store_create(path, &s) == 0);
	fill(s);
	store_free(s);
	CHECK(access(old, F_OK) == 0 && access(older, F_OK) < 0);
	CHECK(store_create(path, &s) == 0 && access(old, F_OK) == 0 && access(older, F_OK) == 0);
	store_withdraw(s);
	CHECK(access(old, F_OK) == 0 && access(older, F_OK) < 0 && access(path, F_OK) == 0);
	CHECK(store_create(path, &s) == 0);
	fill(s);
	CHECK(access(old, F_OK) == 0 && access(older, F_OK) < 0);

	/* Nor is one that another recorder writes, with a slice or none. */
	struct store *second = NULL;
	CHECK(store_create(path, &second) == -EBUSY && strstr(fail_message(), "another perfscope is recording into it"));

	/* What another recorder has put there meanwhile is not taken away. */
	CHECK(rename(path, older) == 0 && link(older, path) == 0 && unlink(path) == 0);
	CHECK(link(old, path) == 0);
	store_withdraw(s);
	CHECK(access(path, F_OK) == 0 && access(old, F_OK) == 0);
	CHECK(unlink(old) == 0 && unlink(older) == 0 && unlink(path) == 0);
	unlink(journal);
	CHECK(store_create(path, &s) == 0);
	store_withdraw(s);
	s = NULL;
	CHECK(access(path, F_OK) < 0 && access(journal, F_OK) < 0);

	/* A link may be there for a file that comes back. */
	CHECK(symlink("/nonexistent/x.db", path) == 0);
	CHECK(store_create(path, &s) == -EEXIST);
	CHECK(strstr(fail_message(), "w.db: a symbolic link to nothing") != NULL);
	CHECK(unlink(path) == 0);
}

/* What a view says, each row a line. */
static char *rows_of(struct store *s, const char *view)
{
	_cleanup_(query_freep) struct query *q = NULL;
	_cleanup_free_ char *sql = xasprintf("SELECT group_concat(line, char(10)) FROM (SELECT json_array(metric, task, stack, "
					     "resource, count, value) AS line FROM (%s) ORDER BY 1)", view);

	if (query_new(s, sql, &q) < 0 || query_next(q) <= 0)
		return xstrdup("no answer");
	return xstrdup(query_text(q, 0));
}

/* All that is known of threads' time, as one number. */
static int64_t digest_times(struct store *s)
{
	struct task_times *times = NULL;
	int64_t digest = 0;
	size_t count = 0;

	CHECK(store_task_times(s, &times, &count) == 0 && count);
	for (size_t i = 0; i < count; i++) {
		digest += times[i].task * (7 * times[i].switches + 11 * times[i].preempted);
		for (int k = 0; k < TASK_TIMES; k++)
			digest += times[i].task * (k + 1) * times[i].ns[k];
	}
	free(times);
	return digest;
}

static void check_totals(struct store *s)
{
	static const char *const views[] = {
		"SELECT * FROM sample_total",
		"SELECT metric, resource, bucket AS task, NULL AS stack, count, 0 AS value FROM histogram_total",
		"SELECT metric, task, NULL AS stack, NULL AS resource, count, ns AS value FROM task_time",
		"SELECT process AS metric, task, running AS stack, sleeping AS resource, switches AS count, 0 AS value FROM thread_state",
		"SELECT process AS metric, threads AS task, running AS stack, sleeping AS resource, switches AS count, max_thread"
		" AS value FROM process_state",
		"SELECT stack AS metric, function AS task, path AS stack, 0 AS resource, 0 AS count, 0 AS value FROM stack_speaker",
	};
	char *asked[ARRAY_SIZE(views)];
	int64_t times = digest_times(s);

	for (size_t i = 0; i < ARRAY_SIZE(views); i++)
		CHECK(*(asked[i] = rows_of(s, views[i])) == '[');
	CHECK(store_keep_totals(s) == 1);
	CHECK(store_keep_totals(s) == 0 && store_keep_speakers(s) == 0);
	CHECK(digest_times(s) == times);
	CHECK(ask(s, "SELECT count(*) FROM temp.sqlite_schema WHERE name = 'stack_speaker' AND type = 'table'") == 1);
	for (size_t i = 0; i < ARRAY_SIZE(views); i++) {
		_cleanup_free_ char *kept = rows_of(s, views[i]);

		CHECK_STR(kept, asked[i]);
	}
	CHECK(ask(s, "SELECT count(*) FROM temp.sqlite_schema WHERE name = 'sample_total' AND type = 'table'") == 1);
	CHECK(store_drop_totals(s) == 0);
	CHECK(ask(s, "SELECT count(*) FROM temp.sqlite_schema WHERE type = 'table' AND name <> 'selected_task'") == 0);
	for (size_t i = 0; i < ARRAY_SIZE(views); i++) {
		_cleanup_free_ char *again = rows_of(s, views[i]);

		CHECK_STR(again, asked[i]);
		free(asked[i]);
	}
}

/* Stacks 1, 2, ... of functions of which Python's, machine code and a lock's come in all orders. */
static void add_stacks(struct store *s)
{
	static const struct {
		uint32_t module;
		const char *name;
	} functions[] = {{1, "main"}, {1, "work"}, {1, "pthread_mutex_lock"}, {2, "run"}, {2, "step"}, {3, "do_sleep"}};
	uint32_t count = ARRAY_SIZE(functions), stack = 0;

	store_put_module(s, 1, "elf", "/bin/a", NULL, 0);
	store_put_module(s, 2, "python", "/a.py", NULL, 0);
	store_put_module(s, 3, "kernel", "[kernel]", NULL, 0);
	for (uint32_t i = 0; i < count; i++) {
		store_add_symbol(s, i + 1, functions[i].module, functions[i].name, NULL, 0, 0);
		store_add_frame(s, i + 1, functions[i].module, i);
		store_name_frame(s, i + 1, i + 1, 0);
	}
	for (uint32_t i = 0; i < count; i++) {
		uint32_t root = ++stack;

		store_add_stack(s, root, 0, i + 1);
		for (uint32_t k = 0; k < count; k++) {
			uint32_t middle = ++stack;

			store_add_stack(s, middle, root, k + 1);
			for (uint32_t l = 0; l < count; l++)
				store_add_stack(s, ++stack, middle, l + 1);
		}
	}
}

/* Kept sums say what the views say, of the whole and of a part. */
static void test_totals(void)
{
	_cleanup_(store_freep) struct store *s = NULL;

	CHECK(store_create(":memory:", &s) == 0);
	fill(s);
	CHECK(store_begin(s) == 0);
	for (uint32_t i = 1; i <= 3; i++) {
		store_add_sample(s, &(struct sample_row){.slice = i, .metric = 3, .task = 1, .stack = i / 2, .count = 1, .value = 9});
		store_add_sample(s, &(struct sample_row){.slice = i, .metric = 3, .resource = 4, .count = 2, .value = 8});
		store_add_histogram(s, i, 5, i / 2, 17, i);
	}
	add_stacks(s);
	CHECK(store_commit(s) == 0);
	check_totals(s);
	CHECK(store_select(s, &(struct selection){.from_ns = NS_PER_S, .pid = 100}) == 0);
	check_totals(s);
	CHECK(store_select(s, &(struct selection){.to_ns = NS_PER_S / 2}) == 0);
	check_totals(s);
	CHECK(store_keep_totals(s) == 1);
	CHECK(store_select(s, &(struct selection){0}) == 0);
	check_totals(s);
}

/* A long recording, which two threads read: the same rows in the same order as if one had read all. */
static void test_long_totals(void)
{
	enum { SAMPLES = 60000, KINDS = 36000, SLICES = 3 };
	_cleanup_free_ char *path = in_directory("long.db");
	_cleanup_(store_freep) struct store *s = NULL;
	char *asked[4];
	static const char *const views[ARRAY_SIZE(asked)] = {
		"SELECT * FROM sample_total", "SELECT metric, task, slice AS stack, resource, count, value FROM sample_level",
		"SELECT kind AS metric, task, stack, other_task AS resource, count, ns AS value FROM edge_total",
		"SELECT id AS metric, parent AS task, frame AS stack, 0 AS resource, 0 AS count, 0 AS value FROM stack"};

	CHECK(store_create(path, &s) == 0);
	fill(s);
	CHECK(store_begin(s) == 0);
	store_add_metric(s, 3, "cpu.time", "ns", "");
	store_add_metric(s, 4, "memory.resident", "bytes", "");
	for (uint32_t i = 0; i < SAMPLES; i++)
		store_add_sample(s, &(struct sample_row){.slice = 1 + i / (SAMPLES / SLICES), .metric = 3 + !(i % 8), .task = 1 + !(i % 8),
							 .stack = 1 + i % KINDS, .count = 1, .value = i});
	for (uint32_t i = 0; i < 100; i++)
		store_add_edge(s, &(struct edge_row){.slice = 3, .kind = 3, .task = 1, .other_task = 2, .stack = 1 + i % 7, .count = 1, .ns = i});
	add_stacks(s);
	CHECK(store_commit(s) == 0 && store_finish(s) == 0);
	store_free(s);
	s = NULL;
	CHECK(store_open(path, &s) == 0);
	for (size_t i = 0; i < ARRAY_SIZE(views); i++)
		CHECK(*(asked[i] = rows_of(s, views[i])) == '[');
	CHECK(store_keep_totals(s) == 1);
	for (size_t i = 0; i < ARRAY_SIZE(views); i++) {
		_cleanup_free_ char *kept = rows_of(s, views[i]);

		CHECK_STR(kept, asked[i]);
		free(asked[i]);
	}
	/* Seen first, kept first. */
	CHECK(ask(s, "SELECT count(*) FROM (SELECT stack, lag(stack) OVER () AS before FROM sample_total WHERE metric >= 3) WHERE stack < before") == 0);
	CHECK(ask(s, "SELECT count(*) FROM (SELECT slice, lag(slice) OVER () AS before FROM sample_level) WHERE slice < before") == 0);
}

static void test_live(void)
{
	_cleanup_(store_freep) struct store *s = NULL;

	CHECK(store_create(":memory:", &s) == 0);
	fill(s);
	CHECK(store_begin(s) == 0);
	store_add_event(s, NS_PER_S, "disk.error", 1, 0, 5, "");
	store_add_event(s, NS_PER_S, "process.stop", 1, 0, 19, "");
	store_add_event(s, 2 * NS_PER_S, "disk.error", 1, 0, 5, "");
	store_add_mapping(s, 1, 0, 4096, 0, 1, 0);
	store_add_mapping(s, 2, 0, 4096, 0, 1, 0);
	store_prune(s, 3);
	CHECK(store_commit(s) == 0);
	CHECK(ask(s, "SELECT count(*) FROM sample") == 1);
	CHECK(ask(s, "SELECT count(*) FROM event") == 2);
	CHECK(ask(s, "SELECT group_concat(process) FROM mapping") == 1); /* the other one has ended */
	CHECK(ask(s, "SELECT count(*) FROM span") == 1);
}

/* Names go when no row that is kept is about them, stacks when they are not written again, too. */
static void test_forget(void)
{
	enum { CPU = 1, OLD = 2, HELD = 3, NEW = 4 };
	uint32_t ids[] = {NEW, HELD, OLD};
	_cleanup_(store_freep) struct store *s = NULL;

	CHECK(store_create(":memory:", &s) == 0 && store_begin(s) == 0);
	for (uint32_t i = 1; i <= 4; i++)
		store_add_slice(s, i, (i - 1) * NS_PER_S, i * NS_PER_S);
	for (uint32_t i = 1; i <= 6; i++)
		store_add_stack(s, i, i == 2 || i == 3 ? 1 : i == 5 ? 4 : 0, 1);
	for (uint32_t i = CPU; i <= NEW; i++)
		store_add_resource(s, i, i == CPU ? "cpu" : "file", "name");
	store_add_span(s, 1, 1, 0, 1, 1, 5, HELD);
	store_add_sample(s, &(struct sample_row){.slice = 1, .metric = 1, .stack = 2, .resource = OLD, .count = 1});
	store_end_stacks(s, 5);
	CHECK(!store_is_pruned(s) && store_forgotten_stacks(s) == 0);
	store_add_sample(s, &(struct sample_row){.slice = 3, .metric = 1, .stack = 3, .count = 1});
	store_add_edge(s, &(struct edge_row){.slice = 3, .kind = 1, .other_stack = 6, .resource = NEW, .count = 1});
	store_prune(s, 1);
	CHECK(ask(s, "SELECT count(*) FROM stack") == 6 && store_forget_resources(s, ids, 3) == 0);
	store_prune(s, 2);
	CHECK(store_is_pruned(s) && store_forgotten_stacks(s) == 5);
	CHECK(ask(s, "SELECT sum(1 << id) FROM stack") == (1 << 1 | 1 << 3 | 1 << 4 | 1 << 5 | 1 << 6)); /* all but 2 */
	CHECK(store_forget_resources(s, ids, 3) == 1 && ids[0] == OLD && store_forgotten_resources(s) == 2);
	CHECK(ask(s, "SELECT sum(1 << id) FROM resource") == (1 << CPU | 1 << HELD | 1 << NEW));
	CHECK(store_commit(s) == 0);
}

/* Of the store that children ask, a file is made, whatever its name. */
static void test_save(void)
{
	_cleanup_free_ char *path = in_directory("a b?mode=memory#c%41'.db");
	_cleanup_(store_freep) struct store *s = NULL, *saved = NULL;

	CHECK(store_create_for_forks(&s) == 0);
	fill(s);
	CHECK(store_save(s, path) == 0 && store_save(s, path) == -EEXIST);
	CHECK(store_open(path, &saved) == 0);
	CHECK(ask(saved, "SELECT count(*) FROM sample") == 4 && ask(saved, "SELECT value FROM meta WHERE key = 'complete'") == 1);
}

/* How many columns of text anywhere in the recording hold this. */
static int64_t count_text(struct store *s, const char *text)
{
	static const char *const places[] = {
		"process, json_array(comm, command, exe)", "module, path", "symbol, json_array(name, file)", "resource, name",
		"event, detail", "meta, CAST(value AS TEXT)",
	};
	int64_t found = 0;

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		const char *comma = strchr(places[i], ',');
		_cleanup_free_ char *sql = xasprintf("SELECT count(*) FROM %.*s WHERE instr(%s, '%s')",
						     (int)(comma - places[i]), places[i], comma + 1, text);
		found += ask(s, sql);
	}
	return found;
}

static void test_redact(void)
{
	static const struct {
		const char *kind, *name, *redacted;
	} cases[] = {
		{"connection", "10.1.2.3:51000 -> 10.9.9.9:443", "peer1:51000 -> peer2:443"},
		{"service", "10.9.9.9:443", "peer2:443"},
		{"service", "127.0.0.1:80", "127.0.0.1:80"},
		{"port", "*:8080", "*:8080"},
		{"connection", "[::1]:9 -> [fe80::7]:22", "[::1]:9 -> peer3:22"},
		{"service", "/run/user/1000/bus", "/run/user/*/bus"},
		{"file", "/home/alice/plan b/pay roll.db", "/home/*/pay roll.db"},
		{"file", "/var/lib/alike/pg.db", "/var/lib/alike/pg.db"},
		{"file", "socket:[4711]", "socket:[4711]"},
		{"filesystem", "/home/alice", "/home/*"},
		{"futex", "0x7f12 (lock+0x8)", "0x7f12 (lock+0x8)"},
		{"disk", "sda", "sda"},
	};
	_cleanup_(store_freep) struct store *s = NULL;

	CHECK(store_create(":memory:", &s) == 0);
	store_redact(s);
	CHECK(store_begin(s) == 0);
	store_put_process(s, &(struct process_row){.id = 1, .pid = 7, .comm = "shop", .command = "shop --key=hush",
						   .exe = "/home/alice/bin/shop", .exit_status = -1});
	store_put_module(s, 1, "elf", "/root/secret/shop", NULL, 0);
	store_add_symbol(s, 1, 1, "LazyCompile:~buy /home/alice/secret/shop.js:12", "/home/alice/shop.c", 0, 1);
	store_add_event(s, 1, "process.stop", 1, 0, 0, "by \"/home/alice/x\", of /root/secret/y: stopped");
	for (uint32_t i = 0; i < ARRAY_SIZE(cases); i++)
		store_add_resource(s, i + 1, cases[i].kind, cases[i].name);
	CHECK(store_commit(s) == 0);
	CHECK(count_text(s, "alice") == 0 && count_text(s, "hush") == 0 && count_text(s, "secret") == 0);
	CHECK(count_text(s, "10.") == 0 && count_text(s, "fe80") == 0);
	CHECK(ask(s, "SELECT count(*) FROM symbol WHERE name = 'LazyCompile:~buy /home/*/shop.js:12'") == 1);
	CHECK(ask(s, "SELECT count(*) FROM event WHERE detail = 'by \"/home/*/x\", of /root/y: stopped'") == 1);
	CHECK(ask(s, "SELECT count(*) FROM process WHERE exe = '/home/*/shop' AND command IS NULL") == 1);
	CHECK(ask(s, "SELECT value FROM meta WHERE key = 'redacted'") == 1);
	for (uint32_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *sql = xasprintf("SELECT count(*) FROM resource WHERE id = %u AND name = '%s'", i + 1,
						     cases[i].redacted);
		CHECK(ask(s, sql) == 1);
	}
}

int main(void)
{
	_cleanup_free_ char *clean = NULL;

	if (!mkdtemp(directory))
		return 1;
	test_selection();
	test_commit();
	test_large_commit();
	test_truncated();
	test_foreign();
	test_tampered();
	test_foreign_views();
	test_long_name();
	test_replace();
	test_withdraw();
	test_totals();
	test_long_totals();
	test_live();
	test_forget();
	test_save();
	test_redact();
	clean = xasprintf("rm -rf %s", directory);
	CHECK(system(clean) == 0);
	return check_done("store");
}
