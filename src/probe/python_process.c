// SPDX-License-Identifier: BSD-2-Clause
#include "python_process.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

#include "hash.h"
#include "images.h"
#include "mappings.h"
#include "mem.h"
#include "python_debug.h"
#include "python_lines.h"
#include "symbolizer.h"
#include "tasks.h"
#include "text.h"

struct version {
	const char *name;
	bool tells; /* its own layout, which may change between releases */
	struct python_layout layout;
};

/* Within a version, releases keep these. Checked with the headers
 * of 3.9.18, 3.10.13, 3.11.7, 3.12.1 and 3.13.0. */
static const struct version versions[] = {
	{"3.9",
	 false,
	 {.interpreters = 32,
	  .interpreter_next = 0,
	  .interpreter_threads = 8,
	  .thread_id = 176,
	  .thread_frame = 24,
	  .indirect_frame = PYTHON_DIRECT,
	  .frame_code = 32,
	  .frame_back = 24,
	  .frame_instruction = 104,
	  .code_names = 104,
	  .code_first_line = 40,
	  .text_ascii = 48,
	  .text_other = 72,
	  .name = 1,
	  .lines = 2,
	  .names = 3,
	  .index_shift = 1,
	  .entry = PYTHON_ENTRY_EACH,
	  .lines_format = PYTHON_LINES_LNOTAB}},
	{"3.10",
	 false,
	 {.interpreters = 32,
	  .interpreter_next = 0,
	  .interpreter_threads = 8,
	  .thread_id = 176,
	  .thread_frame = 24,
	  .indirect_frame = PYTHON_DIRECT,
	  .frame_code = 32,
	  .frame_back = 24,
	  .frame_instruction = 96,
	  .code_names = 104,
	  .code_first_line = 40,
	  .text_ascii = 48,
	  .text_other = 72,
	  .name = 1,
	  .lines = 2,
	  .names = 3,
	  .index_shift = 0,
	  .entry = PYTHON_ENTRY_EACH,
	  .lines_format = PYTHON_LINES_RANGES}},
	{"3.11",
	 false,
	 {.interpreters = 40,
	  .interpreter_next = 0,
	  .interpreter_threads = 16,
	  .thread_id = 152,
	  .thread_frame = 56,
	  .indirect_frame = 8,
	  .frame_code = 32,
	  .frame_back = 48,
	  .frame_instruction = 56,
	  .frame_entry = 68,
	  .code_names = 112,
	  .code_first_line = 72,
	  .code_bytes = 184,
	  .text_ascii = 48,
	  .text_other = 72,
	  .name = 2,
	  .lines = 3,
	  .names = 4,
	  .index_shift = 1,
	  .entry = PYTHON_ENTRY_FLAG,
	  .lines_format = PYTHON_LINES_LOCATIONS}},
	{"3.12",
	 false,
	 {.interpreters = 40,
	  .interpreter_next = 0,
	  .interpreter_threads = 72,
	  .thread_id = 136,
	  .thread_frame = 56,
	  .indirect_frame = 0,
	  .frame_code = 0,
	  .frame_back = 8,
	  .frame_instruction = 56,
	  .frame_entry = 70,
	  .code_names = 112,
	  .code_first_line = 68,
	  .code_bytes = 192,
	  .text_ascii = 40,
	  .text_other = 56,
	  .name = 2,
	  .lines = 3,
	  .names = 4,
	  .index_shift = 1,
	  .entry = PYTHON_ENTRY_SHIM,
	  .lines_format = PYTHON_LINES_LOCATIONS}},
	{"3.13",
	 true,
	 {.interpreters = 632,
	  .interpreter_next = 7264,
	  .interpreter_threads = 7344,
	  .thread_id = 152,
	  .thread_frame = 72,
	  .indirect_frame = PYTHON_DIRECT,
	  .frame_code = 0,
	  .frame_back = 8,
	  .frame_instruction = 56,
	  .frame_entry = 70,
	  .code_names = 112,
	  .code_first_line = 68,
	  .code_bytes = 200,
	  .text_ascii = 40,
	  .text_other = 56,
	  .name = 2,
	  .lines = 3,
	  .names = 4,
	  .index_shift = 1,
	  .entry = PYTHON_ENTRY_SHIM,
	  .lines_format = PYTHON_LINES_LOCATIONS}},
};

enum python_place {
	PYTHON_RUNTIME,
	PYTHON_LOOP,
	PYTHON_CODE,
	PYTHON_UNICODE,
	PYTHON_BYTES,
	PYTHON_PLACES
};

static const char *const place_names[PYTHON_PLACES] = {
	"_PyRuntime", "_PyEval_EvalFrameDefault", "PyCode_Type", "PyUnicode_Type", "PyBytes_Type"};

struct waiting {
	struct process *process; /* held */
	uint64_t base;
};

/* A file that is CPython by its name. */
struct interpreter {
	uint32_t image;
	const struct version *version;
	bool answered, usable;
	uint64_t places[PYTHON_PLACES]; /* distances from where the file's first byte would be */
	uint64_t loop_size;
	struct waiting *waiting;
	uint32_t waiting_count, waiting_capacity;
};

struct python_processes {
	struct images *images;
	struct symbolizer *symbolizer;
	int map_fd;
	struct interpreter *items;
	uint32_t count, capacity;
};

struct python_processes *python_processes_new(struct images *images, struct symbolizer *symbolizer)
{
	struct python_processes *pp = xcalloc(1, sizeof(*pp));

	*pp = (struct python_processes){.images = images, .symbolizer = symbolizer, .map_fd = -1};
	return pp;
}

static void stop_waiting(struct interpreter *in)
{
	for (uint32_t i = 0; i < in->waiting_count; i++)
		process_release(in->waiting[i].process);
	free(in->waiting);
	in->waiting = NULL;
	in->waiting_count = in->waiting_capacity = 0;
}

