// SPDX-License-Identifier: BSD-2-Clause
#include "stacks.h"

#include <errno.h>
#include <string.h>

#include "buf.h"
#include "cleanup.h"
#include "clock.h"
#include "fail.h"
#include "intern.h"
#include "log.h"
#include "mappings.h"
#include "mem.h"
#include "images.h"
#include "proc.h"
#include "symbolizer.h"
#include "tasks.h"

/* Interned keys, packed: equal frames and stacks have equal bytes. */
struct frame_key {
	uint32_t module, low, high; /* address in two halves: 8 bytes would bring padding */
};

struct node_key {
	uint32_t parent, frame;
};

struct image_state {
	int symbolizer_id; /* -1: not asked for yet, -2: has none */
	bool written, identified; /* in the recording; with its build id */
};

/* A question that the symbolizer's queue had no room for. */
struct question {
	int module;
	uint32_t frame;
	uint64_t address;
};

struct stacks {
	struct store *store;
	struct symbolizer *symbolizer;
	struct images *modules;
	struct intern *frames, *nodes, *symbols;
	struct image_state *states; /* by module id - 1 */
	uint32_t state_count;
	uint32_t kernel_module;
	uint32_t *frame_modules; /* by frame id - 1: whose symbols an answer belongs to */
	uint32_t frame_capacity;
	uint32_t unnamed;
	struct question *waiting;
	uint32_t waiting_count, waiting_capacity;
	struct stacks_truth truth;
	void *arg;
};

static uint32_t symbol_id(struct stacks *st, uint32_t module, const struct symbol *symbol)
{
	_cleanup_(buf_done) struct buf key = BUF_INIT;
	bool is_new;
	uint32_t id;

	buf_add(&key, &module, sizeof(module));
	buf_add(&key, &symbol->start, sizeof(symbol->start));
	buf_addstr(&key, symbol->name);
	id = intern_id(st->symbols, key.data, key.len, &is_new) + 1;
	if (is_new)
		store_add_symbol(st->store, id, module, symbol->name, symbol->file, symbol->start, symbol->size);
	return id;
}

/* The build id is known once the file has been read, that is with its first answer. */
static void identify(struct stacks *st, uint32_t module)
{
	struct image_state *state = &st->states[module - 1];
	struct image image = images_get(st->modules, module);
	uint8_t id[20];
	size_t len;

	if (state->identified || state->symbolizer_id < 0)
		return;
	state->identified = true;
	if (symbolizer_module_build_id(st->symbolizer, state->symbolizer_id, id, &len))
		store_put_module(st->store, module, image_kind_name(image.kind), image.path, id, len);
}

/* An answer: inlined functions first, then the one they were compiled into. */
static void named(void *arg, uint32_t frame, const struct symbol *symbols, size_t count)
{
	struct stacks *st = arg;
	uint32_t module = st->frame_modules[frame - 1];

	if (st->unnamed)
		st->unnamed--;
	identify(st, module);
	for (size_t i = 0; i < count; i++) {
		uint32_t id = symbol_id(st, module, &symbols[i]);

		if (symbols[i].inlined)
			store_add_inlined(st->store, frame, (uint32_t)i, id, symbols[i].line);
		else
			store_name_frame(st->store, frame, id, symbols[i].line);
	}
}

int stacks_new(struct store *s, const struct stacks_options *o, struct stacks **ret_stacks)
{
	struct stacks *st = xcalloc(1, sizeof(*st));
	int r;

	st->store = s;
	st->arg = o->arg;
	st->modules = images_new();
	st->frames = intern_new();
	st->nodes = intern_new();
	st->symbols = intern_new();
	r = symbolizer_new(&(struct symbolizer_options){.source_lines = o->inlined, .inlined = o->inlined,
							.handler = named, .arg = st}, &st->symbolizer);
	if (r < 0) {
		stacks_free(st);
		return r;
	}
	st->kernel_module = images_id(st->modules, &(struct image){.kind = IMAGE_KERNEL, .path = "[kernel]"});
	*ret_stacks = st;
	return 0;
}

void stacks_free(struct stacks *st)
{
	if (!st)
		return;
	symbolizer_free(st->symbolizer);
	images_free(st->modules);
	intern_free(st->frames);
	intern_free(st->nodes);
	intern_free(st->symbols);
	free(st->states);
	free(st->frame_modules);
	free(st->waiting);
	free(st);
}

int stacks_fd(const struct stacks *st)
{
	return symbolizer_fd(st->symbolizer);
}

