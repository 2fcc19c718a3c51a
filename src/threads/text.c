// SPDX-License-Identifier: BSD-2-Clause
/* The snapshot for people: deadlocks, then groups of threads that do the same, largest first. */
#include "threads.h"

#include <string.h>

#include "escape.h"

enum { NAMED_MEMBERS = 8, MOST_FRAMES = 100, CHAIN_LINKS = 16 };

struct writing {
	const struct threads *t;
	const struct threads_style *style;
	struct buf *b;
};

static void add_safe(struct writing *w, const char *text)
{
	escape_terminal(w->b, text, strlen(text));
}

static void colored(struct writing *w, const char *color, const char *text)
{
	buf_addf(w->b, "%s%s%s", w->style->color ? color : "", text,
		 w->style->color ? "\033[0m" : "");
}

static void add_thread(struct writing *w, const struct thread *thread)
{
	buf_addf(w->b, "%u ", thread->tid);
	add_safe(w, thread->comm);
	if (thread->pid == w->t->pid)
		return;
	if (thread->pid == thread->tid)
		buf_addstr(w->b, " (another process)");
	else
		buf_addf(w->b, " (of process %u)", thread->pid);
}

static void add_duration(struct writing *w, uint64_t ns)
{
	if (ns < 1000000)
		buf_addf(w->b, "%.0f us", (double)ns / 1e3);
	else if (ns < 1000000000)
		buf_addf(w->b, "%.0f ms", (double)ns / 1e6);
	else if (ns < 120 * 1000000000ull)
		buf_addf(w->b, "%.1f s", (double)ns / 1e9);
	else
		buf_addf(w->b, "%llu min %llu s", (unsigned long long)(ns / 60000000000ull),
			 (unsigned long long)(ns / 1000000000ull % 60));
}

static void add_resource(struct writing *w, const struct thread_wait *wait)
{
	if (wait->address)
		buf_addf(w->b, " 0x%llx", (unsigned long long)wait->address);
	if (!wait->resource)
		return;
	buf_addstr(w->b, wait->address ? " (" : " ");
	add_safe(w, wait->resource);
	if (wait->address)
		buf_addch(w->b, ')');
}

/* What is said in place of "waits for" and the kind. */
static const char *const phrases[WAIT_KINDS] = {
	[WAIT_SLEEP] = "sleeps",
	[WAIT_STOPPED] = "is stopped",
	[WAIT_TRACED] = "is held by a",
	[WAIT_FAULT] = "handles a page fault",
	[WAIT_KERNEL] = "waits in the kernel",
};

static void add_target(struct writing *w, const struct thread *thread)
{
	const struct thread_wait *wait = &thread->wait;
	bool lock = wait->kind == WAIT_MUTEX || wait->kind == WAIT_RWLOCK_READ ||
		    wait->kind == WAIT_RWLOCK_WRITE || wait->kind == WAIT_LOCK || (wait->kind == WAIT_FILE && wait->bound);

	/* Pipes and tracers are called by the processes that hold them. */
	if (wait->kind == WAIT_PIPE || wait->kind == WAIT_TRACED)
		return;
	if (thread->waits_for >= 0) {
		buf_addstr(w->b, lock                        ? ", held by "
				 : wait->kind == WAIT_SOCKET ? ", peer "
							     : ", which is ");
		add_thread(w, &w->t->items[thread->waits_for]);
	} else if (wait->tid || wait->pid) {
		buf_addf(w->b, ", %s%s %u", lock ? "held by " : "", wait->tid ? w->t->what : "process",
			 wait->tid ? wait->tid : wait->pid);
	}
}

/* "waits for mutex 0x55.. (inventory_lock+0x0), held by 42 worker". */
static void add_wait(struct writing *w, const struct thread *thread)
{
	const struct thread_wait *wait = &thread->wait;

	if (phrases[wait->kind])
		buf_addstr(w->b, phrases[wait->kind]);
	else
		buf_addf(w->b, "waits for %s", wait_kind_name(wait->kind));
	add_resource(w, wait);
	if (wait->call && strcmp(wait->call, "futex"))
		buf_addf(w->b, " in %s", wait->call);
	if (wait->detail) {
		buf_addstr(w->b,
			   wait->kind == WAIT_SLEEP || wait->kind == WAIT_STOPPED ? " " : ", ");
		add_safe(w, wait->detail);
	}
	add_target(w, thread);
	if (wait->unsure)
		buf_addf(w->b, " (not sure: %s)", wait->unsure);
}

