// SPDX-License-Identifier: BSD-2-Clause
#include "deadlock.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "buf.h"
#include "clock.h"
#include "io.h"
#include "json_text.h"
#include "mem.h"
#include "store_query.h"
#include "store_write.h"
#include "text.h"
#include "threads.h"

enum { MOST_THREADS = 4096, MOST_TOLD = 16 };

/* Two looks that far apart, with nothing moved in between, make it a deadlock. */
#define SETTLE_NS (100 * NS_PER_MS)

struct suspect {
	uint32_t pid, task;
	uint32_t *tids;
	size_t count, capacity;
};

/* "0x7f12... (inventory_lock+0x0)": locks of one kind are told from each other. */
static json_t *lock_name(const struct thread_wait *w)
{
	_cleanup_(buf_done) struct buf b = BUF_INIT;

	if (w->address)
		buf_addf(&b, "0x%llx (", (unsigned long long)w->address);
	buf_addstr(&b, w->resource ? w->resource : "a lock without a name");
	if (w->address)
		buf_addch(&b, ')');
	return json_text(b.data);
}

static json_t *frames_of(const struct thread *t)
{
	json_t *frames = json_array();

	for (size_t i = 0; i < t->frame_count; i++)
		json_array_append_new(frames, json_text(t->frames[i]));
	return frames;
}

static double seconds_of(const struct thread *t)
{
	return t->since_ns == UINT64_MAX ? 0 : (double)t->since_ns / 1e9;
}

static json_t *describe(const struct thread *t, const char *what)
{
	return json_pack("{s:s, s:i, s:i, s:o, s:o, s:s, s:b, s:f, s:o}", "what", what, "tid", (int)t->tid, "pid", (int)t->pid, "comm",
			 json_text(t->comm), "lock", lock_name(&t->wait), "kind", wait_kind_name(t->wait.kind), "sure",
			 !t->wait.unsure, "seconds", seconds_of(t), "frames", frames_of(t));
}

static void add_cycle(struct store *s, const struct suspect *p, const struct threads *t, const struct thread_cycle *c)
{
	json_t *list = json_array(), *document;
	uint32_t behind = 0;
	char *text;

	for (uint32_t i = 0; i < c->count; i++)
		json_array_append_new(list, describe(&t->items[c->members[i]], t->what));
	for (size_t i = 0; i < t->count; i++)
		behind += t->items[i].cycle == (int)(c - t->cycles) && !t->items[i].in_cycle;
	document = json_pack("{s:i, s:o, s:i, s:o}", "pid", (int)p->pid, "comm", json_text(t->comm), "behind", (int)behind,
			     "threads", list);
	text = json_dumps(document, JSON_COMPACT);
	json_decref(document);
	if (text)
		store_add_event(s, (uint64_t)store_meta_int(s, "duration_ns"), "deadlock", p->task, 0, c->count, text);
	free(text);
}

/* One of several processes is told of once: with the first of them. */
static bool is_of(const struct threads *t, const struct thread_cycle *c, uint32_t pid)
{
	uint32_t first = UINT32_MAX;

	for (uint32_t i = 0; i < c->count; i++)
		if (t->items[c->members[i]].pid < first)
			first = t->items[c->members[i]].pid;
	return first == pid;
}

/* Goroutines that wait put no thread to sleep; but then threads of their program have nothing to do. */
static void look_at(struct store *s, const struct suspect *p)
{
	_cleanup_(threads_freep) struct threads *t = NULL;

	if ((!threads_suspect(p->pid, p->tids, p->count) && !threads_suspect_goroutines(p->pid)) ||
	    threads_take(&(struct threads_options){.pid = p->pid, .settle_ns = SETTLE_NS}, &t) < 0)
		return;
	for (size_t i = 0; i < t->cycle_count; i++)
		if (is_of(t, &t->cycles[i], p->pid))
			add_cycle(s, p, t, &t->cycles[i]);
	for (size_t i = 0; t->goroutines && i < t->goroutines->cycle_count; i++)
		add_cycle(s, p, t->goroutines, &t->goroutines->cycles[i]);
}

/* Threads that wait for what comes from their clients have nothing to do. */
static bool is_held(const struct thread *t)
{
	return t->wait.kind != WAIT_NONE && t->wait.kind != WAIT_EPOLL && t->wait.kind != WAIT_POLL;
}

static json_t *describe_held(const struct thread *t)
{
	return json_pack("{s:i, s:o, s:s, s:o, s:i, s:f, s:o}", "tid", (int)t->tid, "comm", json_text(t->comm), "kind",
			 wait_kind_name(t->wait.kind), "resource", json_text(t->wait.resource),
			 "pid", (int)t->wait.pid, "seconds", seconds_of(t),
			 "frames", frames_of(t));
}

