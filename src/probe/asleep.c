// SPDX-License-Identifier: BSD-2-Clause
#include "asleep.h"

#include <string.h>
#include <sys/uio.h>

#include "asleep_python.h"
#include "buf.h"
#include "clock.h"
#include "hash.h"
#include "iterator.h"
#include "mappings.h"
#include "mem.h"
#include "namespace.h"
#include "pagemap.h"

enum {
	AT_ONCE = 2048,    /* threads that are visited: some ten milliseconds */
	PLACE_WORDS = 1024, /* of a stack, that tell where a thread is */
	MOST_BYTES = 8 << 20, /* of stacks, which wait to be unwound: half of what may wait at once (RING_BYTES of unwind_client.c) */
};

#define LEAST_NS (50 * NS_PER_MS)     /* of a wait, which may be over soon */
#define READING_NS (50 * NS_PER_MS)   /* user stacks, which may have to come from swap: of the others the kernel's part must do */
#define PYTHON_NS (500 * NS_PER_MS)   /* from the start, in which it is found out what runs Python */
#define BETWEEN_NS (500 * NS_PER_MS)  /* two looks at all threads, at the least */

struct asleep {
	struct capture *capture;
	struct wait_record *record; /* room for one */
	struct asleep_python *python;
	struct pagemap pages;       /* of the process that was visited last */
	uint32_t pages_of;          /* its id */
	uint64_t looked_ns;         /* when all that were found had been visited */
	bool other_numbers;         /* processes have others here than for the kernel */
};

struct asleep *asleep_new(struct capture *c)
{
	struct asleep *a = xcalloc(1, sizeof(*a));

	*a = (struct asleep){.capture = c, .record = xcalloc(1, sizeof(*a->record)), .python = asleep_python_new(), .pages = {.fd = -1},
			     .other_numbers = is_first_pid_namespace() == 0};
	return a;
}

void asleep_free(struct asleep *a)
{
	if (!a)
		return;
	asleep_python_free(a->python);
	free(a->record);
	free(a);
}

static bool is_work(uint8_t state)
{
	return state == STATE_POLL || state == STATE_SLEEPING || state == STATE_CHILD || state == STATE_SIGNAL;
}

static bool sleeps_on(const struct task_slot *slot, uint64_t before_ns)
{
	return slot->state >= STATE_SLEEPING && slot->state < STATE_STOPPED && slot->state != STATE_IDLE && !slot->woken_ns &&
	       slot->since_ns <= before_ns;
}

/* Marks threads whose waits began before then; those that are held up first. Returns how many. */
static unsigned choose(const struct asleep *a, const struct map *known, uint64_t before_ns, bool work, unsigned count)
{
	const struct capture *c = a->capture;
	uint64_t value;

	for (uint32_t i = 0; i < tasks_count(c->tasks) && count < AT_ONCE; i++) {
		struct thread *thread = tasks_get(c->tasks, i);
		struct task_slot *slot = thread->slot < 0 ? NULL : &c->task_slots[thread->slot];

		if (!slot || thread->account.visited_ns == slot->since_ns || !sleeps_on(slot, before_ns) || is_work(slot->state) != work ||
		    (c->filter && !thread->process->selected) || map_get(known, thread->tid, &value))
			continue;
		thread->account.visited_ns = slot->since_ns;
		slot->flags |= TASK_VISIT;
		count++;
	}
	return count;
}

static void open_pages(struct asleep *a, const struct process *p, uint32_t tid)
{
	if (a->pages.fd >= 0 && a->pages_of == p->id)
		return;
	pagemap_close(&a->pages);
	pagemap_open(&a->pages, (pid_t)tid);
	a->pages_of = p->id;
}

/* Of those that are to be read; where the stack's top is unknown, what lies behind a gap may be anything. */
static uint64_t pages_there(const struct asleep *a, const struct stack_capture *s)
{
	uint64_t there = s->pages && s->pages <= MOST_STACK_PAGES ? pagemap_ready(&a->pages, s->stack_start, s->pages) : 0;

	if (!(there & 1))
		return 0; /* not even sp's */
	return s->used ? there : there & ~(there + 1);
}

/* Returns how many bytes of room may have been written to. */
static size_t read_stack(const struct asleep *a, struct wait_record *r)
{
	struct stack_capture *s = &r->stack;
	struct iovec to = {.iov_base = s->stack}, from[MOST_STACK_PAGES];
	uint64_t there = pages_there(a, s);
	unsigned count = 0;

	for (uint64_t left = there; left; left &= left - 1)
		from[count++] = (struct iovec){(void *)(uintptr_t)(s->stack_start + (uint64_t)__builtin_ctzll(left) * PAGE_BYTES), PAGE_BYTES};
	to.iov_len = count * (size_t)PAGE_BYTES;
	ssize_t got = count ? process_vm_readv((pid_t)r->head.tid, &to, 1, from, count, 0) : 0;
	s->pages = got > 0 ? (uint32_t)((size_t)got / PAGE_BYTES) : 0;
	for (; count > s->pages; count--)
		there &= ~(1ull << (63 - __builtin_clzll(there)));
	s->present = there;
	return to.iov_len;
}