static bool ask(struct stacks *st, const struct question *q)
{
	int r = symbolizer_request(st->symbolizer, q->module, q->address, q->frame);

	if (r < 0 && r != -EAGAIN)
		st->unnamed--;
	return r != -EAGAIN;
}

int stacks_dispatch(struct stacks *st)
{
	int r = symbolizer_dispatch(st->symbolizer);

	while (r >= 0 && st->waiting_count && ask(st, &st->waiting[st->waiting_count - 1]))
		st->waiting_count--;
	return r;
}

void stacks_finish(struct stacks *st, uint64_t timeout_ns)
{
	uint64_t end = clock_mono_ns() + timeout_ns, now;

	while (st->unnamed && (now = clock_mono_ns()) < end) {
		symbolizer_flush(st->symbolizer, end - now);
		if (stacks_dispatch(st) < 0)
			break;
	}
}

static enum image_kind kind_of(const struct stacks_mapping *m)
{
	if (!strcmp(m->path, "[vdso]"))
		return IMAGE_VDSO;
	if (m->path[0] == '/' && m->inode && strncmp(m->path, "/dev/zero", 9) && strncmp(m->path, "/memfd:", 7) &&
	    strncmp(m->path, "/anon_hugepage", 14) && strncmp(m->path, "/SYSV", 5))
		return IMAGE_ELF;
	if (!strcmp(m->path, "[vsyscall]"))
		return IMAGE_UNKNOWN;
	return IMAGE_JIT;
}

/* "/usr/bin/x (deleted)" is still the file /usr/bin/x to the reader. */
static char *plain_path(const char *path)
{
	size_t len = strlen(path), suffix = strlen(" (deleted)");

	if (len > suffix && !strcmp(path + len - suffix, " (deleted)"))
		len -= suffix;
	return xstrndup(path, len);
}

static uint32_t module_of(struct stacks *st, const struct process *p, const struct stacks_mapping *m)
{
	_cleanup_free_ char *path = plain_path(m->path);
	struct image module = {.kind = kind_of(m), .path = path};

	switch (module.kind) {
	case IMAGE_ELF:
		module.major = m->major;
		module.minor = m->minor;
		module.inode = m->inode;
		break;
	case IMAGE_JIT:
		module.path = "[jit]";
		module.pid = p->pid;
		module.process = p->id;
		break;
	default:
		break;
	}
	return images_id(st->modules, &module);
}

void stacks_map(struct stacks *st, struct process *p, const struct stacks_mapping *m)
{
	struct mapping mapping = {.start = m->start, .end = m->end, .offset = m->offset,
				  .module = module_of(st, p, m)};

	mappings_add(mappings_own(&p->mappings), &mapping);
}

struct reading {
	struct stacks *stacks;
	struct process *process;
};

static void add_line(void *arg, const struct proc_mapping *m)
{
	struct reading *reading = arg;

	stacks_map(reading->stacks, reading->process, &(struct stacks_mapping){
		.start = m->start, .end = m->end, .offset = m->offset, .inode = m->inode, .major = m->major,
		.minor = m->minor, .path = m->path});
}

void stacks_read_mappings(struct stacks *st, struct process *p)
{
	if (p->mapped || p->flags & PROCESS_KERNEL)
		return;
	p->mapped = true;
	proc_mappings(p->pid, add_line, &(struct reading){.stacks = st, .process = p});
}

static struct image_state *state_of(struct stacks *st, uint32_t module)
{
	while (st->state_count < module) {
		uint32_t count = st->state_count ? st->state_count * 2 : 64;

		st->states = xrealloc(st->states, count * sizeof(*st->states));
		for (; st->state_count < count; st->state_count++)
			st->states[st->state_count] = (struct image_state){.symbolizer_id = -1};
	}
	return &st->states[module - 1];
}

/* The symbolizer opens the file now, at its first sample: later it may be gone. */
static int introduce(struct stacks *st, uint32_t id, const struct process *p, const struct mapping *mapping)
{
	struct image module = images_get(st->modules, id);

	switch (module.kind) {
	case IMAGE_KERNEL:
		return symbolizer_kernel(st->symbolizer);
	case IMAGE_VDSO:
		return symbolizer_vdso(st->symbolizer);
	case IMAGE_JIT:
		return symbolizer_perf_map(st->symbolizer, (pid_t)module.pid);
	case IMAGE_ELF:
		return symbolizer_elf(st->symbolizer, &(struct symbol_mapping){
			.pid = (pid_t)p->pid, .start = mapping->start, .end = mapping->end,
			.offset = mapping->offset, .path = module.path, .dev_major = module.major,
			.dev_minor = module.minor, .inode = module.inode});
	default:
		return -2;
	}
}

