// SPDX-License-Identifier: BSD-2-Clause
#include "snapshot.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "arena.h"
#include "clock.h"
#include "fail.h"
#include "io.h"
#include "mem.h"
#include "other_end.h"
#include "peer.h"
#include "proc_status.h"

enum { MOST_TRIES = 6 }; /* for a thread that keeps running while it is read */

static void taking_done(struct taking *k)
{
	raw_bpf_free(k->source);
	stack_reader_free(k->stacks);
	peers_free(k->peers);
	for (size_t i = 0; i < k->process_count; i++) {
		python_free(k->pythons[i]);
		space_free(k->spaces[i]);
	}
	for (size_t i = 0; i < k->count; i++)
		stack_done(&k->looks[i].stack);
	free(k->looks);
	goroutines_done(&k->goroutines);
}

void threads_free(struct threads *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->count; i++) {
		free(t->items[i].frames);
		free(t->items[i].sources);
	}
	for (size_t i = 0; i < t->group_count; i++)
		free(t->groups[i].members);
	for (size_t i = 0; i < t->cycle_count; i++)
		free(t->cycles[i].members);
	free(t->items);
	free(t->groups);
	free(t->cycles);
	buf_done(&t->notes);
	if (t->goroutines)
		t->goroutines->memory = NULL; /* it is this one's */
	threads_free(t->goroutines);
	arena_free(t->memory);
	free(t);
}

static int read_raw(struct taking *k, const uint32_t *pids, size_t count, struct raw_threads *ret)
{
	return k->source ? raw_bpf_read(k->source, pids, count, ret)
			 : raw_proc_read(pids, count, ret);
}

/* The same thread, and not on a CPU in between: it would have left it once more. */
static bool kept_still(const struct raw_thread *before, const struct raw_thread *after)
{
	return after && raw_is_still(before) && raw_is_still(after) &&
	       before->r.switches == after->r.switches && before->r.start_ns == after->r.start_ns;
}

static struct space *space_of(struct taking *k, uint32_t pid)
{
	for (size_t i = 0; i < k->process_count; i++)
		if (k->pids[i] == pid)
			return k->spaces[i];
	return NULL;
}

static struct python *python_of(struct taking *k, uint32_t pid)
{
	for (size_t i = 0; i < k->process_count; i++)
		if (k->pids[i] == pid)
			return k->pythons[i];
	return NULL;
}

static void read_look(struct taking *k, struct look *look, const struct raw_threads *all)
{
	struct wait_context context = {
		.space = look->space, .threads = all, .memory = k->result->memory};

	waiting_read(&context, &look->raw, &look->waiting);
	stack_reader_read(k->stacks, &look->stack, look->space, &look->raw);
	struct python *python = python_of(k, look->raw.r.tgid);
	if (python && raw_is_still(&look->raw))
		look->stack.python = python_trace(python, look->raw.r.own_tid);
}

/* A thread that will not keep still is shown as it was met last, without what takes
 * time to read. */
static void give_up(struct taking *k, struct look *look, const struct raw_threads *now)
{
	struct wait_context context = {
		.space = look->space, .threads = now, .memory = k->result->memory};

	stack_reset(&look->stack, look->raw.r.flags & THREAD_ON_CPU
					  ? "it runs"
					  : "it kept running while it was read");
	waiting_read(&context, &look->raw, &look->waiting);
	look->waiting.moved = true;
}

/* Reads stacks and locks of those that keep still; who ran meanwhile is tried again with what it
 * does now. */
static int settle(struct taking *k, size_t first, const uint32_t *pids, size_t pid_count,
		  struct raw_threads *now)
{
	struct raw_threads next = {0};
	size_t due = k->count - first;
	int r = 0;

	for (int i = 0; i < MOST_TRIES && due && r >= 0; i++) {
		for (size_t at = first; at < k->count; at++)
			if (!k->looks[at].settled)
				read_look(k, &k->looks[at], now);
		r = read_raw(k, pids, pid_count, &next);
		due = 0;
		for (size_t at = first; r >= 0 && at < k->count; at++) {
			struct look *look = &k->looks[at];
			const struct raw_thread *after =
				raw_find(&next, look->raw.r.tgid, look->raw.r.tid);

			if (look->settled)
				continue;
			look->settled = kept_still(&look->raw, after) || !after;
			if (look->settled)
				continue;
			look->raw = *after;
			due++;
		}
		struct raw_threads swap = *now;
		*now = next;
		next = swap;
	}
	for (size_t at = first; at < k->count; at++)
		if (!k->looks[at].settled)
			give_up(k, &k->looks[at], now);
	raw_threads_done(&next);
	return r;
}

