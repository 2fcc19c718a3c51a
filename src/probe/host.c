// SPDX-License-Identifier: BSD-2-Clause
#include "host.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>

#include "buf.h"
#include "cleanup.h"
#include "clock.h"
#include "fail.h"
#include "load.h"
#include "log.h"
#include "log_libbpf.h"
#include "mem.h"
#include "shared_maps.h"
#include "text.h"

/* One drain may not go on for ever while a storm keeps filling the ring. */
#define MOST_RECORDS_A_DRAIN 100000

#define WAIT_STACKS_A_SECOND 100 /* on each CPU */

struct attached {
	struct bpf_program *program;
	struct bpf_link *link; /* NULL: not now */
};

struct loaded {
	const struct probe *probe;
	struct bpf_object *object;
	struct attached *attached;
	size_t attached_count, attached_capacity;
	void *state;
	uint32_t first_metric;
	char *unavailable; /* the reason; NULL when it works */
};

struct host {
	struct capture *capture;
	struct host_options options;
	struct config config;
	struct shared_maps shared;
	struct loaded *loaded; /* one a probe */
	size_t count;
	struct ring_buffer *ring;
	host_record *each;
	void *arg;
	int consumed;
	struct btf *btf; /* the kernel's types, while objects are being loaded */
};

static int handle(void *arg, void *data, size_t size)
{
	struct host *h = arg;

	if (size < sizeof(struct record))
		return 0;
	h->each(h->arg, data);
	return ++h->consumed >= MOST_RECORDS_A_DRAIN ? -EAGAIN : 0;
}

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

static struct config configure(const struct host *h)
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

static int map_ring(struct host *h)
{
	h->ring = ring_buffer__new(h->shared.fd[SHARED_RECORDS], handle, h, NULL);
	return h->ring ? 0 : fail(-errno, "map the BPF ring buffer into memory");
}

int host_new(struct capture *c, const struct host_options *o, host_record *each, void *arg,
	     struct host **ret_host)
{
	struct host *h = xcalloc(1, sizeof(*h));
	int r;

	*h = (struct host){.capture = c, .options = *o, .each = each, .arg = arg};
	libbpf_set_print(log_libbpf);
	libbpf_set_strict_mode(LIBBPF_STRICT_ALL & ~LIBBPF_STRICT_AUTO_RLIMIT_MEMLOCK);
	r = shared_maps_create(&h->shared, c, o->threads, o->stack_bytes);
	if (r >= 0)
		r = map_ring(h);
	if (r < 0) {
		host_free(h);
		return r;
	}
	h->btf = btf__load_vmlinux_btf();
	h->config = configure(h);
	host_set_wait_gap(h, 0);
	while (all_probes[h->count])
		h->count++;
	h->loaded = xcalloc(h->count, sizeof(*h->loaded));
	*ret_host = h;
	return 0;
}

static void detach(struct host *h, struct loaded *l)
{
	if (l->state && l->probe->detach)
		l->probe->detach(h->capture, l->state);
	for (size_t i = 0; i < l->attached_count; i++)
		bpf_link__destroy(l->attached[i].link);
	l->attached_count = 0;
}

void host_detach(struct host *h)
{
	for (size_t i = 0; i < h->count; i++)
		detach(h, &h->loaded[i]);
}

void host_free(struct host *h)
{
	if (!h)
		return;
	host_detach(h);
	for (size_t i = 0; i < h->count; i++) {
		struct loaded *l = &h->loaded[i];

		if (l->state && l->probe->stop)
			l->probe->stop(h->capture, l->state);
		free(l->state);
		free(l->attached);
		free(l->unavailable);
		bpf_object__close(l->object);
	}
	free(h->loaded);
	btf__free(h->btf);
	ring_buffer__free(h->ring);
	shared_maps_free(&h->shared, h->capture);
	free(h);
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
	return l->probe->prepare ? l->probe->prepare(l->object) : 0;
}

/* Programs on tracepoints and functions attach themselves; the others, and those that it says so of, are the probe's own business. */
static int attach_programs(struct loaded *l)
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