static void add_cycle(struct writing *w, const struct thread_cycle *c, size_t number)
{
	_cleanup_(buf_done) struct buf title = BUF_INIT;
	unsigned followers = 0;
	bool sure = true;

	for (uint32_t i = 0; i < c->count; i++)
		sure = sure && !w->t->items[c->members[i]].wait.unsure;
	buf_addf(&title, "DEADLOCK %zu: %u %s%s %s%s for each other for ever", number + 1,
		 c->count, w->t->what, c->count == 1 ? "" : "s", sure ? "wait" : "seem to wait",
		 sure && c->count == 1 ? "s" : "");
	if (c->count == 1) {
		buf_reset(&title);
		buf_addf(&title, "DEADLOCK %zu: a %s %s for itself for ever", number + 1, w->t->what,
			 sure ? "waits" : "seems to wait");
	}
	colored(w, "\033[1;31m", title.data);
	buf_addch(w->b, '\n');
	for (uint32_t i = 0; i < c->count; i++) {
		const struct thread *thread = &w->t->items[c->members[i]];

		buf_addstr(w->b, "  ");
		add_thread(w, thread);
		buf_addch(w->b, ' ');
		add_wait(w, thread);
		buf_addch(w->b, '\n');
	}
	for (size_t i = 0; i < w->t->count; i++)
		followers += w->t->items[i].cycle == (int)number;
	followers -= c->count;
	if (followers)
		buf_addf(w->b, "  and %u %s%s wait%s for them\n", followers, w->t->what,
			 followers == 1 ? "" : "s", followers == 1 ? "s" : "");
	buf_addch(w->b, '\n');
}

static void add_state(struct writing *w, const struct thread *thread)
{
	buf_addstr(w->b, thread_state_name(thread->state));
	if (thread->iowait)
		buf_addstr(w->b, " (I/O)");
	if (thread->since_ns != UINT64_MAX && thread->state != THREAD_EXITED) {
		buf_addch(w->b, ' ');
		add_duration(w, thread->since_ns);
	}
	if (thread->state == THREAD_RUNNING)
		buf_addf(w->b, " on CPU %u", thread->cpu);
}

static void add_members(struct writing *w, const struct thread_group *g)
{
	buf_addstr(w->b, "    ");
	for (uint32_t i = 0; i < g->count && i < NAMED_MEMBERS; i++) {
		buf_addstr(w->b, i ? ", " : "");
		add_thread(w, &w->t->items[g->members[i]]);
	}
	if (g->count > NAMED_MEMBERS)
		buf_addf(w->b, " and %u more", g->count - NAMED_MEMBERS);
	buf_addch(w->b, '\n');
}

static bool same(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}

static bool same_wait(const struct thread *a, const struct thread *b)
{
	return a->wait.address == b->wait.address && a->waits_for == b->waits_for &&
	       same(a->wait.resource, b->wait.resource) && same(a->wait.detail, b->wait.detail);
}

/* One line for all when they wait for the same; else one each for the first few. */
static void add_waits(struct writing *w, const struct thread_group *g)
{
	const struct thread *first = &w->t->items[g->members[0]];
	uint32_t shown = 0;

	if (first->wait.kind == WAIT_NONE)
		return;
	for (uint32_t i = 0; i < g->count && shown < NAMED_MEMBERS; i++) {
		const struct thread *thread = &w->t->items[g->members[i]];

		if (i && same_wait(thread, &w->t->items[g->members[i - 1]]))
			continue;
		shown++;
		buf_addstr(w->b, shown == 1 ? "    " : "    or ");
		add_wait(w, thread);
		buf_addch(w->b, '\n');
	}
}

