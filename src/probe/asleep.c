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

enum {
	AT_ONCE = 2048,    /* threads that are visited: some ten milliseconds */
	PLACE_WORDS = 256, /* of a stack, that tell where a thread is */
};

#define LEAST_NS (50 * NS_PER_MS)     /* of a wait, which may be over soon */
#define READING_NS (50 * NS_PER_MS)   /* user stacks, which may have to come from swap: of the others the kernel's part must do */
#define PYTHON_NS (500 * NS_PER_MS)   /* from the start, in which it is found out what runs Python */
#define BETWEEN_NS (500 * NS_PER_MS)  /* two looks at all threads, at the least */

struct asleep {
	struct capture *capture;
	struct wait_record *record; /* room for one */
	struct asleep_python *python;
	uint64_t looked_ns;         /* when all that were found had been visited */
	bool other_numbers;         /* processes have others here than for the kernel */
};

struct asleep *asleep_new(struct capture *c)
{
	struct asleep *a = xcalloc(1, sizeof(*a));

	*a = (struct asleep){.capture = c, .record = xcalloc(1, sizeof(*a->record)), .python = asleep_python_new(),
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

/* Returns how many bytes of room may have been written to. */
static size_t read_stack(struct wait_record *r)
{
	struct stack_capture *s = &r->stack;
	size_t bytes = (s->pages <= MOST_STACK_PAGES ? s->pages : 0) * (size_t)PAGE_BYTES;
	struct iovec to = {s->stack, bytes}, from = {(void *)(uintptr_t)s->stack_start, bytes};
	ssize_t got = bytes ? process_vm_readv((pid_t)r->head.tid, &to, 1, &from, 1, 0) : 0;

	s->pages = got > 0 ? (uint32_t)((size_t)got / PAGE_BYTES) : 0;
	return bytes;
}

/* What is equal where two threads of a process wait at the same place, in the kernel and below it: where they are, how much of the
 * stack they use, and what of it may be return addresses. Of an interpreted program that says little. */
static uint64_t place_of(const struct process *p, const struct wait_record *r)
{
	struct {
		uint64_t process, state, ip, used, kernel, count, words[PLACE_WORDS];
	} key = {.process = p->id, .state = r->state, .ip = r->stack.registers.ip, .used = r->stack.used,
		 .kernel = hash_bytes(r->stack.frames, r->stack.kernel_depth * sizeof(r->stack.frames[0]))};
	uint64_t at = r->stack.registers.sp - r->stack.stack_start, end = r->stack.pages * (uint64_t)PAGE_BYTES, word;

	if (!r->stack.pages || !r->stack.used || p->python_image)
		return 0;
	if (end - at > PLACE_WORDS * sizeof(word))
		end = at + PLACE_WORDS * sizeof(word);
	for (; at < end && end - at >= sizeof(word); at += sizeof(word)) {
		memcpy(&word, r->stack.stack + at, sizeof(word));
		if (mappings_find(p->mappings, word))
			key.words[key.count++] = word;
	}
	return hash_bytes(&key, offsetof(typeof(key), words) + key.count * sizeof(word));
}

static void visit(const struct asleep *a, bool read, asleep_found *found, void *arg)
{
	struct wait_record *r = a->record;
	struct capture *c = a->capture;
	struct thread *thread = tasks_find_thread(c->tasks, r->head.tid);

	if (!thread || thread->slot < 0)
		return;
	const struct task_slot *slot = &c->task_slots[thread->slot];
	if (!read)
		r->stack.pages = 0;
	size_t bytes = read_stack(r);
	if (r->stack.pages)
		asleep_python_read(a->python, c, thread->process, r);
	/* Else it has gone on meanwhile, and what was read may be of anything. */
	if (slot->since_ns == r->since_ns && !slot->woken_ns)
		found(arg, thread, r, place_of(thread->process, r));
	memset(r->stack.stack, 0, bytes);
}

static void visit_all(const struct asleep *a, const struct buf *b, asleep_found *found, void *arg)
{
	const size_t head = offsetof(struct wait_record, stack.frames);
	uint64_t until_ns = clock_mono_ns() + READING_NS;

	asleep_python_forget(a->python);
	for (size_t at = 0; b->len - at >= head;) {
		memcpy(a->record, b->data + at, head);
		at += head;
		size_t frames = a->record->stack.kernel_depth * sizeof(a->record->stack.frames[0]);
		if (a->record->stack.kernel_depth > STACK_DEPTH || b->len - at < frames)
			return;
		memcpy(a->record->stack.frames, b->data + at, frames);
		at += frames;
		visit(a, clock_mono_ns() < until_ns, found, arg);
	}
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
	if (count < AT_ONCE)
		a->looked_ns = now;
	if (count && iterator_read(c->waits_link, "waits", &b) >= 0)
		visit_all(a, &b, found, arg);
}
