// SPDX-License-Identifier: BSD-2-Clause
/* The report for people. */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "amount.h"
#include "clock.h"
#include "escape.h"
#include "report_print.h"
#include "report_saturation.h"
#include "report_waits.h"
#include "listing.h"
#include "wrap.h"

#define BOLD "\033[1m"
#define PLAIN "\033[0m"

void report_heading(struct buf *out, const struct report_style *style, const char *text)
{
	buf_addf(out, "\n%s%s%s\n", style->colour ? BOLD : "", text, style->colour ? PLAIN : "");
}

/* Indented; what is too long for a line goes on below it. */
static void add_lines(struct buf *out, const char *text, const struct report_style *style)
{
	while (*text) {
		size_t length = strcspn(text, "\n");
		_cleanup_(buf_done) struct buf line = BUF_INIT;

		buf_add(&line, text, length);
		buf_addstr(out, "  ");
		wrap_text(out, line.data, 2, 4, style->wraps ? style->width : UINT_MAX);
		text += length + (text[length] == '\n');
	}
}

static void add_safe(struct buf *out, const char *text)
{
	escape_terminal(out, text, strlen(text));
}

static void add_time(struct listing *t, uint64_t ns)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT;

	if (ns)
		amount_add(&text, (double)ns, "ns");
	listing_add(t, ns ? text.data : "-");
}

static void add_percent(struct listing *t, double percent)
{
	if (percent < 0.005)
		listing_add(t, "-");
	else
		listing_addf(t, "%.*f %%", percent < 9.95 ? 2 : percent < 999.95 ? 1 : 0, percent);
}

static double percent_of(uint64_t part, uint64_t whole)
{
	return whole ? 100.0 * (double)part / (double)whole : 0;
}

/* Share of a CPU and time, side by side. */
static void add_state(struct listing *t, const struct report *r, uint64_t ns)
{
	add_percent(t, percent_of(ns, r->ns));
	add_time(t, ns);
}

static uint64_t blocked(const struct report_times *t)
{
	return t->sleeping + t->disk + t->stopped;
}

static void add_selected(struct buf *out, const struct report *r)
{
	if (r->ns < r->recording_ns)
		buf_addf(out, "seconds %.1f to %.1f of a recording of %.1f s\n", (double)r->from_ns / 1e9,
			 (double)(r->from_ns + r->ns) / 1e9, (double)r->recording_ns / 1e9);
	if (r->filter_pid)
		buf_addf(out, "only process %llu and its children were recorded\n",
			 (unsigned long long)r->filter_pid);
	if (*r->filter_cgroup) {
		buf_addstr(out, "only processes of cgroup ");
		add_safe(out, r->filter_cgroup);
		buf_addstr(out, " were recorded\n");
	}
	if (r->redacted)
		buf_addstr(out, "redacted: no command lines, addresses of peers, and whose folder a path is in\n");
	if (!r->complete)
		buf_addstr(out, "unfinished: it is still being recorded, or was cut off here\n");
}

static void add_head(struct buf *out, const struct report *r, const struct report_style *style)
{
	_cleanup_(buf_done) struct buf lines = BUF_INIT;
	char when[21];

	clock_format_utc(r->start_wall_ns, when);
	buf_addstr(out, style->colour ? BOLD : "");
	add_safe(out, r->host);
	buf_addf(out, "%s  %s, %.1f s, Linux ", style->colour ? PLAIN : "", when, (double)r->ns / 1e9);
	add_safe(out, r->kernel);
	buf_addf(out, ", %llu CPUs, ", (unsigned long long)r->cpus);
	amount_add(out, (double)r->memory_bytes, "bytes");
	buf_addch(out, '\n');
	buf_addf(&lines, "CPUs %.1f %% busy, load %.2f (highest %.2f), ", r->busy, r->load, r->load_max);
	amount_add(&lines, (double)r->samples, "samples");
	buf_addf(&lines, " at %llu Hz from ", (unsigned long long)r->frequency);
	add_safe(&lines, r->sampled_by);
	buf_addch(&lines, '\n');
	if (r->latency.count) {
		buf_addstr(&lines, "threads waited for a CPU p50 ");
		amount_add(&lines, (double)r->latency.p50, "ns");
		buf_addstr(&lines, ", p99 ");
		amount_add(&lines, (double)r->latency.p99, "ns");
		buf_addstr(&lines, ", longest ");
		amount_add(&lines, (double)r->latency.max, "ns");
		buf_addch(&lines, '\n');
	}
	add_selected(&lines, r);
	add_lines(out, lines.data, style);
}

