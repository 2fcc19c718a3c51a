// SPDX-License-Identifier: BSD-2-Clause
/* Tracepoints one by one: a program that does nothing is attached to each and detached again. */
#include "insn.h"

#include <errno.h>

static int attach_raw(struct trial *t, const char *name)
{
	static const struct program p = { .type = BPF_PROG_TYPE_RAW_TRACEPOINT };
	_cleanup_close_ int prog = program_load(t, &p, NULL, 0);

	if (prog < 0)
		return prog;
	_cleanup_close_ int link = bpf_raw_tracepoint_open(name, prog);

	return link < 0 ? -errno : 0;
}

static int attach_typed(struct trial *t, const char *name)
{
	const struct program p = {
		BPF_PROG_TYPE_TRACING, BPF_TRACE_RAW_TP, 0, "btf_trace_", name, BTF_KIND_TYPEDEF,
	};
	_cleanup_close_ int prog = program_load(t, &p, NULL, 0);

	if (prog < 0)
		return prog;
	_cleanup_close_ int link = bpf_raw_tracepoint_open(NULL, prog);

	return link < 0 ? -errno : 0;
}

static int attach_function(struct trial *t, const char *name)
{
	const struct program p = {BPF_PROG_TYPE_TRACING, BPF_TRACE_FENTRY, 0, "", name, BTF_KIND_FUNC};
	_cleanup_close_ int prog = program_load(t, &p, NULL, 0);

	if (prog < 0)
		return prog;
	_cleanup_close_ int link = bpf_raw_tracepoint_open(NULL, prog);

	return link < 0 ? -errno : 0;
}

static int run(struct trial *t, const struct check *c, struct doctor_result *r)
{
	int error = attach_typed(t, c->name);

	if (error == 0)
		return 0;
	if (attach_raw(t, c->name) == 0) {
		r->status = DOCTOR_FALLBACK;
		r->fallback = "raw tracepoint";
		buf_addstr(&r->detail,
			   "attaches, but the kernel's types do not describe its arguments");
		return 0;
	}
	/* Before 5.12 the probe that watches them cannot keep state with sockets. */
	if (c->arg && t->release >= RELEASE(5, 12) && attach_function(t, c->arg) == 0) {
		r->status = DOCTOR_FALLBACK;
		r->fallback = "the kernel's function (fentry)";
		return 0;
	}
	if (error == -ENOENT)
		t->log[0] = '\0';
	if (error == -ENOENT && t->release >= c->since &&
	    (!c->config || trial_config(t, c->config) != 'n'))
		buf_addstr(&r->detail, "this kernel has no such tracepoint");
	return error;
}

/* `purpose` names the feature that a hook serves: rows of one feature stand together; `arg` the kernel's function that is watched
 * where there is no such tracepoint. */
#define HOOK(tracepoint, feature, price, ...)                                            \
	{                                                                                \
		.name = tracepoint, .purpose = feature, .cost = price, .caps = BPF_CAPS, \
		.run = run, __VA_ARGS__                                                  \
	}

#define STATES "thread states and waits"
#define LIFE "process life"
#define LOCKS "kernel locks"
#define DISKS "disks"
#define TCP "TCP"
#define SERVICES "service times"
#define PACKETS "packets and drops"
#define INTERRUPTS "interrupts"
#define MEMORY "memory"
#define SIGNALS "signals and pauses"
#define CALLS "system calls"

#define NO_CHURN "short-lived processes may have no name; cpu.process-churn finds less"
#define NO_LOCKS "no lock.kernel and lock.mmap findings with the lock's name"
#define NO_SERVICES "how long services take to answer is not known; no app.slo and app.downstream findings"
#define NO_DISKS "no disk findings with latency split into queue and device"
#define NO_IRQ "no cpu.irq finding with the interrupt's name"
#define NO_RECLAIM "allocation stalls are known from PSI only"
#define NO_LIMIT "stalls at a cgroup's limit are known from PSI only"
#define NO_COMPACTION "stalls in compaction are not told from other reclaim"

