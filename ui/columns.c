// SPDX-License-Identifier: BSD-2-Clause
#include "columns.h"

#include <string.h>

#define COMPARE(name, value)                                                                       \
	static int name(const struct row *a, const struct row *b)                                  \
	{                                                                                          \
		const struct row *r = a;                                                           \
		double x = (double)(value);                                                        \
		r = b;                                                                             \
		double y = (double)(value);                                                        \
		return (x > y) - (x < y);                                                          \
	}
COMPARE(compare_pid, r->process->pid)
COMPARE(compare_tid, r->thread ? r->thread->tid : 0)
COMPARE(compare_cpu, r->times->ns[RUNNING])
COMPARE(compare_runnable, r->times->ns[RUNNABLE])
COMPARE(compare_lock, r->times->ns[LOCK])
COMPARE(compare_disk, r->times->ns[DISK])
COMPARE(compare_blocked, row_blocked_percent(r))
COMPARE(compare_threads, r->process->threads)
COMPARE(compare_switches, r->times->switches)

static int compare_user(const struct row *a, const struct row *b)
{
	return strcmp(a->process->user, b->process->user);
}

static int compare_cgroup(const struct row *a, const struct row *b)
{
	return strcmp(a->process->cgroup, b->process->cgroup);
}

static int compare_command(const struct row *a, const struct row *b)
{
	return strcmp(row_command(a), row_command(b));
}

static void pid_text(const struct row *r, struct buf *text)
{
	buf_addf(text, "%u", r->process->pid);
}

static void tid_text(const struct row *r, struct buf *text)
{
	if (r->thread)
		buf_addf(text, "%u", r->thread->tid);
}

static void user_text(const struct row *r, struct buf *text)
{
	buf_addstr(text, r->process->user);
}

static void cpu_text(const struct row *r, struct buf *text)
{
	buf_addf(text, "%.1f", row_percent(r, RUNNING));
}

static void runnable_text(const struct row *r, struct buf *text)
{
	buf_addf(text, "%.1f", row_percent(r, RUNNABLE));
}

static void lock_text(const struct row *r, struct buf *text)
{
	buf_addf(text, "%.1f", row_percent(r, LOCK));
}

static void disk_text(const struct row *r, struct buf *text)
{
	buf_addf(text, "%.1f", row_percent(r, DISK));
}

static void blocked_text(const struct row *r, struct buf *text)
{
	buf_addf(text, "%.1f", row_blocked_percent(r));
}

static void threads_text(const struct row *r, struct buf *text)
{
	if (!r->thread)
		buf_addf(text, "%u", r->process->threads);
}

static void switches_text(const struct row *r, struct buf *text)
{
	double rate = row_switch_rate(r);

	buf_addf(text, rate < 99999.5 ? "%.0f" : "%.0fk", rate < 99999.5 ? rate : rate / 1000);
}

static void cgroup_text(const struct row *r, struct buf *text)
{
	buf_addstr(text, r->process->cgroup);
}

static void draw_tree(const struct row *r, struct buf *text)
{
	for (uint32_t i = 1; i < r->depth; i++)
		buf_addstr(text, r->branch >> i & 1 ? "│ " : "  ");
	if (r->depth)
		buf_addstr(text, r->branch >> r->depth & 1 ? "├─" : "└─");
}

static void command_text(const struct row *r, struct buf *text)
{
	bool kernel = r->process->kernel;

	draw_tree(r, text);
	if (kernel)
		buf_addch(text, '[');
	buf_addstr(text, row_command(r));
	if (kernel)
		buf_addch(text, ']');
}

static enum style cpu_style(const struct row *r)
{
	return row_percent(r, RUNNING) >= 50 ? STYLE_STRONG : STYLE_NORMAL;
}

/* A tenth of the time lost to waiting is worth a look, half of it hurts whoever waits for the thread. */
static enum style runnable_style(const struct row *r)
{
	double percent = row_percent(r, RUNNABLE);

	return percent >= 50 ? STYLE_CRITICAL : percent >= 10 ? STYLE_WARNING : STYLE_NORMAL;
}

