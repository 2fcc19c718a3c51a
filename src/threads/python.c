// SPDX-License-Identifier: BSD-2-Clause
#include "python.h"

#include <stdio.h>
#include <string.h>

#include "hash.h"
#include "mem.h"
#include "python_lines.h"
#include "python_text.h"
#include "python_version.h"

enum {
	MOST_STATES = 1 << 16,
	MOST_INTERPRETERS = 1 << 12,
	MOST_LINES_BYTES = 1 << 16, /* of one function's table, */
	MOST_ALL_LINES_BYTES = 16 << 20, /* and of all */
	BYTES_AT = 32,              /* a bytes object's own */
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
	struct python_process process;
	uint64_t loop_start, loop_end; /* in its image */
	const char *path;
	struct map *by_tid, *by_code; /* number + 1 of a state; of a function, 0: it is none */
	struct state *states;
	uint32_t state_count, state_capacity;
	struct function *functions;
	uint32_t function_count, function_capacity;
	size_t lines_bytes; /* of all functions */
};

static uint64_t word_at(const struct python *p, uint64_t address)
{
	uint64_t word = 0;

	return address && space_read_all(p->space, address, &word, sizeof(word)) ? word : 0;
}

static void note_tid(struct python *p, uint64_t tid)
{
	uint64_t known;

	if (tid && tid <= UINT32_MAX && !map_get(p->by_tid, tid, &known))
		map_put(p->by_tid, tid, p->state_count);
}

/* The C library knows the thread's number; from 3.11 on Python does, too, but may keep the parent's in a forked child. */
static void add_state(struct python *p, uint64_t address)
{
	const struct python_layout *l = &p->process.layout;
	uint64_t self = word_at(p, address + l->thread_id);

	GROW(p->states, p->state_count, p->state_capacity);
	p->states[p->state_count++] = (struct state){.address = address, .self = self};
	note_tid(p, (uint32_t)word_at(p, self + PTHREAD_TID));
	if (l->code_bytes)
		note_tid(p, word_at(p, address + l->thread_id + sizeof(uint64_t)));
}