static void add_held(struct store *s, uint32_t pid, uint32_t task)
{
	_cleanup_(threads_freep) struct threads *t = NULL;
	_cleanup_free_ char *text = NULL;
	json_t *list;

	if (threads_take(&(struct threads_options){.pid = pid}, &t) < 0)
		return;
	list = json_array();
	for (size_t i = 0; i < t->count && json_array_size(list) < MOST_TOLD; i++)
		if (t->items[i].pid == pid && is_held(&t->items[i]))
			json_array_append_new(list, describe_held(&t->items[i]));
	text = json_dumps(list, JSON_COMPACT);
	if (text && json_array_size(list))
		store_add_event(s, (uint64_t)store_meta_int(s, "duration_ns"), "unanswered", task, 0,
				(int64_t)json_array_size(list), text);
	json_decref(list);
}

void unanswered_record(struct store *s)
{
	_cleanup_(query_freep) struct query *q = NULL;

	/* In the last whole slice: clients have waited for two seconds, something lies unread all the time, nothing is sent. */
	if (query_new(s, "WITH last AS MATERIALIZED (SELECT s.task, s.resource, m.name, s.count, s.value "
			 "FROM sample s JOIN metric m ON m.id = s.metric WHERE s.slice = (SELECT max(id) FROM slice) "
			 "AND m.name IN ('open.silent', 'connection.standing', 'connection.sent')) "
			 "SELECT r.pid, t.id FROM last o JOIN task t ON t.id = o.task JOIN process r ON r.id = t.process "
			 "WHERE o.name = 'open.silent' AND o.value >= 2e9 * o.count AND r.flags = 0 AND r.end_ns IS NULL "
			 "AND EXISTS (SELECT 1 FROM last u WHERE u.name = 'connection.standing' AND u.task = o.task "
			 "AND u.resource = o.resource AND u.value >= 0.9e9) "
			 "AND NOT EXISTS (SELECT 1 FROM last u WHERE u.name = 'connection.sent' AND u.task = o.task "
			 "AND u.resource = o.resource AND u.value > 0) GROUP BY r.pid LIMIT 4", &q) < 0)
		return;
	while (query_next(q) > 0)
		add_held(s, (uint32_t)query_int(q, 0), (uint32_t)query_int(q, 1));
}

static bool connects(uint32_t pid, uint32_t tid)
{
	_cleanup_(buf_done) struct buf b = BUF_INIT;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%u/task/%u/syscall", pid, tid);
	return read_file(path, 4096, &b) >= 0 && b.len && strtol(b.data, NULL, 10) == SYS_connect;
}

/* What keeps it from emptying its queue: told once, whoever is shut out and whatever else it leaves unanswered. */
static void add_listener(struct store *s, uint32_t pid)
{
	_cleanup_(query_freep) struct query *q = NULL;

	if (query_new(s, "SELECT t.id FROM task t JOIN process r ON r.id = t.process "
			 "WHERE r.pid = :pid AND t.tid = :pid AND r.end_ns IS NULL AND NOT EXISTS (SELECT 1 FROM event e "
			 "JOIN task o ON o.id = e.task WHERE e.kind = 'unanswered' AND o.process = r.id)", &q) < 0)
		return;
	query_bind_int(q, ":pid", pid);
	if (query_next(q) > 0)
		add_held(s, pid, (uint32_t)query_int(q, 0));
}

static void add_shut_out(struct store *s, const struct threads *t, uint32_t tid, uint32_t task)
{
	for (size_t i = 0; t && i < t->count; i++) {
		const struct thread_wait *w = &t->items[i].wait;

		if (t->items[i].tid != tid || !w->pid || !w->call || strcmp(w->call, "connect") || !w->resource ||
		    !starts_with(w->resource, "unix "))
			continue;
		store_add_event(s, (uint64_t)store_meta_int(s, "duration_ns"), "shut.out", task, 0, w->pid, w->resource);
		add_listener(s, w->pid);
	}
}

void shut_out_record(struct store *s)
{
	enum { MOST_CLIENTS = 8 };
	_cleanup_(threads_freep) struct threads *t = NULL; /* of the process `taken` */
	_cleanup_(query_freep) struct query *q = NULL;
	uint32_t taken = 0;

	if (query_new(s, "SELECT r.pid, t.tid, t.id FROM span w JOIN metric m ON m.id = w.metric "
			 "JOIN task t ON t.id = w.task JOIN process r ON r.id = t.process "
			 "WHERE m.name = 'offcpu.ipc' AND w.last IS NULL AND r.flags = 0 ORDER BY r.pid", &q) < 0)
		return;
	for (unsigned count = 0; count < MOST_CLIENTS && query_next(q) > 0;) {
		uint32_t pid = (uint32_t)query_int(q, 0), tid = (uint32_t)query_int(q, 1);

		if (!connects(pid, tid))
			continue;
		count++;
		if (pid != taken) {
			threads_free(t);
			t = NULL;
			threads_take(&(struct threads_options){.pid = pid}, &t);
		}
		taken = pid;
		add_shut_out(s, t, tid, (uint32_t)query_int(q, 2));
	}
}

