// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "amount.h"
#include "fail.h"
#include "folded.h"
#include "log.h"
#include "mem.h"
#include "output.h"
#include "picture.h"
#include "recorded.h"
#include "recording.h"
#include "svg.h"

struct flamegraph_options {
	struct select_options select;
	enum profile profile;
	bool folded, icicle, idle;
	const char *diff, *output, *title, *subtitle, *unit, *search;
	uint64_t width;
};

static const struct option rows[] = {
	{"kind", 'k', OPTION_CHOICE(struct flamegraph_options, profile), .value = "KIND", .choices = profile_names,
	 .help = "what is drawn"},
	{"idle", 0, OPTION_FLAG(struct flamegraph_options, idle),
	 .help = "off CPU: also waits for work (poll, timers, children)"},
	{"folded", 0, OPTION_FLAG(struct flamegraph_options, folded),
	 .help = "FILE and BASE hold folded stacks, of any tool"},
	{"diff", 0, OPTION_STRING(struct flamegraph_options, diff), .value = "BASE",
	 .complete = COMPLETE_FILE, .no_setting = true,
	 .help = "compare with this file: what grew is red, what shrank is blue"},
	{"output", 'o', OPTION_STRING(struct flamegraph_options, output), .value = "OUT.svg",
	 .complete = COMPLETE_FILE, .no_setting = true,
	 .help = "write here, - for standard output (default: perfscope.svg, - in a pipe)"},
	{"title", 0, OPTION_STRING(struct flamegraph_options, title), .value = "TEXT",
	 .help = "headline of the picture"},
	{"subtitle", 0, OPTION_STRING(struct flamegraph_options, subtitle), .value = "TEXT",
	 .help = "second line of the picture"},
	{"unit", 0, OPTION_STRING(struct flamegraph_options, unit), .value = "UNIT",
	 .help = "what is counted; ns, us, ms, s and bytes are shown in the size that suits"},
	{"icicle", 0, OPTION_FLAG(struct flamegraph_options, icicle),
	 .help = "the root on top, callees below"},
	{"width", 0, OPTION_U64(struct flamegraph_options, width), .value = "PX",
	 .min = 200, .max = 20000,
	 .help = "width of the still picture; a browser fills its window"},
	{"search", 0, OPTION_STRING(struct flamegraph_options, search), .value = "REGEX",
	 .help = "mark these frames from the start"},
	{0},
};

static struct flame_svg_options svg_options(const struct flamegraph_options *o)
{
	return (struct flame_svg_options){.title = o->title, .subtitle = o->subtitle, .unit = o->unit,
					  .inverted = o->icicle, .width = (unsigned)o->width, .search = o->search};
}

static void warn_of_skipped(const char *name, const struct folded_result *result)
{
	if (result->skipped)
		log_warning("%s:%llu: %s; %llu of %llu lines skipped", name,
			    (unsigned long long)result->first_skipped, result->reason,
			    (unsigned long long)result->skipped, (unsigned long long)result->lines);
}

static int read_folded(const struct flamegraph_options *o, struct flame *f, enum flame_side side, const char *path)
{
	bool is_stdin = !strcmp(path, "-");
	const char *name = is_stdin ? "standard input" : path;
	_cleanup_close_ int opened = is_stdin ? -1 : open(path, O_RDONLY | O_CLOEXEC);
	struct folded_result result;

	if (!is_stdin && opened < 0)
		return fail(-errno, "open %s", path);
	if (is_stdin && output_is_terminal(STDIN_FILENO))
		log_info("reading folded stacks from the terminal; end with Ctrl-D");
	int r = flame_read_folded(f, side, is_stdin ? STDIN_FILENO : opened, name, &result);
	if (r < 0)
		return r;
	if (o->diff && result.two_counts)
		return failx(-EINVAL, "%s: its lines have two counts, which is a comparison already: draw it without --diff", name);
	warn_of_skipped(name, &result);
	return 0;
}

struct picture {
	const struct flame *flame;
	struct flame_svg_options svg;
};

static int write_picture(const struct picture *p, const char *path)
{
	int r;

	if (!(flame_total(p->flame, FLAME_NEW) > 0))
		return failx(-EINVAL, "there is nothing to draw: no stack is counted after the change");
	if (!path)
		path = output_is_terminal(STDOUT_FILENO) ? "perfscope.svg" : "-";
	r = picture_write(p->flame, &p->svg, path);
	if (r == 0 && strcmp(path, "-"))
		log_info("wrote %s", path);
	return r;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return !strcmp(path, "-") ? "standard input" : slash && slash[1] ? slash + 1 : path;
}

static int draw_folded(const struct flamegraph_options *o, const char *file)
{
	_cleanup_(flame_freep) struct flame *f = flame_new();
	_cleanup_free_ char *compared = NULL;
	struct picture p = {.flame = f, .svg = svg_options(o)};
	int r = read_folded(o, f, FLAME_NEW, file);

	if (r == 0 && o->diff)
		r = read_folded(o, f, FLAME_BASE, o->diff);
	if (r < 0)
		return r;
	if (o->diff && !o->title)
		p.svg.title = compared = xasprintf("%s compared with %s", base_name(file), base_name(o->diff));
	return write_picture(&p, o->output);
}

