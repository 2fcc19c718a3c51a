// SPDX-License-Identifier: BSD-2-Clause
#include <stdio.h>
#include <string.h>

#include "mem.h"
#include "table.h"

static void select_row(struct table *t, int64_t index)
{
	int64_t last = (int64_t)t->shown - 1;

	t->selected = (uint32_t)(index > last ? (last < 0 ? 0 : last) : index < 0 ? 0 : index);
	/* At the top nobody is held: there the first of the order is of interest, whoever it is. */
	t->held = t->selected && t->selected < t->shown ? t->records[t->order[t->selected]].key : 0;
}

static void search_from(struct table *t, uint32_t start)
{
	for (uint32_t i = 0; i < t->shown; i++) {
		uint32_t index = (start + i) % t->shown;

		if (table_is_match(t, &t->records[t->order[index]])) {
			select_row(t, index);
			return;
		}
	}
}

/* What is typed has become another. */
static void follow_typing(struct table *t)
{
	if (t->typing == TYPING_FILTER)
		table_end(t);
	else
		search_from(t, t->selected);
}

/* Names are compared byte by byte: ASCII is what keyboards and commands have in common. */
static void type_character(struct table *t, char *text, int code)
{
	size_t len = strlen(text);

	if (code == UI_KEY_BACKSPACE && len)
		text[len - 1] = 0;
	else if (code >= ' ' && code <= '~' && len + 1 < SEARCH_LONGEST)
		text[len++] = (char)code, text[len] = 0;
	else
		return;
	follow_typing(t);
}

static bool type(struct table *t, int code)
{
	char *text = t->typing == TYPING_FILTER ? t->filter : t->search;

	switch (code) {
	case UI_KEY_ESCAPE:
		text[0] = 0;
		follow_typing(t);
		t->typing = TYPING_NOTHING;
		break;
	case UI_KEY_ENTER:
		t->typing = TYPING_NOTHING;
		break;
	case UI_KEY_F3:
	case UI_KEY_DOWN:
		search_from(t, t->selected + 1);
		break;
	default:
		type_character(t, text, code);
	}
	return true;
}

static void show_all(struct table *t)
{
	t->filter[0] = 0;
	t->only = 0;
	table_end(t);
}

void table_toggle_only(struct table *t, int text)
{
	const struct record *r = table_selected(t);
	bool off = t->only;

	t->only = 0;
	if (!off && r) {
		t->held = r->key;
		t->only = text + 1;
		snprintf(t->only_text, sizeof(t->only_text), "%s", r->text[text]);
	}
	table_end(t);
}

void table_sort_by(struct table *t, int column)
{
	unsigned modes = t->columns[column].modes;

	if ((modes && !(modes & t->mode)) || t->columns[column].kind == COLUMN_STATES)
		return; /* nobody sees what it orders by, or it is no number */
	t->sort = column;
	t->inverted = false;
	table_end(t);
}

static int column_count(const struct table *t)
{
	int count = 0;

	while (t->columns[count].title)
		count++;
	return count;
}

/* To the next column that is on the screen, to the right or to the left. */
static void step_sort(struct table *t, int step)
{
	int column = t->sort, count = column_count(t);

	do
		column = (column + step + count) % count;
	while ((!t->places[column].columns || t->columns[column].kind >= COLUMN_STATES) && column != t->sort);
	table_sort_by(t, column);
}

static bool click(struct table *t, const struct key_event *e)
{
	if (e->row > t->head_row && e->row <= t->head_row + t->page && t->top + (e->row - t->head_row - 1) < t->shown)
		select_row(t, (int64_t)t->top + (e->row - t->head_row - 1));
	for (int i = 0; e->row == t->head_row && t->columns[i].title; i++)
		if (t->places[i].columns && e->column >= t->places[i].column &&
		    e->column <= t->places[i].column + t->places[i].columns) {
			if (t->sort != i) {
				table_sort_by(t, i);
				return true;
			}
			t->inverted = !t->inverted;
			table_end(t);
		}
	return true;
}

static bool move(struct table *t, int code)
{
	static const struct {
		int code, rows, pages;
	} moves[] = {
		{UI_KEY_UP, -1, 0}, {UI_KEY_DOWN, 1, 0}, {UI_KEY_PAGE_UP, 0, -1}, {UI_KEY_PAGE_DOWN, 0, 1},
		{UI_KEY_WHEEL_UP, -3, 0}, {UI_KEY_WHEEL_DOWN, 3, 0},
		{UI_KEY_HOME, -(1 << 30), 0}, {UI_KEY_END, 1 << 30, 0},
		{'k', -1, 0}, {'j', 1, 0}, {'g', -(1 << 30), 0}, {'G', 1 << 30, 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(moves); i++)
		if (moves[i].code == code) {
			select_row(t, (int64_t)t->selected + moves[i].rows + (int64_t)moves[i].pages * t->page);
			return true;
		}
	return false;
}

bool table_key(struct table *t, const struct key_event *e)
{
	if (!t->columns)
		return false;
	if (t->typing && e->code != UI_KEY_CLICK)
		return type(t, e->code);
	switch (e->code) {
	case '/':
	case UI_KEY_F3:
		t->typing = TYPING_SEARCH;
		t->search[0] = 0;
		return true;
	case '\\':
	case UI_KEY_F4:
		t->typing = TYPING_FILTER;
		return true;
	case UI_KEY_ESCAPE:
		if (!t->filter[0] && !t->only)
			return false;
		show_all(t);
		return true;
	case 'F':
		t->held = table_selected(t) ? table_selected(t)->key : 0;
		return t->held;
	case 'n':
		if (t->search[0])
			search_from(t, t->selected + 1);
		return t->search[0];
	case '<':
	case '>':
	case UI_KEY_F6:
		step_sort(t, e->code == '<' ? -1 : 1);
		return true;
	case 'I':
		t->inverted = !t->inverted;
		table_end(t);
		return true;
	case UI_KEY_CLICK:
		return click(t, e);
	default:
		return move(t, e->code);
	}
}