static void add_cpus(struct buf *out, const struct report *r, const struct report_style *style)
{
	static const struct listing_column columns[] = {
		{"CPU"}, {"busy"}, {"user"}, {"system"}, {"irq"}, {"steal"}, {"iowait"}, {"waits", .spare = 1}, {"p50", .spare = 2},
		{"p90", .spare = 3}, {"p99"}, {"longest"}, {0}};
	_cleanup_(listing_freep) struct listing *t = listing_new(columns);

	for (size_t i = 0; i < r->cpu_count; i++) {
		const struct report_cpu *cpu = &r->cpu[i];

		listing_add(t, cpu->name);
		add_percent(t, cpu->busy);
		add_percent(t, cpu->user);
		add_percent(t, cpu->system);
		add_percent(t, cpu->irq);
		add_percent(t, cpu->steal);
		add_percent(t, cpu->iowait);
		listing_addf(t, "%llu", (unsigned long long)cpu->latency.count);
		add_time(t, cpu->latency.p50);
		add_time(t, cpu->latency.p90);
		add_time(t, cpu->latency.p99);
		add_time(t, cpu->latency.max);
	}
	report_heading(out, style, "CPUs, and how long threads waited for each");
	listing_print(t, style->width, style->colour, out);
}

static const char *ending(const struct report_process *p, char text[32])
{
	text[0] = 0;
	if (p->end_ns < 0 || p->exit_status < 0)
		return p->end_ns < 0 ? "" : "(ended) ";
	if (p->exit_status & 0x7f)
		snprintf(text, 32, "(signal %d) ", p->exit_status & 0x7f);
	else
		snprintf(text, 32, "(exit %d) ", p->exit_status >> 8 & 0xff);
	return text;
}

void report_rest(struct buf *out, size_t shown, size_t all)
{
	if (all > shown)
		buf_addf(out, "  and %zu more (--limit)\n", all - shown);
}

static void add_processes(struct buf *out, const struct report *r, const struct report_style *style)
{
	static const struct listing_column columns[] = {
		{"PID"}, {"threads"}, {"CPU"}, {"on CPU", .spare = 1}, {"runnable"}, {"", .spare = 2}, {"blocked"}, {"", .spare = 3},
		{"process", .left = true, .most = 16}, {"command", .left = true, .takes_rest = true, .least = LEAST_REST}, {0}};
	_cleanup_(listing_freep) struct listing *t = listing_new(columns);
	size_t shown = 0, all = 0;

	for (size_t i = 0; i < r->process_count; i++) {
		const struct report_process *p = &r->processes[i];
		char text[32];

		if (p->own)
			continue;
		all++;
		if (shown == style->limit)
			continue;
		shown++;
		listing_addf(t, "%u", p->pid);
		listing_addf(t, "%u", p->threads);
		add_state(t, r, p->times.running);
		add_state(t, r, p->times.runnable);
		add_state(t, r, blocked(&p->times));
		listing_add(t, p->comm);
		listing_addf(t, "%s%s", ending(p, text), p->kernel ? "[kernel]" : p->command);
	}
	report_heading(out, style, "Processes by CPU time");
	listing_print(t, style->width, style->colour, out);
	report_rest(out, shown, all);
}

