// SPDX-License-Identifier: BSD-2-Clause
/* What is left out of a table, and which row keeps the selection. */
#include "check.h"

#include <math.h>

#include "clock.h"
#include "rows.h"
#include "store.h"
#include "store_write.h"
#include "table.h"
#include "ui_fixture.h"

static void press(struct ui *ui, const char *keys)
{
	for (; *keys; keys++)
		CHECK(ui_key(ui, &(struct key_event){.code = *keys}) == UI_REDRAW);
}

static void type(struct ui *ui, int code)
{
	CHECK(ui_key(ui, &(struct key_event){.code = code}) == UI_REDRAW);
}

static void add_slice(struct store *s, struct ui *ui, uint32_t slice)
{
	bool changed;

	fill_slice(s, slice, false);
	CHECK(ui_update(ui, &changed) == 0);
}

static void test_filter(struct store *s, struct ui *ui)
{
	press(ui, "2\\POSTGRES");
	CHECK(screen_shows(ui, 170, "Filter: POSTGRES") && screen_shows(ui, 170, "checkpointer") && !screen_shows(ui, 170, "java -Xmx2g"));
	type(ui, UI_KEY_BACKSPACE);
	type(ui, UI_KEY_ENTER);
	CHECK(screen_shows(ui, 170, "Filter: \"POSTGRE\"  (2 of 9; Escape: all)"));
	add_slice(s, ui, 2);
	type(ui, UI_KEY_END);
	CHECK(screen_shows(ui, 170, "checkpointer") && !screen_shows(ui, 170, "java -Xmx2g"));
	/* It goes on where it was left, and may leave out everything. */
	type(ui, UI_KEY_F4);
	press(ui, "-nothing");
	CHECK(!screen_shows(ui, 170, "checkpointer") && screen_shows(ui, 170, "No row is left by the filter"));
	type(ui, UI_KEY_ESCAPE);
	CHECK(screen_shows(ui, 170, "java -Xmx2g") && !screen_shows(ui, 170, "Filter: "));
	/* It belongs to one table. */
	press(ui, "t\\postgres\nt7\t2");
	CHECK(screen_shows(ui, 170, "(2 of 9"));
	type(ui, UI_KEY_ESCAPE);
	CHECK(screen_shows(ui, 170, "java -Xmx2g"));
}

static void test_user_and_kernel(struct ui *ui)
{
	press(ui, "/checkpointer\nu");
	CHECK(screen_shows(ui, 170, "Filter: postgres  (2 of 9") && !screen_shows(ui, 170, "java -Xmx2g"));
	press(ui, "u");
	CHECK(screen_shows(ui, 170, "java -Xmx2g") && screen_shows(ui, 170, "[kthreadd]"));
	press(ui, "K");
	CHECK(!screen_shows(ui, 170, "[kthreadd]") && screen_shows(ui, 170, "java -Xmx2g"));
	press(ui, "K");
	CHECK(screen_shows(ui, 170, "[kthreadd]"));
}

/* The first row is whoever is first, unless it is followed. */
static void test_follow(struct ui *ui)
{
	type(ui, UI_KEY_HOME);
	press(ui, "I");
	type(ui, UI_KEY_HOME);
	press(ui, "FI");
	type(ui, UI_KEY_ENTER);
	CHECK(!screen_shows(ui, 170, "only java (900)"));
	type(ui, UI_KEY_BACKSPACE);
	type(ui, UI_KEY_HOME);
	press(ui, "FI");
	press(ui, "I");
	type(ui, UI_KEY_ENTER);
	CHECK(screen_shows(ui, 170, "only java (900)"));
}

static void test_facts(struct ui *ui)
{
	type(ui, UI_KEY_BACKSPACE);
	/* 900 * 900 * 34567890 ns */
	CHECK(screen_shows(ui, 170, "TIME+") && screen_shows(ui, 170, "7h46:39") && screen_shows(ui, 170, " 15  -5 "));
	CHECK(screen_shows(ui, 170, "MEM%") && screen_shows(ui, 170, "4194304 root"));
	type(ui, UI_KEY_F9);
	CHECK(screen_shows(ui, 170, "only watches"));
}

