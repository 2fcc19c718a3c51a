// SPDX-License-Identifier: BSD-2-Clause
/* Exact time by process and thread. */
#include "report_internal.h"

#include <string.h>

#include "hash.h"
#include "mem.h"
#include "store_query.h"
#include "store_write.h"
#include "task_times.h"

struct loading {
	struct report *report;
	struct map *processes; /* id -> index in report->processes */
	struct map *times;     /* task -> index in the array below */
	struct task_times *all;
	size_t process_capacity, thread_capacity;
};

static void loading_done(struct loading *l)
{
	map_free(l->processes);
	map_free(l->times);
	free(l->all);
}

static void add_times(struct report_times *sum, const struct report_times *t)
{
	sum->running += t->running;
	sum->runnable += t->runnable;
	sum->sleeping += t->sleeping;
	sum->disk += t->disk;
	sum->stopped += t->stopped;
	sum->switches += t->switches;
	sum->preempted += t->preempted;
}

static uint64_t positive(int64_t value)
{
	return value > 0 ? (uint64_t)value : 0;
}

static struct report_times times_of(const struct task_times *t)
{
	return (struct report_times){
		.running = positive(t->ns[TIME_RUNNING]), .runnable = positive(t->ns[TIME_RUNNABLE]),
		.sleeping = positive(t->ns[TIME_SLEEPING]), .disk = positive(t->ns[TIME_DISK]),
		.stopped = positive(t->ns[TIME_STOPPED]), .switches = positive(t->switches),
		.preempted = positive(t->preempted)};
}

/* Columns: process, pid, ppid, comm, command, cgroup, flags, start, end, exit status, tid, comm, task. */
static uint32_t process_of(struct loading *l, struct query *q)
{
	struct report *r = l->report;
	uint64_t id = (uint64_t)query_int(q, 0), index;

	if (map_get(l->processes, id, &index))
		return (uint32_t)index;
	map_put(l->processes, id, r->process_count);
	GROW(r->processes, r->process_count, l->process_capacity);
	r->processes[r->process_count] = (struct report_process){
		.id = (uint32_t)id, .pid = (uint32_t)query_int(q, 1), .ppid = (uint32_t)query_int(q, 2),
		.comm = report_keep(r, query_text(q, 3)), .command = report_keep(r, query_text(q, 4)),
		.cgroup = report_keep(r, query_text(q, 5)), .kernel = query_int(q, 6) & PROCESS_KERNEL,
		.own = query_int(q, 6) & PROCESS_OWN, .start_ns = query_int(q, 7),
		.end_ns = query_is_null(q, 8) ? -1 : query_int(q, 8),
		.exit_status = query_is_null(q, 9) ? -1 : (int)query_int(q, 9)};
	return (uint32_t)r->process_count++;
}

static void add_thread(struct loading *l, struct query *q)
{
	struct report *r = l->report;
	uint64_t index;

	if (!map_get(l->times, (uint64_t)query_int(q, 12), &index))
		return;
	struct report_thread t = {.process = process_of(l, q), .tid = (uint32_t)query_int(q, 10),
				  .comm = report_keep(r, query_text(q, 11)), .times = times_of(&l->all[index])};
	r->processes[t.process].threads++;
	add_times(&r->processes[t.process].times, &t.times);
	GROW(r->threads, r->thread_count, l->thread_capacity);
	r->threads[r->thread_count++] = t;
}

static int load(struct loading *l, struct store *s)
{
	_cleanup_(query_freep) struct query *q = NULL;
	size_t count;
	int r = store_task_times(s, &l->all, &count);

	if (r < 0)
		return r;
	for (size_t i = 0; i < count; i++)
		map_put(l->times, l->all[i].task, i);
	r = query_new(s, "SELECT p.id, p.pid, p.ppid, p.comm, p.command, g.path, p.flags, p.start_ns, p.end_ns,"
			 " p.exit_status, t.tid, t.comm, t.id FROM task t JOIN process p ON p.id = t.process"
			 " LEFT JOIN cgroup g ON g.id = p.cgroup", &q);
	while (r >= 0 && (r = query_next(q)) > 0)
		add_thread(l, q);
	return r;
}

static int compare_times(const struct report_times *x, const struct report_times *y)
{
	if (x->running != y->running)
		return x->running < y->running ? 1 : -1;
	return x->runnable == y->runnable ? 0 : x->runnable < y->runnable ? 1 : -1;
}

static int busier_process(const void *a, const void *b)
{
	const struct report_process *x = a, *y = b;
	int order = compare_times(&x->times, &y->times);

	return order ? order : x->id < y->id ? -1 : x->id > y->id;
}

static int busier_thread(const void *a, const void *b)
{
	const struct report_thread *x = a, *y = b;
	int order = compare_times(&x->times, &y->times);

	return order ? order : x->tid < y->tid ? -1 : x->tid > y->tid;
}

/* Threads keep pointing to their processes while these are put in order. */
static void sort(struct report *r)
{
	uint32_t *moved = xcalloc(r->process_count + 1, sizeof(*moved));
	struct map *places = map_new();

	for (size_t i = 0; i < r->process_count; i++)
		moved[i] = r->processes[i].id;
	qsort(r->processes, r->process_count, sizeof(*r->processes), busier_process);
	for (size_t i = 0; i < r->process_count; i++)
		map_put(places, r->processes[i].id, i);
	for (size_t i = 0; i < r->thread_count; i++) {
		uint64_t place = 0;

		map_get(places, moved[r->threads[i].process], &place);
		r->threads[i].process = (uint32_t)place;
	}
	qsort(r->threads, r->thread_count, sizeof(*r->threads), busier_thread);
	map_free(places);
	free(moved);
}

static struct report_ended *ended_of(struct report *r, struct map *names, size_t *capacity, const char *comm)
{
	uint64_t key = hash_bytes(comm, strlen(comm)), i;

	if (map_get(names, key, &i))
		return &r->ended[i];
	map_put(names, key, r->ended_count);
	GROW(r->ended, r->ended_count, *capacity);
	r->ended[r->ended_count] = (struct report_ended){.comm = comm};
	return &r->ended[r->ended_count++];
}

static int more_ended(const void *a, const void *b)
{
	const struct report_ended *x = a, *y = b;

	if (x->running != y->running)
		return x->running < y->running ? 1 : -1;
	return x->count != y->count ? (x->count < y->count ? 1 : -1) : strcmp(x->comm, y->comm);
}

static void count_ended(struct report *r)
{
	struct map *names = map_new();
	size_t capacity = 0;

	for (size_t i = 0; i < r->process_count; i++) {
		const struct report_process *p = &r->processes[i];

		if (p->own || p->end_ns < 0 || (uint64_t)p->end_ns > r->from_ns + r->ns)
			continue;
		struct report_ended *e = ended_of(r, names, &capacity, p->comm);
		e->count++;
		e->running += p->times.running;
		e->lifetime += positive(p->end_ns - p->start_ns);
	}
	if (r->ended_count)
		qsort(r->ended, r->ended_count, sizeof(*r->ended), more_ended);
	map_free(names);
}

int report_add_tasks(struct report *r, struct store *s)
{
	_cleanup_(loading_done) struct loading l = {.report = r, .processes = map_new(), .times = map_new()};
	int error = load(&l, s);

	if (error < 0)
		return error;
	if (r->process_count)
		sort(r);
	count_ended(r);
	return 0;
}
