// SPDX-License-Identifier: BSD-2-Clause
#include "namer.h"

#include <errno.h>
#include <string.h>

#include "buf.h"
#include "clock.h"
#include "intern.h"
#include "mem.h"
#include "python_version.h"

#define MOST_TIME (20 * NS_PER_S)

enum place_kind { PLACE_FUNCTION, PLACE_VARIABLE };

struct spot {
	uint64_t offset;
	const char *name, *fallback;
	const char *file; /* without its folders; NULL: in none */
	enum place_kind kind;
};

struct place_key {
	uint32_t kind, pid, module, low, high; /* pid only where the module is a process's own */
};

struct namer {
	struct symbolizer *symbolizer;
	struct arena *memory;
	unwound_handler *unwound;
	void *unwound_arg;
	struct intern *keys;
	struct spot *places;
	size_t count, capacity, due;
	struct python_places *python; /* an answer that is due */
	bool python_found;
};

#define PYTHON_QUESTION UINT32_MAX /* other questions have a place's number */

static void named(void *arg, uint32_t frame, const struct symbol *symbols, size_t count)
{
	struct namer *n = arg;
	_cleanup_(buf_done) struct buf b = BUF_INIT;

	n->due--;
	if (frame == PYTHON_QUESTION)
		n->python_found = n->python && python_places_note(n->python, symbols, count);
	if (frame == PYTHON_QUESTION || !count)
		return;
	struct spot *p = &n->places[frame];
	const struct symbol *s = &symbols[count - 1];
	if (!strcmp(s->name, SYMBOL_NAMELESS) && p->file)
		buf_addf(&b, "[%s+0x%llx]", p->file, (unsigned long long)s->start);
	else
		buf_addstr(&b, s->name);
	if (p->kind == PLACE_VARIABLE)
		buf_addf(&b, "+0x%llx", (unsigned long long)(p->offset - s->start));
	p->name = arena_strndup(n->memory, b.data, b.len);
}

static void unwound(void *arg, uint64_t cookie, const uint64_t *addresses, size_t depth,
		    enum unwind_status status, enum unwind_reason reason)
{
	struct namer *n = arg;

	n->unwound(n->unwound_arg, cookie, addresses, depth, status, reason);
}

int namer_new(struct arena *memory, unwound_handler *handler, void *arg, struct namer **ret)
{
	_cleanup_(namer_freep) struct namer *n = xcalloc(1, sizeof(*n));
	int r = symbolizer_new(
		&(struct symbolizer_options){.handler = named, .unwound = unwound, .arg = n},
		&n->symbolizer);

	if (r < 0)
		return r;
	n->memory = memory;
	n->unwound = handler;
	n->unwound_arg = arg;
	n->keys = intern_new();
	*ret = n;
	n = NULL;
	return 0;
}

void namer_free(struct namer *n)
{
	if (!n)
		return;
	symbolizer_free(n->symbolizer);
	intern_free(n->keys);
	free(n->places);
	free(n);
}

struct symbolizer *namer_symbolizer(struct namer *n)
{
	return n->symbolizer;
}

static void ask(struct namer *n, int module, uint64_t offset, uint32_t place)
{
	uint64_t end = clock_mono_ns() + MOST_TIME;

	n->due++;
	for (;;) {
		int r = symbolizer_request(n->symbolizer, module, offset, place);

		if (r != -EAGAIN || clock_mono_ns() > end) {
			n->due -= r < 0;
			return;
		}
		symbolizer_flush(n->symbolizer, NS_PER_S);
	}
}

static uint32_t place_at(struct namer *n, enum place_kind kind, uint32_t pid, int module,
			 uint64_t offset, bool *ret_new)
{
	struct place_key key = {.kind = kind,
				.pid = pid,
				.module = (uint32_t)module,
				.low = (uint32_t)offset,
				.high = (uint32_t)(offset >> 32)};
	uint32_t id = intern_id(n->keys, &key, sizeof(key), ret_new);

	if (*ret_new) {
		GROW(n->places, n->count, n->capacity);
		n->places[n->count++] = (struct spot){.offset = offset, .kind = kind};
	}
	return id;
}