static int take_processes(struct taking *k, size_t first_pid)
{
	const uint32_t *pids = k->pids + first_pid;
	size_t pid_count = k->process_count - first_pid, first = k->count;
	struct raw_threads now = {0};

	for (size_t i = first_pid; i < k->process_count; i++) {
		if (space_new(k->pids[i], &k->spaces[i]) < 0) {
			k->spaces[i] = NULL;
		} else {
			stack_reader_define(k->stacks, k->spaces[i]);
			k->pythons[i] = python_new(k->namer, k->spaces[i], k->result->memory);
		}
	}
	int r = read_raw(k, pids, pid_count, &now);
	for (size_t i = 0; r >= 0 && i < now.count; i++) {
		GROW(k->looks, k->count, k->capacity);
		k->looks[k->count++] = (struct look){.raw = now.items[i],
						     .space = space_of(k, now.items[i].r.tgid)};
	}
	if (r >= 0)
		r = settle(k, first, pids, pid_count, &now);
	raw_threads_done(&now);
	return r;
}

static const char *name_of_region(struct taking *k, const struct space *s, uint64_t address)
{
	const struct space_mapping *m = space_find(s, address), *file = space_data(s, address);
	_cleanup_(buf_done) struct buf b = BUF_INIT;

	if (!m)
		return NULL;
	if (file)
		m = file;
	for (size_t i = 0; i < k->count; i++) {
		uint64_t sp = stack_pointer(&k->looks[i].raw);

		if (k->looks[i].space != s || sp < m->start || sp >= m->end)
			continue;
		buf_addf(&b, "stack of thread %u", k->looks[i].raw.r.tid);
		return arena_strndup(k->result->memory, b.data, b.len);
	}
	if (*m->path)
		buf_addf(&b, "%s+0x%llx", m->path,
			 (unsigned long long)(address - m->start + m->offset));
	else
		buf_addstr(&b, "anonymous memory");
	return arena_strndup(k->result->memory, b.data, b.len);
}

static void find_stop(struct taking *k, struct look *look)
{
	struct thread_wait *w = &look->waiting.wait;
	uint64_t tracer;
	char name[32];

	/* What it waited for before comes again when it goes on. */
	if (look->raw.r.state & 4)
		*w = (struct thread_wait){.kind = WAIT_STOPPED,
					  .detail = "by a signal; SIGCONT lets it go on"};
	if (!(look->raw.r.state & 8))
		return;
	*w = (struct thread_wait){.kind = WAIT_TRACED, .bound = true};
	if (!proc_status(look->raw.r.tid, "TracerPid", 10, &tracer) || !tracer)
		return;
	w->pid = (uint32_t)tracer;
	snprintf(name, sizeof(name), "tracer %u", w->pid);
	w->resource = arena_strndup(k->result->memory, name, strlen(name));
}

static void name_looks(struct taking *k, size_t first)
{
	stack_reader_finish(k->stacks);
	for (size_t i = first; i < k->count; i++) {
		stack_take(&k->looks[i].stack, k->stacks);
		stack_place(&k->looks[i].stack, k->namer, k->looks[i].space, &k->looks[i].raw);
	}
	namer_finish(k->namer);
	for (size_t i = first; i < k->count; i++) {
		struct look *look = &k->looks[i];
		const struct stack_names names = stack_names(&look->stack, k->namer, &look->raw);

		waiting_finish(&look->waiting, names.user, names.user_count, names.kernel,
			       names.kernel_count);
		stack_names_done(&names);
	}
	snapshot_find_owners(k, first);
	for (size_t i = first; i < k->count; i++) {
		struct look *look = &k->looks[i];

		if (look->waiting.wait.address && !look->waiting.wait.resource && look->space) {
			look->has_variable = true;
			look->variable =
				namer_variable(k->namer, look->space, look->waiting.wait.address);
		}
		other_end_find(k->peers, look->raw.r.tgid, &look->waiting, k->result->memory);
		find_stop(k, look);
		snapshot_find_process(k, look);
	}
	namer_finish(k->namer);
	for (size_t i = first; i < k->count; i++) {
		struct look *look = &k->looks[i];
		struct thread_wait *w = &look->waiting.wait;

		if (look->has_variable)
			w->resource = namer_name(k->namer, look->variable);
		if (look->has_variable && !w->resource)
			w->resource = name_of_region(k, look->space, w->address);
	}
}

