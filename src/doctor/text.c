// SPDX-License-Identifier: BSD-2-Clause
/* The report for people: the verdict, what is lacking and its price, then everything. */
#include "doctor.h"

#include <string.h>

#include "cleanup.h"
#include "escape.h"
#include "wrap.h"

static const struct look {
	const char *word, *verdict, *color;
} looks[DOCTOR_STATUSES] = {
	[DOCTOR_WORKS] = { "works", "work", "\033[32m" },
	[DOCTOR_FALLBACK] = { "falls back", "fall back", "\033[33m" },
	[DOCTOR_MISSING] = { "missing", "missing", "\033[31m" },
	[DOCTOR_UNTRIED] = { "not tried", "not tried", "\033[35m" },
	[DOCTOR_INFO] = { "", "", "" },
};

#define NAME_COLUMN 14 /* two, status, two */
#define NAME_WIDTH 26
#define INDENT (NAME_COLUMN + NAME_WIDTH)

/* Words of `text` from column `at` on, wrapped; lines after the first begin at `indent`. */
static void add_wrapped(struct buf *b, const struct doctor_style *style, unsigned at,
			unsigned indent, const char *text)
{
	_cleanup_(buf_done) struct buf safe = BUF_INIT;

	escape_terminal(&safe, text, strlen(text));
	wrap_text(b, safe.data, at, indent, style->width);
}

static void add_status(struct buf *b, const struct doctor_style *style, enum doctor_status status)
{
	const struct look *look = &looks[status];

	buf_addf(b, "  %s%-10s%s", style->color ? look->color : "", look->word,
		 style->color && *look->color ? "\033[0m" : "");
}

static void add_note(struct buf *b, const struct doctor_style *style, const char *label,
		     const char *text)
{
	buf_addf(b, "%*s%s", INDENT, "", label);
	add_wrapped(b, style, INDENT + wrap_columns(label, strlen(label)), INDENT + 2, text);
}

/* Hooks stand beside the feature that they serve, unless none could be tried. */
static bool is_hook(const struct doctor_result *r)
{
	return !strcmp(r->group, "hook") && r->status != DOCTOR_UNTRIED;
}

static bool lacking(const struct doctor_result *r)
{
	return r->status != DOCTOR_WORKS && r->status != DOCTOR_INFO;
}

static void add_notes(struct buf *b, const struct doctor_style *style,
		      const struct doctor_result *r)
{
	if (!lacking(r) || r->status == DOCTOR_UNTRIED) /* the head says what to do about these */
		return;
	if (r->status == DOCTOR_FALLBACK && r->fallback)
		add_note(b, style, "instead: ", r->fallback);
	if (r->cost)
		add_note(b, style, "costs: ", r->cost);
	if (r->mend.len)
		add_note(b, style, "to mend: ", r->mend.data);
}

static void add_row(struct buf *b, const struct doctor_style *style, const struct doctor_result *r)
{
	unsigned width = wrap_columns(r->name, strlen(r->name));
	const char *text = r->detail.len ? r->detail.data : r->purpose;

	add_status(b, style, r->status);
	buf_addf(b, "  %-*s", NAME_WIDTH, r->name);
	add_wrapped(b, style, width < NAME_WIDTH ? INDENT : NAME_COLUMN + width, INDENT, text);
	if (r->detail.len && style->all)
		add_note(b, style, "for: ", r->purpose);
	add_notes(b, style, r);
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}

/* Whether two results of one group can share a line; the price of one hook is not that of the next.
 */
static bool alike(const struct doctor_result *a, const struct doctor_result *r)
{
	if (a->group != r->group || a->status != r->status ||
	    strcmp(a->detail.data, r->detail.data))
		return false;
	if (is_hook(a) && strcmp(a->purpose, r->purpose))
		return false;
	return !lacking(a) || a->status == DOCTOR_UNTRIED ||
	       (same_text(a->fallback, r->fallback) && same_text(a->cost, r->cost) &&
		!strcmp(a->mend.data, r->mend.data));
}

