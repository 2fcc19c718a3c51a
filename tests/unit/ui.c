// SPDX-License-Identifier: BSD-2-Clause
/* ui GOLDEN_DIR [write]: screens of a store that is filled by hand, compared with the texts in the folder. */
#include "check.h"

#include "buf.h"
#include "clock.h"
#include "io.h"
#include "mem.h"
#include "store_query.h"
#include "store_write.h"
#include "ui_fixture.h"

static const char *golden;
static bool write_golden;

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

static void check_sizes(struct ui *ui, const char *name)
{
	check_screen(ui, name, 24, 80);
	check_screen(ui, name, 60, 200);
}

static void test_processes(void)
{
	_cleanup_(store_freep) struct store *s = ui_fixture();
	_cleanup_(answers_done) struct answers answers = answers_new();
	_cleanup_(ui_freep) struct ui *ui = make_ui(s, &answers);
	_cleanup_(grid_freep) struct grid *g = grid_new(0, 0);

	check_screen(ui, "empty", 24, 80);
	press(ui, "2");
	for (uint32_t i = 1; i <= 10; i++) {
		fill_slice(s, i, i > 5);
		update(ui);
	}
	check_sizes(ui, "processes");
	check_screen(ui, "processes", 12, 20);
	press(ui, "t");
	check_screen(ui, "tree", 24, 80);
	press(ui, "c");
	check_sizes(ui, "cgroups");
	press(ui, "t");
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
	answers.silent = true;
	check_screen(ui, "window", 24, 80);
	ui_draw_all(ui, g, 120);
	check_golden("top-all-120", g);
}

static struct ui *filled_ui(struct store *s, struct answers *answers)
{
	struct ui *ui = make_ui(s, answers);

	for (uint32_t i = 1; i <= 10; i++) {
		fill_slice(s, i, i > 5);
		update(ui);
	}
	return ui;
}

static void test_screens(void)
{
	static const struct {
		const char *keys, *name;
	} screens[] = {
		{"", "overview"}, {"3", "findings"}, {"4", "functions"}, {"\t", "calls"}, {"5", "offcpu"}, {"6", "locks"}, {"7", "disk"},
		{"\t", "disk-users"}, {"\t", "disk-files"}, {"\t", "disk-space"}, {"8", "services"}, {"\t", "requests"}, {"\t", "connections"},
		{"\t", "listeners"}, {"\t", "round-trips"}, {"\t", "interfaces"}, {"9", "memory"}, {"\t", "memory-processes"},
		{"0", "events"}, {"\t", "stopped"}, {"f", "flame"}, {"a", "annotate"},
	};
	_cleanup_(store_freep) struct store *s = ui_fixture();
	_cleanup_(answers_done) struct answers answers = answers_new();
	_cleanup_(ui_freep) struct ui *ui = filled_ui(s, &answers);

	for (size_t i = 0; i < ARRAY_SIZE(screens); i++) {
		press(ui, screens[i].keys);
		check_sizes(ui, screens[i].name);
	}
	answers.silent = true;
	press(ui, "1");
	check_screen(ui, "overview-early", 24, 80);
}

static bool is_drawn(struct ui *ui, const char *text)
{
	if (!screen_shows(ui, 140, text))
		fprintf(stderr, "'%s' is not on the screen\n", text);
	return screen_shows(ui, 140, text);
}

static void type(struct ui *ui, int code)
{
	CHECK(ui_key(ui, &(struct key_event){.code = code}) == UI_REDRAW);
}