static void add_threads(struct buf *out, const struct report *r, const struct report_style *style)
{
	static const struct listing_column columns[] = {
		{"TID"}, {"PID"}, {"CPU"}, {"on CPU", .spare = 1}, {"runnable"}, {"", .spare = 2}, {"blocked"}, {"", .spare = 3},
		{"thread", .left = true, .most = 16}, {"process", .left = true, .takes_rest = true, .least = LEAST_REST}, {0}};
	_cleanup_(listing_freep) struct listing *t = listing_new(columns);
	size_t shown = 0, all = 0;

	for (size_t i = 0; i < r->thread_count; i++) {
		const struct report_thread *thread = &r->threads[i];
		const struct report_process *p = &r->processes[thread->process];

		if (p->own)
			continue;
		all++;
		if (shown == style->limit)
			continue;
		shown++;
		listing_addf(t, "%u", thread->tid);
		listing_addf(t, "%u", p->pid);
		add_state(t, r, thread->times.running);
		add_state(t, r, thread->times.runnable);
		add_state(t, r, blocked(&thread->times));
		listing_add(t, thread->comm);
		listing_add(t, p->comm);
	}
	report_heading(out, style, "Threads by CPU time");
	listing_print(t, style->width, style->colour, out);
	report_rest(out, shown, all);
}

