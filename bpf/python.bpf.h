/* SPDX-License-Identifier: BSD-2-Clause */
/* CPython's own stack, walked at the moment of the sample: whoever reads it later races with the
 * program. The process does not help, and nothing in it is trusted: types are compared with those
 * of the interpreter, and a stack that does not look as it should is left out: user space, which
 * sees the interpreter at work in the native stack, counts it. */
#pragma once
#include "probe.bpf.h"

enum {
	PYTHON_NAMED_AT_ONCE = 64, /* code objects that one sample may describe */
	PYTHON_THREADS_LOOKED_AT = 256,
};

/* The host shares these three between the probes. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, u32); /* tgid */
	__type(value, struct python_process);
} python_processes SEC(".maps");

/* Code objects that user space knows: what tells one from another that took its place. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1);
	__type(key, struct python_code_key);
	__type(value, u64);
} python_codes SEC(".maps");

/* Where a thread's state was found, so that it need not be looked for among hundreds. */
struct python_thread {
	u64 state;  /* 0: the thread has none */
	u64 newest; /* of the interpreter's states, when it was looked for */
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, u32); /* tid */
	__type(value, struct python_thread);
} python_threads SEC(".maps");

/* What the walk is about and how far it has come. Its steps are functions of their own, for the
 * verifier to look at each once and not for each frame; all that they share is here. */
struct python_scratch {
	struct python_process process;
	u64 self;  /* the thread's pthread_self() */
	u64 frame; /* to be looked at next; 0: none */
	u32 tgid, tid;
	u32 described; /* code objects, in this sample */
	u32 unused;
	u64 names[PYTHON_CODE_NAMES];
	u64 head[5];   /* of an object */
	u8 bytes[128]; /* of a frame */
	u64 frames[PYTHON_DEPTH];
	struct python_code_record code;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct python_scratch);
} python_scratches SEC(".maps");

static __always_inline struct python_scratch *python_scratch(void)
{
	u32 zero = 0;

	return bpf_map_lookup_elem(&python_scratches, &zero);
}

/* 0 where nothing can be read: no object lies there. */
static __always_inline u64 read_word(u64 address)
{
	u64 word = 0;

	bpf_probe_read_user(&word, sizeof(word), (const void *)address);
	return word;
}

/* For the verifier, which forgets a bound that the compiler thought it could prove itself. */
static __always_inline u64 bounded(u64 value, u64 mask)
{
	barrier_var(value);
	return value & mask;
}

/* A str as CPython makes them: exactly that type, and its characters right behind it. */
static __always_inline bool read_text(struct python_scratch *s, u64 address, struct python_text *to)
{
	const struct python_process *p = &s->process;

	if (bpf_probe_read_user(s->head, sizeof(s->head), (const void *)address) ||
	    s->head[1] != p->unicode_type)
		return false;
	u64 length = s->head[2], state = s->head[4];
	u32 width = state >> PYTHON_STATE_KIND_SHIFT & 7, bytes = PYTHON_TEXT_BYTES - 1;

	if (!(state & PYTHON_STATE_COMPACT) || (width != 1 && width != 2 && width != 4))
		return false;
	if (length * width < bytes && length < PYTHON_TEXT_BYTES)
		bytes = length * width;
	bytes &= -width;
	bytes = bounded(bytes, PYTHON_TEXT_BYTES - 1);
	to->width = width;
	to->bytes = bytes;
	address += state & PYTHON_STATE_ASCII ? p->layout.text_ascii : p->layout.text_other;
	return !bpf_probe_read_user(to->text, bytes, (const void *)address);
}

static __always_inline bool read_lines(struct python_scratch *s, u64 address,
				       struct python_code_record *r)
{
	const struct python_process *p = &s->process;
	u32 bytes = PYTHON_LINES_BYTES - 1;

	if (bpf_probe_read_user(s->head, sizeof(s->head), (const void *)address) ||
	    s->head[1] != p->bytes_type)
		return false;
	r->lines_cut = s->head[2] > bytes;
	if (!r->lines_cut)
		bytes = s->head[2];
	bytes = bounded(bytes, PYTHON_LINES_BYTES - 1);
	r->lines_bytes = bytes;
	return !bpf_probe_read_user(r->lines, bytes, (const void *)(address + 32));
}