static const struct check rows[] = {
	HOOK("sched_switch", STATES,
	     "no times on CPU, runnable and blocked, no off-CPU stacks, no run-queue latency"),
	HOOK("sched_waking", STATES, "no run-queue latency after wake-ups, and not who woke whom"),
	HOOK("sched_wakeup_new", STATES, "the first wait of new threads for a CPU is not seen"),

	HOOK("sched_process_fork", LIFE, NO_CHURN),
	HOOK("sched_process_exec", LIFE, NO_CHURN),
	HOOK("sched_process_exit", LIFE, NO_CHURN),
	HOOK("task_rename", LIFE, "threads keep the name that they had first"),
	HOOK("cgroup_attach_task", LIFE,
	     "tasks that change their control group count for the old one", .config = "CGROUPS"),
	HOOK("cpuhp_enter", LIFE, "a CPU that comes online is noticed a second later",
	     .config = "SMP"),

	HOOK("contention_begin", LOCKS, NO_LOCKS, .since = RELEASE(5, 19)),
	HOOK("contention_end", LOCKS, NO_LOCKS, .since = RELEASE(5, 19)),
	HOOK("mmap_lock_start_locking", LOCKS, NO_LOCKS, .since = RELEASE(5, 11)),
	HOOK("mmap_lock_acquire_returned", LOCKS, NO_LOCKS, .since = RELEASE(5, 11)),
	HOOK("mmap_lock_released", LOCKS, NO_LOCKS, .since = RELEASE(5, 11)),

	HOOK("block_rq_insert", DISKS, NO_DISKS, .config = "BLOCK"),
	HOOK("block_rq_issue", DISKS, NO_DISKS, .config = "BLOCK"),
	HOOK("block_rq_requeue", DISKS, NO_DISKS, .config = "BLOCK"),
	HOOK("block_rq_complete", DISKS, NO_DISKS, .config = "BLOCK"),
	HOOK("balance_dirty_pages", DISKS, "no disk.writeback finding"),

	HOOK("tcp_retransmit_skb", TCP, "retransmits are known as totals only", .config = "INET"),
	HOOK("tcp_probe", TCP, "no round-trip times and windows of connections", .config = "INET"),
	HOOK("inet_sock_set_state", TCP, "no connect times, refused connects and connection list",
	     .config = "INET"),
	HOOK("tcp_destroy_sock", TCP, "connects that find no way at once are not counted", .config = "INET"),
	HOOK("tcp_send_reset", TCP, "resets that are sent are not told from time-outs",
	     .config = "INET"),
	HOOK("tcp_receive_reset", TCP, "refused connects are not told from time-outs",
	     .config = "INET"),

	HOOK("sk_data_ready", SERVICES, NO_SERVICES, .config = "NET", .since = RELEASE(6, 3), .arg = "sock_def_readable"),
	HOOK("sock_recv_length", SERVICES, NO_SERVICES, .config = "NET", .since = RELEASE(6, 3), .arg = "inet_recvmsg"),
	HOOK("sock_send_length", SERVICES, NO_SERVICES, .config = "NET", .since = RELEASE(6, 3), .arg = "tcp_sendmsg_locked"),
	HOOK("tcp_sendmsg_locked", SERVICES, "answers end with the call that sends them, not with their first byte",
	     .config = "INET", .since = RELEASE(6, 16)),

	HOOK("kfree_skb", PACKETS, "drops are known as totals only, without reason and place",
	     .config = "NET"),
	HOOK("net_dev_queue", PACKETS, "time in the sending queue is not known", .config = "NET"),
	HOOK("netif_receive_skb", PACKETS, "arrival of packets is not known", .config = "NET"),
	HOOK("napi_poll", PACKETS, "work of the network's polling is not told apart",
	     .config = "NET"),

	HOOK("softirq_entry", INTERRUPTS, NO_IRQ),
	HOOK("softirq_exit", INTERRUPTS, NO_IRQ),
	HOOK("softirq_raise", INTERRUPTS, "the delay of softirqs is not known"),
	HOOK("irq_handler_entry", INTERRUPTS, NO_IRQ),
	HOOK("irq_handler_exit", INTERRUPTS, NO_IRQ),

	HOOK("page_fault_user", MEMORY, "no stacks of page faults; their number is still known"),
	HOOK("page_fault_kernel", MEMORY, "faults on the kernel's own accesses are not seen"),
	HOOK("mm_vmscan_direct_reclaim_begin", MEMORY, NO_RECLAIM),
	HOOK("mm_vmscan_direct_reclaim_end", MEMORY, NO_RECLAIM),
	HOOK("mm_vmscan_memcg_reclaim_begin", MEMORY, NO_LIMIT, .config = "MEMCG"),
	HOOK("mm_vmscan_memcg_reclaim_end", MEMORY, NO_LIMIT, .config = "MEMCG"),
	HOOK("mm_compaction_begin", MEMORY, NO_COMPACTION, .config = "COMPACTION"),
	HOOK("mm_compaction_end", MEMORY, NO_COMPACTION, .config = "COMPACTION"),
	HOOK("mark_victim", MEMORY, "no memory.oom finding"),

	HOOK("signal_generate", SIGNALS, "who stopped a process is not known"),
	HOOK("signal_deliver", SIGNALS, "when a process took its signal is not known"),

	HOOK("sys_enter", CALLS, "rates of system calls are estimated from samples"),
	HOOK("sys_exit", CALLS, "failed system calls, those for want of room and connects that find no way at once are not counted"),
};

CHECK_GROUP(hook, rows);
