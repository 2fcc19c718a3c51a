// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command.h"
#include "fail.h"
#include "folded.h"
#include "log.h"
#include "mem.h"
#include "output.h"
#include "svg.h"

struct flamegraph_options {
	bool folded, icicle;
	const char *diff, *output, *title, *subtitle, *unit, *search;
	uint64_t width;
};

static const struct option rows[] = {
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

static void warn_of_skipped(const char *name, const struct folded_result *result)
{
	if (result->skipped)
		log_warning("%s:%llu: %s; %llu of %llu lines skipped", name,
			    (unsigned long long)result->first_skipped, result->reason,
			    (unsigned long long)result->skipped, (unsigned long long)result->lines);
}

static int read_folded(struct flame *f, enum flame_side side, const char *path)
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
	if (r == 0)
		warn_of_skipped(name, &result);
	return r;
}

/* A picture that could not be written whole is worse than none, but nothing is removed that is
 * not a file: it may be a terminal, a pipe or a device. */
static int write_file(const struct flame *f, const struct flame_svg_options *svg, const char *path)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	struct stat st;
	int r;

	if (fd < 0)
		return fail(-errno, "create %s", path);
	r = flame_write_svg(f, svg, fd);
	if (r == 0)
		return 0;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		unlink(path);
	return fail(r, "write %s", path);
}

static int write_picture(const struct flame *f, const struct flamegraph_options *o,
			 const char *title)
{
	struct flame_svg_options svg = {
		.title = title, .subtitle = o->subtitle, .unit = o->unit, .inverted = o->icicle,
		.width = (unsigned)o->width, .search = o->search};
	const char *path = o->output;
	int r;

	if (!(flame_total(f, FLAME_NEW) > 0))
		return failx(-EINVAL, "nothing to draw: no stack is counted after the change");
	if (!path)
		path = output_is_terminal(STDOUT_FILENO) ? "perfscope.svg" : "-";
	if (strcmp(path, "-")) {
		r = write_file(f, &svg, path);
		if (r == 0)
			log_info("wrote %s", path);
		return r;
	}
	r = flame_write_svg(f, &svg, STDOUT_FILENO);
	if (r == -EPIPE)
		return EXIT_OK; /* whoever read it has seen enough */
	return r < 0 ? fail(r, "write to standard output") : 0;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return !strcmp(path, "-") ? "standard input" : slash && slash[1] ? slash + 1 : path;
}

static int run(const struct call *call)
{
	const struct flamegraph_options *o = call->options;
	const char *file = call->operands.count ? call->operands.items[0] : "-";
	_cleanup_(flame_freep) struct flame *f = flame_new();
	_cleanup_free_ char *compared = NULL;
	int r;

	if (!o->folded)
		return failx(-EINVAL, "only folded stacks can be drawn yet: add --folded");
	if (o->diff && !strcmp(o->diff, file))
		return failx(-EINVAL, "%s would be compared with itself", base_name(file));
	r = read_folded(f, FLAME_NEW, file);
	if (r == 0 && o->diff)
		r = read_folded(f, FLAME_BASE, o->diff);
	if (r < 0)
		return r;
	if (o->diff && !o->title)
		compared = xasprintf("%s compared with %s", base_name(file), base_name(o->diff));
	return write_picture(f, o, compared ? compared : o->title);
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
		"A folded line is FRAME;FRAME;... COUNT from the root to the leaf. Counts may "
		"have fractions. When every line has two counts (before and after, as "
		"difffolded.pl writes them), they are compared. Lines that are no such thing are "
		"skipped with a warning.",
	.operands = (const struct operand[]){
		{"FILE", "the stacks to draw; - or none: standard input", .optional = true,
		 .complete = COMPLETE_FILE},
		{0}},
	.options = (const struct option_piece[]){{rows, 0}, {0}},
	.options_size = sizeof(struct flamegraph_options),
	.defaults = &(const struct flamegraph_options){.width = 1200, .unit = "samples"},
	.examples = (const struct example[]){
		{"perf script | stackcollapse-perf.pl | perfscope flamegraph --folded > cpu.svg",
		 "draw what another profiler recorded"},
		{"perfscope flamegraph --folded after.folded --diff before.folded -o change.svg",
		 "see what a change did"},
		{0}},
	.run = run,
};
