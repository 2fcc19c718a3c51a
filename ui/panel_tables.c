// SPDX-License-Identifier: BSD-2-Clause
#include <math.h>
#include <string.h>

#include "answers.h"
#include "hash.h"
#include "mem.h"
#include "panels.h"
#include "rows.h"
#include "ui.h"
#include "window.h"

enum { FINDING_SINCE };
enum { FINDING_SEVERITY, FINDING_TITLE, FINDING_ID };
const struct column panel_finding_columns[] = {
	{"FINDING", "what is wrong", .width = 8, .kind = COLUMN_TEXT, .field = FINDING_SEVERITY},
	{"SINCE", "how long it has been there", .width = 6, .from = 60, .field = FINDING_SINCE, .unit = UNIT_NS},
	{"", "", .width = 18, .from = 100, .kind = COLUMN_TEXT, .field = FINDING_ID},
	{"", "", .kind = COLUMN_TEXT, .field = FINDING_TITLE},
	{0},
};

void panel_findings(const struct screen_context *c, struct table *t)
{
	const json_t *all = shown_findings(c);

	for (size_t i = 0; i < json_array_size(all); i++) {
		const json_t *f = json_array_get(all, i);
		enum finding_age age = finding_age(c, f);
		struct record *r;

		if (age != FINDING_LASTS && age != FINDING_RESOLVED)
			continue;
		r = table_append(t);
		r->key = (uint64_t)json_integer_value(json_object_get(f, "number"));
		r->number[FINDING_SINCE] = (double)finding_since_ns(c, f);
		r->text[FINDING_SEVERITY] = age == FINDING_RESOLVED ? "resolved" : table_text(t, "%s", answer_text(f, "severity"));
		r->text[FINDING_ID] = table_text(t, "%s", answer_text(f, "id"));
		r->text[FINDING_TITLE] = table_text(t, "%s", answer_text(f, "title"));
		r->style = finding_style(c, f);
	}
}

enum { RESOURCE_USED, RESOURCE_P99 };
enum { RESOURCE_NAME, RESOURCE_WAITS, RESOURCE_BY, RESOURCE_KIND };
const struct column panel_resource_columns[] = {
	{"RESOURCE", "what is used", .width = 18, .wide = 26, .kind = COLUMN_TEXT, .field = RESOURCE_NAME},
	{"USED%", "how much of it", .width = 6, .field = RESOURCE_USED, .unit = UNIT_PERCENT, .warning = 80, .critical = 95},
	{"WAITS, ERRORS", "what waits for it, and what failed", .width = 22, .wide = 30, .from = 44, .kind = COLUMN_TEXT,
	 .field = RESOURCE_WAITS},
	{"p99", "how long it takes", .width = 7, .from = 60, .field = RESOURCE_P99, .unit = UNIT_NS},
	{"MOST BY", "who uses or wants it most", .kind = COLUMN_TEXT, .field = RESOURCE_BY},
	{0},
};

/* What is worth a look comes first: 2 for what is used up or fails, 1 for what is waited for. */
static int resource_rank(const json_t *r)
{
	if (json_is_true(json_object_get(r, "high")) || answer_number(r, "errors") > 0)
		return 2;
	return answer_number(r, "saturation") >= 0.05;
}

static void add_amount(struct buf *text, const json_t *r, const char *key, const char *unit_key)
{
	double value = answer_number(r, key);
	char bytes[16];

	if (isnan(value) || value < 0.005)
		return;
	buf_addstr(text, text->len ? ", " : "");
	if (!strcmp(answer_text(r, unit_key), "bytes/s"))
		buf_addf(text, "%s/s", format_bytes(value, bytes));
	else
		buf_addf(text, "%.3g %s", value, answer_text(r, unit_key));
}

static void add_resource(struct table *t, const json_t *from, int rank, uint64_t key)
{
	const json_t *by = json_object_get(from, "most_by");
	_cleanup_(buf_done) struct buf waits = BUF_INIT;
	struct record *r = table_append(t);

	add_amount(&waits, from, "saturation", "saturation_unit");
	add_amount(&waits, from, "errors", "errors_unit");
	r->key = key;
	r->number[RESOURCE_USED] = answer_number(from, "utilisation_percent");
	r->number[RESOURCE_P99] = 1e3 * answer_number(json_object_get(from, "latency"), "p99_us");
	r->text[RESOURCE_KIND] = table_text(t, "%s", answer_text(from, "kind"));
	r->text[RESOURCE_NAME] = table_text(t, "%s %s", answer_text(from, "kind"), answer_text(from, "name"));
	r->text[RESOURCE_WAITS] = table_text(t, "%s", waits.data);
	r->text[RESOURCE_BY] = json_is_object(by) ? table_text(t, "%s (%.0f)", answer_text(by, "comm"), answer_number(by, "pid")) : "";
	r->style = rank == 2 ? STYLE_WARNING : rank ? STYLE_NORMAL : STYLE_DIM;
}

void panel_resources(const struct screen_context *c, struct table *t)
{
	uint64_t end = window_end_ns(c->window);
	const json_t *all = c->options->resources && window_ns(c->window) ?
		c->options->resources(c->options->arg, end - window_ns(c->window), end) : NULL;

	for (int rank = 2; rank >= 0; rank--)
		for (size_t i = 0; i < json_array_size(all); i++)
			if (resource_rank(json_array_get(all, i)) == rank)
				add_resource(t, json_array_get(all, i), rank, i + 1);
}

