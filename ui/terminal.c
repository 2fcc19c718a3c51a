// SPDX-License-Identifier: BSD-2-Clause
#include "terminal.h"

#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

#define NCURSES_WIDECHAR 1
#include <curses.h>
#undef columns
#undef lines

#include "escape.h"
#include "fail.h"
#include "loop.h"
#include "mem.h"
#include "terminal_guard.h"
#include "theme.h"

enum { LARGEST = 4096 }; /* rows or columns: what claims more is not a terminal to draw on */

struct terminal {
	struct loop *loop;
	struct terminal_events events;
	struct loop_source *input;
	SCREEN *curses;
	struct grid *drawn, *shown; /* what the owner draws on; what curses has been told */
	bool utf8, all_anew;
	attr_t attributes[STYLE_COUNT];
	int pairs[STYLE_COUNT];
};

/* A UTF-8 locale that is not installed here still says what the terminal understands. */
static bool set_locale(void)
{
	static const char *const variables[] = {"LC_ALL", "LC_CTYPE", "LANG"};
	const char *wanted = NULL;

	if (!setlocale(LC_CTYPE, "")) {
		for (size_t i = 0; i < ARRAY_SIZE(variables) && !(wanted && *wanted); i++)
			wanted = getenv(variables[i]);
		if (wanted && (strcasestr(wanted, "utf-8") || strcasestr(wanted, "utf8")))
			setlocale(LC_CTYPE, "C.UTF-8");
	}
	return !strcmp(nl_langinfo(CODESET), "UTF-8");
}

/* The number of a pair of colours, allocated by its first user. */
static int pair_for(struct terminal *t, enum style style, const struct look *look, bool light, int colours)
{
	if (look->foreground < 0 && look->background < 0)
		return 0;
	for (enum style i = 0; i < style; i++) {
		struct look other = theme_look(i, colours, light);

		if (t->pairs[i] && other.foreground == look->foreground && other.background == look->background)
			return t->pairs[i];
	}
	return init_extended_pair((int)style, look->foreground, look->background) == OK ? (int)style : 0;
}

static void set_theme(struct terminal *t)
{
	const char *no_color = getenv("NO_COLOR");
	bool colour = has_colors() && !(no_color && *no_color) && start_color() == OK && use_default_colors() == OK;
	bool light = theme_is_light();
	int colours = colour ? COLORS : 0;

	for (enum style i = 0; i < STYLE_COUNT; i++) {
		struct look look = theme_look(i, colours, light);

		t->pairs[i] = colour ? pair_for(t, i, &look, light, colours) : 0;
		t->attributes[i] = (look.attributes & LOOK_BOLD ? A_BOLD : 0) |
				   (look.attributes & LOOK_DIM ? A_DIM : 0) |
				   (look.attributes & LOOK_REVERSE ? A_REVERSE : 0) |
				   (look.attributes & LOOK_UNDERLINE ? A_UNDERLINE : 0);
	}
}

static int key_code(wint_t c, bool special)
{
	static const struct {
		wint_t from;
		int to;
	} keys[] = {
		{KEY_UP, UI_KEY_UP}, {KEY_DOWN, UI_KEY_DOWN}, {KEY_LEFT, UI_KEY_LEFT}, {KEY_RIGHT, UI_KEY_RIGHT},
		{KEY_PPAGE, UI_KEY_PAGE_UP}, {KEY_NPAGE, UI_KEY_PAGE_DOWN}, {KEY_HOME, UI_KEY_HOME},
		{KEY_END, UI_KEY_END}, {KEY_BACKSPACE, UI_KEY_BACKSPACE}, {KEY_ENTER, UI_KEY_ENTER},
	};

	if (!special)
		return c == 127 || c == 8 ? UI_KEY_BACKSPACE : c == '\r' ? UI_KEY_ENTER : (int)c;
	if (c >= (wint_t)KEY_F(1) && c <= (wint_t)KEY_F(12))
		return UI_KEY_F1 + (int)(c - (wint_t)KEY_F(1));
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (keys[i].from == c)
			return keys[i].to;
	return 0;
}

static bool mouse_event(struct key_event *e)
{
	MEVENT m;

	if (getmouse(&m) != OK)
		return false;
	e->row = m.y < 0 ? 0 : (unsigned)m.y;
	e->column = m.x < 0 ? 0 : (unsigned)m.x;
	e->code = m.bstate & BUTTON4_PRESSED ? UI_KEY_WHEEL_UP :
		  m.bstate & BUTTON5_PRESSED ? UI_KEY_WHEEL_DOWN :
		  m.bstate & (BUTTON1_PRESSED | BUTTON1_CLICKED) ? UI_KEY_CLICK :
		  m.bstate & BUTTON1_RELEASED ? UI_KEY_RELEASE : 0;
	return e->code;
}