/* From a finding to an instruction, and all the way back. */
static void test_drill_down(void)
{
	_cleanup_(store_freep) struct store *s = ui_fixture();
	_cleanup_(answers_done) struct answers answers = answers_new();
	_cleanup_(ui_freep) struct ui *ui = filled_ui(s, &answers);

	type(ui, UI_KEY_ENTER);
	CHECK(is_drawn(ui, "lock wait share: 83.1 % (threshold 20)") && is_drawn(ui, "worker-1 (900), thread 902, 903"));
	type(ui, UI_KEY_ENTER);
	CHECK(is_drawn(ui, "only java (900)") && is_drawn(ui, "worker-2") && is_drawn(ui, "TID"));
	type(ui, UI_KEY_ENTER);
	CHECK(is_drawn(ui, "crc32") && is_drawn(ui, "thread worker-"));
	type(ui, UI_KEY_ENTER);
	CHECK(is_drawn(ui, "movzbl") && is_drawn(ui, "90.5") && is_drawn(ui, "<free@plt>") && is_drawn(ui, "<+0x2>"));
	for (int i = 0; i < 2; i++)
		type(ui, UI_KEY_BACKSPACE);
	CHECK(is_drawn(ui, "TID") && is_drawn(ui, "only java (900)"));
	type(ui, UI_KEY_BACKSPACE);
	type(ui, UI_KEY_BACKSPACE);
	CHECK(is_drawn(ui, "SERVICE"));
	/* What is looked at follows to other screens, until it is given up. */
	press(ui, "2");
	type(ui, 'o');
	press(ui, "7\t");
	CHECK(is_drawn(ui, "only java (900)") && is_drawn(ui, "No process that fits used a disk"));
	type(ui, 'o');
	CHECK(is_drawn(ui, "postgres"));
	type(ui, 'o');
	press(ui, "1");
	CHECK(!screen_shows(ui, 140, "only "));
}

/* Locks: who holds, and where; a row of the overview leads to what explains it. */
static void test_locks(void)
{
	_cleanup_(store_freep) struct store *s = ui_fixture();
	_cleanup_(answers_done) struct answers answers = answers_new();
	_cleanup_(ui_freep) struct ui *ui = filled_ui(s, &answers);

	press(ui, "6");
	CHECK(is_drawn(ui, "worker-0 (901) in reserve_item") && is_drawn(ui, "Holder worker-0 (901) in reserve_item: others waited 30 ms"));
	press(ui, "5/reserve\n");
	CHECK(is_drawn(ui, "reserve_item") && is_drawn(ui, "ended by worker-"));
	press(ui, "1\t");
	type(ui, UI_KEY_ENTER);
	CHECK(is_drawn(ui, "Who uses sda"));
	press(ui, "1\t");
	type(ui, UI_KEY_ENTER);
	CHECK(is_drawn(ui, "only shop.service"));
}

static void test_flame(void)
{
	_cleanup_(store_freep) struct store *s = ui_fixture();
	_cleanup_(answers_done) struct answers answers = answers_new();
	_cleanup_(ui_freep) struct ui *ui = filled_ui(s, &answers);

	press(ui, "f");
	type(ui, UI_KEY_DOWN);
	type(ui, UI_KEY_DOWN);
	type(ui, UI_KEY_DOWN);
	CHECK(is_drawn(ui, "main  99.0%"));
	type(ui, UI_KEY_ENTER);
	CHECK(!screen_shows(ui, 140, "_start"));
	press(ui, "/crc\n");
	CHECK(is_drawn(ui, "found 92.3%"));
	type(ui, UI_KEY_BACKSPACE);
	CHECK(is_drawn(ui, "_start"));
	/* Above a wait stands what the one who ended it did. */
	press(ui, "\t\t");
	press(ui, "/unlock\n");
	CHECK(is_drawn(ui, "pthread_mutex_lock") && is_drawn(ui, "found ") && !screen_shows(ui, 140, "found 0.0%"));
	press(ui, "\t");
	CHECK(is_drawn(ui, "pthread_mutex_lock"));
	press(ui, "s");
	CHECK(answers.saves == 1 && !strcmp(answers.saved.kind, "cpu") && answers.saved.to_ns == 10 * NS_PER_S);
	press(ui, "6s");
	CHECK(answers.saves == 2 && !strcmp(answers.saved.kind, "lock"));
	press(ui, "w");
	CHECK(answers.saves == 3 && !answers.saved.kind);
}

