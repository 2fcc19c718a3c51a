// SPDX-License-Identifier: BSD-2-Clause
#include "check.h"

#include "grid.h"
#include "theme.h"
#include "width.h"

static const char *dump(const struct grid *g)
{
	static struct buf text = BUF_INIT;

	buf_reset(&text);
	grid_dump(g, &text);
	return text.data;
}

static void test_width(void)
{
	CHECK(code_width('a') == 1);
	CHECK(code_width(0xe9) == 1);     /* é */
	CHECK(code_width(0x301) == 0);    /* combining acute */
	CHECK(code_width(0x200d) == 0);   /* joiner */
	CHECK(code_width(0x65e5) == 2);   /* 日 */
	CHECK(code_width(0xac00) == 2);   /* 가 */
	CHECK(code_width(0x1f600) == 2);  /* 😀 */
	CHECK(code_width(0x2588) == 1);   /* █ */
	CHECK(code_width(0x10ffff) == 1);
}

static void test_put(void)
{
	_cleanup_(grid_freep) struct grid *g = grid_new(2, 8);

	CHECK(grid_put(g, 0, 0, 8, STYLE_NORMAL, "one") == 3);
	CHECK(grid_put(g, 1, 2, 99, STYLE_WARNING, "clipped here") == 6);
	CHECK_STR(dump(g), "one\n  clipp…\n");
	CHECK(grid_cell(g, 1, 2)->style == STYLE_WARNING);
	CHECK(grid_put(g, 2, 0, 8, STYLE_NORMAL, "x") == 0);
	CHECK(grid_put(g, 0, 8, 8, STYLE_NORMAL, "x") == 0);
	CHECK(grid_put(g, 0, 0, 0, STYLE_NORMAL, "x") == 0);
	CHECK(grid_cell(g, 0, 8) == NULL && grid_cell(g, 2, 0) == NULL);
	grid_put_right(g, 0, 0, 8, STYLE_NORMAL, "42");
	CHECK_STR(dump(g), "one   42\n  clipp…\n");
	grid_put_right(g, 0, 0, 3, STYLE_NORMAL, "1234567");
	CHECK_STR(dump(g), "12…   42\n  clipp…\n");
	grid_resize(g, 1, 4);
	CHECK_STR(dump(g), "\n");
	grid_resize(g, 0, 0);
	CHECK(grid_put(g, 0, 0, 5, STYLE_NORMAL, "x") == 0);
	CHECK_STR(dump(g), "");
}

static void test_wide(void)
{
	_cleanup_(grid_freep) struct grid *g = grid_new(1, 7);

	CHECK(grid_put(g, 0, 0, 7, STYLE_NORMAL, "日本語") == 6);
	CHECK(grid_cell(g, 0, 0)->width == 2 && grid_cell(g, 0, 1)->width == 0);
	CHECK_STR(dump(g), "日本語\n");
	/* Half of a character that is written over takes the other half with it. */
	grid_put(g, 0, 1, 1, STYLE_NORMAL, "x");
	CHECK_STR(dump(g), " x本語\n");
	grid_put(g, 0, 2, 1, STYLE_NORMAL, "y");
	CHECK_STR(dump(g), " xy 語\n");
	/* One that does not fit is not cut in two. */
	grid_clear(g);
	CHECK(grid_put(g, 0, 0, 4, STYLE_NORMAL, "日本語") == 3);
	CHECK_STR(dump(g), "日…\n");
	grid_clear(g);
	CHECK(grid_put(g, 0, 6, 9, STYLE_NORMAL, "日") == 1);
	CHECK_STR(dump(g), "      …\n");
}

static void test_marks(void)
{
	_cleanup_(grid_freep) struct grid *g = grid_new(1, 6);

	CHECK(grid_put(g, 0, 0, 6, STYLE_NORMAL, "e\u0301a") == 2);
	CHECK_STR(grid_cell(g, 0, 0)->text, "e\u0301");
	grid_clear(g);
	/* A mark without a character, and more marks than anyone needs. */
	CHECK(grid_put(g, 0, 0, 6, STYLE_NORMAL, "\u0301x") == 1);
	grid_put(g, 0, 0, 6, STYLE_NORMAL, "x\u0301\u0301\u0301\u0301\u0301\u0301\u0301\u0301\u0301\u0301y");
	CHECK(strlen(grid_cell(g, 0, 0)->text) < sizeof(grid_cell(g, 0, 0)->text));
	CHECK_STR(grid_cell(g, 0, 1)->text, "y");
}

static void test_hostile(void)
{
	_cleanup_(grid_freep) struct grid *g = grid_new(1, 40);
	const char *text;

	grid_put(g, 0, 0, 40, STYLE_NORMAL, "a\033[31mb\n\u202ec\xff\x80\u200b\xc2\x9b" "2J\U0001f600");
	text = dump(g);
	CHECK(!strchr(text, '\033') && !strstr(text, "\u202e") && !strstr(text, "\xc2\x9b"));
	CHECK_STR(text, "a\\x1b[31mb\\x0a\\u{202e}c��\\u{200b}\\x9b2J…\n");
}

static void test_style(void)
{
	_cleanup_(grid_freep) struct grid *g = grid_new(1, 4);

	grid_fill(g, 0, 1, 9, STYLE_RUNNING, "█");
	CHECK_STR(dump(g), " ███\n");
	grid_restyle(g, 0, 0, 2, STYLE_SELECTED);
	grid_restyle(g, 7, 0, 2, STYLE_SELECTED);
	CHECK(grid_cell(g, 0, 1)->style == STYLE_SELECTED && grid_cell(g, 0, 2)->style == STYLE_RUNNING);
}

/* Whatever a terminal has: a number it knows, and a difference that does not need colours. */
static void test_theme(void)
{
	static const int colours[] = {0, 8, 16, 88, 256, 0x1000000};

	for (size_t i = 0; i < sizeof(colours) / sizeof(colours[0]); i++)
		for (enum style style = 0; style < STYLE_COUNT; style++)
			for (int light = 0; light < 2; light++) {
				struct look look = theme_look(style, colours[i], light);
				int most = colours[i] < 8 ? 0 : colours[i];

				CHECK(look.foreground < most && look.background < most);
			}
	CHECK(theme_look(STYLE_SELECTED, 0, false).attributes & LOOK_REVERSE);
	CHECK(theme_look(STYLE_CRITICAL, 0, false).attributes != theme_look(STYLE_WARNING, 0, false).attributes);
	CHECK(theme_ascii("x") == 'x' && theme_ascii("█") == '#' && theme_ascii("日") == '?' && theme_ascii("e\u0301") == 'e');
}

int main(void)
{
	test_width();
	test_put();
	test_wide();
	test_marks();
	test_hostile();
	test_style();
	test_theme();
	return check_done("grid");
}
