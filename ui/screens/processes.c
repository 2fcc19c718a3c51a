// SPDX-License-Identifier: BSD-2-Clause
/* Processes or threads, and what their time went into. */
#include <math.h>
#include <string.h>

#include "hash.h"
#include "mem.h"
#include "rows.h"
#include "table_screen.h"

enum { PROCESSES = 1, THREADS = 2 }; /* modes */
enum { TEXT_COMMAND, TEXT_USER, TEXT_CGROUP };
enum { NUMBER_MEMORY = ROW_FIELDS }; /* what a row does not know */
_Static_assert((int)NUMBER_MEMORY < (int)RECORD_NUMBERS, "records have room for it");

/* A tenth of the time lost to waiting is worth a look, half of it hurts whoever waits for the thread. */
static const struct column columns[] = {
	{"PID", "process", .width = 7, .field = ROW_PID, .unit = UNIT_ID, .ascending = true},
	{"TID", "thread", .width = 7, .from = 60, .field = ROW_TID, .unit = UNIT_ID, .ascending = true, .modes = THREADS},
	{"USER", "whose process it is", .width = 8, .wide = 12, .from = 64, .kind = COLUMN_TEXT, .field = TEXT_USER,
	 .ascending = true},
	{"PRI", "the kernel's priority: less is more urgent, below 0 is real time", .width = 4, .from = 160, .field = ROW_PRIORITY,
	 .ascending = true, .modes = PROCESSES},
	{"NI", "nice value: less is more urgent", .width = 3, .from = 160, .field = ROW_NICE, .ascending = true, .modes = PROCESSES},
	{"CPU%", "time on a CPU; 100 is one CPU", .width = 6, .field = ROW_CPU, .unit = UNIT_PERCENT},
	{"RUNQ%", "time waiting for a CPU; 100 is one thread that always waits", .width = 6, .from = 34,
	 .field = ROW_RUNNABLE, .unit = UNIT_PERCENT, .warning = 10, .critical = 50},
	{"LOCK%", "time waiting for locks; 100 is one thread that always waits", .width = 6, .from = 108, .field = ROW_LOCK,
	 .unit = UNIT_PERCENT},
	{"DISK%", "time waiting for files and devices", .width = 6, .from = 100, .field = ROW_DISK, .unit = UNIT_PERCENT,
	 .warning = 10},
	{"BLOCK%", "share of its threads' time in which something held them up, waits for a CPU or for work not counted",
	 .width = 6, .from = 72, .field = ROW_BLOCKED, .unit = UNIT_PERCENT},
	{"STATE TIME", "all of its threads' time by state", .width = 10, .wide = 24, .from = 46, .kind = COLUMN_STATES},
	{"THR", "threads", .width = 4, .from = 76, .field = ROW_THREADS, .modes = PROCESSES},
	{"RSS", "its memory, pages that it shares with others included", .width = 6, .from = 80, .field = ROW_RESIDENT,
	 .unit = UNIT_BYTES},
	{"MEM%", "the same, of the machine's memory", .width = 5, .from = 150, .field = NUMBER_MEMORY, .unit = UNIT_PERCENT,
	 .modes = PROCESSES},
	{"TIME+", "its CPU time since it began", .width = 8, .from = 116, .field = ROW_TIME, .unit = UNIT_CPU_TIME,
	 .modes = PROCESSES},
	{"SWI/S", "context switches a second", .width = 6, .from = 92, .field = ROW_SWITCHES},
	{"CGROUP", "control group", .width = 28, .from = 180, .kind = COLUMN_TEXT, .field = TEXT_CGROUP,
	 .ascending = true},
	{"COMMAND", "command line, or the thread's name, or the control group", .kind = COLUMN_TEXT, .field = TEXT_COMMAND, .ascending = true,
	 .tree = true},
	{0},
};
enum { BY_PID = 0, BY_USER = 2, BY_CPU = 5, BY_RUNNABLE = 6, BY_RESIDENT = 12, BY_TIME = 14 };

static const char *command_text(struct table *t, const struct row *row)
{
	const char *command = row_command(row);

	return row->process && row->process->kernel ? table_text(t, "[%s]", command) : command;
}

static void add_group(struct table *t, struct record *r, const struct row *row)
{
	struct state_times *times = table_alloc(t, sizeof(*times));

	*times = *row->times;
	r->times = times;
	r->key = hash_bytes(row->group, strlen(row->group));
	r->text[TEXT_CGROUP] = table_text(t, "%s", row->group);
	r->text[TEXT_COMMAND] = table_text(t, "%s", row_command(row));
	r->style = STYLE_STRONG;
}

