// SPDX-License-Identifier: BSD-2-Clause
#include "check.h"

#include "clock.h"
#include "explained.h"
#include "mem.h"
#include "store_write.h"

enum { LOCK = 1, DISK, POLL, WAKER, RAN, WAITED, CAUSE_LOCK, CAUSE_DISK, CAUSE_POLL };
enum { CLIENT_1 = 1, CLIENT_2, SERVER, DATABASE, IDLER };
enum { CLIENT_WAITS = 10, SERVER_WAITS = 20, DATABASE_RUNS = 30, DATABASE_SYNCS, IDLER_POLLS = 40, ANY = 50 };

static struct store *begin(void)
{
	static const char *const names[] = {
		[LOCK] = "wait.lock", [DISK] = "wait.disk", [POLL] = "wait.poll", [WAKER] = "waker", [RAN] = "waker.run",
		[WAITED] = "waker.wait", [CAUSE_LOCK] = "offcpu.lock", [CAUSE_DISK] = "offcpu.disk", [CAUSE_POLL] = "offcpu.poll"};
	static const struct {
		uint32_t process;
		const char *comm, *thread;
	} tasks[] = {[CLIENT_1] = {1, "client", "worker-1"}, [CLIENT_2] = {1, "client", "worker-12"}, [SERVER] = {2, "server", "server"},
		     [DATABASE] = {3, "database", "writer"}, [IDLER] = {4, "idler", "idler"}};
	struct store *s = NULL;

	CHECK(store_create(":memory:", &s) == 0 && store_begin(s) == 0);
	for (uint32_t i = 1; i < ARRAY_SIZE(names); i++)
		store_add_metric(s, i, names[i], "ns", "");
	store_add_slice(s, 1, 0, NS_PER_S);
	for (uint32_t i = 1; i < ARRAY_SIZE(tasks); i++) {
		store_put_process(s, &(struct process_row){.id = tasks[i].process, .pid = 100 * tasks[i].process, .comm = tasks[i].comm});
		store_put_task(s, &(struct task_row){.id = i, .process = tasks[i].process, .tid = 100 + i, .comm = tasks[i].thread});
	}
	store_put_module(s, 1, "elf", "/usr/bin/database", NULL, 0);
	store_put_module(s, 2, "elf", "/lib/libc.so.6", NULL, 0);
	store_add_symbol(s, 1, 1, "commit", NULL, 0, 0);
	store_add_symbol(s, 2, 2, "fsync", NULL, 0, 0);
	for (uint32_t i = 1; i <= 2; i++) {
		store_add_frame(s, i, i, 0x10);
		store_name_frame(s, i, i, 0);
	}
	store_add_stack(s, DATABASE_RUNS, 0, 1);
	store_add_stack(s, DATABASE_SYNCS, DATABASE_RUNS, 2);
	return s;
}

static void waits(struct store *s, uint32_t metric, uint32_t task, uint32_t stack, uint64_t ns)
{
	store_add_sample(s, &(struct sample_row){.slice = 1, .metric = metric, .task = task, .stack = stack, .count = 1, .value = ns});
}

static void behind(struct store *s, uint32_t task, uint32_t stack, uint32_t kind, uint32_t other, uint32_t other_stack, uint64_t ns)
{
	store_add_edge(s, &(struct edge_row){.slice = 1, .kind = WAKER, .task = task, .stack = stack, .other_task = other,
					     .other_stack = other ? ANY : 0, .count = 1, .ns = ns});
	if (other)
		store_add_edge(s, &(struct edge_row){.slice = 1, .kind = kind, .task = task, .stack = stack, .other_task = other,
						     .other_stack = other_stack, .count = 1, .ns = ns});
}

/* Two clients wait for a server, that one for a database, and that for the disk. */
static void test_across_processes(void)
{
	_cleanup_(store_freep) struct store *s = begin();
	_cleanup_(explained_freep) struct explained *e = NULL;

	for (uint32_t client = CLIENT_1; client <= CLIENT_2; client++) {
		waits(s, LOCK, client, CLIENT_WAITS, 400 * NS_PER_MS);
		behind(s, client, CLIENT_WAITS, WAITED, SERVER, SERVER_WAITS, 400 * NS_PER_MS);
	}
	waits(s, LOCK, SERVER, SERVER_WAITS, 900 * NS_PER_MS);
	behind(s, SERVER, SERVER_WAITS, WAITED, DATABASE, DATABASE_SYNCS, 900 * NS_PER_MS);
	waits(s, DISK, DATABASE, DATABASE_SYNCS, 900 * NS_PER_MS);
	behind(s, DATABASE, DATABASE_SYNCS, 0, 0, 0, 900 * NS_PER_MS);
	CHECK(store_commit(s) == 0 && explained_new(s, &e) == 0);
	CHECK(e->row_count == 3 && e->knot_count == 1);
	const struct explained_group *knot = &e->groups[e->knots[0]];
	CHECK_STR(knot->comm, "writer");
	CHECK(knot->waiters == 2 && knot->held_ns > 1.69e9 && knot->held_ns < 1.71e9);
	const struct explained_row *clients = &e->rows[2];
	CHECK_STR(e->groups[clients->hops[0]].comm, "worker-*");
	CHECK(e->groups[clients->hops[0]].threads == 2 && clients->hop_count == 3 && clients->end == ENDS_WAITING);
	CHECK_STR(clients->function, "commit");
	CHECK_STR(clients->cause, "disk");
	CHECK(explained_share(e, 100, 300) > 0.99 && explained_share(e, 100, 200) > 0.99);
	CHECK(explained_share(e, 300, 100) < 0.01 && explained_share(e, 200, 100) < 0.01);
}

/* A worker is not held up by those who have no work for it, nor a thread by its own time limit. */
static void test_idle(void)
{
	_cleanup_(store_freep) struct store *s = begin();
	_cleanup_(explained_freep) struct explained *e = NULL;

	waits(s, LOCK, SERVER, SERVER_WAITS, 900 * NS_PER_MS);
	behind(s, SERVER, SERVER_WAITS, WAITED, IDLER, IDLER_POLLS, 900 * NS_PER_MS);
	waits(s, POLL, IDLER, IDLER_POLLS, 900 * NS_PER_MS);
	waits(s, LOCK, DATABASE, SERVER_WAITS, 900 * NS_PER_MS);
	behind(s, DATABASE, SERVER_WAITS, 0, 0, 0, 900 * NS_PER_MS);
	CHECK(store_commit(s) == 0 && explained_new(s, &e) == 0);
	CHECK(e->row_count == 0 && e->knot_count == 0 && explained_share(e, 200, 400) < 0.01);
}

int main(void)
{
	test_across_processes();
	test_idle();
	return check_done("explained");
}
