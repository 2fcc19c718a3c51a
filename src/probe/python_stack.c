// SPDX-License-Identifier: BSD-2-Clause
#include "python_stack.h"

#include "cleanup.h"
#include "frames.h"
#include "mappings.h"
#include "mem.h"

struct push {
	const struct python_stack *python;
	const struct native_stack *native;
	struct frames *frames;
	uint32_t at; /* the stack so far */
};

static uint64_t address_of(const struct native_stack *native, size_t i)
{
	return native->addresses[i] - (i > 0);
}

static enum python_place_of place_of(const struct python_loop *loop, const struct native_stack *native, size_t i)
{
	uint64_t address = address_of(native, i);
	const struct mapping *mapping = mappings_find(native->mappings, address);

	if (!mapping || mapping->module != loop->image)
		return PYTHON_ELSEWHERE;
	address = address - mapping->start + mapping->offset;
	return address >= loop->start && address < loop->end ? PYTHON_IN_LOOP : PYTHON_IN_INTERPRETER;
}

bool native_stack_has(const struct native_stack *native, const struct python_loop *loop)
{
	for (size_t i = 0; i < native->depth; i++)
		if (place_of(loop, native, i) == PYTHON_IN_LOOP)
			return true;
	return false;
}

static void push(void *arg, bool python, size_t i)
{
	struct push *p = arg;

	if (python)
		p->at = frames_push(p->frames, p->at, p->python->frames[i].frame);
	else
		p->at = frames_native(p->frames, p->at, p->native->process, p->native->mappings, address_of(p->native, i),
				      p->native->now_ns);
}

uint32_t python_stack_push(const struct python_stack *ps, struct frames *f, uint32_t parent,
			   const struct native_stack *native)
{
	_cleanup_free_ enum python_place_of *places = xcalloc(native->depth, sizeof(*places));
	struct push p = {.python = ps, .native = native, .frames = f, .at = parent};

	for (size_t i = 0; i < native->depth; i++)
		places[i] = place_of(&ps->loop, native, i);
	python_merge(&(struct python_merge){.python = ps->frames, .python_depth = ps->depth, .python_cut = ps->cut,
					    .native = places, .native_depth = native->depth, .native_cut = native->cut},
		     push, &p);
	return p.at;
}
