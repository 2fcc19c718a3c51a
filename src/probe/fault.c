// SPDX-License-Identifier: BSD-2-Clause
/* Page faults by stack, and which stacks memory has grown under. */
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "fail.h"
#include "grown.h"
#include "kernel_text.h"
#include "mem.h"
#include "probe.h"

enum { MINOR, MAJOR, GROWTH };

/* One in a thousand of a crowd of new processes: what is rarer says nothing of each. MANY: drawn on a CPU in a slice. */
enum { FIRST_SHIFT = 5, MOST_SHIFT = 10, MANY = 50 };

/* A fault that was drawn, until it is written: a moment later it is known whether it was a major one. */
struct fault {
	struct fault *next;
	struct fault_state *state;
	struct grown_page page;
	uint32_t tid;
	bool known;   /* its stack */
	bool present, major;
	bool held;    /* since the last time */
	bool overdue; /* the slice is at its end: written as soon as it is known */
};

struct fault_state {
	struct probe_state probe;
	struct capture *capture;
	struct fault *faults;
	struct grown *grown;
};

static void write_fault(struct fault *f)
{
	struct fault_state *s = f->state;

	capture_add(s->capture, s->probe.first_metric + (f->major ? MAJOR : MINOR), f->page.task, f->page.stack, 0,
		    f->page.weight, f->page.weight);
	/* What comes back from a disk is no growth, nor is what was only not allowed. */
	if (!f->present && !f->major && f->page.stack)
		grown_add(s->grown, &f->page);
}

static void remove_fault(struct fault *f)
{
	struct fault **at = &f->state->faults;

	while (*at != f)
		at = &(*at)->next;
	*at = f->next;
	free(f);
}

static void stack_known(void *arg, const void *data, uint32_t stack)
{
	struct fault *f;

	memcpy(&f, data, sizeof(f));
	f->page.stack = stack;
	f->known = true;
	if (!f->overdue)
		return;
	write_fault(f);
	remove_fault(f);
}

static void begin(struct fault_state *s, const struct fault_record *r)
{
	struct capture *c = s->capture;
	struct thread *thread = tasks_find_thread(c->tasks, r->head.tid);

	if (!thread || (c->filter && !thread->process->selected))
		return;
	struct fault *f = xcalloc(1, sizeof(*f));
	*f = (struct fault){.next = s->faults, .state = s, .tid = r->head.tid, .present = r->present,
			    .page = {.time_ns = r->head.time_ns, .address = r->address, .token = r->token, .pid = thread->process->pid,
				     .task = thread->id, .weight = r->weight}};
	s->faults = f;
	stacks_resolve(c->stacks, thread->process, &r->stack, capture_time(c, r->head.time_ns), stack_known, &f, sizeof(f));
}

static void mark_major(struct fault_state *s, const struct record *r)
{
	for (struct fault *f = s->faults; f; f = f->next)
		if (f->tid == r->tid && f->page.time_ns == r->time_ns)
			f->major = true;
}

static void record(struct capture *c, void *arg, const struct record *r)
{
	struct fault_state *s = arg;

	if (!s->capture) /* before the recording */
		return;
	if (r->kind == RECORD_FAULT)
		begin(s, (const struct fault_record *)r);
	else
		mark_major(s, r);
}

static void write_known(struct fault_state *s, bool all)
{
	for (struct fault *f = s->faults, *next; f; f = next) {
		next = f->next;
		if (f->known && (f->held || all)) {
			write_fault(f);
			remove_fault(f);
			continue;
		}
		f->held = true;
		f->overdue |= all;
	}
}

static void grew(void *arg, const struct grown_page *p, int64_t bytes)
{
	struct fault_state *s = arg;

	capture_add(s->capture, s->probe.first_metric + GROWTH, p->task, p->stack, 0, bytes > 0 ? p->weight : 0, bytes);
}

static void drained(struct capture *c, void *arg)
{
	struct fault_state *s = arg;

	if (!s->capture)
		return;
	write_known(s, false);
	grown_look(s->grown, clock_mono_ns(), grew, s);
}

static void slice(struct capture *c, void *arg, uint64_t now_ns)
{
	write_known(arg, true);
	for (uint32_t i = 0; i < c->cpu_count; i++) {
		struct cpu_slot *cpu = &c->cpu_slots[i];

		/* So that new processes cost no more than others. */
		if (cpu->fault_count > MANY && cpu->fault_shift < MOST_SHIFT)
			cpu->fault_shift++;
		else if (cpu->fault_count < MANY / 2 && cpu->fault_shift > FIRST_SHIFT)
			cpu->fault_shift--;
		cpu->fault_count = 0;
		cpu->fault_epoch++;
	}
}

static int attach(struct capture *c, struct bpf_object *object, void *arg)
{
	struct fault_state *s = arg;

	int tokens = bpf_object__find_map_fd_by_name(object, "fault_pages");

	return tokens < 0 ? fail(-ENOENT, "find its map") : grown_new(tokens, &s->grown);
}

static void start(struct capture *c, void *arg)
{
	struct fault_state *s = arg;

	s->capture = c;
	for (uint32_t cpu = 0; cpu < c->cpu_count; cpu++)
		c->cpu_slots[cpu].fault_shift = FIRST_SHIFT;
}

static void stop(struct capture *c, void *arg)
{
	struct fault_state *s = arg;

	while (s->faults)
		remove_fault(s->faults);
	grown_free(s->grown);
}

extern const char perfscope_fault_object[];
extern const unsigned long perfscope_fault_object_size;

const struct probe probe_fault = {
	.name = "fault",
	.help = "page faults by stack, drawn thread by thread, and the stacks that memory grows under",
	.metrics = (const struct probe_metric[]){
		[MINOR] = {"fault.minor", "count", "page faults that memory alone could serve, by stack"},
		[MAJOR] = {"fault.major", "count", "page faults that had to wait for the page's content, by stack"},
		[GROWTH] = {"memory.growth", "bytes", "memory that was touched first under a stack and has stayed, less what of it was given back later"},
		{0}},
	.object = perfscope_fault_object,
	.object_size = &perfscope_fault_object_size,
	.state_size = sizeof(struct fault_state),
	.prepare = kernel_text_prepare,
	.attach = attach,
	.start = start,
	.record = record,
	.drained = drained,
	.slice = slice,
	.stop = stop,
	.resumes = true,
	.records = 1u << RECORD_FAULT | 1u << RECORD_FAULT_MAJOR,
};
