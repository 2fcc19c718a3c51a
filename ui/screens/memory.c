// SPDX-License-Identifier: BSD-2-Clause
/* Memory: what it is used for, whom its shortage holds up, page faults, limits. */
#include <math.h>

#include "measure.h"
#include "mem.h"
#include "places.h"
#include "profile.h"
#include "table_screen.h"
#include "ui.h"
#include "window.h"

enum { NAME, PROCESS, PID };

enum { SHARE, AMOUNT, CHANGE };
static const struct column use_columns[] = {
	{"AMOUNT", "now", .width = 8, .field = AMOUNT, .unit = UNIT_BYTES},
	{"SHARE%", "of the machine's memory", .width = 6, .field = SHARE, .unit = UNIT_PERCENT},
	{"CHANGE/S", "a second, over the last minutes", .width = 9, .from = 50, .field = CHANGE, .unit = UNIT_BYTES},
	{"", "", .width = 16, .wide = 40, .from = 60, .kind = COLUMN_SHARE, .field = SHARE},
	{"WHAT", "what for", .kind = COLUMN_TEXT, .field = NAME, .ascending = true},
	{0},
};

static const struct {
	const char *metric, *text;
} uses[] = {
	{"memory.anonymous", "processes: data, heaps and stacks"},
	{"memory.cached", "page cache"},
	{"memory.shared", "shared memory and tmpfs"},
	{"memory.slab", "the kernel's own objects"},
	{"memory.dirty", "page cache that waits to be written"},
	{"memory.writeback", "page cache that is being written"},
	{"memory.available", "available without swapping"},
	{"memory.committed", "promised to processes"},
	{"swap.free", "swap space that is free"},
	{"swap.total", "swap space"},
	{"memory.total", "the machine's memory"},
};

static void fill_uses(const struct screen_context *c, struct table *t, unsigned flags)
{
	enum { COURSE = 120 };
	double total = window_level_last(c->window, "memory.total", 0), values[COURSE];

	for (uint32_t i = 0; i < ARRAY_SIZE(uses); i++) {
		double now = window_level_last(c->window, uses[i].metric, 0);
		unsigned count = window_series(c->window, uses[i].metric, 0, values, COURSE);
		struct record *r;

		if (isnan(now))
			continue;
		r = table_append(t);
		r->key = i + 1;
		r->text[NAME] = uses[i].text;
		r->number[AMOUNT] = now;
		r->number[SHARE] = total > 0 ? 100 * now / total : NAN;
		r->number[CHANGE] = count > 1 && values[0] > 0 ? (values[count - 1] - values[0]) / (count - 1) : 0;
	}
}

enum { RECLAIM, CGROUP, COMPACTION, FAULT_WAIT, MAJOR, MINOR, RESIDENT };
static const struct measure stall_measures[] = {
	[RECLAIM] = {"reclaim.direct", VALUE_PERCENT}, [CGROUP] = {"reclaim.cgroup", VALUE_PERCENT},
	[COMPACTION] = {"reclaim.compaction", VALUE_PERCENT}, [FAULT_WAIT] = {"wait.fault", VALUE_PERCENT},
	[MAJOR] = {"fault.major", COUNT_RATE}, [MINOR] = {"fault.minor", COUNT_RATE},
	[RESIDENT] = {"memory.resident", VALUE_MEAN}, {0},
};

static const struct column stall_columns[] = {
	{"STALL%", "held up because the machine's memory was short; 100 is one thread always", .width = 7, .field = RECLAIM,
	 .unit = UNIT_PERCENT, .warning = 10, .critical = 50},
	{"LIMIT%", "held up at its cgroup's limit", .width = 7, .field = CGROUP, .unit = UNIT_PERCENT, .warning = 10, .critical = 50},
	{"COMPACT%", "held up to make room for large pages", .width = 8, .from = 60, .field = COMPACTION, .unit = UNIT_PERCENT,
	 .warning = 10},
	{"PAGE-IN%", "waited for a page's content", .width = 8, .field = FAULT_WAIT, .unit = UNIT_PERCENT, .warning = 10,
	 .critical = 50},
	{"MAJ/S", "page faults that waited for a disk", .width = 6, .from = 70, .field = MAJOR},
	{"FAULTS/S", "page faults", .width = 8, .from = 70, .field = MINOR},
	{"RESIDENT", "its memory, where memory was short", .width = 8, .from = 80, .field = RESIDENT, .unit = UNIT_BYTES},
	{"PID", "process", .width = 7, .kind = COLUMN_TEXT, .field = PID, .ascending = true},
	{"PROCESS", "who is held up", .kind = COLUMN_TEXT, .field = PROCESS, .ascending = true},
	{0},
};

