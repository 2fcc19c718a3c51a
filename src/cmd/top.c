// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "clock.h"
#include "command.h"
#include "fail.h"
#include "live.h"
#include "live_answers.h"
#include "live_findings.h"
#include "loop.h"
#include "output.h"
#include "process_facts.h"
#include "recorder.h"
#include "select.h"
#include "store.h"
#include "terminal.h"
#include "terminal_guard.h"
#include "top_json.h"
#include "ui.h"
#include "users.h"

#define KEEP_NS (600 * NS_PER_S)
#define KEEP_BYTES (32 << 20) /* what is added up of it, names, and the processes beside take the rest of 150 MB */
#define LARGE_BYTES (128 << 10)
#define PATIENCE_NS (20 * NS_PER_MS) /* a key is answered within 50 ms */
#define FIRST_SLICE_NS (100 * NS_PER_MS) /* the first screen within a second of the start */

enum { BATCH_COLUMNS = 200 };

struct top_options {
	uint64_t delay_ns, frequency, pid, iterations;
	double most_overhead; /* percent of all CPUs */
	const char *cgroup;
	bool batch, threads;
	struct format_options format;
};

static const struct option rows[] = {
	{"delay", 'd', OPTION_DURATION(struct top_options, delay_ns), .value = "TIME",
	 .help = "between two screens, 100ms to 60s"},
	{"batch", 'b', OPTION_FLAG(struct top_options, batch), .no_setting = true,
	 .help = "print plain text, whole, instead of filling a screen; needs no terminal"},
	{"iterations", 'n', OPTION_U64(struct top_options, iterations), .value = "N", .no_setting = true,
	 .max = UINT64_MAX, .help = "end after so many screens; 0: never"},
	{"threads", 'H', OPTION_FLAG(struct top_options, threads), .help = "threads one by one"},
	{"pid", 'p', OPTION_U64(struct top_options, pid), .value = "PID", .min = 1, .max = 4194304,
	 .complete = COMPLETE_PID, .no_setting = true, .help = "only this process, its threads and its children"},
	{"cgroup", 0, OPTION_STRING(struct top_options, cgroup), .value = "PATH", .no_setting = true,
	 .help = "only processes of this cgroup and those below it, as /proc/PID/cgroup writes it"},
	{"frequency", 'F', OPTION_U64(struct top_options, frequency), .value = "HZ", .min = 1, .max = 10000,
	 .help = "samples a second on each CPU"},
	{"max-overhead", 0, OPTION_PERCENT(struct top_options, most_overhead), .value = "PERCENT",
	 .help = MOST_OVERHEAD_HELP},
	{0},
};

struct top {
	const struct top_options *options;
	struct loop *loop;
	struct loop_source *rest; /* of a long window, to be added up next; NULL: nothing */
	struct store *store;
	struct users *users;
	struct live_findings *findings;
	struct live_answers *answers;
	struct ui *ui;
	struct terminal *terminal; /* NULL: batch */
	uint64_t screens;
	int error;
};

static bool is_batch(const struct top_options *o)
{
	return o->batch || o->format.format == FORMAT_JSON;
}

static bool get_facts(void *arg, uint32_t pid, struct process_facts *ret_facts)
{
	return process_facts_read(((struct top *)arg)->users, pid, ret_facts);
}

static const json_t *get_findings(void *arg)
{
	return live_findings_history(((struct top *)arg)->findings);
}

static const json_t *get_resources(void *arg, uint64_t from_ns, uint64_t to_ns)
{
	struct top *top = arg;
	/* Who looks back waits for just that; what is now is another thing in a second. */
	enum live_asking when = to_ns < window_newest_end_ns(ui_window(top->ui)) ? LIVE_ASK_NOW : LIVE_ASK_SOMETIMES;

	/* One child at a time: what two add up is twice the memory. */
	if (live_findings_are_asked(top->findings))
		when = LIVE_ASK_LATER;
	return live_answers_resources(top->answers, from_ns, to_ns, when);
}

static const json_t *get_annotation(void *arg, const char *function, const char *module, bool intel)
{
	struct top *top = arg;
	uint64_t end = window_end_ns(ui_window(top->ui));

	return live_answers_annotation(top->answers, function, module, intel, end - window_ns(ui_window(top->ui)), end);
}