static enum style disk_style(const struct row *r)
{
	return row_percent(r, DISK) >= 10 ? STYLE_WARNING : STYLE_NORMAL;
}

static enum style command_style(const struct row *r)
{
	return r->process->kernel || r->process->own || row_ended(r) ? STYLE_DIM : STYLE_NORMAL;
}

static void draw_bar(const struct row *r, struct grid *g, const struct area *a)
{
	struct bar_part parts[STATES];
	double total = (double)state_total(r->times);

	for (int i = 0; i < STATES; i++)
		parts[i] = (struct bar_part){(double)r->times->ns[i] / total, state_kinds[i].glyph,
					     state_kinds[i].style};
	bar_draw(g, a->row, a->column, a->columns, parts, STATES);
}

const struct column columns[COLUMNS] = {
	[COLUMN_PID] = {"PID", "process", .width = 7, .right = true, .compare = compare_pid, .text = pid_text},
	[COLUMN_TID] = {"TID", "thread", .width = 7, .from = 60, .right = true, .list = IN_THREADS,
			.compare = compare_tid, .text = tid_text},
	[COLUMN_USER] = {"USER", "whose process it is", .width = 8, .wide = 12, .from = 64,
			 .compare = compare_user, .text = user_text},
	[COLUMN_CPU] = {"CPU%", "time on a CPU; 100 is one CPU", .width = 6, .right = true, .descending = true,
			.compare = compare_cpu, .text = cpu_text, .style = cpu_style},
	[COLUMN_RUNNABLE] = {"RUNQ%", "time waiting for a CPU; 100 is one thread that always waits", .width = 6,
			     .from = 34, .right = true, .descending = true, .compare = compare_runnable,
			     .text = runnable_text, .style = runnable_style},
	[COLUMN_LOCK] = {"LOCK%", "time waiting for locks; 100 is one thread that always waits", .width = 6,
			 .from = 108, .right = true, .descending = true, .compare = compare_lock,
			 .text = lock_text},
	[COLUMN_DISK] = {"DISK%", "time waiting for files and devices", .width = 6, .from = 100, .right = true,
			 .descending = true, .compare = compare_disk, .text = disk_text, .style = disk_style},
	[COLUMN_BLOCKED] = {"BLOCK%", "share of its threads' time in which something held them up, waits for a CPU or for work not counted",
			    .width = 6, .from = 72, .right = true, .descending = true,
			    .compare = compare_blocked, .text = blocked_text},
	[COLUMN_BAR] = {"STATE TIME", "all of its threads' time by state", .width = 10, .wide = 24, .from = 46,
			.descending = true, .compare = compare_cpu, .draw = draw_bar},
	[COLUMN_THREADS] = {"THR", "threads", .width = 4, .from = 76, .right = true, .descending = true,
			    .list = IN_PROCESSES, .compare = compare_threads, .text = threads_text},
	[COLUMN_SWITCHES] = {"SWI/S", "context switches a second", .width = 6, .from = 80, .right = true,
			     .descending = true, .compare = compare_switches, .text = switches_text},
	[COLUMN_CGROUP] = {"CGROUP", "control group", .width = 28, .wide = 28, .from = COLUMNS_WIDE,
			   .compare = compare_cgroup, .text = cgroup_text},
	[COLUMN_COMMAND] = {"COMMAND", "command line, or the thread's name", .width = 0,
			    .compare = compare_command, .text = command_text, .style = command_style},
};

void columns_place(struct area places[COLUMNS], unsigned width, bool threads)
{
	unsigned at = 0;

	for (int i = 0; i < COLUMNS; i++) {
		const struct column *c = &columns[i];
		unsigned cells = width >= COLUMNS_WIDE && c->wide ? c->wide : c->width;
		bool shown = width >= c->from && c->list != (threads ? IN_PROCESSES : IN_THREADS) && at < width;

		places[i] = (struct area){0};
		if (!shown)
			continue;
		if (!cells)
			cells = width - at;
		places[i] = (struct area){.column = at, .columns = cells, .rows = 1};
		at += cells + 1;
	}
}
