// SPDX-License-Identifier: BSD-2-Clause
/* Probes' objects: opened with what is known of this kernel, loaded, attached, and away again. */
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "fail.h"
#include "host_internal.h"
#include "log.h"
#include "mem.h"
#include "store_write.h"
#include "text.h"

#define WAIT_STACKS_A_SECOND 100 /* on each CPU */

/* The type of a tracepoint's function, NULL where the kernel has no such tracepoint. */
static const struct btf_type *tracepoint(const struct btf *btf, const char *name)
{
	char type[128];
	int id;

	snprintf(type, sizeof(type), "btf_trace_%s", name);
	id = btf ? btf__find_by_name_kind(btf, type, BTF_KIND_TYPEDEF) : -1;
	if (id <= 0)
		return NULL;
	const struct btf_type *pointer = btf__type_by_id(btf, btf__type_by_id(btf, (uint32_t)id)->type);
	return btf__type_by_id(btf, pointer->type);
}

/* The first that the type counts is the tracepoint's own. */
static unsigned argument_count(const struct btf *btf, const char *name)
{
	const struct btf_type *t = tracepoint(btf, name);

	return t && btf_is_func_proto(t) && btf_vlen(t) ? btf_vlen(t) - 1u : 0;
}

struct config host_configure(const struct host *h)
{
	return (struct config){
		.cpu_count = h->capture->cpu_count,
		.task_mask = h->capture->task_slot_count - 1,
		.ring_wakeup_bytes = h->shared.ring_bytes / 2,
		.stack_pages = h->options.stack_bytes ? h->options.stack_bytes / PAGE_BYTES : STACK_PAGES,
		.wait_gap_ns = NS_PER_S / WAIT_STACKS_A_SECOND,
		.filter = h->options.filter,
		.include_own = h->options.include_own,
		.exclude_kernel = h->options.exclude_kernel,
		.copy_stacks = 1,
		.has_task_registers = libbpf_probe_bpf_helper(BPF_PROG_TYPE_PERF_EVENT, BPF_FUNC_task_pt_regs, NULL) == 1,
		.switch_has_state = argument_count(h->btf, "sched_switch") > 3,
		.victim_is_task = argument_count(h->btf, "mark_victim") > 1,
		.block_has_queue = argument_count(h->btf, "block_rq_issue") > 1,
		.bio_has_queue = argument_count(h->btf, "block_bio_queue") > 1,
		.sees_kernel_locks = tracepoint(h->btf, "contention_begin") != NULL,
	};
}

/* What a program is attached to, if that is of one of these kinds; else NULL. */
static const char *hook_of(const struct bpf_program *program, const char *const *kinds)
{
	const char *section = bpf_program__section_name(program);

	for (; *kinds; kinds++)
		if (starts_with(section, *kinds))
			return section + strlen(*kinds);
	return NULL;
}

/* Sections that begin with "?": better with them, but some kernels have no such tracepoint. Functions are the probe's own business. */
static void enable_optional(struct host *h, struct bpf_object *object)
{
	static const char *const kinds[] = {"tp_btf/", NULL};
	struct bpf_program *program;

	bpf_object__for_each_program(program, object) {
		const char *hook = hook_of(program, kinds);

		if (!bpf_program__autoload(program) && hook && tracepoint(h->btf, hook))
			bpf_program__set_autoload(program, true);
	}
}

/* A record that ends in a stack, one a CPU: without room for pages that are not copied. */
static int size_capture(const struct host *h, struct bpf_map *map)
{
	uint32_t unused = (MOST_STACK_PAGES - h->config.stack_pages) * PAGE_BYTES;
	int r = bpf_map__set_value_size(map, bpf_map__value_size(map) - unused);

	return r < 0 ? r : bpf_map__set_max_entries(map, h->capture->cpu_count);
}