static void save(void *arg, const struct ui_save *what)
{
	struct top *top = arg;

	ui_say(top->ui, live_answers_save(top->answers, what) ? "writing ..." : "one moment: the file before this one is being written");
}

static int go_on(void *arg, uint32_t events);

static int draw(void *arg)
{
	struct top *top = arg;

	ui_draw(top->ui, terminal_grid(top->terminal));
	terminal_show(top->terminal);
	return ui_is_partial(top->ui) && !top->rest ? loop_add_timer(top->loop, 0, 0, go_on, top, &top->rest) : 0;
}

/* Keys come first: the rest of a long window is added up when none waits. */
static int go_on(void *arg, uint32_t events)
{
	struct top *top = arg;
	int r = ui_go_on(top->ui);

	loop_remove(top->loop, top->rest);
	top->rest = NULL;
	return r < 0 ? r : draw(top);
}

static int show_answer(void *arg)
{
	struct top *top = arg;

	ui_answered(top->ui);
	return top->terminal ? draw(top) : 0;
}

static int show_saved(void *arg, const char *text)
{
	struct top *top = arg;

	ui_say(top->ui, text);
	return top->terminal ? draw(top) : 0;
}

static int take_key(void *arg, const struct key_event *e)
{
	struct top *top = arg;
	enum ui_answer answer = ui_key(top->ui, e);

	if (answer == UI_QUIT)
		loop_stop(top->loop);
	return answer == UI_REDRAW ? draw(top) : 0;
}

static int print(struct top *top)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT;
	_cleanup_(grid_freep) struct grid *g = grid_new(0, 0);

	if (top->options->format.format == FORMAT_JSON) {
		top_json(top->store, ui_window(top->ui), top->options->threads,
			 live_findings_json(top->findings), &text);
	} else {
		ui_draw_all(top->ui, g, output_is_terminal(STDOUT_FILENO) ? output_columns(STDOUT_FILENO) : BATCH_COLUMNS);
		if (top->screens)
			buf_addch(&text, '\n');
		grid_dump(g, &text);
	}
	fwrite(text.data, 1, text.len, stdout);
	return output_flush();
}

/* The recorder has written a slice. */
static void look(void *arg)
{
	struct top *top = arg;
	bool changed;

	if (top->error < 0 || (top->options->iterations && top->screens >= top->options->iterations))
		return;
	top->error = ui_update(top->ui, &changed);
	if (top->error >= 0 && !live_answers_resources_are_asked(top->answers))
		live_findings_update(top->findings, window_newest_end_ns(ui_window(top->ui)));
	if (top->error >= 0 && (changed || !top->terminal))
		top->error = top->terminal ? draw(top) : print(top);
	top->screens++;
	if (top->error < 0 || top->screens == top->options->iterations)
		loop_stop(top->loop);
}

static int leave(void *arg, uint32_t number)
{
	loop_stop(((struct top *)arg)->loop);
	return 0;
}

static int watch_signals(struct top *top)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
	int r;

	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		if ((r = loop_add_signal(top->loop, signals[i], leave, top)) < 0)
			return fail(r, "prepare the event loop");
	return 0;
}

static int open_ui(struct top *top)
{
	const struct top_options *o = top->options;
	int r = ui_new(top->store, &(struct ui_options){.window_ns = o->delay_ns, .keep_ns = KEEP_NS, .keep_bytes = KEEP_BYTES,
							.facts = get_facts, .findings = get_findings,
							.resources = is_batch(o) ? NULL : get_resources,
							.annotation = get_annotation, .save = save,
							.patience_ns = is_batch(o) ? 0 : PATIENCE_NS, .arg = top}, &top->ui);

	if (r >= 0 && (o->threads || is_batch(o)))
		ui_show(top->ui, o->threads ? "threads" : "processes");
	return r;
}

static int open_terminal(struct top *top)
{
	int r;

	if (is_batch(top->options))
		return 0;
	r = terminal_open(top->loop, &(struct terminal_events){.key = take_key, .redraw = draw, .arg = top}, &top->terminal);
	return r < 0 ? r : draw(top);
}

