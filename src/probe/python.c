// SPDX-License-Identifier: BSD-2-Clause
/* Python functions in stacks: what the kernel side says of code objects and of processes that end.
 * The frames themselves come along with each stack. */
#include "probe.h"

static void record(struct capture *c, void *state, const struct record *r)
{
	struct process *p = tasks_find_process(c->tasks, r->tgid);

	if (!p)
		return;
	if (r->kind == RECORD_PYTHON_CODE)
		stacks_python_code(c->stacks, p, (const struct python_code_record *)r);
	else if (((const struct exit_record *)r)->last)
		stacks_python_end(c->stacks, p);
}

const struct probe probe_python = {
	.name = "python",
	.help = "functions and lines of CPython 3.9 to 3.13 in stacks, instead of the "
		"interpreter's own",
	.metrics = (const struct probe_metric[]){{0}},
	.state_size = sizeof(struct probe_state),
	.record = record,
	.records = 1u << RECORD_PYTHON_CODE | 1u << RECORD_EXIT,
};
