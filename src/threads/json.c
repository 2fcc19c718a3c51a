// SPDX-License-Identifier: BSD-2-Clause
#include "threads.h"

#include <jansson.h>
#include <string.h>
#include <sys/utsname.h>

#include "clock.h"
#include "json_text.h"

static json_t *number_or_null(uint32_t number)
{
	return number ? json_integer(number) : json_null();
}

static json_t *pack_address(uint64_t address)
{
	return address ? json_sprintf("0x%llx", (unsigned long long)address) : json_null();
}

static json_t *pack_wait(const struct threads *t, const struct thread *thread)
{
	const struct thread_wait *w = &thread->wait;
	uint32_t tid = w->tid                   ? w->tid
		       : thread->waits_for >= 0 ? t->items[thread->waits_for].tid
						: 0;

	if (w->kind == WAIT_NONE)
		return json_null();
	return json_pack("{ss so so so so so so so sb}", "kind", wait_kind_name(w->kind), "call",
			 json_text(w->call), "address", pack_address(w->address), "resource",
			 json_text(w->resource), "detail", json_text(w->detail), "unsure",
			 json_text(w->unsure), "pid", number_or_null(w->pid), "tid",
			 number_or_null(tid), "bound", w->bound);
}

static json_t *pack_frames(const char *const *frames, size_t count)
{
	json_t *array = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(array, json_text(frames[i]));
	return array;
}

static json_t *pack_thread(const struct threads *t, const struct thread *thread)
{
	const char *const *frames = (const char *const *)thread->frames;

	return json_pack(
		"{si si so ss so sb si sI sb so so so so so so}", "tid", (int)thread->tid, "pid",
		(int)thread->pid, "comm", json_text(thread->comm), "state",
		thread_state_name(thread->state), "since_s",
		thread->since_ns == UINT64_MAX ? json_null()
					       : json_real((double)thread->since_ns / 1e9),
		"iowait", thread->iowait, "cpu", (int)thread->cpu, "switches",
		(json_int_t)thread->switches, "moved", thread->moved, "wait", pack_wait(t, thread),
		"deadlock", thread->cycle < 0 ? json_null() : json_integer(thread->cycle), "frames",
		pack_frames(frames, thread->user_count), "sources",
		thread->sources ? pack_frames(thread->sources, thread->user_count) : json_null(), "kernel_frames",
		pack_frames(frames + thread->user_count, thread->frame_count - thread->user_count),
		"stack_ended", json_text(thread->stack_ended));
}

static json_t *pack_members(const struct threads *t, const uint32_t *members, uint32_t count)
{
	json_t *array = json_array();

	for (uint32_t i = 0; i < count; i++)
		json_array_append_new(array, json_integer(t->items[members[i]].tid));
	return array;
}

static json_t *pack_cycle(const struct threads *t, const struct thread_cycle *c)
{
	json_t *links = json_array();

	for (uint32_t i = 0; i < c->count; i++) {
		const struct thread *thread = &t->items[c->members[i]];

		json_array_append_new(
			links, json_pack("{si si so so so si}", "tid", (int)thread->tid, "pid",
					 (int)thread->pid, "comm", json_text(thread->comm),
					 "address", pack_address(thread->wait.address), "resource",
					 json_text(thread->wait.resource), "waits_for",
					 (int)t->items[thread->waits_for].tid));
	}
	return links;
}

static json_t *pack_notes(const struct threads *t)
{
	json_t *notes = json_array();

	for (const char *at = t->notes.data; *at;) {
		size_t len = strcspn(at, "\n");
		_cleanup_(buf_done) struct buf line = BUF_INIT;

		buf_add(&line, at, len);
		json_array_append_new(notes, json_text(line.data));
		at += len + (at[len] == '\n');
	}
	return notes;
}

/* Deadlocks, groups and all of them under `name`. */
static void add_items(json_t *to, const struct threads *t, const char *name)
{
	json_t *items = json_array(), *groups = json_array(), *cycles = json_array();

	for (size_t i = 0; i < t->count; i++)
		json_array_append_new(items, pack_thread(t, &t->items[i]));
	for (size_t i = 0; i < t->group_count; i++)
		json_array_append_new(groups,
				      pack_members(t, t->groups[i].members, t->groups[i].count));
	for (size_t i = 0; i < t->cycle_count; i++)
		json_array_append_new(cycles, pack_cycle(t, &t->cycles[i]));
	json_object_set_new(to, "deadlocks", cycles);
	json_object_set_new(to, "groups", groups);
	json_object_set_new(to, name, items);
}

static json_t *pack_goroutines(const struct threads *t)
{
	json_t *goroutines = t ? json_object() : json_null();

	if (t)
		add_items(goroutines, t, "items");
	return goroutines;
}

void threads_json(const struct threads *t, struct buf *b)
{
	struct utsname uts;
	char when[21];

	uname(&uts);
	clock_format_utc(t->wall_ns, when);
	json_t *root = json_pack("{ss so so ss sf si so ss so so}", "schema", "perfscope.threads/1", "host", json_text(uts.nodename),
				 "kernel", json_text(uts.release), "time", when, "took_s", (double)t->took_ns / 1e9, "pid",
				 (int)t->pid, "comm", json_text(t->comm), "source", t->source, "notes", pack_notes(t),
				 "goroutines", pack_goroutines(t->goroutines));
	add_items(root, t, "threads");
	char *text = json_dumps(root, JSON_INDENT(2) | JSON_REAL_PRECISION(9));

	buf_addf(b, "%s\n", text);
	free(text);
	json_decref(root);
}