/* Tells user space of a code object whose pointers are in `names`. 0, or -1 when it is none; 1: not
 * now. */
__noinline int describe_python_code(u64 code)
{
	struct python_scratch *s = python_scratch();

	if (!s || read_word(code + PYTHON_OBJECT_TYPE) != s->process.code_type)
		return -1;
	const struct python_layout *l = &s->process.layout;
	struct python_code_record *r = &s->code;
	if (!read_text(s, s->names[l->name & 3], &r->name) ||
	    !read_text(s, s->names[0], &r->file) || !read_lines(s, s->names[l->lines & 3], r))
		return -1;
	fill_head(&r->head, RECORD_PYTHON_CODE, bpf_ktime_get_ns(), current_task());
	r->code = code;
	r->first_line = read_word(code + l->code_first_line);
	u64 size = __builtin_offsetof(struct python_code_record, lines) +
		   bounded(r->lines_bytes, PYTHON_LINES_BYTES - 1);
	if (!bpf_ringbuf_output(&records, r, size, ring_flags()))
		return 0;
	count(this_cpu(), LOST_RECORDS);
	return 1;
}

/* True when it is a code object, and user space knows or soon will know which. */
static __always_inline bool know_code(struct python_scratch *s, u64 code)
{
	struct python_code_key key = {.tgid = s->tgid, .code = code};
	u64 sum, *known;

	if (bpf_probe_read_user(s->names, sizeof(s->names),
				(const void *)(code + s->process.layout.code_names)))
		return false;
	sum = ((s->names[0] * 31 + s->names[1]) * 31 + s->names[2]) * 31;
	if (s->process.layout.names == PYTHON_CODE_NAMES)
		sum += s->names[3];
	known = bpf_map_lookup_elem(&python_codes, &key);
	if (known && *known == sum)
		return true;
	if (s->described >= PYTHON_NAMED_AT_ONCE)
		return read_word(code + PYTHON_OBJECT_TYPE) == s->process.code_type;
	s->described++;
	int r = describe_python_code(code);
	if (!r)
		bpf_map_update_elem(&python_codes, &key, &sum, 0);
	return r >= 0;
}

static __always_inline u64 bytes_word(const struct python_scratch *s, u32 offset)
{
	return *(const u64 *)(s->bytes + (offset & 120));
}

/* Units of two bytes from the beginning of the code. */
static __always_inline u64 instruction(const struct python_scratch *s, u64 code)
{
	const struct python_layout *l = &s->process.layout;
	u64 at = bytes_word(s, l->frame_instruction);

	at = l->code_bytes ? at - code - l->code_bytes : (u32)at;
	at >>= l->index_shift & 1;
	return at < PYTHON_FRAME_NO_UNIT ? at : PYTHON_FRAME_NO_UNIT;
}

/* Takes the next frame in, as the index-th. 0, or -1 when it is none. */
__noinline int take_python_frame(u32 index)
{
	struct python_scratch *s = python_scratch();
	u64 code, packed = PYTHON_FRAME_ENTRY;

	if (!s || index >= PYTHON_DEPTH ||
	    bpf_probe_read_user(s->bytes, PYTHON_FRAME_BYTES, (const void *)s->frame))
		return -1;
	const struct python_layout *l = &s->process.layout;
	u8 byte = s->bytes[l->frame_entry & 127];
	if (l->entry != PYTHON_ENTRY_SHIM || byte != PYTHON_OWNER_C_STACK) {
		code = bytes_word(s, l->frame_code);
		if (!know_code(s, code))
			return -1;
		packed = code >> PYTHON_CODE_ALIGN_SHIFT << PYTHON_FRAME_CODE_SHIFT |
			 instruction(s, code) << PYTHON_FRAME_UNIT_SHIFT;
		if (l->entry == PYTHON_ENTRY_EACH || (l->entry == PYTHON_ENTRY_FLAG && byte))
			packed |= PYTHON_FRAME_ENTRY;
	}
	s->frames[index] = packed;
	s->frame = bytes_word(s, l->frame_back);
	return 0;
}