enum { FULL, USED, LIMIT, TIMES_FULL, KILLED };
static const struct measure limit_measures[] = {
	[FULL] = {"cgroup.memory", LAST}, [USED] = {"cgroup.memory", LAST}, [LIMIT] = {"cgroup.memory_limit", LAST},
	[TIMES_FULL] = {"cgroup.memory_failures", SUM}, [KILLED] = {"cgroup.oom_kills", SUM}, {0},
};

static const struct column limit_columns[] = {
	{"FULL%", "of its limit in use", .width = 6, .field = FULL, .unit = UNIT_PERCENT, .warning = 90, .critical = 98},
	{"USED", "page cache included", .width = 8, .field = USED, .unit = UNIT_BYTES},
	{"LIMIT", "what it may use", .width = 8, .field = LIMIT, .unit = UNIT_BYTES},
	{"AT LIMIT", "times it met its limit", .width = 8, .field = TIMES_FULL, .warning = 1},
	{"KILLED", "processes killed for want of memory", .width = 6, .field = KILLED, .critical = 1},
	{"CGROUP", "which one", .kind = COLUMN_TEXT, .field = NAME, .ascending = true},
	{0},
};

static void fill_stalls(const struct screen_context *c, struct table *t, unsigned flags)
{
	measure_processes(c, t, "", stall_measures);
}

static void fill_limits(const struct screen_context *c, struct table *t, unsigned flags)
{
	measure_resources(c, t, NULL, limit_measures);
	for (uint32_t i = 0; i < t->count; i++) {
		double *n = t->records[i].number;

		n[FULL] = n[LIMIT] > 0 ? 100 * n[USED] / n[LIMIT] : NAN;
	}
}

static void detail(const struct screen_context *c, const struct record *r, unsigned width, struct lines *l)
{
	static const struct {
		enum profile profile;
		const char *words;
	} parts[] = {{PROFILE_MEMORY, "memory grows"}, {PROFILE_FAULT, "page faults come from"}};
	struct screen_context narrowed = *c;
	struct profile_stack stack;

	narrowed.focus.process = r->process;
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		if (!profile_heaviest(&narrowed, parts[i].profile, true, NULL, &stack, 1))
			continue;
		lines_add(l, STYLE_STRONG, 0, "Where its %s most, innermost first", parts[i].words);
		lines_add_stack(l, window_stacks(c->window), stack.stack, 2, 12);
	}
}

static bool enter(const struct screen_context *c, const struct record *r, struct target *target)
{
	target->focus.process = r->process;
	target->screen = "threads";
	return true;
}

static const struct table_view views[] = {
	{.name = "use", .columns = use_columns, .fill = fill_uses, .empty = "Nothing is known about the machine's memory."},
	{.name = "processes", .columns = stall_columns, .fill = fill_stalls, .detail = detail, .enter = enter, .sort = 3,
	 .empty = "No process that fits was held up by memory."},
	{.name = "limits", .columns = limit_columns, .fill = fill_limits, .empty = "No control group has a memory limit."},
	{0},
};

static const struct table_screen table = {.views = views};

const struct screen screen_memory = {
	.name = "memory",
	.label = "Mem",
	.key = '9',
	.help = "memory: what it is used for, whom its shortage holds up, limits of control groups",
	.keys = table_tabs_keys,
	.profile = PROFILE_FAULT,
	TABLE_SCREEN(&table),
};