static int open_probe(struct host *h, struct loaded *l)
{
	l->state = xcalloc(1, l->probe->state_size);
	((struct probe_state *)l->state)->first_metric = l->first_metric;
	return l->probe->object ? open_object(h, l) : 0;
}

/* When loading the object has ended with r. */
static int attach_loaded(struct host *h, struct loaded *l, int r)
{
	if (r < 0)
		return fail(r, "load its BPF programs");
	r = attach_programs(l);
	return r < 0 ? r : l->probe->attach ? l->probe->attach(h->capture, l->object, l->state) : 0;
}

static bool is_wanted(const struct host *h, const struct probe *probe)
{
	const char *const *asked = h->options.on_demand;

	while (asked && *asked && strcmp(*asked, probe->name))
		asked++;
	return !probe->on_demand || (asked && *asked);
}

static void give_up(struct host *h, struct loaded *l)
{
	detach(h, l);
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
		r = is_wanted(h, l->probe) ? open_probe(h, l) : 0;
		if (r < 0) {
			first_error = first_error ? first_error : r;
			give_up(h, l);
		}
		for (const struct probe_metric *m = l->probe->metrics; m->name; m++)
			metric++;
	}
	return first_error;
}

int host_attach(struct host *h)
{
	_cleanup_free_ struct load *loads = xcalloc(h->count, sizeof(*loads));
	int first_error = open_wanted(h), r;
	size_t count = 0, next = 0;
	bool any = false;

	for (size_t i = 0; i < h->count; i++)
		if (h->loaded[i].object)
			loads[count++].object = h->loaded[i].object;
	load_all(loads, count);
	for (size_t i = 0; i < h->count; i++) {
		if (!h->loaded[i].object)
			continue;
		r = attach_loaded(h, &h->loaded[i], loads[next++].error);
		any |= r >= 0;
		if (r < 0) {
			first_error = first_error ? first_error : r;
			give_up(h, &h->loaded[i]);
		}
	}
	btf__free(h->btf); /* some megabytes */
	h->btf = NULL;
	malloc_trim(0);
	return any ? 0 : first_error;
}

void host_set_wait_gap(struct host *h, unsigned shift)
{
	for (uint32_t cpu = 0; cpu < h->capture->cpu_count; cpu++)
		h->capture->cpu_slots[cpu].wait_gap_ns = h->config.wait_gap_ns << shift;
}

void host_retune(struct host *h)
{
	for (size_t i = 0; i < h->count; i++)
		if (h->loaded[i].state && h->loaded[i].probe->retune)
			h->loaded[i].probe->retune(h->capture, h->loaded[i].state);
}

static struct loaded *find_loaded(struct host *h, const char *name)
{
	for (size_t i = 0; i < h->count; i++)
		if (!strcmp(h->loaded[i].probe->name, name))
			return &h->loaded[i];
	return NULL;
}