/* Its memory may hold anything: lists that never end, too. */
static void read_states(struct python *p)
{
	const struct python_layout *l = &p->process.layout;
	uint64_t interpreter = word_at(p, p->process.runtime + l->interpreters);

	for (unsigned i = 0; interpreter && i < MOST_INTERPRETERS; i++, interpreter = word_at(p, interpreter + l->interpreter_next)) {
		uint64_t state = word_at(p, interpreter + l->interpreter_threads);

		for (; state && p->state_count < MOST_STATES; state = word_at(p, state + PYTHON_THREAD_NEXT))
			add_state(p, state);
	}
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
	*p = (struct python){.space = s, .memory = memory, .process = process, .path = m->path,
			     .loop_start = places.at[PYTHON_LOOP], .loop_end = places.at[PYTHON_LOOP] + places.loop_size,
			     .by_tid = map_new(), .by_code = map_new()};
	read_states(p);
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

/* A str as CPython makes them: exactly that type, and its characters right behind it. */
static const char *read_text(const struct python *p, uint64_t address)
{
	_cleanup_(buf_done) struct buf b = BUF_INIT;
	uint64_t head[5];
	struct python_text text;
	uint64_t most;

	if (!space_read_all(p->space, address, head, sizeof(head)) || head[1] != p->process.unicode_type ||
	    !(head[4] & PYTHON_STATE_COMPACT))
		return NULL;
	bool ascii = head[4] & PYTHON_STATE_ASCII;
	text.width = head[4] >> PYTHON_STATE_KIND_SHIFT & 7;
	if (text.width != 1 && text.width != 2 && text.width != 4)
		return NULL;
	most = (PYTHON_TEXT_BYTES - 1) / text.width;
	text.bytes = (uint32_t)((head[2] < most ? head[2] : most) * text.width);
	address += ascii ? p->process.layout.text_ascii : p->process.layout.text_other;
	if (!space_read_all(p->space, address, text.text, text.bytes))
		return NULL;
	uint32_t bytes = python_text_add(&b, &text);
	return arena_strndup(p->memory, b.data, bytes - 1);
}

/* What is too much for all of them has no table: its first line is told. */
static bool read_lines(struct python *p, uint64_t address, struct function *f)
{
	uint64_t head[3];

	if (!space_read_all(p->space, address, head, sizeof(head)) || head[1] != p->process.bytes_type)
		return false;
	f->lines_len = head[2] < MOST_LINES_BYTES ? head[2] : MOST_LINES_BYTES;
	if (p->lines_bytes + f->lines_len > MOST_ALL_LINES_BYTES)
		f->lines_len = 0;
	p->lines_bytes += f->lines_len;
	void *bytes = arena_alloc(p->memory, f->lines_len);
	f->lines = bytes;
	return space_read_all(p->space, address + BYTES_AT, bytes, f->lines_len);
}

static bool read_function(struct python *p, uint64_t code, struct function *f)
{
	const struct python_layout *l = &p->process.layout;
	uint64_t names[PYTHON_CODE_NAMES];

	if (word_at(p, code + PYTHON_OBJECT_TYPE) != p->process.code_type ||
	    !space_read_all(p->space, code + l->code_names, names, sizeof(names)) ||
	    !space_read_all(p->space, code + l->code_first_line, &f->first_line, sizeof(f->first_line)))
		return false;
	f->name = read_text(p, names[l->name]);
	f->file = read_text(p, names[0]);
	return f->name && f->file && read_lines(p, names[l->lines], f);
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

/* Its instruction is kept by its address, or in older versions by its number. */
static uint32_t line_of(const struct python *p, const struct function *f, uint64_t code, uint64_t instruction)
{
	const struct python_layout *l = &p->process.layout;
	uint64_t unit = (l->code_bytes ? instruction - code - l->code_bytes : (uint32_t)instruction) >> l->index_shift;

	return unit >= PYTHON_FRAME_NO_UNIT || !f->lines_len
		       ? f->first_line
		       : python_line(l->lines_format, f->lines, f->lines_len, f->first_line, (uint32_t)unit);
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

static uint64_t field(const unsigned char *bytes, uint16_t at)
{
	uint64_t value = 0;

	if (at + sizeof(value) <= PYTHON_FRAME_BYTES)
		memcpy(&value, bytes + at, sizeof(value));
	return value;
}

/* The frame at *address, as the i-th, and its caller's address. */
static bool take_frame(struct python *p, uint64_t *address, struct taken *to, uint32_t i)
{
	const struct python_layout *l = &p->process.layout;
	unsigned char bytes[PYTHON_FRAME_BYTES], byte;

	if (!space_read_all(p->space, *address, bytes, sizeof(bytes)))
		return false;
	to->addresses[i] = *address;
	byte = bytes[l->frame_entry % PYTHON_FRAME_BYTES];
	*address = field(bytes, l->frame_back);
	if (l->entry == PYTHON_ENTRY_SHIM && byte == PYTHON_OWNER_C_STACK) {
		to->frames[i] = (struct python_frame){.entry = true};
		return true;
	}
	uint64_t code = field(bytes, l->frame_code);
	const struct function *f = function_of(p, code);
	if (!f)
		return false;
	to->frames[i] = (struct python_frame){
		.frame = 1, .entry = l->entry == PYTHON_ENTRY_EACH || (l->entry == PYTHON_ENTRY_FLAG && byte)};
	to->names[i] = f->name;
	to->sources[i] = source_of(p, f, line_of(p, f, code, field(bytes, l->frame_instruction)));
	return true;
}

static void *copy(struct arena *memory, const void *from, size_t len)
{
	return memcpy(arena_alloc(memory, len), from, len);
}

const struct python_trace *python_trace(struct python *p, uint32_t own_tid)
{
	const struct python_layout *l = &p->process.layout;
	uint64_t number, frame;
	struct taken taken = {0};
	uint32_t depth = 0;

	if (!map_get(p->by_tid, own_tid, &number))
		return NULL;
	const struct state *s = &p->states[number - 1];
	if (word_at(p, s->address + l->thread_id) != s->self)
		return NULL;
	frame = word_at(p, s->address + l->thread_frame);
	if (frame && l->indirect_frame != PYTHON_DIRECT)
		frame = word_at(p, frame + l->indirect_frame);
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