/* One side of the picture, and a line that says what it shows. */
static int read_recording(struct flame *f, enum flame_side side, const struct flamegraph_options *o,
			  const char *path, struct recorded *recorded, struct buf *description)
{
	_cleanup_(store_freep) struct store *s = NULL;
	int r = recording_open(path, &o->select, &s);

	if (r < 0 || (r = flame_add_recording(f, side, s, o->profile, o->idle, recorded)) < 0)
		return r;
	recording_describe(s, &o->select, description);
	buf_addstr(description, ", ");
	amount_add(description, (double)recorded->samples, recorded->samples == 1 ? "sample" : "samples");
	return 0;
}

static int draw_recording(const struct flamegraph_options *o, const char *file)
{
	_cleanup_(flame_freep) struct flame *f = flame_new();
	_cleanup_(buf_done) struct buf title = BUF_INIT, subtitle = BUF_INIT;
	struct picture p = {.flame = f, .svg = svg_options(o)};
	struct recorded recorded, base;
	int r = read_recording(f, FLAME_NEW, o, file, &recorded, &subtitle);

	buf_addstr(&title, profile_title(o->profile));
	if (r >= 0 && o->diff) {
		buf_addf(&title, ": %s compared with %s", base_name(file), base_name(o->diff));
		buf_addstr(&subtitle, "; before: ");
		r = read_recording(f, FLAME_BASE, o, o->diff, &base, &subtitle);
	}
	if (r < 0)
		return r;
	p.svg.title = o->title ? o->title : title.data;
	p.svg.subtitle = o->subtitle ? o->subtitle : subtitle.data;
	p.svg.unit = o->unit ? o->unit : recorded.unit;
	return write_picture(&p, o->output);
}

static bool selects(const struct flamegraph_options *o)
{
	const struct select_options *s = &o->select;

	return s->pid || s->cgroup || s->from.kind != TIME_UNSET || s->to.kind != TIME_UNSET ||
	       o->profile != PROFILE_CPU || o->idle;
}

static int run(const struct call *call)
{
	const struct flamegraph_options *o = call->options;
	const char *file = call->operands.count ? call->operands.items[0] : o->folded ? "-" : DEFAULT_RECORDING;

	if (o->diff && !strcmp(o->diff, file))
		return failx(-EINVAL, "%s would be compared with itself", base_name(file));
	if (!o->folded && !strcmp(file, "-"))
		return failx(-EINVAL, "standard input can only have folded stacks: --folded");
	if (o->folded && selects(o))
		return failx(-EINVAL, "folded stacks have no kinds, times, processes or cgroups to choose from");
	return o->folded ? draw_folded(o, file) : draw_recording(o, file);
}

const struct command cmd_flamegraph = {
	.name = "flamegraph",
	.summary = "draw where the time goes as an interactive SVG",
	.description =
		"The picture is one file that needs nothing else. In a browser, a click or Enter "
		"zooms into a frame, Escape goes back out, / searches with a regular expression "
		"and tells the share of the total that matches, n goes to the next match, i turns "
		"the picture upside down. The address keeps zoom and search, so that a view can "
		"be sent as a link. Frames too narrow to be seen are merged into their caller, "
		"and still counted there.\n"
		"\n"
		"Colours: user code is orange, the kernel violet, code made at run time (JIT) "
		"green, inlined functions light blue, code without a name grey. In folded stacks "
		"the kind is told by the endings _[k], _[j] and _[i]. With --diff, both sides are "
		"brought to the same total before they are compared; what is gone is seen with "
		"the button Before.\n"
		"\n"
		"A recording's stacks stand on the names of their processes, and are as wide as the time that they "
		"took; what happened in --kind is known as far as it was recorded.\n"
		"\n"
		"A folded line is FRAME;FRAME;... COUNT from the root to the leaf. Counts may "
		"have fractions. When every line has two counts (before and after, as "
		"difffolded.pl writes them), they are compared. Lines that are no such thing are "
		"skipped with a warning.",
	.operands = (const struct operand[]){
		{"FILE", "the recording (default: perfscope.db); with --folded the stacks to draw, - or none: standard input", .optional = true,
		 .complete = COMPLETE_FILE},
		{0}},
	.options = (const struct option_piece[]){
		{rows, 0},
		{select_option_rows, offsetof(struct flamegraph_options, select)},
		{0}},
	.options_size = sizeof(struct flamegraph_options),
	.defaults = &(const struct flamegraph_options){.width = 1200},
	.examples = (const struct example[]){
		{"perfscope flamegraph -o cpu.svg", "where the CPU time of perfscope.db went"},
		{"perfscope flamegraph -p 1234 --from 10s --to 20s -o part.svg", "one process, ten seconds of it"},
		{"perfscope flamegraph after.db --diff before.db -o change.svg", "what a change did"},
		{"perf script | stackcollapse-perf.pl | perfscope flamegraph --folded > cpu.svg",
		 "draw what another profiler recorded"},
		{"perfscope flamegraph --folded after.folded --diff before.folded -o change.svg",
		 "compare folded stacks"},
		{0}},
	.run = run,
};
