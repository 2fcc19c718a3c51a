// SPDX-License-Identifier: BSD-2-Clause
#include "state.h"

#include <string.h>

#include "mem.h"
#include "text.h"

/* What holds a thread up is a letter: it is told apart without colours, too. */
const struct state_kind state_kinds[STATES] = {
	[RUNNING] = {"running", "█", STYLE_RUNNING, "on a CPU"},
	[RUNNABLE] = {"runnable", "▓", STYLE_RUNNABLE, "wants to run, waits for a CPU"},
	[LOCK] = {"lock", "L", STYLE_LOCK, "waits for a lock: futex, file lock, semaphore, mutex of the kernel"},
	[DISK] = {"disk", "D", STYLE_DISK, "waits for a file or a device, or is held back from writing"},
	[MEMORY] = {"memory", "M", STYLE_MEMORY, "waits for a page's content, or for free memory"},
	[NETWORK] = {"network", "N", STYLE_NETWORK, "waits on a network socket"},
	[OTHER] = {"other", "P", STYLE_OTHER, "waits on a pipe, a Unix socket, or something else"},
	[STOPPED] = {"stopped", "T", STYLE_STOPPED, "by a signal, a debugger or a freezer"},
	[SLEEPING] = {"sleeping", "·", STYLE_SLEEPING, "waits for work, a time, a signal or a child"},
};

/* Blocked for any other cause is OTHER. */
static const struct {
	const char *metric;
	enum state state;
} metrics[] = {
	{"task.running", RUNNING}, {"task.runnable", RUNNABLE}, {"task.preempted", RUNNABLE},
	{"offcpu.lock", LOCK}, {"offcpu.kernel_lock", LOCK}, {"offcpu.disk", DISK}, {"offcpu.dirty", DISK},
	{"offcpu.fault", MEMORY}, {"offcpu.reclaim", MEMORY}, {"offcpu.net", NETWORK},
	{"offcpu.stopped", STOPPED}, {"offcpu.sleep", SLEEPING}, {"offcpu.poll", SLEEPING},
	{"offcpu.child", SLEEPING}, {"offcpu.signal", SLEEPING}, {"offcpu.idle", SLEEPING},
};

int state_of_metric(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(metrics); i++)
		if (!strcmp(metrics[i].metric, name))
			return (int)metrics[i].state;
	return starts_with(name, "offcpu.") ? OTHER : -1;
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
static void divide(unsigned cells[STATES], unsigned width, const struct bar_part *parts, unsigned count)
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
	unsigned cells[STATES], at = column;

	divide(cells, width, parts, count);
	for (unsigned i = 0; i < count; i++) {
		grid_fill(g, row, at, cells[i], parts[i].style, parts[i].glyph);
		at += cells[i];
	}
}