/* A terminal that is not the one that TERM names sends keys that curses does not know: what follows an escape at once is one of these,
 * and not typed by anyone. */
static int sequence_key(const char *sequence)
{
	static const struct {
		const char *sequence;
		int code;
	} keys[] = {
		{"[A", UI_KEY_UP}, {"OA", UI_KEY_UP}, {"[B", UI_KEY_DOWN}, {"OB", UI_KEY_DOWN}, {"[C", UI_KEY_RIGHT}, {"OC", UI_KEY_RIGHT},
		{"[D", UI_KEY_LEFT}, {"OD", UI_KEY_LEFT}, {"[H", UI_KEY_HOME}, {"OH", UI_KEY_HOME}, {"[1~", UI_KEY_HOME},
		{"[7~", UI_KEY_HOME}, {"[F", UI_KEY_END}, {"OF", UI_KEY_END}, {"[4~", UI_KEY_END}, {"[8~", UI_KEY_END},
		{"[5~", UI_KEY_PAGE_UP}, {"[6~", UI_KEY_PAGE_DOWN}, {"OP", UI_KEY_F1}, {"[11~", UI_KEY_F1}, {"[[A", UI_KEY_F1},
		{"OR", UI_KEY_F3}, {"[13~", UI_KEY_F3}, {"[[C", UI_KEY_F3}, {"OS", UI_KEY_F4}, {"[14~", UI_KEY_F4}, {"[[D", UI_KEY_F4},
		{"[15~", UI_KEY_F5}, {"[[E", UI_KEY_F5}, {"[17~", UI_KEY_F6}, {"[18~", UI_KEY_F7}, {"[19~", UI_KEY_F8}, {"[20~", UI_KEY_F9},
		{"[21~", UI_KEY_F10},
	};

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (!strcmp(keys[i].sequence, sequence))
			return keys[i].code;
	return 0;
}

/* 0: of a sequence that means nothing here. */
static int after_escape(void)
{
	char sequence[16] = "";
	size_t len = 0;
	wint_t c;
	int kind = wget_wch(stdscr, &c);

	if (kind == KEY_CODE_YES)
		ungetch((int)c);
	else if (kind == OK && c != '[' && c != 'O')
		unget_wch((wchar_t)c);
	if (kind != OK || (c != '[' && c != 'O'))
		return UI_KEY_ESCAPE;
	do {
		if (len + 1 < sizeof(sequence))
			sequence[len++] = (char)c;
	} while ((len == 1 || c == '[' || (c >= ' ' && c < '@')) && wget_wch(stdscr, &c) == OK);
	return sequence_key(sequence);
}

static int read_keys(void *arg, uint32_t events)
{
	struct terminal *t = arg;
	int kind, r = 0;
	wint_t c;

	if (events & (EPOLLHUP | EPOLLERR))
		return failx(-EIO, "the terminal is gone");
	/* Bounded: a pasted flood must not keep the recorder waiting. */
	for (int i = 0; i < 256 && r >= 0 && (kind = wget_wch(stdscr, &c)) != ERR; i++) {
		struct key_event e = {0};

		if (kind == KEY_CODE_YES && c == KEY_MOUSE) {
			if (!mouse_event(&e))
				continue;
		} else {
			e.code = key_code(c, kind == KEY_CODE_YES);
			if (e.code == UI_KEY_ESCAPE)
				e.code = after_escape();
		}
		if (e.code)
			r = t->events.key(t->events.arg, &e);
	}
	return r;
}

static void fit(struct terminal *t)
{
	struct winsize size;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row && size.ws_col)
		resize_term(size.ws_row < LARGEST ? size.ws_row : LARGEST, size.ws_col < LARGEST ? size.ws_col : LARGEST);
	grid_resize(t->drawn, (unsigned)LINES, (unsigned)COLS);
	grid_resize(t->shown, (unsigned)LINES, (unsigned)COLS);
	t->all_anew = true;
}

static int on_resize(void *arg, uint32_t number)
{
	struct terminal *t = arg;

	fit(t);
	return t->events.redraw(t->events.arg);
}

