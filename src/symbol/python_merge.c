// SPDX-License-Identifier: BSD-2-Clause
#include "python_merge.h"

struct merge {
	const struct python_merge *m;
	python_merged *tell;
	void *arg;
	uint32_t next; /* Python frames that are left, from the root */
};

/* The Python frames of one run, from the root on. */
static void tell_run(struct merge *x)
{
	const struct python_frame *frames = x->m->python;

	for (bool first = true; x->next && (first || !frames[x->next - 1].entry); first = false)
		if (frames[--x->next].frame)
			x->tell(x->arg, true, x->next);
}

static uint32_t count_runs(const struct python_merge *m)
{
	/* What was cut off may have been the outermost run's beginning. */
	uint32_t runs = m->python_depth && !m->python[m->python_depth - 1].entry;

	for (uint32_t i = 0; i < m->python_depth; i++)
		runs += m->python[i].entry;
	return runs;
}

static uint32_t count_loops(const struct python_merge *m)
{
	uint32_t loops = 0;

	for (size_t i = 0; i < m->native_depth; i++)
		loops += m->native[i] == PYTHON_IN_LOOP;
	return loops;
}

void python_merge(const struct python_merge *m, python_merged *tell, void *arg)
{
	struct merge x = {.m = m, .tell = tell, .arg = arg, .next = m->python_depth};
	uint32_t loops = count_loops(m), runs = count_runs(m);
	/* A stack that lacks its root fits at the leaf, any other one at the root. */
	uint32_t outer = (m->native_cut || !loops) && runs > loops ? runs - loops : 0;
	uint32_t bare = m->python_cut && loops > runs ? loops - runs : 0;

	while (outer--)
		tell_run(&x);
	for (size_t i = m->native_depth; i-- > 0;) {
		loops -= m->native[i] == PYTHON_IN_LOOP;
		if (m->native[i] == PYTHON_IN_LOOP && bare) {
			bare--;
			continue;
		}
		if (m->native[i] == PYTHON_IN_LOOP && x.next) {
			tell_run(&x);
			while (!loops && x.next)
				tell_run(&x);
			continue;
		}
		if (m->native[i] == PYTHON_IN_INTERPRETER && x.next)
			continue;
		tell(arg, false, i);
	}
}
