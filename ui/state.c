// SPDX-License-Identifier: BSD-2-Clause
#include "state.h"

#define BAR_PARTS 8

const struct state_kind state_kinds[STATES] = {
	[RUNNING] = {"task.running", "running", "█", STYLE_RUNNING, "on a CPU"},
	[RUNNABLE] = {"task.runnable", "runnable", "▓", STYLE_RUNNABLE, "wants to run, waits for a CPU"},
	[DISK] = {"task.disk", "disk", "▒", STYLE_DISK, "uninterruptible: disk, page-in, kernel lock"},
	[STOPPED] = {"task.stopped", "stopped", "▬", STYLE_STOPPED, "by a signal or a debugger"},
	[SLEEPING] = {"task.sleeping", "sleeping", "·", STYLE_SLEEPING, "waits for an event, a lock or a timer"},
};

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
