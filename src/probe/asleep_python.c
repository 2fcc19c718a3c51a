// SPDX-License-Identifier: BSD-2-Clause
#include "asleep_python.h"

#include <string.h>

#include "hash.h"
#include "mem.h"
#include "python_memory.h"

struct asleep_python {
	uint32_t process;     /* whose all this is; 0: nobody's */
	struct python_memory memory;
	struct map *states;   /* pthread_self() -> state */
	struct map *codes;    /* code object -> whether it is one, and has been told of */
	struct python_code_record *code;
};

struct asleep_python *asleep_python_new(void)
{
	struct asleep_python *a = xcalloc(1, sizeof(*a));

	a->code = xcalloc(1, sizeof(*a->code));
	return a;
}

void asleep_python_forget(struct asleep_python *a)
{
	map_free(a->states);
	map_free(a->codes);
	a->states = a->codes = NULL;
	a->process = 0;
}

void asleep_python_free(struct asleep_python *a)
{
	if (!a)
		return;
	asleep_python_forget(a);
	free(a->code);
	free(a);
}

static void note_state(void *arg, uint64_t state, uint64_t self)
{
	map_put(arg, self, state);
}

static bool know_process(struct asleep_python *a, struct capture *c, const struct process *p, uint32_t tid)
{
	if (a->process == p->id)
		return true;
	asleep_python_forget(a);
	if (!stacks_python_process(c->stacks, p, &a->memory.process))
		return false;
	a->memory.reader = (pid_t)tid;
	a->process = p->id;
	a->states = map_new();
	a->codes = map_new();
	python_memory_states(&a->memory, note_state, a->states);
	return true;
}

static bool read_code(struct asleep_python *a, uint64_t code)
{
	struct python_code_record *r = a->code;
	struct python_memory_code at;
	uint64_t len;

	if (!python_memory_code(&a->memory, code, &at) || !python_memory_text(&a->memory, at.name, &r->name) ||
	    !python_memory_text(&a->memory, at.file, &r->file) || !python_memory_bytes(&a->memory, &at.lines, &len))
		return false;
	r->code = code;
	r->first_line = at.first_line;
	r->lines_cut = len >= PYTHON_LINES_BYTES;
	r->lines_bytes = r->lines_cut ? PYTHON_LINES_BYTES - 1 : (uint32_t)len;
	return python_memory_read(&a->memory, at.lines, r->lines, r->lines_bytes);
}

static bool know_code(struct asleep_python *a, struct capture *c, struct process *p, uint64_t code)
{
	uint64_t known;

	if (!map_get(a->codes, code, &known)) {
		known = read_code(a, code);
		if (known)
			stacks_python_code(c->stacks, p, a->code);
		map_put(a->codes, code, known);
	}
	return known;
}

static uint64_t packed(const struct python_memory_frame *f)
{
	return (f->code >> PYTHON_CODE_ALIGN_SHIFT << PYTHON_FRAME_CODE_SHIFT) | (uint64_t)f->instruction << PYTHON_FRAME_UNIT_SHIFT |
	       (f->entry ? PYTHON_FRAME_ENTRY : 0);
}

void asleep_python_read(struct asleep_python *a, struct capture *c, struct process *p, struct wait_record *r)
{
	uint64_t *frames = r->stack.frames + r->stack.kernel_depth, state, address;
	struct python_memory_frame f;
	uint16_t depth = 0;

	if (!p->python_image || !know_process(a, c, p, r->head.tid) || !map_get(a->states, r->thread_pointer, &state))
		return;
	address = python_memory_first(&a->memory, state);
	for (; address && depth < PYTHON_DEPTH; depth++) {
		if (!python_memory_frame(&a->memory, &address, &f) || (f.code && !know_code(a, c, p, f.code)))
			return;
		frames[depth] = packed(&f);
	}
	r->stack.python_depth = depth;
	r->stack.python_cut = address != 0;
}