/* Processes that somebody waits for and that have not been looked at. */
static void add_peers(struct taking *k, size_t first)
{
	for (size_t i = first; i < k->count; i++) {
		uint32_t pid = k->looks[i].waiting.wait.pid;
		bool known = !pid;

		for (size_t p = 0; p < k->process_count; p++)
			known = known || k->pids[p] == pid;
		if (!known && k->process_count < MOST_PROCESSES)
			k->pids[k->process_count++] = pid;
	}
}

static int follow(struct taking *k)
{
	size_t pids_done = 0;

	while (pids_done < k->process_count) {
		size_t first = k->count, next = k->process_count;
		int r = take_processes(k, pids_done);

		if (r < 0)
			return r;
		name_looks(k, first);
		pids_done = next;
		add_peers(k, first);
	}
	return 0;
}

struct state_bit {
	uint32_t bits;
	enum thread_state state;
};

/* In this order; bits as in include/linux/sched.h. */
static const struct state_bit states[] = {
	{0x80, THREAD_EXITED},  {0x8000, THREAD_FROZEN},  {0x8, THREAD_TRACED},
	{0x4, THREAD_STOPPED},  {0x400, THREAD_SLEEPING}, {0x2, THREAD_BLOCKED},
	{0x1, THREAD_SLEEPING}, {0x200, THREAD_RUNNABLE},
};

static enum thread_state state_of(const struct thread_record *r)
{
	if (r->flags & THREAD_ON_CPU)
		return THREAD_RUNNING;
	if (!r->state)
		return THREAD_RUNNABLE;
	for (size_t i = 0; i < ARRAY_SIZE(states); i++)
		if (r->state & states[i].bits)
			return states[i].state;
	return THREAD_SLEEPING;
}

static uint64_t since(const struct thread_record *r, int64_t clock_offset, bool clock_known)
{
	int64_t ns = (int64_t)r->now_ns - ((int64_t)r->ran_ns + clock_offset);

	if (!r->ran_ns || !clock_known || r->flags & THREAD_ON_CPU)
		return UINT64_MAX;
	return ns > 0 ? (uint64_t)ns : 0;
}

static void fill_thread(struct taking *k, struct thread *t, struct look *look,
			const struct raw_threads *later)
{
	const struct thread_record *r = &look->raw.r;
	const struct raw_thread *after = raw_find(later, r->tgid, r->tid);

	*t = (struct thread){.tid = r->tid,
			     .pid = r->tgid,
			     .state = state_of(r),
			     .cpu = r->cpu,
			     .switches = r->switches,
			     .iowait = r->flags & THREAD_IOWAIT,
			     .kernel_thread = r->flags & THREAD_KERNEL_THREAD,
			     .since_ns = since(r, later->clock_offset, later->clock_known),
			     .wait = look->waiting.wait,
			     .moved = !kept_still(&look->raw, after) && !look->goes_on,
			     .waits_for = -1,
			     .cycle = -1,
			     .stack_ended = look->stack.ended};
	memcpy(t->comm, r->comm, sizeof(t->comm));
	if (t->state == THREAD_EXITED || t->state == THREAD_RUNNING || t->state == THREAD_RUNNABLE)
		t->wait = (struct thread_wait){0};
	struct stack_names names = stack_names(&look->stack, k->namer, &look->raw);
	t->user_count = names.user_count;
	t->frame_count = names.user_count + names.kernel_count;
	t->frames = xcalloc(t->frame_count, sizeof(*t->frames));
	for (size_t i = 0; i < names.user_count; i++)
		t->frames[names.user_count - 1 - i] = names.user[i];
	for (size_t i = 0; i < names.kernel_count; i++)
		t->frames[t->frame_count - 1 - i] = names.kernel[i];
	t->sources = names.sources ? xcalloc(t->user_count, sizeof(*t->sources)) : NULL;
	for (size_t i = 0; names.sources && i < names.user_count; i++)
		t->sources[names.user_count - 1 - i] = names.sources[i];
	stack_names_done(&names);
	for (size_t i = 0; i < t->frame_count; i++)
		t->frames[i] = arena_strndup(k->result->memory, t->frames[i], strlen(t->frames[i]));
}