static struct image_state *use_module(struct stacks *st, uint32_t id, const struct process *p,
				       const struct mapping *mapping)
{
	struct image_state *state = state_of(st, id);

	if (!state->written) {
		struct image module = images_get(st->modules, id);

		state->written = true;
		store_put_module(st->store, id, image_kind_name(module.kind), module.path, NULL, 0);
	}
	/* Asked again for each process: one that is gone could not open its file, the next one can. */
	state->symbolizer_id = introduce(st, id, p, mapping);
	return state;
}

static uint32_t frame_id(struct stacks *st, uint32_t module, uint64_t address, const struct process *p,
			 const struct mapping *mapping)
{
	struct frame_key key = {.module = module, .low = (uint32_t)address, .high = (uint32_t)(address >> 32)};
	bool is_new;
	uint32_t id = intern_id(st->frames, &key, sizeof(key), &is_new) + 1;

	if (!is_new)
		return id;
	struct image_state *state = use_module(st, module, p, mapping);
	while (st->frame_capacity < id) {
		st->frame_capacity = st->frame_capacity ? st->frame_capacity * 2 : 1024;
		st->frame_modules = xrealloc(st->frame_modules, st->frame_capacity * sizeof(*st->frame_modules));
	}
	st->frame_modules[id - 1] = module;
	store_add_frame(st->store, id, module, address);
	if (state->symbolizer_id < 0)
		return id;
	struct question q = {.module = state->symbolizer_id, .frame = id, .address = address};
	st->unnamed++;
	if (!ask(st, &q)) {
		GROW(st->waiting, st->waiting_count, st->waiting_capacity);
		st->waiting[st->waiting_count++] = q;
	}
	return id;
}

static uint32_t user_frame(struct stacks *st, struct process *p, uint64_t address, uint64_t now_ns)
{
	struct mapping *mapping = mappings_find(p->mappings, address);

	if (!mapping) {
		/* Nothing executable is known there: the place itself still tells one unknown from another. */
		uint32_t unknown = images_id(st->modules, &(struct image){
			.kind = IMAGE_UNKNOWN, .path = "[unknown]", .pid = p->pid, .process = p->id});

		return frame_id(st, unknown, address, p, NULL);
	}
	struct image module = images_get(st->modules, mapping->module);
	if (!mapping->stored) {
		mapping->stored = true;
		store_add_mapping(st->store, p->id, mapping->start, mapping->end, mapping->offset,
				  mapping->module, now_ns);
	}
	if (module.kind == IMAGE_ELF || module.kind == IMAGE_VDSO)
		address = address - mapping->start + mapping->offset;
	return frame_id(st, mapping->module, address, p, mapping);
}

static uint32_t push(struct stacks *st, uint32_t parent, uint32_t frame)
{
	struct node_key key = {.parent = parent, .frame = frame};
	bool is_new;
	uint32_t id = intern_id(st->nodes, &key, sizeof(key), &is_new) + 1;

	if (is_new)
		store_add_stack(st->store, id, parent, frame);
	return id;
}

static uint32_t add_user(struct stacks *st, struct process *p, const uint64_t *frames, size_t depth, uint64_t now_ns)
{
	uint32_t id = 0;

	if (depth)
		stacks_read_mappings(st, p);
	/* All but the innermost are return addresses: the call is just before them. */
	for (size_t i = depth; i-- > 0;)
		id = push(st, id, user_frame(st, p, frames[i] - (i > 0), now_ns));
	return id;
}

/* The kernel's frames lie on top of the user's. */
static uint32_t add_kernel(struct stacks *st, uint32_t id, struct process *p, const uint64_t *frames, size_t depth)
{
	for (size_t i = depth; i-- > 0;)
		id = push(st, id, frame_id(st, st->kernel_module, frames[i] - (i > 0), p, NULL));
	return id;
}

void stacks_resolve(struct stacks *st, struct process *p, const struct stack_capture *capture, uint64_t now_ns,
		    stacks_done *done, const void *data, size_t data_len)
{
	size_t kernel = capture->kernel_depth, user = capture->user_depth;
	uint32_t id = add_user(st, p, capture->frames + kernel, user, now_ns);

	st->truth.walked += user > 0;
	done(st->arg, data, add_kernel(st, id, p, capture->frames, kernel));
}

struct stacks_truth stacks_truth(const struct stacks *st)
{
	return st->truth;
}

void stacks_forget(struct stacks *st, const struct process *p)
{
	symbolizer_forget_process(st->symbolizer, (pid_t)p->pid);
}

uint32_t stacks_unnamed(const struct stacks *st)
{
	return st->unnamed;
}