static int on_stop(void *arg, uint32_t number)
{
	struct terminal *t = arg;

	endwin();
	terminal_guard_set(false);
	raise(SIGSTOP);
	terminal_guard_set(true);
	fit(t);
	return t->events.redraw(t->events.arg);
}

static int watch(struct terminal *t)
{
	int r;

	/* Signals stay with the loop: there is one terminal, for as long as the command runs. */
	if ((r = loop_add_fd(t->loop, STDIN_FILENO, EPOLLIN, read_keys, t, &t->input)) < 0 ||
	    (r = loop_add_signal(t->loop, SIGWINCH, on_resize, t)) < 0 ||
	    (r = loop_add_signal(t->loop, SIGTSTP, on_stop, t)) < 0)
		return fail(r, "watch the terminal");
	return 0;
}

static int start_curses(struct terminal *t)
{
	const char *name = getenv("TERM");

	t->utf8 = set_locale();
	t->curses = newterm(NULL, stdout, stdin);
	if (!t->curses)
		return failx(-ENOTTY, "the terminal '%s' (TERM) cannot be used; top -b needs none", name ? name : "");
	cbreak();
	noecho();
	nonl();
	curs_set(0);
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	set_escdelay(25);
	mouseinterval(0);
	mousemask(BUTTON1_PRESSED | BUTTON1_RELEASED | BUTTON4_PRESSED | BUTTON5_PRESSED, NULL);
	return 0;
}

int terminal_open(struct loop *l, const struct terminal_events *e, struct terminal **ret_terminal)
{
	_cleanup_(terminal_closep) struct terminal *t = xcalloc(1, sizeof(*t));
	int r;

	t->loop = l;
	t->events = *e;
	r = start_curses(t);
	if (r < 0)
		return r;
	terminal_guard_set(true);
	set_theme(t);
	t->drawn = grid_new(0, 0);
	t->shown = grid_new(0, 0);
	fit(t);
	r = watch(t);
	if (r < 0)
		return r;
	*ret_terminal = t;
	t = NULL;
	return 0;
}

void terminal_close(struct terminal *t)
{
	if (!t)
		return;
	loop_remove(t->loop, t->input);
	if (t->curses) {
		endwin();
		terminal_guard_set(false);
		delscreen(t->curses);
	}
	grid_free(t->drawn);
	grid_free(t->shown);
	free(t);
}

struct grid *terminal_grid(struct terminal *t)
{
	return t->drawn;
}

static void put_cell(struct terminal *t, unsigned row, unsigned column, const struct cell *cell)
{
	wchar_t wide[CCHARW_MAX + 1] = {0};
	size_t len = strlen(cell->text), count = 0;
	int pair = t->pairs[cell->style];
	cchar_t c;

	for (size_t i = 0; t->utf8 && i < len && count < CCHARW_MAX;) {
		unsigned code;

		i += utf8_decode(cell->text + i, len - i, &code);
		wide[count++] = (wchar_t)code;
	}
	if (!t->utf8)
		wide[0] = (wchar_t)theme_ascii(cell->text);
	if (setcchar(&c, wide, t->attributes[cell->style], 0, &pair) != OK)
		setcchar(&c, L"?", t->attributes[cell->style], 0, &pair);
	mvadd_wch((int)row, (int)column, &c);
	if (!t->utf8 && cell->width == 2)
		mvaddch((int)row, (int)column + 1, ' ');
}

/* A row with a change is told anew as a whole where it has wide characters: half of one cannot change. */
static void show_row(struct terminal *t, unsigned row)
{
	bool wide = false, changed = t->all_anew;

	for (unsigned column = 0; column < t->drawn->columns; column++) {
		const struct cell *now = grid_cell(t->drawn, row, column), *before = grid_cell(t->shown, row, column);

		wide |= now->width != 1 || before->width != 1;
		changed |= memcmp(now, before, sizeof(*now)) != 0;
	}
	for (unsigned column = 0; changed && column < t->drawn->columns; column++) {
		const struct cell *now = grid_cell(t->drawn, row, column);
		struct cell *before = grid_cell(t->shown, row, column);

		if (now->width && (wide || t->all_anew || memcmp(now, before, sizeof(*now))))
			put_cell(t, row, column, now);
		*before = *now;
	}
}

void terminal_show(struct terminal *t)
{
	if (t->all_anew)
		clear();
	for (unsigned row = 0; row < t->drawn->rows; row++)
		show_row(t, row);
	t->all_anew = false;
	refresh();
}