/* A waits for B, B for C: what the last one does is what holds all of them up. */
static void add_chain(struct writing *w, const struct thread *thread)
{
	const struct thread *last = thread;
	unsigned links = 0;

	for (; last->waits_for >= 0 && last->cycle < 0 && links < CHAIN_LINKS; links++)
		last = &w->t->items[last->waits_for];
	if (!links || last->cycle >= 0)
		return;
	buf_addstr(w->b, "    held up by ");
	add_thread(w, last);
	buf_addstr(w->b, links > 1 ? " at the end of the chain, " : ", ");
	add_state(w, last);
	if (last->wait.kind != WAIT_NONE) {
		buf_addstr(w->b, ", ");
		add_wait(w, last);
	}
	buf_addch(w->b, '\n');
}

/* Without its folders. */
static void add_source(struct writing *w, const char *source)
{
	const char *slash = strrchr(source, '/');

	buf_addstr(w->b, " (");
	add_safe(w, slash ? slash + 1 : source);
	buf_addch(w->b, ')');
}

static void add_frames(struct writing *w, const struct thread *thread)
{
	size_t skipped = thread->frame_count > MOST_FRAMES ? thread->frame_count - MOST_FRAMES : 0;

	for (size_t i = thread->frame_count; i-- > skipped;) {
		buf_addf(w->b, "      %s", i >= thread->user_count ? "[kernel] " : "");
		add_safe(w, thread->frames[i]);
		if (thread->sources && i < thread->user_count && thread->sources[i])
			add_source(w, thread->sources[i]);
		buf_addch(w->b, '\n');
	}
	if (skipped)
		buf_addf(w->b, "      ... %zu more\n", skipped);
	if (thread->stack_ended)
		buf_addf(w->b, "      (the stack ends here: %s)\n", thread->stack_ended);
}

static void add_group(struct writing *w, const struct thread_group *g)
{
	const struct thread *first = &w->t->items[g->members[0]];
	_cleanup_(buf_done) struct buf title = BUF_INIT;

	if (g->count > 1) {
		buf_addf(&title, "%u %ss ", g->count, w->t->what);
		colored(w, "\033[1m", title.data);
	} else {
		buf_addf(&title, "%s %u ", w->t->what, first->tid);
		colored(w, "\033[1m", title.data);
		add_safe(w, first->comm);
		buf_addch(w->b, ' ');
	}
	add_state(w, first);
	if (first->pid != w->t->pid)
		buf_addf(w->b, ", process %u", first->pid);
	if (first->cycle >= 0) {
		buf_addstr(w->b, ", ");
		colored(w, "\033[1;31m", first->in_cycle ? "deadlocked" : "waits for a deadlock");
	}
	buf_addch(w->b, '\n');
	if (g->count > 1)
		add_members(w, g);
	add_waits(w, g);
	if (g->count == 1 || same_wait(first, &w->t->items[g->members[g->count - 1]]))
		add_chain(w, first);
	add_frames(w, first);
	buf_addch(w->b, '\n');
}

static void add_all(struct writing *w)
{
	for (size_t i = 0; i < w->t->cycle_count; i++)
		add_cycle(w, &w->t->cycles[i], i);
	for (size_t i = 0; i < w->t->group_count; i++)
		add_group(w, &w->t->groups[i]);
}

void threads_text(const struct threads *t, const struct threads_style *style, struct buf *b)
{
	struct writing w = {.t = t, .style = style, .b = b};
	size_t own = 0;

	for (size_t i = 0; i < t->count; i++)
		own += t->items[i].pid == t->pid;
	buf_addf(b, "process %u ", t->pid);
	add_safe(&w, t->comm);
	buf_addf(b, ": %zu thread%s", own, own == 1 ? "" : "s");
	if (t->goroutines)
		buf_addf(b, ", %zu goroutine%s", t->goroutines->count, t->goroutines->count == 1 ? "" : "s");
	if (own < t->count)
		buf_addf(b, ", and %zu of other processes that it waits for", t->count - own);
	buf_addstr(b, "\n\n");
	if (t->goroutines)
		add_all(&(struct writing){.t = t->goroutines, .style = style, .b = b});
	add_all(&w);
}