static void add_process(struct table *t, struct record *r, const struct row *row)
{
	r->key = (uint64_t)row->process->id << 32 | (row->thread ? row->thread->id : 0);
	r->process = row->process->id;
	r->task = row->thread ? row->thread->id : 0;
	r->text[TEXT_COMMAND] = command_text(t, row);
	r->text[TEXT_USER] = row->process->user;
	r->text[TEXT_CGROUP] = row->process->cgroup;
	/* What a search looks at, too. */
	r->text[3] = row->process->command;
	r->times = row->times;
	r->dim = row->process->kernel || row->process->own || row_ended(row);
}

static void add(struct table *t, const struct row *row, double memory)
{
	struct record *r = table_append(t);

	for (int i = 0; i < ROW_FIELDS; i++)
		r->number[i] = row_number(row, i);
	r->number[NUMBER_MEMORY] = row->resident && memory > 0 ? 100 * (double)row->resident / memory : NAN;
	r->depth = row->depth;
	r->branch = row->branch;
	(row->group ? add_group : add_process)(t, r, row);
}

static void fill(const struct screen_context *c, struct table *t, unsigned flags)
{
	const struct column *column = &columns[t->sort];
	unsigned field = column->field == NUMBER_MEMORY ? ROW_RESIDENT : column->field;
	double memory = window_level_last(c->window, "memory.total", 0);
	struct row_list list = {0};
	struct row_order order = {.threads = t->mode == THREADS, .tree = flags & TREES,
				  .groups = flags & SHOW_GROUPS, .focus = &c->focus,
				  .field = column->kind == COLUMN_NUMBER ? (enum row_field)field : ROW_PID};

	order.reverse = column->ascending == t->inverted;
	rows_build(&list, c->window, &order);
	for (uint32_t i = 0; i < list.count; i++)
		if (!(flags & HIDE_KERNEL) || !list.rows[i].process || !list.rows[i].process->kernel)
			add(t, &list.rows[i], memory);
	rows_done(&list);
}

/* A control group is explained by its processes, a process by its threads, a thread by where it runs, or by where it waits. */
static bool enter(const struct screen_context *c, const struct record *r, struct target *target)
{
	bool runs = r->number[ROW_CPU] + r->number[ROW_RUNNABLE] >= r->number[ROW_BLOCKED];

	if (!r->process) {
		snprintf(target->focus.cgroup, FOCUS_NAME, "%s", r->text[TEXT_CGROUP]);
		target->screen = "processes";
		return true;
	}
	target->focus.process = r->process;
	target->focus.task = r->task;
	if (!r->task && r->number[ROW_THREADS] > 1 && !c->focus.process)
		target->screen = "threads";
	else
		target->screen = runs ? "functions" : "offcpu";
	return true;
}

static const struct table_view views[] = {
	{.name = "processes", .columns = columns, .fill = fill, .enter = enter, .sort = BY_CPU, .mode = PROCESSES,
	 .empty = "No process that fits did anything in the window."},
	{.name = "threads", .columns = columns, .fill = fill, .enter = enter, .sort = BY_CPU, .mode = THREADS,
	 .empty = "No thread that fits did anything in the window."},
	{0},
};

static const struct table_toggle toggles[] = {
	{.key = 'H'}, {'t', UI_KEY_F5, .flag = SHOW_TREE}, {'c', .flag = SHOW_GROUPS}, {'K', .flag = HIDE_KERNEL},
	{'u', .only = TEXT_USER + 1}, {'P', .column = BY_CPU + 1}, {'T', .column = BY_TIME + 1},
	{'M', .column = BY_RESIDENT + 1}, {'N', .column = BY_PID + 1}, {'U', .column = BY_USER + 1}, {'W', .column = BY_RUNNABLE + 1},
	{0},
};

static const struct table_screen table = {.views = views, .toggles = toggles, .no_tabs = true};

static const struct key_help keys[] = {
	{"H", "Threads", "threads one by one, or processes"},
	{"t", "Tree", "below their parents; F5, too"},
	{"c", "Cgroups", "below their control groups, with sums of what is in them; Enter looks at one alone"},
	{"u", NULL, "only those of the selected one's user, or of all"},
	{"K", NULL, "without the kernel's threads, or with them"},
	{"P M T N U W", NULL, "order by CPU, by memory, by CPU time, by number, by user, by waiting for a CPU"},
	TABLE_KEYS,
	{0},
};

const struct screen screen_processes = {
	.name = "processes",
	.label = "Proc",
	.key = '2',
	.help = "processes and threads, and what their time went into",
	.keys = keys,
	.detailed = true,
	TABLE_SCREEN(&table),
};
