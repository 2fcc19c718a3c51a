// SPDX-License-Identifier: BSD-2-Clause
/* A window moved about over a store shows what the store's own views say. */
#include "check.h"

#include <string.h>

#include "clock.h"
#include "store_query.h"
#include "store_write.h"
#include "ui_fixture.h"

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
	_cleanup_(store_freep) struct store *s = ui_fixture();
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
	CHECK(window_level(w, "cpu.user", window_cpu_resource(w, 1)) > 21.4 && window_level(w, "cpu.user", 2) < 21.6);
	CHECK(window_level_sum(w, "lost.records", 0) == 10);
	CHECK(window_level(w, "cpu.user", 9) == 0 && window_level(w, "nothing", 0) == 0);
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

/* However long it takes, the newest are there first, and in the end all that was asked for. */
static void test_patience(void)
{
	_cleanup_(store_freep) struct store *s = ui_fixture();
	_cleanup_(window_freep) struct window *w = NULL;
	uint32_t shown, steps = 0;

	for (uint32_t i = 1; i <= 100; i++)
		fill_slice(s, i, i > 5);
	CHECK(window_new(s, NULL, NULL, &w) == 0 && window_follow(w) == 0);
	window_set_patience(w, 1);
	CHECK(window_show(w, 100, 100) == 0 && !window_is_partial(w));
	CHECK(window_show(w, 1, 100) == 0 && window_is_partial(w));
	while (window_is_partial(w) && steps++ < 200) {
		shown = window_slices(w);
		CHECK(window_last(w) == 100 && window_ns(w) == shown * NS_PER_S);
		CHECK(window_show(w, 1, 100) == 0 && window_slices(w) >= shown);
	}
	CHECK(window_slices(w) == 100 && steps > 10);
	check_window(s, w, 1, 100);
	CHECK(window_show(w, 99, 99) == 0 && !window_is_partial(w));
	check_window(s, w, 99, 99);
	CHECK(window_show(w, 1, 2) == 0 && window_last(w) == 2);
	window_set_patience(w, 0);
	check_window(s, w, 1, 100);
}

static uint32_t find_lock(const struct window *w)
{
	uint32_t id = window_resource_count(w);

	while (id && strcmp(window_resource(w, --id)->kind, "futex"))
		;
	return id;
}

/* A lock has its name when its program's file has been read, which can be slices later. */
static void test_late_name(void)
{
	_cleanup_(store_freep) struct store *s = ui_fixture();
	_cleanup_(window_freep) struct window *w = NULL;
	uint32_t lock;

	fill_slice(s, 1, true);
	CHECK(window_new(s, NULL, NULL, &w) == 0 && window_follow(w) == 0);
	lock = find_lock(w);
	CHECK_STR(window_resource(w, lock)->name, "0x7f12");
	store_add_resource(s, lock, "futex", "0x7f12 (inventory_lock+0x0)");
	fill_slice(s, 2, true);
	CHECK(window_follow(w) == 0);
	CHECK_STR(window_resource(w, lock)->name, "0x7f12 (inventory_lock+0x0)");
}

/* The id of a file that nothing is about any more stands for another one. */
static void test_reused_id(void)
{
	_cleanup_(store_freep) struct store *s = ui_fixture();
	_cleanup_(window_freep) struct window *w = NULL;
	uint32_t lock, gone[3], metric;

	fill_slice(s, 1, true);
	CHECK(window_new(s, NULL, NULL, &w) == 0 && window_follow(w) == 0);
	lock = window_resource_count(w);
	metric = window_metric_id(w, "cpu.user");
	for (uint32_t i = 0; i < 3; i++)
		store_add_resource(s, gone[i] = lock + i, "file", i == 1 ? "/kept" : "/gone");
	store_add_gauge(s, 2, metric, gone[0], 1);
	store_add_gauge(s, 2, metric, gone[2], 1);
	fill_slice(s, 2, true);
	store_add_gauge(s, 3, metric, gone[1], 1);
	fill_slice(s, 3, true);
	CHECK(window_follow(w) == 0 && window_has_level(w, "cpu.user", lock));
	CHECK_STR(window_resource(w, lock)->name, "/gone");
	store_prune(s, 3);
	window_forget(w, 3);
	CHECK(store_forget_resources(s, gone, 3) == 2 && gone[0] == lock && gone[1] == lock + 2);
	CHECK(window_follow(w) == 0 && !*window_resource(w, lock)->name && !window_has_level(w, "cpu.user", lock));
	CHECK(window_has_level(w, "cpu.user", lock + 1));
	CHECK_STR(window_resource(w, lock + 1)->name, "/kept");
	store_add_resource(s, lock, "connection", "a -> b");
	fill_slice(s, 4, true);
	CHECK(window_follow(w) == 0 && window_show(w, 3, 4) == 0);
	CHECK_STR(window_resource(w, lock)->kind, "connection");
	for (uint32_t slice = 5; slice < 50; slice++) {
		fill_slice(s, slice, true);
		CHECK(window_follow(w) == 0);
	}
	store_add_resource(s, lock + 2, "futex", "0x10 ([heap])");
	store_add_resource(s, lock + 3, "file", "/last");
	CHECK(window_follow(w) == 0);
	CHECK_STR(window_resource(w, lock + 2)->name, "0x10 ([heap])");
	CHECK_STR(window_resource(w, lock + 3)->name, "/last");
	/* A lock's variable is known later. */
	store_add_resource(s, lock + 2, "futex", "0x10 (mine+0x0)");
	CHECK(window_follow(w) == 0);
	CHECK_STR(window_resource(w, lock + 2)->name, "0x10 (mine+0x0)");
}

