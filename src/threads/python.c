// SPDX-License-Identifier: BSD-2-Clause
#include "python.h"

#include <stdio.h>
#include <string.h>

#include "hash.h"
#include "mem.h"
#include "python_lines.h"
#include "python_memory.h"
#include "python_text.h"
#include "python_version.h"

enum {
	MOST_LINES_BYTES = 1 << 16, /* of one function's table, */
	MOST_ALL_LINES_BYTES = 16 << 20, /* and of all */
#if defined(__aarch64__)
	PTHREAD_TID = 208, /* in glibc's control block of a thread */
#else
	PTHREAD_TID = 720,
#endif
};

struct function {
	const char *name, *file;
	uint32_t first_line;
	const uint8_t *lines;
	size_t lines_len;
};

struct state {
	uint64_t address, self; /* its thread's pthread_self() */
};

struct python {
	const struct space *space;
	struct arena *memory;
	struct python_memory memory_of; /* the process */
	uint64_t loop_start, loop_end; /* in its image */
	const char *path;
	struct map *by_tid, *by_code; /* number + 1 of a state; of a function, 0: it is none */
	struct state *states;
	uint32_t state_count, state_capacity;
	struct function *functions;
	uint32_t function_count, function_capacity;
	size_t lines_bytes; /* of all functions */
};

static void note_tid(struct python *p, uint64_t tid)
{
	uint64_t known;

	if (tid && tid <= UINT32_MAX && !map_get(p->by_tid, tid, &known))
		map_put(p->by_tid, tid, p->state_count);
}

/* The C library knows the thread's number; from 3.11 on Python does, too, but may keep the parent's in a forked child. */
static void add_state(void *arg, uint64_t address, uint64_t self)
{
	struct python *p = arg;
	const struct python_layout *l = &p->memory_of.process.layout;

	GROW(p->states, p->state_count, p->state_capacity);
	p->states[p->state_count++] = (struct state){.address = address, .self = self};
	note_tid(p, (uint32_t)python_memory_word(&p->memory_of, self + PTHREAD_TID));
	if (l->code_bytes)
		note_tid(p, python_memory_word(&p->memory_of, address + l->thread_id + sizeof(uint64_t)));
}

static const struct python_version *find_interpreter(struct namer *n, const struct space *s, struct python_places *places,
						      const struct space_mapping **ret)
{
	const char *tried = "";

	for (size_t i = 0; i < s->count; i++) {
		const struct space_mapping *m = &s->items[i];
		const struct python_version *version = strcmp(m->path, tried) ? python_version_of(m->path) : NULL;

		if (!version)
			continue;
		tried = m->path;
		*ret = m;
		if (namer_python(n, s, m, places))
			return version;
	}
	return NULL;
}

struct python *python_new(struct namer *n, const struct space *s, struct arena *memory)
{
	struct python_places places = {0};
	const struct space_mapping *m;
	const struct python_version *version = find_interpreter(n, s, &places, &m);
	struct python_process process;
	struct python *p;

	if (!version || !python_version_process(version, &places, (pid_t)s->reader, m->start - m->offset, &process))
		return NULL;
	p = xcalloc(1, sizeof(*p));
	*p = (struct python){.space = s, .memory = memory, .memory_of = {.reader = (pid_t)s->reader, .process = process}, .path = m->path,
			     .loop_start = places.at[PYTHON_LOOP], .loop_end = places.at[PYTHON_LOOP] + places.loop_size,
			     .by_tid = map_new(), .by_code = map_new()};
	python_memory_states(&p->memory_of, add_state, p);
	return p;
}

void python_free(struct python *p)
{
	if (!p)
		return;
	map_free(p->by_tid);
	map_free(p->by_code);
	free(p->states);
	free(p->functions);
	free(p);
}

static const char *read_text(const struct python *p, uint64_t address)
{
	_cleanup_(buf_done) struct buf b = BUF_INIT;
	struct python_text text;

	if (!python_memory_text(&p->memory_of, address, &text))
		return NULL;
	uint32_t bytes = python_text_add(&b, &text);
	return arena_strndup(p->memory, b.data, bytes - 1);
}