void python_processes_free(struct python_processes *pp)
{
	if (!pp)
		return;
	for (uint32_t i = 0; i < pp->count; i++)
		stop_waiting(&pp->items[i]);
	free(pp->items);
	free(pp);
}

void python_processes_set_map(struct python_processes *pp, int fd)
{
	pp->map_fd = fd;
}

/* "python3.11" or "libpython3.11.so.1.0"; builds with another layout have letters behind the
 * number. */
static const struct version *version_of(const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;

	if (starts_with(name, "lib"))
		name += 3;
	if (!starts_with(name, "python"))
		return NULL;
	name += 6;
	for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
		size_t len = strlen(versions[i].name);

		if (!strncmp(name, versions[i].name, len) &&
		    (!name[len] || starts_with(name + len, ".so")))
			return &versions[i];
	}
	return NULL;
}

static struct interpreter *find(const struct python_processes *pp, uint32_t image)
{
	for (uint32_t i = 0; i < pp->count; i++)
		if (pp->items[i].image == image)
			return &pp->items[i];
	return NULL;
}

static void tell(struct python_processes *pp, const struct interpreter *in, struct process *p,
		 uint64_t base)
{
	struct python_process value = {.runtime = base + in->places[PYTHON_RUNTIME],
				       .code_type = base + in->places[PYTHON_CODE],
				       .unicode_type = base + in->places[PYTHON_UNICODE],
				       .bytes_type = base + in->places[PYTHON_BYTES],
				       .layout = in->version->layout};

	if (in->version->tells &&
	    python_debug_layout((pid_t)p->pid, value.runtime, &value.layout) == -ENOTSUP)
		return;
	if (pp->map_fd >= 0 && bpf_map_update_elem(pp->map_fd, &p->pid, &value, BPF_ANY) == 0)
		p->python_image = in->image;
}

static void ask(struct python_processes *pp, struct interpreter *in, const struct process *p,
		const struct mapping *m)
{
	struct image image = images_get(pp->images, in->image);
	int module =
		symbolizer_python(pp->symbolizer, &(struct symbol_mapping){.pid = (pid_t)p->pid,
									   .start = m->start,
									   .end = m->end,
									   .offset = m->offset,
									   .path = image.path,
									   .dev_major = image.major,
									   .dev_minor = image.minor,
									   .inode = image.inode});

	if (module < 0 ||
	    symbolizer_request(pp->symbolizer, module, 0, PYTHON_QUESTION | in->image) < 0)
		in->answered = true;
}

void python_processes_mapped(struct python_processes *pp, struct process *p,
			     const struct mapping *m)
{
	struct image image = images_get(pp->images, m->module);
	const struct version *version = image.kind == IMAGE_ELF ? version_of(image.path) : NULL;
	uint64_t base = m->start - m->offset;

	if (!version)
		return;
	struct interpreter *in = find(pp, m->module);
	if (!in) {
		GROW(pp->items, pp->count, pp->capacity);
		in = &pp->items[pp->count++];
		*in = (struct interpreter){.image = m->module, .version = version};
		ask(pp, in, p, m);
	}
	if (in->answered) {
		if (in->usable)
			tell(pp, in, p, base);
		return;
	}
	GROW(in->waiting, in->waiting_count, in->waiting_capacity);
	in->waiting[in->waiting_count++] =
		(struct waiting){.process = process_hold(p), .base = base};
}

void python_processes_check(struct python_processes *pp, struct process *p)
{
	if (p->python_checked)
		return;
	p->python_checked = true;
	for (size_t i = 0; i < mappings_count(p->mappings); i++)
		python_processes_mapped(pp, p, mappings_get(p->mappings, i));
}

void python_processes_forget(struct python_processes *pp, struct process *p)
{
	if (p->python_image && pp->map_fd >= 0)
		bpf_map_delete_elem(pp->map_fd, &p->pid);
	p->python_image = 0;
	map_free(p->python);
	p->python = NULL;
}

static void note_place(struct interpreter *in, const struct symbol *symbol)
{
	for (int i = 0; i < PYTHON_PLACES; i++)
		if (!strcmp(symbol->name, place_names[i])) {
			in->places[i] = symbol->start;
			if (i == PYTHON_LOOP)
				in->loop_size = symbol->size;
		}
}

void python_processes_answer(struct python_processes *pp, uint32_t question,
			     const struct symbol *symbols, size_t count)
{
	struct interpreter *in = find(pp, question & ~PYTHON_QUESTION);

	if (!in)
		return;
	for (size_t i = 0; i < count; i++)
		note_place(in, &symbols[i]);
	in->answered = in->usable = true;
	for (int i = 0; i < PYTHON_PLACES; i++)
		in->usable &= in->places[i] != 0;
	for (uint32_t i = 0; in->usable && i < in->waiting_count; i++)
		if (in->waiting[i].process->end_ns == UINT64_MAX)
			tell(pp, in, in->waiting[i].process, in->waiting[i].base);
	stop_waiting(in);
}

bool python_processes_loop(const struct python_processes *pp, const struct process *p,
			   struct python_loop *ret_loop)
{
	const struct interpreter *in = p->python_image ? find(pp, p->python_image) : NULL;

	if (!in)
		return false;
	uint64_t start = in->places[PYTHON_LOOP];
	*ret_loop = (struct python_loop){
		.image = in->image, .start = start, .end = start + in->loop_size};
	return true;
}

uint8_t python_processes_lines_format(const struct python_processes *pp, const struct process *p)
{
	const struct interpreter *in = p->python_image ? find(pp, p->python_image) : NULL;

	return in ? in->version->layout.lines_format : 0;
}