/* Whose number is not known comes last, whether the largest comes first or the smallest. */
static void test_unknown_last(const struct window *w)
{
	for (enum row_field field = ROW_RESIDENT; field <= ROW_NICE; field++)
		for (int reverse = 0; reverse < 2; reverse++) {
			const struct row_order order = {.reverse = reverse, .field = field};
			struct row_list list = {0};
			uint32_t unknown = 0, wrong = 0;

			rows_build(&list, w, &order);
			for (uint32_t i = 1; i < list.count; i++) {
				double before = row_number(&list.rows[i - 1], field), value = row_number(&list.rows[i], field);

				unknown += isnan(value);
				wrong += isnan(before) ? !isnan(value) : reverse ? value > before : value < before;
			}
			CHECK(list.count > 3 && !wrong && (field != ROW_RESIDENT || unknown));
			rows_done(&list);
		}
}

/* A bar of several times is no order. */
static void test_click_on_states(void)
{
	static const struct column columns[] = {
		{"NUMBER", "", .width = 8, .ascending = true}, {"STATE TIME", "", .width = 10, .kind = COLUMN_STATES}, {0},
	};
	_cleanup_(grid_freep) struct grid *g = grid_new(4, 40);
	const struct area whole = {0, 0, 4, 40};
	struct table t = {0};

	table_begin(&t, columns);
	for (int i = 0; i < 3; i++)
		table_append(&t)->number[0] = i ? i : NAN;
	table_end(&t);
	table_draw(&t, g, &whole);
	for (unsigned column = 10; column <= 14; column += 4) {
		CHECK(table_key(&t, &(struct key_event){.code = UI_KEY_CLICK, .row = 0, .column = column}));
		CHECK(t.sort == 0 && !t.inverted && t.order[0] == 1 && t.order[2] == 0);
	}
	CHECK(table_key(&t, &(struct key_event){.code = UI_KEY_CLICK, .row = 0, .column = 2}));
	CHECK(t.sort == 0 && t.inverted && t.order[0] == 2 && t.order[2] == 0);
	table_done(&t);
}

/* Of two threads that wait on semaphores, a finding knows that one waits for a lock. */
static void test_lock_of_a_finding(struct store *s, struct ui *ui)
{
	enum { SYMBOL = 30, STACK = 30, IN_RESERVE_ITEM = 3, LIBC = 2, A_LOCK = 90, WORK = 91, SLICE = 7 };
	uint32_t metric = window_metric_id(ui_window(ui), "wait.lock");

	for (uint32_t i = 3; i < SLICE; i++)
		add_slice(s, ui, i);
	CHECK(store_begin(s) == 0);
	store_add_symbol(s, SYMBOL, LIBC, "__new_sem_wait_slow", NULL, 4096, 16);
	store_add_frame(s, SYMBOL, LIBC, 4100);
	store_name_frame(s, SYMBOL, SYMBOL, 0);
	store_add_stack(s, STACK, IN_RESERVE_ITEM, SYMBOL);
	store_add_resource(s, A_LOCK, "futex", "0x7f99");
	store_add_resource(s, WORK, "futex", "0x7f98");
	store_add_sample(s, &(struct sample_row){SLICE, metric, FIRST_WORKER + 1, STACK, A_LOCK, 10, 500 * NS_PER_MS});
	store_add_sample(s, &(struct sample_row){SLICE, metric, FIRST_WORKER, STACK, WORK, 10, 500 * NS_PER_MS});
	CHECK(store_commit(s) == 0);
	add_slice(s, ui, SLICE);
	press(ui, "6");
	CHECK(screen_shows(ui, 170, "0x7f99") && screen_shows(ui, 170, "semaphore") && !screen_shows(ui, 170, "0x7f98"));
	press(ui, "i");
	CHECK(screen_shows(ui, 170, "0x7f98"));
}

int main(void)
{
	_cleanup_(store_freep) struct store *s = ui_fixture();
	_cleanup_(answers_done) struct answers answers = answers_new();
	_cleanup_(ui_freep) struct ui *ui = make_ui(s, &answers);

	add_slice(s, ui, 1);
	test_filter(s, ui);
	test_user_and_kernel(ui);
	test_follow(ui);
	test_facts(ui);
	test_unknown_last(ui_window(ui));
	test_click_on_states();
	test_lock_of_a_finding(s, ui);
	return check_done("ui-table");
}
