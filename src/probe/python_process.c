// SPDX-License-Identifier: BSD-2-Clause
#include "python_process.h"

#include <bpf/bpf.h>

#include "hash.h"
#include "images.h"
#include "mappings.h"
#include "mem.h"
#include "python_version.h"
#include "symbolizer.h"
#include "tasks.h"

struct waiting {
	struct process *process; /* held */
	uint64_t base;
};

/* A file that is CPython by its name. */
struct interpreter {
	uint32_t image;
	const struct python_version *version;
	bool answered, usable;
	struct python_places places;
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
	struct python_process value;

	if (!python_version_process(in->version, &in->places, (pid_t)p->pid, base, &value))
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
	const struct python_version *version = image.kind == IMAGE_ELF ? python_version_of(image.path) : NULL;
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

void python_processes_answer(struct python_processes *pp, uint32_t question,
			     const struct symbol *symbols, size_t count)
{
	struct interpreter *in = find(pp, question & ~PYTHON_QUESTION);

	if (!in)
		return;
	in->answered = true;
	in->usable = python_places_note(&in->places, symbols, count);
	for (uint32_t i = 0; in->usable && i < in->waiting_count; i++)
		if (in->waiting[i].process->end_ns == UINT64_MAX)
			tell(pp, in, in->waiting[i].process, in->waiting[i].base);
	stop_waiting(in);
}

bool python_processes_due(const struct python_processes *pp)
{
	for (uint32_t i = 0; i < pp->count; i++)
		if (!pp->items[i].answered)
			return true;
	return false;
}

bool python_processes_get(const struct python_processes *pp, const struct process *p, struct python_process *ret)
{
	return p->python_image && pp->map_fd >= 0 && bpf_map_lookup_elem(pp->map_fd, &p->pid, ret) == 0;
}

bool python_processes_loop(const struct python_processes *pp, const struct process *p,
			   struct python_loop *ret_loop)
{
	const struct interpreter *in = p->python_image ? find(pp, p->python_image) : NULL;

	if (!in)
		return false;
	uint64_t start = in->places.at[PYTHON_LOOP];
	*ret_loop = (struct python_loop){
		.image = in->image, .start = start, .end = start + in->places.loop_size};
	return true;
}

uint8_t python_processes_lines_format(const struct python_processes *pp, const struct process *p)
{
	const struct interpreter *in = p->python_image ? find(pp, p->python_image) : NULL;

	return in ? python_version_lines(in->version) : 0;
}