enum { MOST_WAITERS = 1024 };

/* Of a circle of several processes each is a suspect: it is told once. */
static bool is_told(const struct thread_cycle *c, const struct threads *t, const uint32_t *told, size_t count)
{
	for (uint32_t i = 0; i < c->count; i++)
		for (size_t k = 0; k < count; k++)
			if (t->items[c->members[i]].pid == told[k])
				return true;
	return false;
}

/* Whether it took a look: none is needed at what has been told. */
static bool look_at_pipes(struct store *s, const struct suspect *p, uint32_t *told, size_t *told_count)
{
	_cleanup_(threads_freep) struct threads *t = NULL;

	for (size_t i = 0; i < *told_count; i++)
		if (told[i] == p->pid)
			return false;
	if (threads_take(&(struct threads_options){.pid = p->pid, .settle_ns = SETTLE_NS}, &t) < 0)
		return false;
	for (size_t i = 0; i < t->cycle_count; i++) {
		const struct thread_cycle *c = &t->cycles[i];

		if (is_told(c, t, told, *told_count))
			continue;
		add_cycle(s, p, t, c);
		for (uint32_t k = 0; k < c->count && *told_count < MOST_WAITERS; k++)
			told[(*told_count)++] = t->items[c->members[k]].pid;
	}
	return true;
}

static uint32_t task_of(struct store *s, const struct thread_place *p)
{
	_cleanup_(query_freep) struct query *q = NULL;

	if (query_new(s, "SELECT max(t.id) FROM task t JOIN process r ON r.id = t.process WHERE r.pid = :pid AND t.tid = :tid", &q) < 0)
		return 0;
	query_bind_int(q, ":pid", p->pid);
	query_bind_int(q, ":tid", p->tid);
	return query_next(q) > 0 ? (uint32_t)query_int(q, 0) : 0;
}

/* Who waits for a child, and who for another process's data or for room for its own: in a process of several threads another one may
 * act for it, and there may be many. */
static void record_of_pipes(struct store *s)
{
	enum { MOST_LOOKS = 8 };
	_cleanup_(query_freep) struct query *q = NULL;
	struct thread_place places[MOST_WAITERS];
	uint32_t told[MOST_WAITERS];
	size_t count = 0, told_count = 0;
	unsigned looks = 0;

	if (query_new(s, "SELECT r.pid, t.tid FROM span w JOIN metric m ON m.id = w.metric "
			 "JOIN task t ON t.id = w.task JOIN process r ON r.id = t.process "
			 "WHERE w.last IS NULL AND r.flags = 0 AND (m.name = 'offcpu.child' OR m.name IN ('offcpu.ipc', 'offcpu.net') "
			 "AND r.id IN (SELECT process FROM task WHERE end_ns IS NULL GROUP BY process HAVING count(DISTINCT tid) = 1)) "
			 "ORDER BY r.pid", &q) < 0)
		return;
	while (count < MOST_WAITERS && query_next(q) > 0)
		places[count++] = (struct thread_place){(uint32_t)query_int(q, 0), (uint32_t)query_int(q, 1)};
	count = threads_suspect_pipes(places, count);
	for (size_t i = 0; i < count && looks < MOST_LOOKS; i++)
		looks += look_at_pipes(s, &(struct suspect){.pid = places[i].pid, .task = task_of(s, &places[i])}, told, &told_count);
}

static void record_of_locks(struct store *s)
{
	struct suspect p = {0};
	_cleanup_(query_freep) struct query *q = NULL;

	/* Who has not moved over the last whole slice, such as who waits since before the recording; and who has waited all along,
	 * looking now and then, as a monitor of Java makes one do. */
	if (query_new(s, "SELECT r.pid, t.tid, t.id FROM span w JOIN metric m ON m.id = w.metric "
			 "JOIN task t ON t.id = w.task JOIN process r ON r.id = t.process "
			 "WHERE m.name = 'offcpu.lock' AND w.last IS NULL AND r.flags = 0 "
			 "UNION SELECT pid, tid, task FROM thread_wait "
			 "WHERE cause = 'lock' AND NOT kernel AND NOT own AND ns > 0.9 * (SELECT ns FROM period) ORDER BY 1", &q) < 0)
		return;
	for (bool more = true; more;) {
		more = query_next(q) > 0;
		if (!more || query_int(q, 0) != p.pid) {
			look_at(s, &p);
			p.count = 0;
		}
		if (!more || p.count >= MOST_THREADS)
			continue;
		p.pid = (uint32_t)query_int(q, 0);
		p.task = (uint32_t)query_int(q, 2);
		GROW(p.tids, p.count, p.capacity);
		p.tids[p.count++] = (uint32_t)query_int(q, 1);
	}
	free(p.tids);
}

void deadlock_record(struct store *s)
{
	record_of_locks(s);
	record_of_pipes(s);
}