static void unload(struct host *h, struct loaded *l)
{
	detach(h, l);
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
static int reload(struct host *h, struct loaded *l)
{
	int r;

	if (l->probe->resumes)
		return attach_programs(l);
	h->btf = btf__load_vmlinux_btf();
	r = open_probe(h, l);
	if (r >= 0 && l->object)
		r = attach_loaded(h, l, bpf_object__load(l->object));
	btf__free(h->btf);
	h->btf = NULL;
	if (r >= 0 && l->probe->start)
		l->probe->start(h->capture, l->state);
	return r;
}

void host_set_probe(struct host *h, const char *name, bool on)
{
	struct loaded *l = find_loaded(h, name);

	if (!l || l->unavailable)
		return;
	if (!on)
		unload(h, l);
	else if (reload(h, l) < 0)
		give_up(h, l);
}

static bool watches_switches(const struct attached *a)
{
	const char *section = bpf_program__section_name(a->program);

	return !strcmp(section, "tp_btf/sched_switch") || !strcmp(section, "tp_btf/sched_waking");
}

static void go_on(struct host *h)
{
	struct capture *c = h->capture;
	uint64_t now = clock_mono_ns();

	for (size_t i = 0; i < h->count; i++)
		if (h->loaded[i].state && h->loaded[i].probe->go_on)
			h->loaded[i].probe->go_on(c, h->loaded[i].state, now);
	c->rested_ns += now - c->rest_since_ns;
	c->rest_since_ns = 0;
	c->resumed_ns = now;
}

void host_watch(struct host *h, bool on)
{
	struct loaded *l = find_loaded(h, "sched");

	if (!l || !l->state || on == !h->capture->rest_since_ns)
		return;
	if (on)
		go_on(h);
	for (size_t i = 0; i < l->attached_count; i++) {
		struct attached *a = &l->attached[i];

		if (!watches_switches(a))
			continue;
		if (!on)
			bpf_link__destroy(a->link);
		a->link = on ? bpf_program__attach(a->program) : NULL;
	}
	if (!on)
		h->capture->rest_since_ns = clock_mono_ns();
}

int host_python_fd(const struct host *h)
{
	return h->shared.fd[SHARED_PYTHON_PROCESSES];
}

int host_fd(const struct host *h)
{
	return ring_buffer__epoll_fd(h->ring);
}

int host_consume(struct host *h)
{
	h->consumed = 0;
	ring_buffer__consume(h->ring);
	return h->consumed;
}

void host_dispatch(struct host *h, const struct record *r)
{
	for (size_t i = 0; i < h->count; i++) {
		const struct probe *probe = h->loaded[i].probe;

		if (r->kind < RECORD_KINDS && probe->records >> r->kind & 1 && h->loaded[i].state)
			probe->record(h->capture, h->loaded[i].state, r);
	}
}

void host_start(struct host *h)
{
	for (size_t i = 0; i < h->count; i++)
		if (h->loaded[i].state && h->loaded[i].probe->start)
			h->loaded[i].probe->start(h->capture, h->loaded[i].state);
}

void host_drained(struct host *h)
{
	for (size_t i = 0; i < h->count; i++)
		if (h->loaded[i].state && h->loaded[i].probe->drained)
			h->loaded[i].probe->drained(h->capture, h->loaded[i].state);
}

void host_slice(struct host *h, uint64_t now_ns)
{
	for (size_t i = 0; i < h->count; i++)
		if (h->loaded[i].state && h->loaded[i].probe->slice)
			h->loaded[i].probe->slice(h->capture, h->loaded[i].state, now_ns);
}

void host_cpu(struct host *h, int cpu, int up)
{
	for (size_t i = 0; i < h->count; i++)
		if (h->loaded[i].state && h->loaded[i].probe->cpu)
			h->loaded[i].probe->cpu(h->capture, h->loaded[i].state, cpu, up);
}

void host_write_metrics(struct host *h)
{
	uint32_t id = 1;

	for (size_t i = 0; i < h->count; i++) {
		const struct loaded *l = &h->loaded[i];

		/* What nobody has asked for was not measured; ids are what they were counted to be. */
		for (const struct probe_metric *m = l->probe->metrics; m->name; m++, id++)
			if (is_wanted(h, l->probe))
				store_add_metric(h->capture->store, id, m->name, m->unit, m->help);
		if (l->unavailable)
			store_add_unavailable(h->capture->store, l->probe->name, l->unavailable);
	}
}

uint64_t host_kernel_bytes(const struct host *h)
{
	uint64_t sum = shared_maps_bytes(&h->shared);

	for (size_t i = 0; i < h->count; i++)
		sum += h->loaded[i].object ? own_maps_bytes(h->loaded[i].object) : 0;
	return sum;
}

const char *host_unavailable(const struct host *h, uint32_t i, const char **ret_reason)
{
	for (size_t p = 0; p < h->count; p++) {
		if (!h->loaded[p].unavailable || i--)
			continue;
		*ret_reason = h->loaded[p].unavailable;
		return h->loaded[p].probe->name;
	}
	return NULL;
}
