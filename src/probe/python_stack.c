// SPDX-License-Identifier: BSD-2-Clause
#include "python_stack.h"

#include "frames.h"
#include "mappings.h"

struct merge {
	const struct python_stack *python;
	struct frames *frames;
	uint32_t at;   /* the stack so far */
	uint32_t next; /* Python frames that are left, from the root */
};

/* The Python frames of one run, from the root on. */
static void push_run(struct merge *m)
{
	const struct python_frame *frames = m->python->frames;

	for (bool first = true; m->next && (first || !frames[m->next - 1].entry); first = false) {
		uint32_t frame = frames[--m->next].frame;

		if (frame)
			m->at = frames_push(m->frames, m->at, frame);
	}
}

static uint32_t count_runs(const struct python_stack *ps)
{
	/* What was cut off may have been the outermost run's beginning. */
	uint32_t runs = ps->depth && !ps->frames[ps->depth - 1].entry;

	for (uint32_t i = 0; i < ps->depth; i++)
		runs += ps->frames[i].entry;
	return runs;
}

/* Where in the native stack's interpreter an address is. */
enum native_kind { NATIVE_OTHER, NATIVE_INTERPRETER, NATIVE_LOOP };

static enum native_kind kind_of(const struct python_loop *loop, const struct native_stack *native,
				size_t i)
{
	uint64_t address = native->addresses[i] - (i > 0);
	const struct mapping *mapping = mappings_find(native->mappings, address);

	if (!mapping || mapping->module != loop->image)
		return NATIVE_OTHER;
	address = address - mapping->start + mapping->offset;
	return address >= loop->start && address < loop->end ? NATIVE_LOOP : NATIVE_INTERPRETER;
}

static uint32_t count_loops(const struct python_loop *loop, const struct native_stack *native)
{
	uint32_t loops = 0;

	for (size_t i = 0; i < native->depth; i++)
		loops += kind_of(loop, native, i) == NATIVE_LOOP;
	return loops;
}

bool native_stack_has(const struct native_stack *native, const struct python_loop *loop)
{
	return count_loops(loop, native) > 0;
}

uint32_t python_stack_push(const struct python_stack *ps, struct frames *f, uint32_t parent,
			   const struct native_stack *native)
{
	struct merge m = {.python = ps, .frames = f, .at = parent, .next = ps->depth};
	uint32_t loops = count_loops(&ps->loop, native), runs = count_runs(ps);
	/* A stack that lacks its root fits at the leaf, any other one at the root. */
	uint32_t outer = (native->cut || !loops) && runs > loops ? runs - loops : 0;
	uint32_t bare = ps->cut && loops > runs ? loops - runs : 0;

	while (outer--)
		push_run(&m);
	for (size_t i = native->depth; i-- > 0;) {
		enum native_kind kind = kind_of(&ps->loop, native, i);

		loops -= kind == NATIVE_LOOP;
		if (kind == NATIVE_LOOP && bare) {
			bare--;
			continue;
		}
		if (kind == NATIVE_LOOP && m.next) {
			push_run(&m);
			while (!loops && m.next)
				push_run(&m);
			continue;
		}
		if (kind == NATIVE_INTERPRETER && m.next)
			continue;
		m.at = frames_native(f, m.at, native->process, native->mappings,
				     native->addresses[i] - (i > 0), native->now_ns);
	}
	return m.at;
}
