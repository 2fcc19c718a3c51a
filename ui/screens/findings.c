// SPDX-License-Identifier: BSD-2-Clause
/* Findings: what is wrong, since when, with evidence, stacks and what to do. */
#include <math.h>
#include <string.h>

#include "answers.h"
#include "mem.h"
#include "table_screen.h"

enum { RANK, SINCE, IMPACT };
enum { SEVERITY, ID, TITLE };
enum { STACK_FRAMES = 32 };

static const struct column columns[] = {
	{"SEVERITY", "critical, warning or info; resolved ones fade", .width = 8, .kind = COLUMN_TEXT, .field = SEVERITY},
	{"SINCE", "how long it has been there", .width = 7, .from = 50, .field = SINCE, .unit = UNIT_NS},
	{"IMPACT%", "share of the affected work's time that is lost", .width = 7, .from = 90, .field = IMPACT, .unit = UNIT_PERCENT},
	{"ID", "what kind it is: perfscope diagnose --explain ID", .width = 16, .wide = 20, .from = 60, .kind = COLUMN_TEXT, .field = ID},
	{"FINDING", "what was found", .kind = COLUMN_TEXT, .field = TITLE},
	{0},
};

static void fill(const struct screen_context *c, struct table *t, unsigned flags)
{
	const json_t *all = shown_findings(c);

	t->ordered = true;
	if (c->focus.finding && !t->held)
		t->held = c->focus.finding;
	for (size_t i = 0; i < json_array_size(all); i++) {
		const json_t *f = json_array_get(all, i);
		enum finding_age age = finding_age(c, f);
		struct record *r;

		if (age == FINDING_PAST || age == FINDING_FUTURE)
			continue;
		r = table_append(t);
		r->key = (uint64_t)json_integer_value(json_object_get(f, "number"));
		r->number[SINCE] = (double)finding_since_ns(c, f);
		r->number[IMPACT] = 100 * answer_number(f, "impact");
		r->text[SEVERITY] = age == FINDING_RESOLVED ? "resolved" : table_text(t, "%s", answer_text(f, "severity"));
		r->text[ID] = table_text(t, "%s", answer_text(f, "id"));
		r->text[TITLE] = table_text(t, "%s", answer_text(f, "title"));
		r->process = finding_process(c, f);
		r->style = finding_style(c, f);
	}
}

static const json_t *find(const struct screen_context *c, uint64_t number)
{
	const json_t *all = shown_findings(c);

	for (size_t i = 0; i < json_array_size(all); i++)
		if ((uint64_t)json_integer_value(json_object_get(json_array_get(all, i), "number")) == number)
			return json_array_get(all, i);
	return NULL;
}

static bool is_same(const json_t *a, const json_t *b)
{
	return json_equal(json_object_get(a, "role"), json_object_get(b, "role")) &&
	       json_equal(json_object_get(a, "pid"), json_object_get(b, "pid")) &&
	       json_equal(json_object_get(a, "comm"), json_object_get(b, "comm"));
}

/* Threads of one process in a line. */
static void add_affected(const json_t *f, unsigned width, struct lines *l)
{
	const json_t *all = json_object_get(f, "affected"), *resource = json_object_get(f, "resource");

	for (size_t i = 0, next; i < json_array_size(all); i = next) {
		const json_t *a = json_array_get(all, i);
		_cleanup_(buf_done) struct buf text = BUF_INIT;

		buf_addf(&text, "%s %s (%.0f)", answer_text(a, "role"), answer_text(a, "comm"), answer_number(a, "pid"));
		for (next = i; next < json_array_size(all) && is_same(a, json_array_get(all, next)); next++) {
			double tid = answer_number(json_array_get(all, next), "tid");

			if (tid > 0)
				buf_addf(&text, "%s %.0f", next > i ? "," : ", thread", tid);
		}
		lines_add_folded(l, STYLE_NORMAL, 2, width, text.data);
	}
	if (json_is_object(resource))
		lines_add(l, STYLE_NORMAL, 2, "%s %s", answer_text(resource, "kind"), answer_text(resource, "name"));
}

static void add_evidence(const json_t *f, struct lines *l)
{
	const json_t *all = json_object_get(f, "evidence");

	lines_add(l, STYLE_STRONG, 0, "Evidence");
	for (size_t i = 0; i < json_array_size(all); i++) {
		const json_t *e = json_array_get(all, i);
		double threshold = answer_number(e, "threshold");

		if (isnan(threshold))
			lines_add(l, STYLE_NORMAL, 2, "%s: %.4g %s", answer_text(e, "metric"), answer_number(e, "value"), answer_text(e, "unit"));
		else
			lines_add(l, STYLE_NORMAL, 2, "%s: %.4g %s (threshold %.4g)", answer_text(e, "metric"),
				  answer_number(e, "value"), answer_text(e, "unit"), threshold);
	}
}

static void add_stacks(const json_t *f, struct lines *l)
{
	const json_t *all = json_object_get(f, "stacks");

	for (size_t i = 0; i < json_array_size(all); i++) {
		const json_t *s = json_array_get(all, i), *frames = json_object_get(s, "frames");

		const char *role = answer_text(s, "role");

		lines_add(l, STYLE_STRONG, 0, "%s%s, %.0f ms, innermost first", strcmp(role, "hot") ? "Stack of the " : "Hot stack",
			  strcmp(role, "hot") ? role : "", answer_number(s, "weight_ms"));
		for (size_t k = json_array_size(frames), shown = 0; k-- > 0 && shown < STACK_FRAMES; shown++) {
			const char *name = json_string_value(json_array_get(frames, k));

			lines_add(l, STYLE_NORMAL, 2, "%s", name ? name : "?");
		}
	}
}

static void detail(const struct screen_context *c, const struct record *r, unsigned width, struct lines *l)
{
	const json_t *f = find(c, r->key), *actions = json_object_get(f, "actions");

	if (!f)
		return;
	lines_add_folded(l, finding_style(c, f), 0, width, answer_text(f, "title"));
	add_affected(f, width, l);
	add_evidence(f, l);
	lines_add(l, STYLE_STRONG, 0, "What to do");
	for (size_t i = 0; i < json_array_size(actions); i++) {
		const char *text = json_string_value(json_array_get(actions, i));

		lines_add_folded(l, STYLE_NORMAL, 2, width, text ? text : "");
	}
	add_stacks(f, l);
}

static bool enter(const struct screen_context *c, const struct record *r, struct target *target)
{
	target->focus.process = r->process;
	target->screen = "threads";
	return r->process;
}

static const struct table_view views[] = {
	{.name = "findings", .columns = columns, .fill = fill, .detail = detail, .enter = enter,
	 .empty = "Nothing is wrong, as far as the last half minute shows."},
	{0},
};

static const struct table_screen table = {.views = views, .detail_first = true};

static const struct key_help keys[] = {
	{"J K", "Scroll", "what is below the table"},
	TABLE_KEYS,
	{0},
};

const struct screen screen_findings = {
	.name = "findings",
	.label = "Find",
	.key = '3',
	.from_top = true,
	.help = "findings with evidence, stacks and what to do; Enter shows the threads of the one to blame",
	.keys = keys,
	TABLE_SCREEN(&table),
};
