// SPDX-License-Identifier: BSD-2-Clause
#include "host_internal.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "clock.h"
#include "fail.h"
#include "log_libbpf.h"
#include "mem.h"

/* One drain may not go on for ever while a storm keeps filling the ring. */
#define MOST_RECORDS_A_DRAIN 100000

#define SETTLED_NS (5 * NS_PER_S) /* of a recording */

static int handle(void *arg, void *data, size_t size)
{
	struct host *h = arg;

	if (size < sizeof(struct record))
		return 0;
	h->each(h->arg, data);
	return ++h->consumed >= MOST_RECORDS_A_DRAIN ? -EAGAIN : 0;
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
	kernel_text_read(&h->text);
	c->text = &h->text;
	h->btf = btf__load_vmlinux_btf();
	h->config = host_configure(h);
	host_set_wait_gap(h, 0);
	while (all_probes[h->count])
		h->count++;
	h->loaded = xcalloc(h->count, sizeof(*h->loaded));
	*ret_host = h;
	return 0;
}

void host_detach(struct host *h)
{
	host_stop_loading(h);
	if (h->detached)
		return;
	h->detached = true;
	for (size_t i = 0; i < h->count; i++)
		probe_detach(h, &h->loaded[i]);
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
	ring_buffer__free(h->ring);
	kernel_text_done(&h->text);
	shared_maps_free(&h->shared, h->capture);
	free(h);
}

void host_set_wait_gap(struct host *h, unsigned shift)
{
	h->wait_shift = shift;
	for (uint32_t cpu = 0; cpu < h->capture->cpu_count; cpu++)
		h->capture->cpu_slots[cpu].wait_gap_ns = h->config.wait_gap_ns << (shift + h->settled);
}

/* A short recording needs all the stacks it can get; a longer one has enough of half as many, which are most of what it costs. */
static void settle(struct host *h, uint64_t now_ns)
{
	if (h->settled || !h->capture->start_ns || now_ns < h->capture->start_ns + SETTLED_NS)
		return;
	h->settled = true;
	host_set_wait_gap(h, h->wait_shift);
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

static bool is_on(const struct loaded *l)
{
	return l->state && (!l->probe->resumes || l->attached_count);
}

void host_set_probe(struct host *h, const char *name, bool on)
{
	struct loaded *l = find_loaded(h, name);

	if (!l || l->unavailable || l->coming || on == is_on(l))
		return;
	if (!on)
		probe_unload(h, l);
	else if (probe_load(h, l) < 0)
		probe_give_up(h, l);
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
	settle(h, now_ns);
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
			if (host_wants(h, l->probe))
				store_add_metric(h->capture->store, id, m->name, m->unit, m->help);
		if (l->unavailable)
			store_add_unavailable(h->capture->store, l->probe->name, l->unavailable);
	}
}

uint64_t host_kernel_bytes(const struct host *h)
{
	uint64_t sum = shared_maps_bytes(&h->shared);

	for (size_t i = 0; i < h->count; i++)
		sum += h->loaded[i].object && !h->loaded[i].coming ? own_maps_bytes(h->loaded[i].object) : 0;
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