/* Threads that ended are not kept when they are many, and found again by who looks back. */
static void test_many(void)
{
	enum { MANY = 10100, FIRST = 1000, JAVA = 5 };
	_cleanup_(store_freep) struct store *s = ui_fixture();
	_cleanup_(window_freep) struct window *w = NULL;
	uint32_t running;

	fill_slice(s, 1, false);
	CHECK(window_new(s, NULL, NULL, &w) == 0 && window_follow(w) == 0);
	running = window_metric_id(w, "task.running");
	CHECK(store_begin(s) == 0);
	for (uint32_t i = 0; i < MANY; i++) {
		store_put_task(s, &(struct task_row){.id = FIRST + i, .process = JAVA, .tid = 50000 + i, .comm = "brief",
						     .end_ns = 2 * NS_PER_S});
		store_add_sample(s, &(struct sample_row){.slice = 2, .metric = running, .task = FIRST + i, .count = 1,
							 .value = 7 * NS_PER_MS});
	}
	CHECK(store_commit(s) == 0);
	fill_slice(s, 2, false);
	fill_slice(s, 3, false);
	CHECK(window_follow(w) == 0 && window_show(w, 2, 2) == 0 && window_thread_count(w) > MANY);
	CHECK(window_show(w, 2, 3) == 0 && window_show(w, 3, 3) == 0 && window_forget(w, 1));
	CHECK(window_thread_count(w) < 100 && time_of(w, FIRST_WORKER, RUNNING) == 70 && !window_forget(w, 1));
	CHECK(window_show(w, 2, 2) == 0 && window_thread_count(w) > MANY && time_of(w, FIRST, RUNNING) == 7);
}

/* When more ended in the window than can be kept, it is narrowed to its newest part. */
static void test_churn(void)
{
	enum { A_SLICE = 9000, FIRST = 1000, JAVA = 5, SLICES = 20 };
	_cleanup_(store_freep) struct store *s = ui_fixture();
	_cleanup_(window_freep) struct window *w = NULL;
	uint32_t running = 0;

	CHECK(window_new(s, NULL, NULL, &w) == 0);
	for (uint32_t slice = 1; slice <= SLICES; slice++) {
		CHECK(store_begin(s) == 0);
		for (uint32_t i = slice * A_SLICE; running && i < (slice + 1) * A_SLICE; i++) {
			store_put_task(s, &(struct task_row){.id = FIRST + i, .process = JAVA, .tid = i, .comm = "brief",
							     .end_ns = slice * NS_PER_S});
			store_add_sample(s, &(struct sample_row){.slice = slice, .metric = running, .task = FIRST + i, .count = 1,
								 .value = NS_PER_MS});
		}
		CHECK(store_commit(s) == 0);
		fill_slice(s, slice, false);
		CHECK(window_follow(w) == 0 && window_show(w, 1, slice) == 0 && !window_is_partial(w));
		CHECK(window_last(w) == slice && window_thread_count(w) < 70000);
		running = window_metric_id(w, "task.running");
	}
	CHECK(window_slices(w) >= 3 && window_slices(w) < 8 && time_of(w, FIRST_WORKER, RUNNING) == 70 * window_slices(w));
	/* From there to what was long ago, and back to all. */
	CHECK(window_show(w, 2, 3) == 0 && window_slices(w) == 2 && time_of(w, FIRST + 2 * A_SLICE, RUNNING) == 1);
	window_set_patience(w, 1);
	CHECK(window_show(w, 1, SLICES) == 0);
	for (uint32_t i = 0; i < SLICES && window_is_partial(w); i++)
		CHECK(window_show(w, 1, SLICES) == 0);
	CHECK(!window_is_partial(w) && window_slices(w) < 8 && window_thread_count(w) < 70000);
}

int main(void)
{
	test_window();
	test_many();
	test_churn();
	test_late_name();
	test_reused_id();
	test_patience();
	return check_done("window");
}
