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

static int run(struct trial *t, const struct check *c, struct doctor_result *r)
{
	int error = attach_typed(t, c->name);

	if (error == 0)
		return 0;
	if (attach_raw(t, c->name) == 0) {
		r->status = DOCTOR_FALLBACK;
		r->fallback = "raw tracepoint";
		buf_addstr(&r->detail, "attaches, but the kernel's types do not describe its arguments");
		return 0;
	}
	if (error == -ENOENT)
		t->log[0] = '\0';
	if (error == -ENOENT && t->release >= c->since && (!c->config || trial_config(t, c->config) != 'n'))
		buf_addstr(&r->detail, "this kernel has no such tracepoint");
	return error;
}

/* `purpose` names the feature: rows of one feature stand together. */
#define HOOK(tracepoint, feature, price, option, release)                                          \
	{ .name = tracepoint, .purpose = feature, .cost = price, .config = option, .since = release, \
	  .caps = BPF_CAPS, .run = run }

static const struct check rows[] = {
#define FEATURE "thread states and waits"
#define LOST "no times on CPU, runnable and blocked, no off-CPU stacks, no run-queue latency"
	HOOK("sched_switch", FEATURE, LOST, NULL, 0),
#undef LOST
#define LOST "no run-queue latency after wake-ups, and not who woke whom"
	HOOK("sched_waking", FEATURE, LOST, NULL, 0),
	HOOK("sched_wakeup_new", FEATURE, "the first wait of new threads for a CPU is not seen", NULL, 0),
#undef LOST
#undef FEATURE
#define FEATURE "process life"
#define LOST "short-lived processes may have no name; cpu.process-churn finds less"
	HOOK("sched_process_fork", FEATURE, LOST, NULL, 0),
	HOOK("sched_process_exec", FEATURE, LOST, NULL, 0),
	HOOK("sched_process_exit", FEATURE, LOST, NULL, 0),
	HOOK("task_rename", FEATURE, "threads keep the name that they had first", NULL, 0),
	HOOK("cgroup_attach_task", FEATURE, "tasks that change their control group count for the old one", "CGROUPS", 0),
	HOOK("cpuhp_enter", FEATURE, "a CPU that comes online is noticed a second later", "SMP", 0),
#undef LOST
#undef FEATURE
#define FEATURE "kernel locks"
#define LOST "no lock.kernel and lock.mmap findings with the lock's name"
	HOOK("contention_begin", FEATURE, LOST, NULL, RELEASE(5, 19)),
	HOOK("contention_end", FEATURE, LOST, NULL, RELEASE(5, 19)),
	HOOK("mmap_lock_start_locking", FEATURE, LOST, NULL, RELEASE(5, 11)),
	HOOK("mmap_lock_acquire_returned", FEATURE, LOST, NULL, RELEASE(5, 11)),
	HOOK("mmap_lock_released", FEATURE, LOST, NULL, RELEASE(5, 11)),
#undef LOST
#undef FEATURE
#define FEATURE "disks"
#define LOST "no disk findings with latency split into queue and device"
	HOOK("block_rq_insert", FEATURE, LOST, "BLOCK", 0),
	HOOK("block_rq_issue", FEATURE, LOST, "BLOCK", 0),
	HOOK("block_rq_complete", FEATURE, LOST, "BLOCK", 0),
	HOOK("balance_dirty_pages", FEATURE, "no disk.writeback finding", NULL, 0),
#undef LOST
#undef FEATURE
#define FEATURE "TCP"
	HOOK("tcp_retransmit_skb", FEATURE, "retransmits are known as totals only", "INET", RELEASE(4, 16)),
	HOOK("tcp_probe", FEATURE, "no round-trip times and windows of connections", "INET", RELEASE(4, 16)),
	HOOK("inet_sock_set_state", FEATURE, "no connect times, refused connects and connection list", "INET", RELEASE(4, 16)),
	HOOK("tcp_destroy_sock", FEATURE, "closed connections are forgotten late", "INET", RELEASE(4, 16)),
	HOOK("tcp_send_reset", FEATURE, "resets that are sent are not told from time-outs", "INET", RELEASE(4, 16)),
	HOOK("tcp_receive_reset", FEATURE, "refused connects are not told from time-outs", "INET", RELEASE(4, 16)),
	HOOK("sk_data_ready", FEATURE, "how long data waits for its reader is not known", "INET", RELEASE(6, 3)),
#undef FEATURE
#define FEATURE "packets and drops"
	HOOK("kfree_skb", FEATURE, "drops are known as totals only, without reason and place", "NET", 0),
	HOOK("net_dev_queue", FEATURE, "time in the sending queue is not known", "NET", 0),
	HOOK("netif_receive_skb", FEATURE, "arrival of packets is not known", "NET", 0),
	HOOK("napi_poll", FEATURE, "work of the network's polling is not told apart", "NET", 0),
#undef FEATURE
#define FEATURE "interrupts"
#define LOST "no cpu.irq finding with the interrupt's name"
	HOOK("softirq_entry", FEATURE, LOST, NULL, 0),
	HOOK("softirq_exit", FEATURE, LOST, NULL, 0),
	HOOK("softirq_raise", FEATURE, "the delay of softirqs is not known", NULL, 0),
	HOOK("irq_handler_entry", FEATURE, LOST, NULL, 0),
	HOOK("irq_handler_exit", FEATURE, LOST, NULL, 0),
#undef LOST
#undef FEATURE
#define FEATURE "memory"
	HOOK("page_fault_user", FEATURE, "no stacks of page faults; their number is still known", NULL, 0),
	HOOK("page_fault_kernel", FEATURE, "faults on the kernel's own accesses are not seen", NULL, 0),
	HOOK("mm_vmscan_direct_reclaim_begin", FEATURE, "allocation stalls are known from PSI only", NULL, 0),
	HOOK("mm_vmscan_direct_reclaim_end", FEATURE, "allocation stalls are known from PSI only", NULL, 0),
	HOOK("mm_vmscan_memcg_reclaim_begin", FEATURE, "stalls at a cgroup's limit are known from PSI only", "MEMCG", 0),
	HOOK("mm_vmscan_memcg_reclaim_end", FEATURE, "stalls at a cgroup's limit are known from PSI only", "MEMCG", 0),
	HOOK("mm_compaction_begin", FEATURE, "stalls in compaction are not told from other reclaim", "COMPACTION", 0),
	HOOK("mm_compaction_end", FEATURE, "stalls in compaction are not told from other reclaim", "COMPACTION", 0),
	HOOK("mark_victim", FEATURE, "no memory.oom finding", NULL, 0),
#undef FEATURE
#define FEATURE "signals and pauses"
	HOOK("signal_generate", FEATURE, "who stopped a process is not known", NULL, 0),
	HOOK("signal_deliver", FEATURE, "when a process took its signal is not known", NULL, 0),
#undef FEATURE
#define FEATURE "system calls"
	HOOK("sys_enter", FEATURE, "rates of system calls are estimated from samples", "HAVE_SYSCALL_TRACEPOINTS", 0),
	HOOK("sys_exit", FEATURE, "failed system calls are not counted", "HAVE_SYSCALL_TRACEPOINTS", 0),
#undef FEATURE
};

CHECK_GROUP(hook, rows);