/* What is equal where two threads of a process wait at the same place, in the kernel and below it: where they are, how much of the
 * stack they use, and what of it may be return addresses. Of an interpreted program that says little. */
static uint64_t place_of(const struct process *p, const struct wait_record *r)
{
	struct {
		uint64_t process, state, ip, used, kernel, count, words[PLACE_WORDS];
	} key = {.process = p->id, .state = r->state, .ip = r->stack.registers.ip, .used = r->stack.used,
		 .kernel = hash_bytes(r->stack.frames, r->stack.kernel_depth * sizeof(r->stack.frames[0]))};
	uint64_t at = r->stack.registers.sp - r->stack.stack_start, end = at + r->stack.used, word;

	if (!r->stack.used || r->stack.used > PLACE_WORDS * sizeof(word) || end > r->stack.pages * (uint64_t)PAGE_BYTES ||
	    stack_has_gaps(&r->stack) || p->python_image)
		return 0;
	for (; end - at >= sizeof(word); at += sizeof(word)) {
		memcpy(&word, r->stack.stack + at, sizeof(word));
		if (word && mappings_find(p->mappings, word))
			key.words[key.count++] = word;
	}
	return hash_bytes(&key, offsetof(typeof(key), words) + key.count * sizeof(word));
}

static bool goes_on(const struct task_slot *slot, const struct wait_record *r)
{
	return slot->since_ns == r->since_ns && !slot->woken_ns;
}

/* Returns how many bytes wait to be unwound. */
static size_t visit(struct asleep *a, uint64_t until_ns, asleep_found *found, void *arg)
{
	struct wait_record *r = a->record;
	struct capture *c = a->capture;
	struct thread *thread = tasks_find_thread(c->tasks, r->head.tid);

	if (!thread || thread->slot < 0)
		return 0;
	const struct task_slot *slot = &c->task_slots[thread->slot];
	if (clock_mono_ns() >= until_ns)
		r->stack.pages = 0;
	open_pages(a, thread->process, r->head.tid);
	size_t bytes = read_stack(a, r);
	if (r->stack.pages)
		asleep_python_read(a->python, c, thread->process, &(struct asleep_reading){&a->pages, until_ns}, r);
	/* It has gone on meanwhile, and what was read may be of anything. But its end will be told. */
	if (!goes_on(slot, r))
		r->stack.pages = r->stack.python_depth = r->stack.python_cut = 0;
	bool waits = found(arg, thread, r, place_of(thread->process, r));
	memset(r->stack.stack, 0, bytes);
	return waits ? r->stack.pages * (size_t)PAGE_BYTES : 0;
}

static void visit_later(const struct asleep *a, const struct wait_record *r)
{
	struct thread *thread = tasks_find_thread(a->capture->tasks, r->head.tid);

	if (thread)
		thread->account.visited_ns = 0;
}

/* Returns whether that were all; the others come the next time. */
static bool visit_all(struct asleep *a, const struct buf *b, asleep_found *found, void *arg)
{
	const size_t head = offsetof(struct wait_record, stack.frames);
	uint64_t until_ns = clock_mono_ns() + READING_NS;
	size_t waiting = 0;

	for (size_t at = 0; b->len - at >= head;) {
		memcpy(a->record, b->data + at, head);
		at += head;
		size_t frames = a->record->stack.kernel_depth * sizeof(a->record->stack.frames[0]);
		if (a->record->stack.kernel_depth > STACK_DEPTH || b->len - at < frames)
			break;
		memcpy(a->record->stack.frames, b->data + at, frames);
		at += frames;
		if (waiting < MOST_BYTES)
			waiting += visit(a, until_ns, found, arg);
		else
			visit_later(a, a->record);
	}
	pagemap_close(&a->pages);
	asleep_python_forget(a->python);
	return waiting < MOST_BYTES;
}

void asleep_drained(struct asleep *a, const struct map *known, asleep_found *found, void *arg)
{
	const struct capture *c = a->capture;
	uint64_t now = clock_mono_ns();
	_cleanup_(buf_done) struct buf b = BUF_INIT;

	if (!c->start_ns || c->rest_since_ns || c->waits_link < 0 || a->other_numbers || now < a->looked_ns + BETWEEN_NS ||
	    now < c->slice_start_ns + LEAST_NS || (now < c->start_ns + PYTHON_NS && stacks_python_due(c->stacks)))
		return;
	unsigned count = choose(a, known, c->slice_start_ns, false, 0);
	count = choose(a, known, c->slice_start_ns, true, count);
	bool all = count < AT_ONCE;
	if (count && iterator_read(c->waits_link, "waits", &b) >= 0)
		all &= visit_all(a, &b, found, arg);
	if (all)
		a->looked_ns = now;
}
