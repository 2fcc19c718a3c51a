// SPDX-License-Identifier: BSD-2-Clause
#include <string.h>

#include "mem.h"
#include "table.h"

static void select_row(struct table *t, int64_t index)
{
	int64_t last = (int64_t)t->count - 1;

	t->selected = (uint32_t)(index > last ? (last < 0 ? 0 : last) : index < 0 ? 0 : index);
	/* At the top nobody is held: there the first of the order is of interest, whoever it is. */
	t->held = t->selected && t->selected < t->count ? t->records[t->order[t->selected]].key : 0;
}

static void search_from(struct table *t, uint32_t start)
{
	for (uint32_t i = 0; i < t->count; i++) {
		uint32_t index = (start + i) % t->count;

		if (table_is_match(t, &t->records[t->order[index]])) {
			select_row(t, index);
			return;
		}
	}
}

static void add_to_search(struct table *t, unsigned code)
{
	size_t len = strlen(t->search);

	/* Names are compared byte by byte: ASCII is what keyboards and commands have in common. */
	if (code < ' ' || code > '~' || len + 1 >= sizeof(t->search))
		return;
	t->search[len] = (char)code;
	t->search[len + 1] = 0;
	search_from(t, t->selected);
}

static bool type_search(struct table *t, int code)
{
	size_t len = strlen(t->search);

	if (code == UI_KEY_ENTER || code == UI_KEY_ESCAPE) {
		t->typing = false;
		if (code == UI_KEY_ESCAPE)
			t->search[0] = 0;
	} else if (code == UI_KEY_BACKSPACE) {
		if (len)
			t->search[len - 1] = 0;
	} else if (code == UI_KEY_F3 || code == UI_KEY_DOWN) {
		search_from(t, t->selected + 1);
	} else if (code < UI_KEY_FIRST) {
		add_to_search(t, (unsigned)code);
	}
	return true;
}

void table_sort_by(struct table *t, int column)
{
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
	if (e->row > t->head_row && e->row <= t->head_row + t->page && t->top + (e->row - t->head_row - 1) < t->count)
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
		return type_search(t, e->code);
	switch (e->code) {
	case '/':
	case UI_KEY_F3:
		t->typing = true;
		t->search[0] = 0;
		return true;
	case 'n':
		if (t->search[0])
			search_from(t, t->selected + 1);
		return t->search[0];
	case '<':
	case '>':
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