static void test_time(void)
{
	_cleanup_(store_freep) struct store *s = ui_fixture();
	_cleanup_(answers_done) struct answers answers = answers_new();
	_cleanup_(ui_freep) struct ui *ui = filled_ui(s, &answers);
	const struct window *w = ui_window(ui);

	press(ui, "[[");
	CHECK(window_last(w) == 8 && is_drawn(ui, "paused 2.0 s ago"));
	press(ui, "]");
	CHECK(window_last(w) == 9);
	press(ui, "++{");
	CHECK(window_last(w) == 4 && is_drawn(ui, "paused 6.0 s ago"));
	/* Before it was found, nothing was wrong. */
	CHECK(is_drawn(ui, "warning for 3.0 s") && !screen_shows(ui, 140, "inventory_lock"));
	press(ui, "}");
	CHECK(window_last(w) == 8);
	press(ui, "p");
	CHECK(window_last(w) == 10 && window_ns(w) == 5 * NS_PER_S);
}

static void mouse(struct ui *ui, int code, unsigned row, unsigned column)
{
	_cleanup_(grid_freep) struct grid *g = grid_new(24, 80);

	ui_draw(ui, g);
	ui_key(ui, &(struct key_event){.code = code, .row = row, .column = column});
}

/* A click on a course leads back to that moment; then there is a time line, in which a part can be chosen. */
static void test_mouse(void)
{
	enum { FIRST_CELL = 5, CPU_LINE = 4, LAST_IN_COURSE = 28 };
	_cleanup_(store_freep) struct store *s = ui_fixture();
	_cleanup_(answers_done) struct answers answers = answers_new();
	_cleanup_(ui_freep) struct ui *ui = filled_ui(s, &answers);
	const struct window *w = ui_window(ui);

	mouse(ui, UI_KEY_CLICK, CPU_LINE, LAST_IN_COURSE - 6);
	CHECK(window_last(w) == 4 && is_drawn(ui, "paused 6.0 s ago"));
	CHECK(is_drawn(ui, "time "));
	press(ui, "4");
	mouse(ui, UI_KEY_CLICK, 1, FIRST_CELL + 1);
	mouse(ui, UI_KEY_RELEASE, 1, FIRST_CELL + 1);
	CHECK(window_last(w) == 2 && window_ns(w) == NS_PER_S);
	mouse(ui, UI_KEY_CLICK, 1, FIRST_CELL + 7);
	mouse(ui, UI_KEY_RELEASE, 1, FIRST_CELL + 4);
	CHECK(window_last(w) == 8 && window_ns(w) == 4 * NS_PER_S);
	/* Where no time is, nothing changes. */
	mouse(ui, UI_KEY_CLICK, 1, FIRST_CELL + 10);
	CHECK(window_last(w) == 8);
	press(ui, "p");
	CHECK(window_last(w) == 10 && !screen_shows(ui, 140, "time "));
}

/* Every size there may be: nothing may be read or written outside. */
static void test_sizes(void)
{
	_cleanup_(store_freep) struct store *s = ui_fixture();
	_cleanup_(answers_done) struct answers answers = answers_new();
	_cleanup_(ui_freep) struct ui *ui = make_ui(s, &answers);
	_cleanup_(grid_freep) struct grid *g = grid_new(0, 0);
	static const char *const keys[] = {"1", "2", "3", "4", "\t", "5", "6", "7", "8", "9", "0", "f", "a", "?"};
	unsigned drawn = 0;

	fill_slice(s, 1, true);
	update(ui);
	for (unsigned rows = 0; rows < 30; rows++)
		for (unsigned columns = 0; columns < 210; columns += columns < 24 ? 1 : 7) {
			press(ui, keys[drawn % ARRAY_SIZE(keys)]);
			grid_resize(g, rows, columns);
			ui_draw(ui, g);
			ui_key(ui, &(struct key_event){.code = UI_KEY_END});
			ui_key(ui, &(struct key_event){.code = UI_KEY_CLICK, .row = rows / 2, .column = columns / 2});
			ui_draw(ui, g);
			drawn++;
		}
	CHECK(drawn > 1000);
}

static void test_pause(void)
{
	_cleanup_(store_freep) struct store *s = ui_fixture();
	_cleanup_(answers_done) struct answers answers = answers_new();
	_cleanup_(ui_freep) struct ui *ui = make_ui(s, &answers);
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
	_cleanup_(store_freep) struct store *s = ui_fixture();
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
	test_processes();
	test_screens();
	test_drill_down();
	test_locks();
	test_flame();
	test_time();
	test_mouse();
	test_sizes();
	test_pause();
	test_bounds();
	return check_done("ui");
}
