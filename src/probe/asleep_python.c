// SPDX-License-Identifier: BSD-2-Clause
#include "asleep_python.h"

#include <string.h>

#include "hash.h"
#include "mem.h"
#include "python_memory.h"

/* A process that runs Python, or does not seem to: then there are no maps. */
struct python_asleep {
	struct python_memory memory;
	struct map *states; /* pthread_self() -> state */
	struct map *codes;  /* code object -> whether it is one, and has been told of */
};

struct asleep_python {
	struct map *processes; /* by id */
	struct python_code_record *code;
};

struct asleep_python *asleep_python_new(void)
{
	struct asleep_python *a = xcalloc(1, sizeof(*a));

	a->processes = map_new();
	a->code = xcalloc(1, sizeof(*a->code));
	return a;
}

static void free_processes(struct asleep_python *a)
{
	uint64_t id, value;
	size_t cursor = 0;

	while (map_next(a->processes, &cursor, &id, &value)) {
		struct python_asleep *known = (struct python_asleep *)(uintptr_t)value;

		map_free(known->states);
		map_free(known->codes);
		free(known);
	}
	map_free(a->processes);
}

void asleep_python_forget(struct asleep_python *a)
{
	free_processes(a);
	a->processes = map_new();
}

void asleep_python_free(struct asleep_python *a)
{
	if (!a)
		return;
	free_processes(a);
	free(a->code);
	free(a);
}

static void note_state(void *arg, uint64_t state, uint64_t self)
{
	map_put(arg, self, state);
}

static struct python_asleep *know_process(struct asleep_python *a, struct capture *c, const struct process *p,
					  const struct asleep_reading *from, uint32_t tid)
{
	struct python_asleep *known;
	uint64_t value;
	bool is_new = !map_get(a->processes, p->id, &value);

	if (is_new)
		map_put(a->processes, p->id, value = (uintptr_t)xcalloc(1, sizeof(*known)));
	known = (struct python_asleep *)(uintptr_t)value;
	known->memory.reader = (pid_t)tid;
	known->memory.pages = from->pages;
	known->memory.until_ns = from->until_ns;
	if (is_new && stacks_python_process(c->stacks, p, &known->memory.process)) {
		known->states = map_new();
		known->codes = map_new();
		python_memory_states(&known->memory, note_state, known->states);
	}
	return known->states ? known : NULL;
}

static bool read_code(const struct python_memory *m, uint64_t code, struct python_code_record *r)
{
	struct python_memory_code at;
	uint64_t len;

	if (!python_memory_code(m, code, &at) || !python_memory_text(m, at.name, &r->name) ||
	    !python_memory_text(m, at.file, &r->file) || !python_memory_bytes(m, &at.lines, &len))
		return false;
	r->code = code;
	r->first_line = at.first_line;
	r->lines_cut = len >= PYTHON_LINES_BYTES;
	r->lines_bytes = r->lines_cut ? PYTHON_LINES_BYTES - 1 : (uint32_t)len;
	return python_memory_read(m, at.lines, r->lines, r->lines_bytes);
}

static bool know_code(const struct asleep_python *a, const struct python_asleep *of, struct capture *c, struct process *p, uint64_t code)
{
	uint64_t known;

	if (!map_get(of->codes, code, &known)) {
		known = read_code(&of->memory, code, a->code);
		if (known)
			stacks_python_code(c->stacks, p, a->code);
		map_put(of->codes, code, known);
	}
	return known;
}

static uint64_t packed(const struct python_memory_frame *f)
{
	return (f->code >> PYTHON_CODE_ALIGN_SHIFT << PYTHON_FRAME_CODE_SHIFT) | (uint64_t)f->instruction << PYTHON_FRAME_UNIT_SHIFT |
	       (f->entry ? PYTHON_FRAME_ENTRY : 0);
}

void asleep_python_read(struct asleep_python *a, struct capture *c, struct process *p, const struct asleep_reading *from, struct wait_record *r)
{
	uint64_t *frames = r->stack.frames + r->stack.kernel_depth, state, address;
	struct python_memory_frame f;
	uint16_t depth = 0;
	const struct python_asleep *of = p->python_image ? know_process(a, c, p, from, r->head.tid) : NULL;

	if (!of || !map_get(of->states, r->thread_pointer, &state))
		return;
	address = python_memory_first(&of->memory, state);
	for (; address && depth < PYTHON_DEPTH; depth++) {
		if (!python_memory_frame(&of->memory, &address, &f) || (f.code && !know_code(a, of, c, p, f.code)))
			return;
		frames[depth] = packed(&f);
	}
	r->stack.python_depth = depth;
	r->stack.python_cut = address != 0;
}
