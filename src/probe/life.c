// SPDX-License-Identifier: BSD-2-Clause
/* Lives of processes: execs, exits, new names and moves between cgroups. */
#include "probe.h"

static void moved(struct capture *c, const struct cgroup_record *r)
{
	struct process *p = tasks_find_process(c->tasks, r->head.tgid);

	/* Which of its hierarchies tells most is decided over all of them, from /proc. */
	if (p)
		tasks_read_details(c->tasks, p);
}

static void record(struct capture *c, void *state, const struct record *r)
{
	switch (r->kind) {
	case RECORD_EXEC:
		tasks_exec(c->tasks, (const struct exec_record *)r);
		break;
	case RECORD_EXIT:
		tasks_exit(c->tasks, (const struct exit_record *)r);
		break;
	case RECORD_COMM:
		tasks_rename(c->tasks, r->tid, r->tgid, ((const struct comm_record *)r)->comm);
		break;
	case RECORD_CGROUP:
		moved(c, (const struct cgroup_record *)r);
		break;
	}
}

extern const char perfscope_life_object[];
extern const unsigned long perfscope_life_object_size;

const struct probe probe_life = {
	.name = "life",
	.help = "names, command lines, exit codes and cgroups of processes, short-lived ones too",
	.metrics = (const struct probe_metric[]){{0}},
	.object = perfscope_life_object,
	.object_size = &perfscope_life_object_size,
	.state_size = sizeof(struct probe_state),
	.record = record,
	.records = 1u << RECORD_EXEC | 1u << RECORD_EXIT | 1u << RECORD_COMM | 1u << RECORD_CGROUP,
};