static int run_top(struct top *top)
{
	const struct top_options *o = top->options;
	_cleanup_(recorder_freep) struct recorder *recorder = NULL;
	_cleanup_(terminal_closep) struct terminal *terminal = NULL;
	uint64_t first = is_batch(o) || o->delay_ns < FIRST_SLICE_NS ? o->delay_ns : FIRST_SLICE_NS;
	int r;

	/* The frame first: what it shows takes a second to come. */
	r = watch_signals(top);
	if (r >= 0)
		r = open_terminal(top);
	terminal = top->terminal;
	if (r < 0 ||
	    (r = recorder_new(top->store, top->loop, &(struct recorder_options){
		.frequency = o->frequency, .most_overhead = live_most_overhead(o->most_overhead),
		.slice_ns = o->delay_ns, .first_slice_ns = first, .pid = (uint32_t)o->pid,
		.cgroup = o->cgroup, .in_parts = !is_batch(o), .slice = look, .arg = top}, &recorder)) < 0)
		return r;
	if (terminal)
		live_answer_at_once();
	r = loop_run(top->loop);
	return r < 0 ? r : top->error;
}

static int run(const struct call *call)
{
	struct top top = {.options = call->options};
	_cleanup_(store_freep) struct store *store = NULL;
	_cleanup_(loop_freep) struct loop *loop = NULL;
	_cleanup_(users_freep) struct users *users = users_new();
	_cleanup_(live_findings_freep) struct live_findings *findings = NULL;
	_cleanup_(live_answers_freep) struct live_answers *answers = NULL;
	_cleanup_(ui_freep) struct ui *ui = NULL;
	int r;

	if (top.options->delay_ns < 100 * NS_PER_MS || top.options->delay_ns > 60 * NS_PER_S)
		return failx(-EINVAL, "--delay must be between 100ms and 60s");
	if (!is_batch(top.options) && (r = terminal_guard_start()) < 0)
		return r;
	live_come_first();
	/* Arrays that grow leave holes as large as they were, unless they go back to the system: a fifth of all after ten minutes. */
	mallopt(M_MMAP_THRESHOLD, LARGE_BYTES);
	r = store_create_for_forks(&store);
	if (r < 0)
		return r;
	r = loop_new(&loop);
	if (r < 0)
		return fail(r, "prepare the event loop");
	top.store = store;
	top.loop = loop;
	top.users = users;
	findings = top.findings = live_findings_new(store, loop, show_answer, &top);
	answers = top.answers = live_answers_new(store, loop, &(struct live_answers_events){
		.changed = show_answer, .saved = show_saved, .arg = &top});
	r = open_ui(&top);
	ui = top.ui;
	if (r >= 0)
		r = run_top(&top);
	return r < 0 ? r : EXIT_OK;
}

const struct command cmd_top = {
	.name = "top",
	.summary = "look at this machine live",
	.description =
		"Says whether the machine is well, what is the bottleneck, who causes it and why. Enter leads from each row to what "
		"explains it, down to the instruction, Backspace back; there are screens for processes and threads, findings, "
		"functions, waits with their wakers, locks with their holders, disks, the network, memory, pauses, and flame "
		"graphs. The last ten minutes are kept in memory: + and - look at more or less of them, [ and ] step back and forth. "
		"? explains keys, columns and colours.\n\n"
		"With -b it prints processes (-H: threads) as plain text, all rows, for scripts and screen readers; with --format json, "
		"an object on each line (schema perfscope.top/1).",
	.options = (const struct option_piece[]){
		{rows, 0},
		{format_option_rows, offsetof(struct top_options, format)},
		{0}},
	.options_size = sizeof(struct top_options),
	.defaults = &(const struct top_options){.delay_ns = NS_PER_S, .frequency = 99},
	.examples = (const struct example[]){
		{"sudo perfscope top", "the whole machine"},
		{"sudo perfscope top -p 1234 -H", "the threads of one process and of its children"},
		{"sudo perfscope top -b -n 1 -d 5s", "five seconds as text"},
		{"sudo perfscope top -n 1 --format json | jq '.processes[0]'", "who uses most CPU, for scripts"},
		{0}},
	.run = run,
};
