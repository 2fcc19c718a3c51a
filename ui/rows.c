// SPDX-License-Identifier: BSD-2-Clause
#include "rows.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "clock.h"
#include "hash.h"
#include "mem.h"
#include "table.h"

enum { DEEPEST = 60 };

static void add_row(struct row_list *r, const struct window *w, const struct window_process *p,
		    const struct window_thread *t)
{
	const struct state_times *times = t ? &t->times : &p->times;

	/* What was not there in the window has no time in it. */
	if (!state_total(times))
		return;
	GROW(r->rows, r->count, r->capacity);
	r->rows[r->count++] = (struct row){.process = p, .thread = t, .times = times, .window_ns = window_ns(w),
					   .threads = p->threads, .resident = p->resident};
}

/* Ties keep an order of their own, so that rows do not dance. */
static int compare_rows(const void *a, const void *b, void *arg)
{
	const struct row_order *order = arg;
	const struct row *x = a, *y = b;
	int c = compare_numbers(row_number(x, order->field), row_number(y, order->field), order->reverse);
	uint32_t id_x = x->thread ? x->thread->id : 0, id_y = y->thread ? y->thread->id : 0;

	if (c)
		return c;
	if (x->group || y->group)
		return x->group && y->group ? strcmp(x->group, y->group) : !x->group - !y->group;
	if (x->process->pid != y->process->pid)
		return x->process->pid < y->process->pid ? -1 : 1;
	if (x->process->id != y->process->id)
		return x->process->id < y->process->id ? -1 : 1;
	return (id_x > id_y) - (id_x < id_y);
}

struct tree {
	struct row_list sorted, out;
	uint32_t *first, *next; /* children of a row and its siblings, by index + 1 */
	bool *placed;
	struct map *by_pid, *by_path; /* of processes, of control groups */
};

static bool find_parent(const struct tree *t, const struct row *row, bool groups, uint64_t *ret_index)
{
	const char *path = row->group ? row->group : row->process->cgroup;

	if (row->group)
		return map_get(t->by_path, hash_bytes(path, group_parent_length(path, strlen(path))), ret_index);
	if (groups && !row->thread)
		return map_get(t->by_path, hash_bytes(path, strlen(path)), ret_index);
	return map_get(t->by_pid, row->thread ? row->process->pid : row->process->ppid, ret_index);
}

static uint32_t parent_of(const struct tree *t, const struct row *row, bool groups)
{
	uint64_t index;

	return find_parent(t, row, groups, &index) ? (uint32_t)index + 1 : 0;
}

static void link_children(struct tree *t, bool groups)
{
	for (uint32_t i = t->sorted.count; i-- > 0;) {
		const struct row *row = &t->sorted.rows[i];

		if (row->group)
			map_put(t->by_path, hash_bytes(row->group, strlen(row->group)), i);
		else if (!row->thread)
			map_put(t->by_pid, row->process->pid, i);
	}
	/* From the last to the first: each is put before its siblings. */
	for (uint32_t i = t->sorted.count; i-- > 0;) {
		uint32_t parent = parent_of(t, &t->sorted.rows[i], groups);

		if (parent == i + 1)
			parent = 0;
		t->next[i + 1] = t->first[parent];
		t->first[parent] = i + 1;
	}
}

static void place(struct tree *t, uint32_t node, uint32_t depth, uint64_t branch)
{
	for (; node; node = t->next[node]) {
		struct row row = t->sorted.rows[node - 1];

		if (t->placed[node])
			continue;
		t->placed[node] = true;
		row.depth = depth;
		row.branch = t->next[node] ? branch | 1ull << depth : branch;
		GROW(t->out.rows, t->out.count, t->out.capacity);
		t->out.rows[t->out.count++] = row;
		place(t, t->first[node], depth < DEEPEST ? depth + 1 : depth, row.branch);
	}
}