static void add_shared_row(struct buf *b, const struct doctor_style *style,
			   const struct doctor_result *r, size_t count)
{
	_cleanup_(buf_done) struct buf names = BUF_INIT;
	unsigned column = is_hook(r) ? INDENT : NAME_COLUMN;

	for (size_t i = 0; i < count; i++)
		buf_addf(&names, "%s%s", i ? ", " : "", r[i].name);
	add_status(b, style, r->status);
	buf_addstr(b, "  ");
	if (is_hook(r))
		buf_addf(b, "%-*s", NAME_WIDTH, r->purpose);
	add_wrapped(b, style, column, column, names.data);
	if (r->detail.len)
		add_note(b, style, lacking(r) && r->status != DOCTOR_UNTRIED ? "because: " : "",
			 r->detail.data);
	add_notes(b, style, r);
}

static size_t add_rows(struct buf *b, const struct doctor_style *style,
		       const struct doctor_result *r, size_t left)
{
	size_t count = 1;

	while (!style->all && count < left && alike(r, &r[count]))
		count++;
	if (style->all || (count == 1 && r->detail.len && !is_hook(r)))
		add_row(b, style, r);
	else
		add_shared_row(b, style, r, count);
	return count;
}

static void add_group(struct buf *b, const struct doctor_style *style,
		      const struct doctor_report *report, const struct doctor_group *group)
{
	buf_addf(b, "\n%s%s%s\n", style->color ? "\033[1m" : "", group->title,
		 style->color ? "\033[0m" : "");
	for (size_t i = 0; i < report->count;) {
		if (strcmp(report->results[i].group, group->name))
			i++;
		else
			i += add_rows(b, style, &report->results[i], report->count - i);
	}
}

static void add_verdict(struct buf *b, const struct doctor_style *style,
			const struct doctor_report *report)
{
	const size_t *n = report->counts;
	_cleanup_(buf_done) struct buf line = BUF_INIT;
	const char *mark = report->can_record ? "\033[1;32m" : "\033[1;31m";

	buf_addf(&line, "perfscope %s here: ", report->can_record ? "can record" : "cannot record");
	for (int i = 0; i < DOCTOR_INFO; i++)
		if (n[i])
			buf_addf(&line, "%s%zu %s", i ? ", " : "", n[i], looks[i].verdict);
	buf_addf(&line, " (Linux %s, %s, user %u).", report->uts.release, report->uts.machine,
		 report->uid);
	if (style->color)
		buf_addstr(b, mark);
	add_wrapped(b, style, 0, 0, line.data);
	if (style->color) { /* the line ends after the colour does */
		b->data[--b->len] = '\0';
		buf_addstr(b, "\033[0m\n");
	}
}

/* What stands between this user and a recording; what one remedy mends is said once. */
static void add_blockers(struct buf *b, const struct doctor_style *style,
			 const struct doctor_report *report)
{
	const struct doctor_result *previous = NULL;

	for (size_t i = 0; i < report->count; i++) {
		const struct doctor_result *r = &report->results[i];
		_cleanup_(buf_done) struct buf line = BUF_INIT;

		if (!doctor_blocks(r) ||
		    (previous && r->mend.len && !strcmp(previous->mend.data, r->mend.data)))
			continue;
		previous = r;
		buf_addf(&line, "%s: %s", r->name, r->detail.data);
		if (r->mend.len)
			buf_addf(&line, "; to mend: %s", r->mend.data);
		buf_addstr(b, "  ");
		add_wrapped(b, style, 2, 4, line.data);
	}
	if (report->counts[DOCTOR_UNTRIED] && !previous)
		buf_addstr(b, "  Run `sudo perfscope doctor` to try the rest.\n");
}

void doctor_text(const struct doctor_report *report, const struct doctor_style *style,
		 struct buf *b)
{
	add_verdict(b, style, report);
	add_blockers(b, style, report);
	for (const struct doctor_group *g = doctor_groups; g->name; g++)
		add_group(b, style, report, g);
}