/* A state that was found before is still the thread's when it is still in the list. */
static __always_inline bool still_there(const struct python_scratch *s, u64 state)
{
	const struct python_layout *l = &s->process.layout;
	u64 previous, interpreter;

	if (read_word(state + l->thread_id) != s->self)
		return false;
	previous = read_word(state + PYTHON_THREAD_PREVIOUS);
	if (previous)
		return read_word(previous + PYTHON_THREAD_NEXT) == state;
	interpreter = read_word(state + PYTHON_THREAD_INTERPRETER);
	return interpreter && read_word(interpreter + l->interpreter_threads) == state;
}

static __always_inline u64 look_for_thread(const struct python_scratch *s, u64 interpreter,
					   u64 newest)
{
	const struct python_layout *l = &s->process.layout;
	u64 state = newest;

	for (u32 i = 0; i < PYTHON_THREADS_LOOKED_AT; i++) {
		if (!state) {
			interpreter = read_word(interpreter + l->interpreter_next);
			if (!interpreter)
				return 0;
			state = read_word(interpreter + l->interpreter_threads);
		} else if (read_word(state + l->thread_id) == s->self) {
			return state;
		} else {
			state = read_word(state + PYTHON_THREAD_NEXT);
		}
	}
	return 0;
}

/* The state of the thread; 0: it has none, it runs no Python. */
static __always_inline u64 thread_state(struct python_scratch *s)
{
	u32 tid = s->tid;
	struct python_thread *known = bpf_map_lookup_elem(&python_threads, &tid), found;

	if (known && known->state && still_there(s, known->state))
		return known->state;
	u64 interpreter = read_word(s->process.runtime + s->process.layout.interpreters);
	if (!interpreter)
		return 0;
	found.newest = read_word(interpreter + s->process.layout.interpreter_threads);
	if (known && !known->state && known->newest == found.newest)
		return 0;
	found.state = look_for_thread(s, interpreter, found.newest);
	bpf_map_update_elem(&python_threads, &tid, &found, 0);
	return found.state;
}

/* The thread's innermost frame; -1 when there is none. */
__noinline int find_python_frame(void)
{
	struct python_scratch *s = python_scratch();

	if (!s)
		return -1;
	const struct python_layout *l = &s->process.layout;
	u64 state = thread_state(s);
	if (!state)
		return -1;
	s->frame = read_word(state + l->thread_frame);
	if (s->frame && l->indirect_frame != PYTHON_DIRECT)
		s->frame = read_word(s->frame + l->indirect_frame);
	return s->frame ? 0 : -1;
}

/* The thread's Python frames, behind the kernel's. The thread is the current one: on its CPU, or
 * about to leave it. */
static __always_inline void capture_python(struct stack_capture *c, struct task_struct *task)
{
	u32 tgid = BPF_CORE_READ(task, tgid), at = c->kernel_depth, i;
	struct python_process *p = bpf_map_lookup_elem(&python_processes, &tgid);
	struct python_scratch *s = p ? python_scratch() : NULL;

	c->python_depth = c->python_cut = 0;
	if (!s || at > STACK_DEPTH)
		return;
	s->process = *p;
	s->self = BPF_CORE_READ(task, THREAD_POINTER);
	s->tgid = tgid;
	s->tid = BPF_CORE_READ(task, pid);
	s->described = 0;
	if (find_python_frame())
		return;
	for (i = 0; i < PYTHON_DEPTH && s->frame; i++)
		if (take_python_frame(i))
			return;
	/* Said again for older verifiers, which forget it over the calls. */
	at = c->kernel_depth;
	if (at > STACK_DEPTH)
		return;
	bpf_probe_read_kernel(&c->frames[at], sizeof(s->frames), s->frames);
	c->python_depth = i;
	c->python_cut = s->frame != 0;
}