const char *panel_resource_screen(const char *kind)
{
	static const struct {
		const char *kind, *screen;
	} screens[] = {
		{"disk", "disk"}, {"file system", "file systems"}, {"memory", "memory"}, {"swap", "memory"}, {"memory limit", "limits"},
		{"interface", "interfaces"}, {"TCP", "connections"}, {"listen queues", "listeners"}, {"UDP", "drops"},
		{"locks", "locks"}, {"kernel locks", "locks"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(screens); i++)
		if (!strcmp(screens[i].kind, kind))
			return screens[i].screen;
	return "processes";
}

enum { COMPONENT_CPU, COMPONENT_P99, COMPONENT_THREADS };
enum { COMPONENT_NAME, COMPONENT_VERDICT };
const struct column panel_component_columns[] = {
	{"SERVICE", "unit, container, or else program", .width = 18, .wide = 26, .kind = COLUMN_TEXT, .field = COMPONENT_NAME},
	{"CPU%", "100 is one CPU", .width = 6, .field = COMPONENT_CPU, .unit = UNIT_PERCENT},
	{"p99", "99 % of its answers take less, where requests can be told apart", .width = 7, .from = 50, .field = COMPONENT_P99,
	 .unit = UNIT_NS},
	{"STATE TIME", "all of its threads' time by state, sleep left out", .width = 16, .wide = 24, .from = 40, .kind = COLUMN_STATES},
	{"THR", "threads", .width = 4, .from = 70, .field = COMPONENT_THREADS},
	{"VERDICT", "the worst finding about it", .kind = COLUMN_TEXT, .field = COMPONENT_VERDICT},
	{0},
};

static struct record *component_of(struct table *t, const struct window_process *p)
{
	char name[FOCUS_NAME];
	struct record *r;

	window_component(p, name, sizeof(name));
	r = table_get(t, hash_bytes(name, strlen(name)) | 1);
	if (!r->text[COMPONENT_NAME]) {
		r->text[COMPONENT_NAME] = table_text(t, "%s", name);
		r->text[COMPONENT_VERDICT] = "";
		r->number[COMPONENT_P99] = NAN;
		r->dim = p->kernel || p->own;
	}
	return r;
}

static const struct window_process *process_of_task(const struct window *w, uint32_t task)
{
	const struct window_thread *t = window_find(w, task);

	return t ? window_process(w, t->process) : NULL;
}

/* Which services' requests a component answers is told by its threads' samples, how long they take by histograms. */
static void add_latencies(const struct window *w, struct table *t)
{
	uint32_t cursor = 0, metric = window_metric_id(w, "request.time");
	const struct ledger_row *row;

	while ((row = window_next_sample(w, metric, &cursor))) {
		const struct window_process *p = process_of_task(w, row->key[BY_TASK]);
		struct record *r = p ? component_of(t, p) : NULL;
		double p99 = r ? (double)window_quantile(w, "request.time", row->key[BY_RESOURCE], 0.99) : 0;

		if (r && p99 > 0 && !(p99 <= r->number[COMPONENT_P99]))
			r->number[COMPONENT_P99] = p99;
	}
}

static void judge(const struct screen_context *c, struct table *t, const json_t *finding)
{
	const json_t *affected = json_object_get(finding, "affected");

	for (size_t i = 0; i < json_array_size(affected); i++) {
		json_int_t pid = json_integer_value(json_object_get(json_array_get(affected, i), "pid"));

		for (uint32_t k = 0; k < window_process_count(c->window); k++) {
			const struct window_process *p = window_process(c->window, k);
			struct record *r = p->pid == pid && state_total(&p->times) ? component_of(t, p) : NULL;

			/* The worst comes first. */
			if (!r || *r->text[COMPONENT_VERDICT])
				continue;
			r->text[COMPONENT_VERDICT] = table_text(t, "%s %s", answer_text(finding, "severity"), answer_text(finding, "id"));
			r->style = finding_style(c, finding);
		}
	}
}

/* The sum of its processes' times; records' times point into this, which the next update frees. */
static void add_up(const struct window *w, struct table *t)
{
	struct state_times *times;

	for (uint32_t i = 0; i < window_process_count(w); i++)
		if (state_total(&window_process(w, i)->times))
			component_of(t, window_process(w, i));
	times = table_alloc(t, (t->count + 1) * sizeof(*times));
	for (uint32_t i = 0; i < t->count; i++)
		t->records[i].times = &times[i];
	for (uint32_t i = 0; i < window_process_count(w); i++) {
		const struct window_process *p = window_process(w, i);
		struct record *r = state_total(&p->times) ? component_of(t, p) : NULL;

		if (!r)
			continue;
		state_add(&times[r - t->records], &p->times);
		r->number[COMPONENT_THREADS] += p->threads;
		r->process = r->process ? r->process : p->id;
	}
	for (uint32_t i = 0; i < t->count; i++) {
		t->records[i].number[COMPONENT_CPU] = 100 * (double)times[i].ns[RUNNING] / (double)window_ns(w);
		times[i].ns[SLEEPING] = 0;
	}
}

void panel_components(const struct screen_context *c, struct table *t)
{
	const json_t *all = shown_findings(c);

	if (!window_ns(c->window))
		return;
	add_up(c->window, t);
	add_latencies(c->window, t);
	for (size_t i = 0; i < json_array_size(all); i++)
		if (finding_age(c, json_array_get(all, i)) == FINDING_LASTS)
			judge(c, t, json_array_get(all, i));
	for (uint32_t i = 0; i < t->count; i++)
		if (!*t->records[i].text[COMPONENT_VERDICT])
			t->records[i].text[COMPONENT_VERDICT] = "ok";
}