static int open_object(struct host *h, struct loaded *l)
{
	LIBBPF_OPTS(bpf_object_open_opts, options, .object_name = l->probe->name);
	struct bpf_map *map;

	l->object = bpf_object__open_mem(l->probe->object, *l->probe->object_size, &options);
	if (!l->object)
		return fail(-errno, "open its BPF object");
	int r = shared_maps_put(&h->shared, l->object);
	if (r < 0)
		return r;
	/* Memory of a probe's own that is one piece a CPU. */
	map = bpf_object__find_map_by_name(l->object, "per_cpu_scratch");
	if (map && bpf_map__set_max_entries(map, h->capture->cpu_count) < 0)
		return fail(-errno, "size its memory");
	map = bpf_object__find_map_by_name(l->object, "per_cpu_capture");
	if (map && (r = size_capture(h, map)) < 0)
		return fail(r, "size its memory for stacks");
	map = bpf_object__find_map_by_name(l->object, ".rodata.config");
	if (map && bpf_map__set_initial_value(map, &h->config, sizeof(h->config)) < 0)
		return fail(-errno, "set its options");
	enable_optional(h, l->object);
	return l->probe->prepare ? l->probe->prepare(h->capture, l->object) : 0;
}

void probe_detach(struct host *h, struct loaded *l)
{
	if (l->state && l->probe->detach)
		l->probe->detach(h->capture, l->state);
	for (size_t i = 0; i < l->attached_count; i++)
		bpf_link__destroy(l->attached[i].link);
	l->attached_count = 0;
}

/* Programs on tracepoints and functions attach themselves; the others, and those that it says so of, are the probe's own business. */
int probe_attach_programs(struct loaded *l)
{
	static const char *const kinds[] = {"tp_btf/", "fentry/", "fexit/", NULL};
	struct bpf_program *program;

	bpf_object__for_each_program(program, l->object) {
		const char *hook = hook_of(program, kinds);
		struct bpf_link *link;

		if (!hook || !bpf_program__autoload(program) || !bpf_program__autoattach(program))
			continue;
		link = bpf_program__attach(program);
		if (!link)
			return fail(-errno, "attach to %s", hook);
		GROW(l->attached, l->attached_count, l->attached_capacity);
		l->attached[l->attached_count++] = (struct attached){program, link};
	}
	return 0;
}

static void make_state(struct loaded *l)
{
	l->state = xcalloc(1, l->probe->state_size);
	((struct probe_state *)l->state)->first_metric = l->first_metric;
}

static int open_probe(struct host *h, struct loaded *l)
{
	if (l->probe->object)
		return open_object(h, l);
	make_state(l);
	return 0;
}

/* When loading the object has ended with r. */
static int attach_loaded(struct host *h, struct loaded *l, int r)
{
	if (r < 0)
		return fail(r, "load its BPF programs");
	make_state(l);
	r = probe_attach_programs(l);
	return r < 0 ? r : l->probe->attach ? l->probe->attach(h->capture, l->object, l->state) : 0;
}

bool host_wants(const struct host *h, const struct probe *probe)
{
	const char *const *asked = h->options.on_demand;

	while (asked && *asked && strcmp(*asked, probe->name))
		asked++;
	return !probe->on_demand || (asked && *asked);
}

void probe_give_up(struct host *h, struct loaded *l)
{
	probe_detach(h, l);
	bpf_object__close(l->object);
	l->object = NULL;
	free(l->state);
	l->state = NULL;
	l->unavailable = xstrdup(fail_message());
	log_debug("probe %s is unavailable: %s", l->probe->name, l->unavailable);
}

static int open_wanted(struct host *h)
{
	uint32_t metric = 1;
	int first_error = 0, r;

	for (size_t i = 0; i < h->count; i++) {
		struct loaded *l = &h->loaded[i];

		l->probe = all_probes[i];
		l->first_metric = metric;
		r = host_wants(h, l->probe) ? open_probe(h, l) : 0;
		if (r < 0) {
			first_error = first_error ? first_error : r;
			probe_give_up(h, l);
		}
		for (const struct probe_metric *m = l->probe->metrics; m->name; m++)
			metric++;
	}
	return first_error;
}