/* One that came and went says little; many of one name are a pattern. */
static void add_ended(struct buf *out, const struct report *r, const struct report_style *style)
{
	static const struct listing_column columns[] = {
		{"processes"}, {"CPU"}, {"on CPU"}, {"mean life"}, {"name", .left = true, .takes_rest = true, .least = LEAST_REST}, {0}};
	_cleanup_(listing_freep) struct listing *t = listing_new(columns);
	size_t shown = 0;

	for (size_t i = 0; i < r->ended_count && shown < 5; i++) {
		const struct report_ended *e = &r->ended[i];

		if (e->count < 5)
			continue;
		listing_addf(t, "%llu", (unsigned long long)e->count);
		add_state(t, r, e->running);
		add_time(t, e->lifetime / e->count);
		listing_add(t, e->comm);
		shown++;
	}
	if (!shown)
		return;
	report_heading(out, style, "Processes that ended, by name");
	listing_print(t, style->width, style->colour, out);
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

static void add_functions(struct buf *out, const struct report *r, const struct report_style *style,
			  const char *heading, const struct report_function *functions, size_t count)
{
	static const char *const kinds[CODE_KINDS] = {
		[CODE_KERNEL] = "kernel", [CODE_ELF] = "user", [CODE_VDSO] = "vdso", [CODE_JIT] = "JIT", [CODE_PYTHON] = "Python",
		[CODE_UNKNOWN] = "unknown"};
	static const struct listing_column columns[] = {
		{"self"}, {"", .spare = 1}, {"total"}, {"", .spare = 2}, {"code", .left = true, .spare = 3}, {"module", .left = true, .most = 24},
		{"function", .left = true, .takes_rest = true, .least = LEAST_REST}, {0}};
	_cleanup_(listing_freep) struct listing *t = listing_new(columns);

	for (size_t i = 0; i < count && i < style->limit; i++) {
		const struct report_function *f = &functions[i];

		add_percent(t, percent_of(f->self, r->sampled_ns));
		add_time(t, f->self);
		add_percent(t, percent_of(f->total, r->sampled_ns));
		add_time(t, f->total);
		listing_add(t, f->inlined ? "inlined" : kinds[f->kind]);
		listing_add(t, base_name(f->module));
		listing_add(t, f->name);
	}
	report_heading(out, style, heading);
	listing_print(t, style->width, style->colour, out);
}

static void add_code(struct buf *out, const struct report *r, const struct report_style *style)
{
	_cleanup_free_ struct report_function *by_total = NULL;
	size_t count;

	if (!r->samples) {
		report_heading(out, style, "Functions");
		buf_addstr(out, "  no stack was sampled\n");
		return;
	}
	add_functions(out, r, style, "Functions by their own CPU time (share of all samples)", r->functions,
		      r->function_count);
	by_total = report_by_total(r, style->limit, &count);
	add_functions(out, r, style, "Functions by CPU time with all they called", by_total, count);
}

static void add_held(struct buf *out, const struct report *r)
{
	for (size_t i = 0; i < r->held_count; i++) {
		const struct report_held *h = &r->held[i];

		buf_addstr(out, i ? ", " : "to keep within --max-overhead: ");
		add_safe(out, h->name);
		if (h->least > 0)
			buf_addf(out, " down to 1 in %.0f", 1 / h->least);
		else
			buf_addstr(out, " off");
		buf_addf(out, " (%.0f %% of the time)", 100 * h->part);
	}
	if (r->held_count)
		buf_addstr(out, "; sums are estimates then\n");
}

static void add_cost(struct buf *out, const struct report *r, const struct report_style *style)
{
	const struct report_cost *c = &r->cost;
	_cleanup_(buf_done) struct buf lines = BUF_INIT;
	bool lost = false;

	report_heading(out, style, "What perfscope itself took");
	buf_addf(&lines, "%.2f %% of a CPU (%.2f %% in its processes, %.2f %% in its BPF programs",
		 c->cpu_percent + c->bpf_percent, c->cpu_percent, c->bpf_percent);
	if (c->asked_percent > 0)
		buf_addf(&lines, ", %.2f %% of it asked for", c->asked_percent);
	buf_addstr(&lines, "), ");
	amount_add(&lines, c->memory, "bytes");
	buf_addstr(&lines, " of memory, ");
	amount_add(&lines, c->kernel_memory, "bytes");
	buf_addstr(&lines, " in the kernel\nlost: ");
	for (int i = 0; i < LOSSES; i++) {
		if (!c->lost[i])
			continue;
		buf_addf(&lines, "%s%llu %s", lost ? ", " : "", (unsigned long long)c->lost[i], report_loss_names[i]);
		lost = true;
	}
	buf_addstr(&lines, lost ? "\n" : "nothing\n");
	add_held(&lines, r);
	for (size_t i = 0; i < r->gap_count; i++) {
		buf_addstr(&lines, "not recorded: ");
		add_safe(&lines, r->gaps[i].probe);
		buf_addstr(&lines, " (");
		add_safe(&lines, r->gaps[i].reason);
		buf_addstr(&lines, ")\n");
	}
	add_lines(out, lines.data, style);
}

/* A line each: diagnose tells the rest. */
static void add_findings(struct buf *out, const struct findings *findings, const struct report_style *style)
{
	static const struct listing_column columns[] = {
		{"severity", .left = true}, {"impact"}, {"finding", .left = true},
		{"what", .left = true, .takes_rest = true, .least = LEAST_REST, .wraps = true}, {0}};
	_cleanup_(listing_freep) struct listing *t = listing_new(columns);

	report_heading(out, style, "Findings (perfscope diagnose FILE tells more)");
	for (size_t i = 0; i < findings->count && i < style->limit; i++) {
		const struct finding *f = &findings->items[i];

		listing_add(t, severity_name(f->severity));
		listing_addf(t, "%.0f %%", 100 * f->impact);
		listing_add(t, f->id);
		listing_add(t, f->title);
	}
	if (findings->count)
		listing_print(t, style->width, style->colour, out);
	else
		buf_addstr(out, "  nothing is held up\n");
	report_rest(out, findings->count < style->limit ? findings->count : style->limit, findings->count);
}

void report_text(const struct report_parts *parts, const struct report_style *style, struct buf *out)
{
	const struct report *r = parts->report;

	add_head(out, r, style);
	add_findings(out, parts->findings, style);
	report_heading(out, style, "Resources");
	saturation_text(parts->saturation, style->width, style->colour, out);
	add_cpus(out, r, style);
	add_processes(out, r, style);
	add_threads(out, r, style);
	add_ended(out, r, style);
	waits_text(parts->explained, style, out);
	add_code(out, r, style);
	add_cost(out, r, style);
}
