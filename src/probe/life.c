// SPDX-License-Identifier: BSD-2-Clause
/* Lives of processes: execs, exits, new names and moves between cgroups. */
#include <signal.h>
#include <string.h>

#include "buf.h"
#include "cleanup.h"
#include "probe.h"

enum { MOST_TOLD = 100 }; /* deaths by a signal that become events, a slice */

struct life_state {
	struct probe_state probe;
	unsigned told;
};

static void moved(struct capture *c, const struct cgroup_record *r)
{
	struct process *p = tasks_find_process(c->tasks, r->head.tgid);

	/* Which of its hierarchies tells most is decided over all of them, from /proc. */
	if (p)
		tasks_read_details(c->tasks, p);
}

static bool stops(uint32_t signal)
{
	return signal == SIGSTOP || signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU;
}

static void signalled(struct capture *c, const struct signal_record *r)
{
	struct process *p = tasks_find_process(c->tasks, r->target);
	struct sent_signal sent = {.signal = r->signal, .pid = r->head.tgid, .time_ns = r->head.time_ns};

	if (!p || r->signal == SIGCONT)
		return;
	memcpy(sent.comm, r->comm, sizeof(sent.comm));
	*(stops(r->signal) ? &p->stopped_by : &p->ended_by) = sent;
}

/* A process that a signal ended, and who sent it. */
static void exited(struct capture *c, struct life_state *state, const struct exit_record *r)
{
	const struct process *p = tasks_find_process(c->tasks, r->head.tgid);
	const struct thread *thread = tasks_find_thread(c->tasks, r->head.tid);
	unsigned signal = r->status & 0x7f;
	_cleanup_(buf_done) struct buf words = BUF_INIT;

	if (!p || !thread || !r->last || !signal || !c->start_ns || state->told++ >= MOST_TOLD)
		return;
	if (sigabbrev_np((int)signal))
		buf_addf(&words, "SIG%s", sigabbrev_np((int)signal));
	else
		buf_addf(&words, "real-time signal %u", signal);
	if (p->ended_by.signal == signal && p->ended_by.pid != p->pid)
		buf_addf(&words, " from %s (%u)", p->ended_by.comm, p->ended_by.pid);
	if (r->status & 0x80)
		buf_addstr(&words, ", dumped core");
	store_add_event(c->store, capture_time(c, r->head.time_ns), "process.killed", thread->id, 0, signal, words.data);
}

static void slice(struct capture *c, void *arg, uint64_t now_ns)
{
	((struct life_state *)arg)->told = 0;
}

static void record(struct capture *c, void *state, const struct record *r)
{
	switch (r->kind) {
	case RECORD_EXEC:
		tasks_exec(c->tasks, (const struct exec_record *)r);
		break;
	case RECORD_SIGNAL:
		signalled(c, (const struct signal_record *)r);
		break;
	case RECORD_EXIT:
		exited(c, state, (const struct exit_record *)r);
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
	.first = true,
	.metrics = (const struct probe_metric[]){{0}},
	.object = perfscope_life_object,
	.object_size = &perfscope_life_object_size,
	.state_size = sizeof(struct life_state),
	.record = record,
	.slice = slice,
	.records = 1u << RECORD_EXEC | 1u << RECORD_EXIT | 1u << RECORD_COMM | 1u << RECORD_CGROUP |
		   1u << RECORD_SIGNAL,
};