static int attach_first(struct host *h)
{
	_cleanup_free_ struct load *loads = xcalloc(h->count, sizeof(*loads));
	size_t count = 0, next = 0;
	int first_error = 0, r;
	bool any = false;

	for (size_t i = 0; i < h->count; i++)
		if (h->loaded[i].object && !h->loaded[i].coming)
			loads[count++].object = h->loaded[i].object;
	load_all(loads, count);
	for (size_t i = 0; i < h->count; i++) {
		if (!h->loaded[i].object || h->loaded[i].coming)
			continue;
		r = attach_loaded(h, &h->loaded[i], loads[next++].error);
		any |= r >= 0;
		if (r < 0) {
			first_error = first_error ? first_error : r;
			probe_give_up(h, &h->loaded[i]);
		}
	}
	return any ? 0 : first_error;
}

static int begin_loading(struct host *h)
{
	h->loads = xcalloc(h->count, sizeof(*h->loads));
	h->owners = xcalloc(h->count, sizeof(struct loaded *));
	for (size_t i = 0; i < h->count; i++) {
		if (!h->loaded[i].coming)
			continue;
		h->loads[h->coming].object = h->loaded[i].object;
		h->owners[h->coming++] = &h->loaded[i];
	}
	return h->coming ? loading_new(h->loads, h->coming, &h->loading) : 0;
}

/* Some megabytes. Held as long as objects are being loaded, which share them: see one_btf.c. */
static void forget_types(struct host *h)
{
	btf__free(h->btf);
	h->btf = NULL;
}

int host_attach(struct host *h)
{
	int first_error = open_wanted(h), r;
	bool any_coming = false;

	for (size_t i = 0; i < h->count; i++) {
		h->loaded[i].coming = h->options.in_parts && h->loaded[i].object && !h->loaded[i].probe->first;
		any_coming |= h->loaded[i].coming;
	}
	r = attach_first(h);
	if (!any_coming)
		forget_types(h);
	malloc_trim(0);
	return r < 0 ? first_error ? first_error : r : begin_loading(h);
}

static void begin_late(struct host *h, struct loaded *l, int r)
{
	l->coming = false;
	if (attach_loaded(h, l, r) < 0) {
		probe_give_up(h, l);
		store_add_unavailable(h->capture->store, l->probe->name, l->unavailable);
	} else if (l->probe->start) {
		l->probe->start(h->capture, l->state);
	}
}

bool host_attach_more(struct host *h)
{
	size_t i;

	while (h->loading && loading_take(h->loading, &i)) {
		begin_late(h, h->owners[i], h->loads[i].error);
		if (!--h->coming) {
			host_stop_loading(h);
			malloc_trim(0);
		}
	}
	return h->loading;
}

int host_loading_fd(const struct host *h)
{
	return h->loading ? loading_fd(h->loading) : -1;
}

void host_stop_loading(struct host *h)
{
	loading_free(h->loading);
	forget_types(h);
	free(h->loads);
	free(h->owners);
	h->loading = NULL;
	h->loads = NULL;
	h->owners = NULL;
}

void probe_unload(struct host *h, struct loaded *l)
{
	probe_detach(h, l);
	if (l->probe->resumes)
		return;
	if (l->probe->stop)
		l->probe->stop(h->capture, l->state);
	free(l->state);
	l->state = NULL;
	bpf_object__close(l->object);
	l->object = NULL;
}

/* What its programs kept would be wrong after a time of which they know nothing: they begin anew. */
int probe_load(struct host *h, struct loaded *l)
{
	int r;

	if (l->probe->resumes)
		return probe_attach_programs(l);
	if (!h->btf)
		h->btf = btf__load_vmlinux_btf();
	r = open_probe(h, l);
	if (r >= 0 && l->object)
		r = attach_loaded(h, l, bpf_object__load(l->object));
	if (!h->loading)
		forget_types(h);
	if (r >= 0 && l->probe->start)
		l->probe->start(h->capture, l->state);
	return r;
}
