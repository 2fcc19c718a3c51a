// SPDX-License-Identifier: BSD-2-Clause
/* Pauses and other rare things, with the time when they were; and who is stopped. */
#include <jansson.h>
#include <math.h>
#include <string.h>
#include <time.h>

#include "mem.h"
#include "recorded.h"
#include "rows.h"
#include "store_query.h"
#include "table_screen.h"
#include "text.h"
#include "window.h"

enum { AGO, LENGTH, NUMBER, PID };
enum { KIND, WHO, DETAIL, WHEN };
enum { MOST_EVENTS = 1000 };

static const struct column event_columns[] = {
	{"AGO", "before the end of the window", .width = 8, .field = AGO, .unit = UNIT_NS, .ascending = true},
	{"KIND", "what happened", .width = 16, .kind = COLUMN_TEXT, .field = KIND, .ascending = true},
	{"PID", "process", .width = 7, .from = 50, .field = PID, .unit = UNIT_ID, .ascending = true},
	{"THREAD", "whose", .width = 16, .kind = COLUMN_TEXT, .field = WHO, .ascending = true},
	{"LENGTH", "of a pause or a stop", .width = 8, .from = 40, .field = LENGTH, .unit = UNIT_NS},
	{"NUMBER", "how often something failed, a signal's number, who was killed", .width = 7, .from = 90, .field = NUMBER},
	{"DETAIL", "what else is known", .kind = COLUMN_TEXT, .field = DETAIL, .ascending = true},
	{0},
};

/* The values of these are times. */
static bool has_length(const char *kind)
{
	return starts_with(kind, "pause.") || !strcmp(kind, "process.continue");
}

/* Details are text, or an object of numbers: {"queued_ns": 1700000} is told as "queued 1.7 ms". */
static const char *detail_text(struct table *t, const char *detail)
{
	json_auto_t *object = *detail == '{' ? json_loads(detail, 0, NULL) : NULL;
	_cleanup_(buf_done) struct buf text = BUF_INIT;
	const char *key;
	json_t *value;

	if (!json_is_object(object))
		return table_text(t, "%s", detail);
	json_object_foreach(object, key, value) {
		size_t len = strlen(key);
		char time[16];

		buf_addstr(&text, text.len ? ", " : "");
		if (len > 3 && !strcmp(key + len - 3, "_ns"))
			buf_addf(&text, "%.*s %s", (int)len - 3, key, format_ns(json_number_value(value), time));
		else if (json_is_string(value))
			buf_addf(&text, "%s %s", key, json_string_value(value));
		else
			buf_addf(&text, "%s %.4g", key, json_number_value(value));
	}
	return table_text(t, "%s", text.len ? text.data : "");
}

static void fill_events(const struct screen_context *c, struct table *t, unsigned flags)
{
	_cleanup_(query_freep) struct query *q = NULL;
	uint64_t end = window_end_ns(c->window);

	if (query_new(c->store, "SELECT rowid, time_ns, kind, task, resource, value, detail FROM main.event "
		      "WHERE time_ns <= :end ORDER BY rowid DESC LIMIT :most", &q) < 0)
		return;
	query_bind_int(q, ":end", (int64_t)end);
	query_bind_int(q, ":most", MOST_EVENTS);
	while (query_next(q) > 0) {
		const struct window_thread *thread = window_find(c->window, (uint32_t)query_int(q, 3));
		const struct window_process *p = thread ? window_process(c->window, thread->process) : NULL;
		const char *resource = window_resource(c->window, (uint32_t)query_int(q, 4))->name;
		struct record *r;

		if (!focus_has_task(&c->focus, c->window, (uint32_t)query_int(q, 3)))
			continue;
		r = table_append(t);
		r->key = (uint64_t)query_int(q, 0);
		r->number[AGO] = (double)(end - (uint64_t)query_int(q, 1));
		r->number[LENGTH] = r->number[NUMBER] = NAN;
		if (!query_is_null(q, 5))
			r->number[has_length(query_text(q, 2)) ? LENGTH : NUMBER] = (double)query_int(q, 5);
		r->number[PID] = p ? p->pid : NAN;
		r->process = p ? p->id : 0;
		r->task = thread ? thread->id : 0;
		r->text[KIND] = table_text(t, "%s", query_text(q, 2));
		r->text[WHO] = thread ? table_text(t, "%s", thread->comm) : "";
		r->text[DETAIL] = table_text(t, "%s%s%s", resource, *resource ? " " : "", detail_text(t, query_text(q, 6)));
	}
}

enum { STOPPED_TIME, STOPPED_PID };
static const struct column stopped_columns[] = {
	{"STOPPED%", "of the window, its threads were stopped, added up", .width = 8, .field = STOPPED_TIME, .unit = UNIT_PERCENT,
	 .warning = 1, .critical = 50},
	{"PID", "process", .width = 7, .field = STOPPED_PID, .unit = UNIT_ID, .ascending = true},
	{"PROCESS", "whom a signal, a debugger or a freezer stopped", .width = 16, .kind = COLUMN_TEXT, .field = WHO, .ascending = true},
	{"COMMAND", "command line", .kind = COLUMN_TEXT, .field = DETAIL, .ascending = true},
	{0},
};

static void fill_stopped(const struct screen_context *c, struct table *t, unsigned flags)
{
	for (uint32_t i = 0; i < window_process_count(c->window); i++) {
		const struct window_process *p = window_process(c->window, i);
		struct record *r;

		if (!p->times.ns[STOPPED] || !focus_has_process(&c->focus, c->window, p->id))
			continue;
		r = table_append(t);
		r->key = r->process = p->id;
		r->number[STOPPED_TIME] = 100 * (double)p->times.ns[STOPPED] / (double)window_ns(c->window);
		r->number[STOPPED_PID] = p->pid;
		r->text[WHO] = p->comm;
		r->text[DETAIL] = p->command;
	}
}

static bool enter(const struct screen_context *c, const struct record *r, struct target *target)
{
	target->focus.process = r->process;
	target->focus.task = r->task;
	target->screen = r->task ? "offcpu" : "threads";
	return r->process;
}

static const struct table_view views[] = {
	{.name = "events", .columns = event_columns, .fill = fill_events, .enter = enter,
	 .empty = "Nothing rare has happened: no pause, no kill, no failed request."},
	{.name = "stopped", .columns = stopped_columns, .fill = fill_stopped, .enter = enter, .empty = "No process was stopped in the window."},
	{0},
};

static const struct table_screen table = {.views = views};

const struct screen screen_pauses = {
	.name = "pauses",
	.label = "Pause",
	.key = '0',
	.help = "pauses and other rare events with their time, and who is stopped",
	.keys = table_tabs_keys,
	.profile = PROFILE_PAUSE,
	TABLE_SCREEN(&table),
};