static int fill(struct taking *k)
{
	struct threads *t = k->result;
	struct raw_threads later = {0};
	struct timespec pause = {(time_t)(k->options->settle_ns / NS_PER_S),
				 (long)(k->options->settle_ns % NS_PER_S)};

	nanosleep(&pause, NULL);
	snapshot_look_at_owners_again(k);
	int r = read_raw(k, k->pids, k->process_count, &later);
	if (r >= 0) {
		t->items = xcalloc(k->count, sizeof(*t->items));
		for (size_t i = 0; i < k->count; i++)
			fill_thread(k, &t->items[t->count++], &k->looks[i], &later);
	}
	raw_threads_done(&later);
	return r;
}

static int find_process(struct taking *k)
{
	uint32_t pid = 0;

	if (!is_live_thread(k->options->pid, &pid) || !pid)
		return failx(-ESRCH, "there is no process %u", k->options->pid);
	k->pids[k->process_count++] = k->result->pid = pid;
	return 0;
}

static int open_source(struct taking *k)
{
	int r = k->options->no_bpf ? failx(-ENOTSUP, "BPF is not to be used")
				   : raw_bpf_new(&k->source);

	k->result->source = r < 0 ? "proc" : "bpf";
	if (r < 0)
		buf_addf(&k->result->notes,
			 "%s; /proc is read instead: no kernel stacks and no times. Root, or "
			 "CAP_BPF and CAP_PERFMON, would help\n",
			 fail_message());
	return 0;
}

static void note_memory(struct taking *k)
{
	const struct space *s = k->spaces[0];
	char byte;

	/* Kernel threads and what has ended have none. */
	if (k->looks[0].raw.r.flags & THREAD_KERNEL_THREAD || (s && !s->count))
		return;
	for (size_t i = 0; s && i < s->count; i++)
		if (s->items[i].writable && space_read_all(s, s->items[i].start, &byte, 1))
			return;
	buf_addstr(&k->result->notes, "its memory cannot be read: no program stacks and no owners of "
				      "locks. The same user or CAP_SYS_PTRACE is needed\n");
}

static void take_goroutines(struct taking *k)
{
	struct threads *t = k->result;

	if (!k->spaces[0] || !goroutines_read(&k->goroutines, k->spaces[0]))
		return;
	t->goroutines = xcalloc(1, sizeof(*t->goroutines));
	*t->goroutines = (struct threads){.pid = t->pid, .source = t->source, .what = "goroutine", .notes = BUF_INIT, .memory = t->memory};
	goroutines_describe(&k->goroutines, k->namer, t->goroutines);
	if (k->goroutines.cut)
		buf_addf(&t->notes, "there are more goroutines: those that began first are shown\n");
}

static void finish_goroutines(struct taking *k)
{
	struct threads *t = k->result->goroutines;

	if (!t)
		return;
	memcpy(t->comm, k->result->comm, sizeof(t->comm));
	for (size_t i = 0; i < t->count; i++)
		t->items[i].moved = !goroutine_keeps_still(&k->goroutines, &k->goroutines.items[i]);
	threads_find_cycles(t);
	threads_find_groups(t);
}

static int take(struct taking *k)
{
	struct threads *t = k->result;
	uint64_t start = clock_mono_ns();
	int r;

	t->wall_ns = clock_wall_ns();
	if ((r = find_process(k)) < 0 || (r = stack_reader_new(t->memory, &k->stacks)) < 0 ||
	    (r = open_source(k)) < 0)
		return r;
	k->namer = stack_reader_namer(k->stacks);
	k->peers = peers_new();
	if ((r = follow(k)) < 0)
		return r;
	if (!k->count && is_live_thread(t->pid, &t->pid))
		return failx(-EPERM, "the kernel does not show its threads");
	if (!k->count)
		return failx(-ESRCH, "process %u ended while it was looked at", t->pid);
	note_memory(k);
	take_goroutines(k);
	if ((r = fill(k)) < 0)
		return r;
	memcpy(t->comm, t->items[0].comm, sizeof(t->comm));
	finish_goroutines(k);
	threads_find_cycles(t);
	threads_find_groups(t);
	t->took_ns = clock_mono_ns() - start;
	return 0;
}

int threads_take(const struct threads_options *o, struct threads **ret)
{
	_cleanup_(threads_freep) struct threads *t = xcalloc(1, sizeof(*t));
	_cleanup_(taking_done) struct taking k = {.options = o, .result = t};

	t->notes = (struct buf)BUF_INIT;
	t->memory = arena_new();
	t->what = "thread";
	int r = take(&k);
	if (r < 0)
		return r == -EPERM || r == -EACCES
			       ? fail_in(r,
					 "not allowed to look at process %u (be root or its user)",
					 o->pid)
			       : r;
	*ret = t;
	t = NULL;
	return 0;
}