/* Reused pids can make a circle of parents: what no root leads to is a root. */
static void make_tree(struct row_list *r, bool groups)
{
	_cleanup_(map_freep) struct map *by_pid = map_new(), *by_path = map_new();
	struct tree t = {.sorted = *r, .out.memory = r->memory, .by_pid = by_pid, .by_path = by_path};

	t.first = xcalloc(r->count + 1, sizeof(*t.first));
	t.next = xcalloc(r->count + 1, sizeof(*t.next));
	t.placed = xcalloc(r->count + 1, sizeof(*t.placed));
	link_children(&t, groups);
	place(&t, t.first[0], 0, 0);
	for (uint32_t i = 1; i <= r->count; i++)
		if (!t.placed[i]) {
			t.next[i] = 0;
			place(&t, i, 0, 0);
		}
	free(t.first);
	free(t.next);
	free(t.placed);
	free(r->rows);
	*r = t.out;
}

void rows_build(struct row_list *r, const struct window *w, const struct row_order *order)
{
	r->count = 0;
	for (uint32_t i = 0; (!order->threads || order->tree) && i < window_process_count(w); i++)
		if (!order->focus || focus_has_whole(order->focus, window_process(w, i)))
			add_row(r, w, window_process(w, i), NULL);
	if (order->tree && order->groups)
		rows_add_groups(r);
	for (uint32_t i = 0; order->threads && i < window_thread_count(w); i++) {
		const struct window_thread *t = window_thread(w, i);
		const struct window_process *p = window_process(w, t->process);

		if ((!order->tree || p->threads > 1) && (!order->focus || focus_has_whole(order->focus, p)))
			add_row(r, w, p, t);
	}
	if (r->count)
		qsort_r(r->rows, r->count, sizeof(*r->rows), compare_rows, (void *)(uintptr_t)order);
	if (order->tree)
		make_tree(r, order->groups);
}

void rows_done(struct row_list *r)
{
	free(r->rows);
	arena_free(r->memory);
	*r = (struct row_list){0};
}

static bool has_facts(const struct row *r)
{
	return r->process && !r->thread && r->process->known;
}

double row_number(const struct row *r, enum row_field field)
{
	switch (field) {
	case ROW_PID: return r->process ? r->process->pid : NAN;
	case ROW_TID: return r->thread ? r->thread->tid : 0;
	case ROW_CPU: return row_percent(r, RUNNING);
	case ROW_RUNNABLE: return row_percent(r, RUNNABLE);
	case ROW_LOCK: return row_percent(r, LOCK);
	case ROW_DISK: return row_percent(r, DISK);
	case ROW_BLOCKED: return row_blocked_percent(r);
	case ROW_THREADS: return r->threads;
	case ROW_SWITCHES: return row_switch_rate(r);
	case ROW_RESIDENT: return r->resident ? (double)r->resident : NAN;
	case ROW_TIME: return has_facts(r) ? (double)r->process->cpu_ns : NAN;
	case ROW_PRIORITY: return has_facts(r) ? r->process->priority : NAN;
	case ROW_NICE: return has_facts(r) ? r->process->nice : NAN;
	default: return 0;
	}
}

double row_percent(const struct row *r, enum state state)
{
	return r->window_ns ? 100.0 * (double)r->times->ns[state] / (double)r->window_ns : 0;
}

double row_blocked_percent(const struct row *r)
{
	uint64_t total = state_total(r->times), blocked = 0;

	for (int i = LOCK; i <= STOPPED; i++)
		blocked += r->times->ns[i];
	return total ? 100.0 * (double)blocked / (double)total : 0;
}

double row_switch_rate(const struct row *r)
{
	return r->window_ns ? (double)r->times->switches * NS_PER_S / (double)r->window_ns : 0;
}

bool row_ended(const struct row *r)
{
	return r->process && (r->process->ended || (r->thread && r->thread->ended));
}

const char *row_command(const struct row *r)
{
	const char *command, *name;

	if (r->group)
		return r->group[1] ? strrchr(r->group, '/') + 1 : r->group;
	command = r->process->command;
	if (r->thread && r->thread->tid != r->process->pid)
		return r->thread->comm;
	if (!*command)
		return r->process->comm;
	name = command;
	for (const char *p = command; *p && *p != ' '; p++)
		if (*p == '/' && p[1] && p[1] != ' ')
			name = p + 1;
	return name;
}