/* What is too much for all of them has no table: its first line is told. */
static bool read_lines(struct python *p, uint64_t address, struct function *f)
{
	uint64_t len;

	if (!python_memory_bytes(&p->memory_of, &address, &len))
		return false;
	f->lines_len = len < MOST_LINES_BYTES ? len : MOST_LINES_BYTES;
	if (p->lines_bytes + f->lines_len > MOST_ALL_LINES_BYTES)
		f->lines_len = 0;
	p->lines_bytes += f->lines_len;
	void *bytes = arena_alloc(p->memory, f->lines_len);
	f->lines = bytes;
	return python_memory_read(&p->memory_of, address, bytes, f->lines_len);
}

static bool read_function(struct python *p, uint64_t code, struct function *f)
{
	struct python_memory_code at;

	if (!python_memory_code(&p->memory_of, code, &at))
		return false;
	f->first_line = at.first_line;
	f->name = read_text(p, at.name);
	f->file = read_text(p, at.file);
	return f->name && f->file && read_lines(p, at.lines, f);
}

static const struct function *function_of(struct python *p, uint64_t code)
{
	struct function f;
	uint64_t known;

	if (!map_get(p->by_code, code, &known)) {
		known = 0;
		if (read_function(p, code, &f)) {
			GROW(p->functions, p->function_count, p->function_capacity);
			p->functions[p->function_count++] = f;
			known = p->function_count;
		}
		map_put(p->by_code, code, known);
	}
	return known ? &p->functions[known - 1] : NULL;
}

static uint32_t line_of(const struct python *p, const struct function *f, uint32_t unit)
{
	return unit == PYTHON_FRAME_NO_UNIT || !f->lines_len
		       ? f->first_line
		       : python_line(p->memory_of.process.layout.lines_format, f->lines, f->lines_len, f->first_line, unit);
}

static const char *source_of(const struct python *p, const struct function *f, uint32_t line)
{
	_cleanup_(buf_done) struct buf b = BUF_INIT;

	buf_addf(&b, "%s:%u", f->file, line);
	return arena_strndup(p->memory, b.data, b.len);
}

struct taken {
	struct python_frame frames[PYTHON_DEPTH];
	const char *names[PYTHON_DEPTH], *sources[PYTHON_DEPTH];
	uint64_t addresses[PYTHON_DEPTH];
};

/* The frame at *address, as the i-th, and its caller's address. */
static bool take_frame(struct python *p, uint64_t *address, struct taken *to, uint32_t i)
{
	struct python_memory_frame frame;

	to->addresses[i] = *address;
	if (!python_memory_frame(&p->memory_of, address, &frame))
		return false;
	to->frames[i] = (struct python_frame){.frame = frame.code != 0, .entry = frame.entry};
	if (!frame.code)
		return true;
	const struct function *f = function_of(p, frame.code);
	if (!f)
		return false;
	to->names[i] = f->name;
	to->sources[i] = source_of(p, f, line_of(p, f, frame.instruction));
	return true;
}

static void *copy(struct arena *memory, const void *from, size_t len)
{
	return memcpy(arena_alloc(memory, len), from, len);
}

const struct python_trace *python_trace(struct python *p, uint32_t own_tid)
{
	uint64_t number, frame;
	struct taken taken = {0};
	uint32_t depth = 0;

	if (!map_get(p->by_tid, own_tid, &number))
		return NULL;
	const struct state *s = &p->states[number - 1];
	if (python_memory_word(&p->memory_of, s->address + p->memory_of.process.layout.thread_id) != s->self)
		return NULL;
	frame = python_memory_first(&p->memory_of, s->address);
	for (; frame && depth < PYTHON_DEPTH; depth++)
		if (!take_frame(p, &frame, &taken, depth))
			return NULL;
	if (!depth)
		return NULL;
	struct python_trace *t = arena_alloc(p->memory, sizeof(*t));
	*t = (struct python_trace){.python = p, .depth = depth, .cut = frame,
				   .frames = copy(p->memory, taken.frames, depth * sizeof(taken.frames[0])),
				   .names = copy(p->memory, taken.names, depth * sizeof(taken.names[0])),
				   .addresses = copy(p->memory, taken.addresses, depth * sizeof(taken.addresses[0])),
				   .sources = copy(p->memory, taken.sources, depth * sizeof(taken.sources[0]))};
	return t;
}

enum python_place_of python_place(const struct python *p, uint64_t address)
{
	const struct space_mapping *m = space_find(p->space, address);

	if (!m || strcmp(m->path, p->path))
		return PYTHON_ELSEWHERE;
	address = address - m->start + m->offset;
	return address >= p->loop_start && address < p->loop_end ? PYTHON_IN_LOOP : PYTHON_IN_INTERPRETER;
}
