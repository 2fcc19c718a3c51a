// SPDX-License-Identifier: BSD-2-Clause
#include "findings_text.h"

#include <stdio.h>
#include <string.h>

#include "escape.h"
#include "text.h"
#include "wrap.h"

enum { LABEL = 10, INDENT = 3, SHOWN_TASKS = 4, SHOWN_FRAMES = 8, SHOWN_KERNEL = 3 };

static void put(struct buf *b, const char *text)
{
	escape_terminal(b, text, strlen(text));
}

static const char *colour_of(enum severity severity)
{
	static const char *const colours[] = {"\033[36m", "\033[33m", "\033[1;31m"};

	return colours[severity];
}

static void put_severity(struct buf *b, enum severity severity, const char *name,
			 const struct findings_style *style)
{
	buf_addf(b, "%s%s%s", style->colour ? colour_of(severity) : "", name,
		 style->colour ? "\033[0m" : "");
}

static void line(struct buf *b, const char *label, const char *text, unsigned width)
{
	unsigned left = INDENT + LABEL;

	buf_addf(b, "%*s%-*s", INDENT, "", LABEL, label);
	wrap_text(b, text, left, left, width > left + 20 ? width : left + 20);
}

static void add_tasks(struct buf *b, const struct finding *f, const char *role, const char *label,
		      unsigned width)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT;
	size_t count = 0;

	for (size_t i = 0; i < f->affected_count; i++) {
		const struct finding_task *t = &f->affected[i];

		if (strcmp(t->role, role) || ++count > SHOWN_TASKS)
			continue;
		if (count > 1)
			buf_addstr(&text, ", ");
		put(&text, t->comm);
		buf_addf(&text, " (pid %u", t->pid);
		if (t->tid && t->tid != t->pid)
			buf_addf(&text, ", thread %u", t->tid);
		buf_addch(&text, ')');
	}
	if (count > SHOWN_TASKS)
		buf_addf(&text, " and %zu more", count - SHOWN_TASKS);
	if (count)
		line(b, label, text.data, width);
}

static void add_evidence_lines(struct buf *b, const struct finding *f, unsigned width)
{
	for (size_t i = 0; i < f->evidence_count; i++) {
		const struct finding_evidence *e = &f->evidence[i];
		_cleanup_(buf_done) struct buf text = BUF_INIT;

		put(&text, e->metric);
		buf_addf(&text, ": %.*f ", e->value < 10 ? 2 : e->value < 100 ? 1 : 0, e->value);
		put(&text, e->unit);
		if (e->has_threshold)
			buf_addf(&text, " (threshold %g)", e->threshold);
		line(b, i ? "" : "evidence", text.data, width);
	}
}

/* Where the kernel begins, and what every stack has there: they say nothing. */
static bool is_kernel_entry(const char *frame)
{
	return starts_with(frame, "entry_SYSCALL") || starts_with(frame, "asm_exc_") ||
	       starts_with(frame, "asm_sysvec_") || !strcmp(frame, "el0t_64_sync");
}

static bool is_kernel_routine(const char *frame)
{
	static const char *const routine[] = {"do_syscall_64", "x64_sys_call", "el0t_64_sync_handler", "el0_svc", "do_el0_svc",
					      "el0_svc_common", "invoke_syscall", "schedule", "__schedule"};

	for (size_t i = 0; i < sizeof(routine) / sizeof(*routine); i++)
		if (!strcmp(frame, routine[i]))
			return true;
	return is_kernel_entry(frame);
}

/* Frames from `from` to `to`; of too many the last ones. */
static void add_frames(struct buf *text, const struct finding_stack *s, size_t from, size_t to, size_t most)
{
	size_t left_out = to - from > most ? to - from - most : 0;

	if (left_out)
		buf_addstr(text, text->len ? " > ..." : "...");
	for (size_t i = from + left_out; i < to; i++) {
		buf_addstr(text, text->len ? " > " : "");
		put(text, s->frames[i]);
	}
}

/* Of the program the leaf's side says where it is, of the kernel the call that it made, and the end. */
static void add_stack(struct buf *b, const struct finding_stack *s, unsigned width)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT, label = BUF_INIT, line_text = BUF_INIT;
	size_t kernel = 0, call, end = s->depth;

	while (kernel < s->depth && !is_kernel_entry(s->frames[kernel]))
		kernel++;
	for (call = kernel; call < end && is_kernel_routine(s->frames[call]);)
		call++;
	while (end > call && is_kernel_routine(s->frames[end - 1]))
		end--;
	add_frames(&text, s, 0, kernel, SHOWN_FRAMES - (call < end) * SHOWN_KERNEL);
	if (call < end)
		add_frames(&text, s, call, call + 1, 1);
	if (call + 1 < end)
		add_frames(&text, s, call + 1, end, SHOWN_KERNEL - 1);
	if (s->weight_bytes > 0)
		buf_addf(&line_text, "%.1f MiB: %s", s->weight_bytes / 1048576, text.data);
	else if (s->weight_ms > 0)
		buf_addf(&line_text, "%.0f ms: %s", s->weight_ms, text.data);
	else /* how often, which is in the evidence */
		buf_addstr(&line_text, text.data);
	put(&label, s->role);
	line(b, label.data, line_text.data, width);
}

static void add_actions(struct buf *b, const struct finding *f, unsigned width)
{
	for (size_t i = 0; i < f->action_count; i++) {
		_cleanup_(buf_done) struct buf text = BUF_INIT;

		put(&text, f->actions[i]);
		line(b, i ? "" : "to do", text.data, width);
	}
	if (f->runbook) {
		_cleanup_(buf_done) struct buf text = BUF_INIT;

		buf_addstr(&text, "perfscope runbook show ");
		put(&text, f->runbook);
		line(b, "next", text.data, width);
	}
}

static void add_finding(struct buf *b, const struct finding *f, const struct findings_style *style)
{
	put_severity(b, f->severity, severity_name(f->severity), style);
	buf_addf(b, " %s, impact %.0f %%\n", f->id, 100 * f->impact);
	_cleanup_(buf_done) struct buf title = BUF_INIT;
	put(&title, f->title);
	line(b, "what", title.data, style->width);
	add_tasks(b, f, "culprit", "culprit", style->width);
	add_tasks(b, f, "victim", "delayed", style->width);
	if (*f->resource_kind) {
		_cleanup_(buf_done) struct buf text = BUF_INIT;

		put(&text, f->resource_name);
		line(b, "on", text.data, style->width);
	}
	add_evidence_lines(b, f, style->width);
	for (size_t i = 0; i < f->stack_count; i++)
		add_stack(b, &f->stacks[i], style->width);
	add_actions(b, f, style->width);
}

void findings_text(const struct findings *f, const struct findings_style *style, struct buf *text)
{
	for (size_t i = 0; i < f->count; i++) {
		if (i)
			buf_addch(text, '\n');
		add_finding(text, &f->items[i], style);
	}
}

void findings_verdict(const struct findings *f, const struct findings_style *style,
		      struct buf *text)
{
	static const char *const words[] = {"OK", "WARNING", "CRITICAL"};
	enum severity worst = findings_worst(f);

	put_severity(text, worst, words[worst], style);
	if (worst == SEVERITY_INFO) {
		buf_addf(text, ": nothing is held up%s\n", f->count ? "; worth knowing:" : "");
		return;
	}
	buf_addstr(text, ": ");
	put(text, f->items[0].title);
	buf_addch(text, '\n');
}
