// SPDX-License-Identifier: BSD-2-Clause
#include "state.h"

#include <string.h>

#include "mem.h"

#define BAR_PARTS 8

const struct state_kind state_kinds[STATES] = {
	[RUNNING] = {"running", "█", STYLE_RUNNING, "on a CPU"},
	[RUNNABLE] = {"runnable", "▓", STYLE_RUNNABLE, "wants to run, waits for a CPU"},
	[DISK] = {"disk", "▒", STYLE_DISK, "uninterruptible: disk, page-in, kernel lock"},
	[STOPPED] = {"stopped", "▬", STYLE_STOPPED, "by a signal or a debugger"},
	[SLEEPING] = {"sleeping", "·", STYLE_SLEEPING, "waits for an event, a lock or a timer"},
};

/* Blocked for any other cause is asleep. */
static const struct {
	const char *metric;
	enum state state;
} metrics[] = {
	{"task.running", RUNNING}, {"task.runnable", RUNNABLE}, {"task.preempted", RUNNABLE}, {"offcpu.disk", DISK},
	{"offcpu.kernel_lock", DISK}, {"offcpu.fault", DISK}, {"offcpu.reclaim", DISK}, {"offcpu.dirty", DISK},
	{"offcpu.stopped", STOPPED},
};

int state_of_metric(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(metrics); i++)
		if (!strcmp(metrics[i].metric, name))
			return (int)metrics[i].state;
	return strncmp(name, "offcpu.", 7) ? -1 : SLEEPING;
}

uint64_t state_total(const struct state_times *t)
{
	uint64_t sum = 0;

	for (int i = 0; i < STATES; i++)
		sum += t->ns[i];
	return sum;
}

void state_add(struct state_times *t, const struct state_times *more)
{
	for (int i = 0; i < STATES; i++)
		t->ns[i] += more->ns[i];
	t->switches += more->switches;
	t->preempted += more->preempted;
}

/* Rounds the running sum, so that the parts together have the right length; then a part of half a
 * percent or more that came out empty takes a cell from the longest. */
static void divide(unsigned cells[BAR_PARTS], unsigned width, const struct bar_part *parts, unsigned count)
{
	double sum = 0;
	unsigned before = 0, longest = 0;

	for (unsigned i = 0; i < count; i++) {
		sum += parts[i].share;
		unsigned end = (unsigned)((sum < 1 ? sum : 1) * width + 0.5);

		cells[i] = end - before;
		before = end;
		longest = cells[i] > cells[longest] ? i : longest;
	}
	for (unsigned i = 0; i < count; i++)
		if (!cells[i] && parts[i].share >= 0.005 && cells[longest] > 1) {
			cells[longest]--;
			cells[i]++;
		}
}

void bar_draw(struct grid *g, unsigned row, unsigned column, unsigned width, const struct bar_part *parts,
	      unsigned count)
{
	unsigned cells[BAR_PARTS], at = column;

	divide(cells, width, parts, count);
	for (unsigned i = 0; i < count; i++) {
		grid_fill(g, row, at, cells[i], parts[i].style, parts[i].glyph);
		at += cells[i];
	}
}
