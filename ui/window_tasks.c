// SPDX-License-Identifier: BSD-2-Clause
#include <string.h>

#include "mem.h"
#include "store_query.h"
#include "window_internal.h"

/* Names change (exec, prctl, another cgroup): each is read anew after so many slices. */
enum { REFRESH_SLICES = 4 };

int window_prepare_tasks(struct window *w)
{
	int r;

	w->thread_index = map_new();
	w->process_index = map_new();
	if ((r = query_new(w->store, "SELECT process, tid, comm, ifnull(end_ns, -1) FROM main.task WHERE id = :id",
			   &w->ask_thread)) < 0)
		return r;
	return query_new(w->store, "SELECT p.pid, p.ppid, p.flags, p.comm, p.command, g.path, "
			 "p.end_ns IS NOT NULL FROM main.process p "
			 "LEFT JOIN main.cgroup g ON g.id = p.cgroup WHERE p.id = :id", &w->ask_process);
}

static void free_thread(struct window_thread *t)
{
	free(t->comm);
}

static void free_process(struct window_process *p)
{
	free(p->comm);
	free(p->command);
	free(p->cgroup);
	free(p->user);
}

void window_tasks_done(struct window *w)
{
	for (uint32_t i = 0; i < w->thread_count; i++)
		free_thread(&w->threads[i]);
	for (uint32_t i = 0; i < w->process_count; i++)
		free_process(&w->processes[i]);
	free(w->threads);
	free(w->processes);
	map_free(w->thread_index);
	map_free(w->process_index);
	query_free(w->ask_thread);
	query_free(w->ask_process);
}

static void keep(char **text, const char *now)
{
	if (*text && !strcmp(*text, now))
		return;
	free(*text);
	*text = xstrdup(now);
}

/* One that has ended keeps what it was last seen with. */
static void read_facts(struct window *w, struct window_process *p)
{
	struct process_facts facts;
	bool found = w->facts && !p->ended && w->facts(w->facts_arg, p->pid, &facts);

	if (found || !p->user)
		keep(&p->user, found ? facts.user : "");
	if (!found)
		return;
	p->known = true;
	p->nice = facts.nice;
	p->priority = facts.priority;
	p->cpu_ns = facts.cpu_ns;
}

static void read_process(struct window *w, struct window_process *p)
{
	struct query *q = w->ask_process;
	bool found;

	query_bind_int(q, ":id", p->id);
	found = query_next(q) > 0;
	if (found) {
		p->pid = (uint32_t)query_int(q, 0);
		p->ppid = (uint32_t)query_int(q, 1);
		p->kernel = query_int(q, 2) & 1;
		p->own = query_int(q, 2) & 2;
		p->ended = query_int(q, 6);
	}
	keep(&p->comm, found ? query_text(q, 3) : "?");
	keep(&p->command, found ? query_text(q, 4) : "");
	keep(&p->cgroup, found ? query_text(q, 5) : "");
	query_reset(q);
	read_facts(w, p);
	p->refreshed = window_newest(w);
}

static uint32_t process_index(struct window *w, uint32_t id)
{
	uint64_t index;

	if (map_get(w->process_index, id, &index))
		return (uint32_t)index;
	index = w->process_count;
	GROW(w->processes, w->process_count, w->process_capacity);
	w->processes[w->process_count++] = (struct window_process){.id = id};
	map_put(w->process_index, id, index);
	read_process(w, &w->processes[index]);
	return (uint32_t)index;
}

static void read_thread(struct window *w, uint32_t index)
{
	struct query *q = w->ask_thread;
	struct window_thread *t = &w->threads[index];
	uint32_t process = 0, had_ended = t->ended;

	query_bind_int(q, ":id", t->id);
	if (query_next(q) > 0) {
		process = (uint32_t)query_int(q, 0);
		t->tid = (uint32_t)query_int(q, 1);
		keep(&t->comm, query_text(q, 2));
		t->ended = query_int(q, 3) >= 0;
	} else {
		keep(&t->comm, "?");
	}
	query_reset(q);
	w->ended_count += t->ended - had_ended;
	t->process = process_index(w, process);
	t->refreshed = window_newest(w);
}

struct window_thread *window_find_thread(struct window *w, uint32_t id)
{
	uint64_t index;

	if (!map_get(w->thread_index, id, &index)) {
		index = w->thread_count;
		GROW(w->threads, w->thread_count, w->thread_capacity);
		w->threads[w->thread_count++] = (struct window_thread){.id = id};
		map_put(w->thread_index, id, index);
		read_thread(w, (uint32_t)index);
	}
	return &w->threads[index];
}

const struct window_thread *window_find(const struct window *w, uint32_t task)
{
	uint64_t index;

	return task && map_get(w->thread_index, task, &index) ? &w->threads[index] : NULL;
}

/* New ones at once, a part of the others each slice. */
static bool is_due(uint32_t id, uint32_t refreshed, uint32_t slice)
{
	return slice != refreshed && (slice - refreshed >= REFRESH_SLICES || (id + slice) % REFRESH_SLICES == 0);
}

int window_refresh_tasks(struct window *w)
{
	uint32_t slice = window_newest(w);

	for (uint32_t i = 0; i < w->thread_count; i++)
		if (is_due(w->threads[i].id, w->threads[i].refreshed, slice))
			read_thread(w, i);
	for (uint32_t i = 0; i < w->process_count; i++)
		if (is_due(w->processes[i].id, w->processes[i].refreshed, slice))
			read_process(w, &w->processes[i]);
	return 0;
}

static bool is_over(const struct window_thread *t)
{
	static const struct state_times none;

	return t->ended && !memcmp(&t->changes, &none, sizeof(none)) && !state_total(&t->times);
}

/* The lists are packed, then found anew: each thread's process by its id, each id by its place. */
void window_drop_ended(struct window *w)
{
	uint32_t threads = 0, processes = 0;

	for (uint32_t i = 0; i < w->process_count; i++)
		w->processes[i].threads = 0;
	for (uint32_t i = 0; i < w->thread_count; i++) {
		if (is_over(&w->threads[i])) {
			w->ended_count--;
			free_thread(&w->threads[i]);
			continue;
		}
		w->processes[w->threads[i].process].threads++;
		w->threads[i].process = w->processes[w->threads[i].process].id;
		w->threads[threads++] = w->threads[i];
	}
	map_free(w->process_index);
	map_free(w->thread_index);
	w->process_index = map_new();
	w->thread_index = map_new();
	for (uint32_t i = 0; i < w->process_count; i++) {
		if (!w->processes[i].threads) {
			free_process(&w->processes[i]);
			continue;
		}
		map_put(w->process_index, w->processes[i].id, processes);
		w->processes[processes++] = w->processes[i];
	}
	w->thread_count = threads;
	w->process_count = processes;
	for (uint32_t i = 0; i < threads; i++) {
		map_put(w->thread_index, w->threads[i].id, i);
		w->threads[i].process = process_index(w, w->threads[i].process);
	}
}