/* "[libc.so.6+0x12345]", "[jit+0x...]" or the bare address: one unknown place is told from another. */
static void set_fallback(struct namer *n, uint32_t place, const struct space *s, const struct space_mapping *m,
			 uint64_t address)
{
	struct spot *p = &n->places[place];
	_cleanup_(buf_done) struct buf b = BUF_INIT;

	if (m && symbol_path_opens(m->path, m->inode, (pid_t)s->reader)) {
		const char *base = strrchr(m->path, '/') + 1;

		p->file = arena_strndup(n->memory, base, strlen(base));
		buf_addf(&b, "[%s+0x%llx]", p->file,
			 (unsigned long long)(address - m->start + m->offset));
	} else if (m && !*m->path) {
		buf_addf(&b, "[jit+0x%llx]", (unsigned long long)(address - m->start));
	} else {
		buf_addf(&b, "0x%llx", (unsigned long long)address);
	}
	p->fallback = arena_strndup(n->memory, b.data, b.len);
}

uint32_t namer_kernel(struct namer *n, uint64_t address)
{
	int module = symbolizer_kernel(n->symbolizer);
	bool is_new;
	uint32_t id = place_at(n, PLACE_FUNCTION, 0, module, address, &is_new);

	if (!is_new)
		return id;
	set_fallback(n, id, NULL, NULL, address);
	if (module >= 0)
		ask(n, module, address, id);
	return id;
}

typedef int module_maker(struct symbolizer *s, const struct symbol_mapping *m);

static int make_module(struct namer *n, const struct space *s, const struct space_mapping *m, module_maker *make)
{
	size_t len = strlen(m->path), suffix = strlen(" (deleted)");

	if (!symbol_path_opens(m->path, m->inode, (pid_t)s->reader))
		return -ENOENT;
	if (len > suffix && !strcmp(m->path + len - suffix, " (deleted)"))
		len -= suffix;
	_cleanup_free_ char *path = xstrndup(m->path, len);
	return make(n->symbolizer, &(struct symbol_mapping){
		.pid = (pid_t)s->reader, .start = m->start, .end = m->end, .offset = m->offset, .path = path,
		.dev_major = m->major, .dev_minor = m->minor, .inode = m->inode});
}

int namer_module(struct namer *n, const struct space *s, const struct space_mapping *m)
{
	return strcmp(m->path, "[vdso]") ? make_module(n, s, m, symbolizer_elf) : symbolizer_vdso(n->symbolizer);
}

bool namer_python(struct namer *n, const struct space *s, const struct space_mapping *m, struct python_places *ret)
{
	int module = make_module(n, s, m, symbolizer_python);

	n->python = ret;
	n->python_found = false;
	if (module >= 0)
		ask(n, module, 0, PYTHON_QUESTION);
	namer_finish(n);
	n->python = NULL;
	return n->python_found;
}

uint32_t namer_function(struct namer *n, const struct space *s, uint64_t address)
{
	const struct space_mapping *m = space_find(s, address);
	int module = m ? namer_module(n, s, m) : -ENOENT;
	bool is_new, generated = m && module < 0 && m->executable && strcmp(m->path, "[vsyscall]");
	uint64_t offset = module >= 0 ? address - m->start + m->offset : address;

	if (generated)
		module = symbolizer_perf_map(n->symbolizer, (pid_t)s->reader);
	uint32_t id = place_at(n, PLACE_FUNCTION, module >= 0 && !generated ? 0 : s->pid, module,
			       offset, &is_new);
	if (!is_new)
		return id;
	set_fallback(n, id, s, m, address);
	if (module >= 0)
		ask(n, module, offset, id);
	return id;
}

uint32_t namer_variable(struct namer *n, const struct space *s, uint64_t address)
{
	const struct space_mapping *m = space_data(s, address);
	int module = m ? namer_module(n, s, m) : -ENOENT;
	uint64_t offset = m ? address - m->start + m->offset : address;
	bool is_new;
	uint32_t id =
		place_at(n, PLACE_VARIABLE, module >= 0 ? 0 : s->pid, module, offset, &is_new);

	if (is_new && module >= 0)
		ask(n, module, offset, id);
	return id;
}

void namer_finish(struct namer *n)
{
	uint64_t end = clock_mono_ns() + MOST_TIME, now;

	while (n->due && (now = clock_mono_ns()) < end)
		symbolizer_flush(n->symbolizer, end - now);
}

const char *namer_name(const struct namer *n, uint32_t place)
{
	const struct spot *p = &n->places[place];

	return p->name || p->kind == PLACE_VARIABLE ? p->name : p->fallback ? p->fallback : "?";
}
