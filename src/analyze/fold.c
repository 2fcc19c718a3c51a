// SPDX-License-Identifier: BSD-2-Clause
/* Causes swallow their symptoms. */
#include <string.h>

#include "arena.h"
#include "buf.h"
#include "findings_internal.h"
#include "mem.h"
#include "text.h"

/* How two findings must hang together for one to explain the other. */
enum relation {
	FIRST_CULPRIT, /* both name the same process as their first culprit */
	MORE,          /* that, and the cause takes more of its time than the symptom */
	ALMOST,        /* the same, or at least nine tenths as much: who holds a lock does not wait for it */
	HALF,          /* the same, at least half as much */
	CULPRIT,       /* the symptom's first culprit is one of the cause's culprits */
	SHARED,        /* both name one process at least, in whichever role */
	MOST_SHARED,   /* that, and the cause takes more than half of the time */
	WITHIN,        /* whoever the symptom names is named by the cause, or is another process of such a name */
	PORT,          /* their resources' names end in the same port */
	MORE_PORT,     /* that, and the cause takes more */
	RESOURCE,      /* both name the same resource */
	COMMAND,       /* the symptom's first culprit goes by a name that is the cause's resource, or one of "A, B"; the cause takes a third */
};

/* What keeps a process from its sockets. */
#define STANDS_STILL(symptom) \
	{"pause.freeze", symptom, FIRST_CULPRIT, SEVERITY_INFO}, \
	{"disk.sync", symptom, FIRST_CULPRIT, SEVERITY_WARNING}, \
	{"lock.deadlock", symptom, FIRST_CULPRIT, SEVERITY_WARNING}, \
	{"lock.contention", symptom, FIRST_CULPRIT, SEVERITY_WARNING}, \
	{"cpu.throttled", symptom, FIRST_CULPRIT, SEVERITY_WARNING}, \
	{"memory.pressure", symptom, FIRST_CULPRIT, SEVERITY_WARNING}

/* In this order: what has been explained explains nothing any more. */
static const struct explanation {
	const char *cause, *symptom; /* cause NULL: any other */
	enum relation relation;
	enum severity least; /* of the cause */
} explanations[] = {
	/* Who waits for ever is not in line for a lock. */
	{"lock.deadlock", "lock.contention", FIRST_CULPRIT, SEVERITY_INFO},
	/* What fails is also tried again, and slow for it. */
	{"disk.errors", "disk.latency", RESOURCE, SEVERITY_INFO},
	{"disk.errors", "disk.sync", SHARED, SEVERITY_INFO},
	{"disk.errors", "cpu.kernel-time", MORE, SEVERITY_INFO},
	{"disk.errors", "cpu.single-thread", MORE, SEVERITY_INFO},
	{"disk.errors", "cpu.hotspot", MORE, SEVERITY_INFO},
	/* A lock that is held while the disk writes: that counts as waiting for the disk, too. */
	{"disk.sync", "lock.contention", ALMOST, SEVERITY_WARNING},
	/* Who wants the disk to have its data at once fills it with that; who is kept from it by others is their victim. */
	{"disk.sync", "disk.saturation", FIRST_CULPRIT, SEVERITY_WARNING},
	{"disk.saturation", "disk.sync", SHARED, SEVERITY_WARNING},
	{"disk.latency", "disk.sync", SHARED, SEVERITY_WARNING},
	/* A disk that is full, or slow, does not write what is dirty either; if only the writers suffer, they are the matter. */
	{"disk.saturation", "disk.writeback", SHARED, SEVERITY_WARNING},
	{"disk.latency", "disk.writeback", SHARED, SEVERITY_WARNING},
	{"disk.writeback", "disk.saturation", FIRST_CULPRIT, SEVERITY_INFO},
	/* A file's lock is held while its writer is held back, or waits for the disk. */
	{"disk.writeback", "lock.kernel", FIRST_CULPRIT, SEVERITY_WARNING},
	{"disk.saturation", "lock.kernel", SHARED, SEVERITY_WARNING},
	{"disk.latency", "lock.kernel", SHARED, SEVERITY_WARNING},
	/* Threads that wait for a disk do not run side by side. */
	{"disk.saturation", "app.serialized", SHARED, SEVERITY_WARNING},
	{"disk.latency", "app.serialized", SHARED, SEVERITY_WARNING},
	{"disk.latency", "lock.contention", SHARED, SEVERITY_WARNING},
	{"disk.saturation", "pause.event-loop", SHARED, SEVERITY_WARNING},
	{"disk.latency", "pause.event-loop", SHARED, SEVERITY_WARNING},
	{"disk.sync", "app.serialized", FIRST_CULPRIT, SEVERITY_WARNING},
	/* Each such call is work for the kernel, and turns with the kernel's own threads. */
	{"disk.sync", "cpu.kernel-time", FIRST_CULPRIT, SEVERITY_WARNING},
	{"disk.sync", "cpu.context-switches", FIRST_CULPRIT, SEVERITY_WARNING},
	/* Workers that wait for something of their own process, or for the CPU, are no fewer than they should be. */
	{"lock.deadlock", "app.thread-pool", FIRST_CULPRIT, SEVERITY_WARNING},
	{"disk.sync", "app.thread-pool", FIRST_CULPRIT, SEVERITY_WARNING},
	{"lock.contention", "app.thread-pool", FIRST_CULPRIT, SEVERITY_WARNING},
	{"lock.kernel", "app.thread-pool", FIRST_CULPRIT, SEVERITY_WARNING},
	{"lock.mmap", "app.thread-pool", FIRST_CULPRIT, SEVERITY_WARNING},
	{"app.serialized", "app.thread-pool", FIRST_CULPRIT, SEVERITY_WARNING},
	{"pause.freeze", "app.thread-pool", FIRST_CULPRIT, SEVERITY_WARNING},
	{"memory.pressure", "app.thread-pool", FIRST_CULPRIT, SEVERITY_WARNING},
	{"cpu.throttled", "app.thread-pool", FIRST_CULPRIT, SEVERITY_WARNING},
	/* A pool that is too small makes its service wait for another one. */
	{"app.thread-pool", "app.downstream", FIRST_CULPRIT, SEVERITY_WARNING},
	/* Who waits longer for a worker than a worker for the other service. */
	{"app.thread-pool", "app.downstream", MOST_SHARED, SEVERITY_WARNING},
	/* A worker that polls for its next job is kept from that by the job. */
	{"app.thread-pool", "pause.event-loop", FIRST_CULPRIT, SEVERITY_WARNING},
	/* A process that is traced is stopped, and goes on, at each call. */
	{"pause.freeze", "cpu.context-switches", FIRST_CULPRIT, SEVERITY_WARNING},
	/* Taking turns at a lock is what a lock is for. But threads that all wake up to see whose turn it is meet at one, too. */
	{"lock.contention", "app.serialized", HALF, SEVERITY_WARNING},
	{"app.serialized", "lock.contention", FIRST_CULPRIT, SEVERITY_WARNING},
	/* Making room and waiting for what had to go are two sides of one shortage: the one that takes longer leads. */
	{"memory.oom", "memory.swap", FIRST_CULPRIT, SEVERITY_INFO},
	{"memory.swap", "memory.pressure", MORE, SEVERITY_WARNING},
	{"memory.pressure", "memory.swap", FIRST_CULPRIT, SEVERITY_WARNING},
	{"memory.swap", "memory.faults", CULPRIT, SEVERITY_WARNING},
	{"memory.swap", "cpu.hotspot", CULPRIT, SEVERITY_WARNING},
	{"memory.pressure", "memory.leak", FIRST_CULPRIT, SEVERITY_WARNING},
	/* Whoever frees memory or waits for a disk while it holds a lock of the kernel keeps all others waiting. */
	{"disk.sync", "lock.kernel", MORE, SEVERITY_WARNING},
	{"memory.pressure", "lock.kernel", CULPRIT, SEVERITY_WARNING},
	{"memory.pressure", "lock.mmap", CULPRIT, SEVERITY_WARNING},
	/* Whoever reads in /proc what the process has mapped waits for that lock, too. */
	{"lock.mmap", "lock.kernel", FIRST_CULPRIT, SEVERITY_WARNING},
	/* Page faults take long when an address space keeps changing, and threads that wait for locks spin, too. */
	{"lock.mmap", "memory.faults", FIRST_CULPRIT, SEVERITY_WARNING},
	{"lock.mmap", "cpu.hotspot", FIRST_CULPRIT, SEVERITY_WARNING},
	{"lock.mmap", "cpu.kernel-time", FIRST_CULPRIT, SEVERITY_WARNING},
	{"lock.mmap", "cpu.single-thread", FIRST_CULPRIT, SEVERITY_WARNING},
	{"lock.mmap", "cpu.saturation", WITHIN, SEVERITY_WARNING},
	{"lock.kernel", "cpu.hotspot", FIRST_CULPRIT, SEVERITY_WARNING},
	{"lock.kernel", "cpu.saturation", WITHIN, SEVERITY_WARNING},
	{"lock.kernel", "cpu.kernel-time", FIRST_CULPRIT, SEVERITY_WARNING},
	{"lock.kernel", "cpu.single-thread", FIRST_CULPRIT, SEVERITY_WARNING},
	{"lock.mmap", "cpu.context-switches", FIRST_CULPRIT, SEVERITY_WARNING},
	{"lock.kernel", "cpu.context-switches", FIRST_CULPRIT, SEVERITY_WARNING},
	/* Threads that are bound wait for their CPU in whatever they do. */
	{"cpu.affinity", "cpu.spin", CULPRIT, SEVERITY_WARNING},
	{"cpu.affinity", "app.serialized", CULPRIT, SEVERITY_WARNING},
	{"cpu.affinity", "cpu.single-thread", CULPRIT, SEVERITY_WARNING},
	{"cpu.affinity", "cpu.hotspot", CULPRIT, SEVERITY_WARNING},
	{"cpu.affinity", "cpu.saturation", CULPRIT, SEVERITY_WARNING},
	/* A process that is started again and again is busy in the kernel with that. */
	{"cpu.process-churn", "cpu.kernel-time", FIRST_CULPRIT, SEVERITY_INFO},
	{"cpu.process-churn", "cpu.saturation", COMMAND, SEVERITY_WARNING},
	/* What waits by spinning fills CPUs, and calls the kernel for nothing. */
	{"cpu.spin", "cpu.context-switches", FIRST_CULPRIT, SEVERITY_WARNING},
	{"cpu.spin", "cpu.kernel-time", FIRST_CULPRIT, SEVERITY_WARNING},
	{"cpu.spin", "cpu.saturation", CULPRIT, SEVERITY_WARNING},
	{"cpu.spin", "cpu.hotspot", FIRST_CULPRIT, SEVERITY_WARNING},
	{"cpu.spin", "cpu.single-thread", FIRST_CULPRIT, SEVERITY_WARNING},
	/* Threads in line for a lock crowd the CPUs as well, and who holds it is taken off them; that harms the same threads. */
	{"lock.contention", "cpu.saturation", WITHIN, SEVERITY_WARNING},
	/* Switching is what a lock that is fought for costs; by itself it explains turns, and time in the kernel. */
	{"lock.contention", "cpu.context-switches", FIRST_CULPRIT, SEVERITY_WARNING},
	{"cpu.context-switches", "app.serialized", CULPRIT, SEVERITY_WARNING},
	{"cpu.context-switches", "cpu.kernel-time", CULPRIT, SEVERITY_WARNING},
	{"cpu.context-switches", "cpu.saturation", CULPRIT, SEVERITY_WARNING},
	{"cpu.context-switches", "cpu.hotspot", CULPRIT, SEVERITY_WARNING},
	{"cpu.context-switches", "cpu.single-thread", CULPRIT, SEVERITY_WARNING},
	/* Who sends what the interrupts receive, or sets the timers, is in the kernel for that. */
	{"cpu.irq", "cpu.kernel-time", CULPRIT, SEVERITY_WARNING},
	{"cpu.irq", "cpu.hotspot", CULPRIT, SEVERITY_WARNING},
	{"cpu.irq", "cpu.single-thread", CULPRIT, SEVERITY_WARNING},
	{"cpu.irq", "cpu.saturation", CULPRIT, SEVERITY_WARNING},
	/* The touching of memory, and calls of the kernel, are what makes their caller hot. */
	{"memory.faults", "cpu.kernel-time", FIRST_CULPRIT, SEVERITY_INFO},
	{"cpu.kernel-time", "cpu.hotspot", FIRST_CULPRIT, SEVERITY_WARNING},
	{"cpu.kernel-time", "cpu.single-thread", FIRST_CULPRIT, SEVERITY_WARNING},
	/* More CPU does not help threads that take turns. */
	{"app.serialized", "cpu.hotspot", FIRST_CULPRIT, SEVERITY_WARNING},
	/* The function that touches the memory is hot for that. */
	{"memory.faults", "cpu.hotspot", FIRST_CULPRIT, SEVERITY_INFO},
	{"memory.faults", "cpu.single-thread", FIRST_CULPRIT, SEVERITY_INFO},
	/* Whatever the threads wait for while they are stopped, and whatever runs then, is the pause's. */
	{"pause.gc", "pause.event-loop", FIRST_CULPRIT, SEVERITY_WARNING},
	{"pause.gc", "lock.contention", FIRST_CULPRIT, SEVERITY_WARNING},
	{"pause.gc", "app.serialized", FIRST_CULPRIT, SEVERITY_WARNING},
	{"pause.gc", "cpu.hotspot", FIRST_CULPRIT, SEVERITY_WARNING},
	{"pause.gc", "cpu.single-thread", FIRST_CULPRIT, SEVERITY_WARNING},
	/* A burst that waits for a disk or a lock is long for that; one that computes is what is hot. */
	{"disk.sync", "pause.event-loop", FIRST_CULPRIT, SEVERITY_WARNING},
	{"lock.contention", "pause.event-loop", MORE, SEVERITY_WARNING},
	{"pause.event-loop", "cpu.hotspot", FIRST_CULPRIT, SEVERITY_WARNING},
	{"pause.event-loop", "cpu.single-thread", FIRST_CULPRIT, SEVERITY_WARNING},
	/* What is computed under a lock is long because others wait for it. */
	{"lock.contention", "cpu.hotspot", FIRST_CULPRIT, SEVERITY_WARNING},
	{"lock.contention", "cpu.single-thread", FIRST_CULPRIT, SEVERITY_WARNING},
	/* One thread is all that the process has: where that thread spends its time is a part of it. */
	{"cpu.single-thread", "cpu.hotspot", FIRST_CULPRIT, SEVERITY_INFO},
	/* What a quota stops takes long for that, whatever it computes. */
	{"cpu.throttled", "cpu.hotspot", FIRST_CULPRIT, SEVERITY_WARNING},
	{"cpu.throttled", "cpu.single-thread", FIRST_CULPRIT, SEVERITY_WARNING},
	/* A service that others wait for fills the CPUs with one function: that function is the cause. */
	{"cpu.hotspot", "cpu.saturation", FIRST_CULPRIT, SEVERITY_WARNING},
	/* Whatever else fills the CPUs harms by filling them. */
	{"cpu.saturation", "cpu.hotspot", CULPRIT, SEVERITY_INFO},
	{"cpu.saturation", "cpu.single-thread", CULPRIT, SEVERITY_INFO},
	/* Who was killed had been short of memory before. */
	{"memory.oom", "memory.pressure", FIRST_CULPRIT, SEVERITY_INFO},
	{"memory.oom", "pause.gc", SHARED, SEVERITY_INFO},
	{"memory.oom", "memory.leak", FIRST_CULPRIT, SEVERITY_INFO},
	/* What a listener has no room for is tried again. */
	{"net.accept-queue", "net.connect-failures", PORT, SEVERITY_WARNING},
	{"net.accept-queue", "net.latency", PORT, SEVERITY_WARNING},
	{"net.accept-queue", "net.retransmits", PORT, SEVERITY_WARNING},
	{"net.accept-queue", "net.drops", PORT, SEVERITY_WARNING},
	/* A pool that is too small takes connections late. */
	{"app.thread-pool", "net.accept-queue", FIRST_CULPRIT, SEVERITY_WARNING},
	{"app.thread-pool", "net.accept-queue", PORT, SEVERITY_WARNING},
	/* Who stands still, for whatever reason, neither accepts nor reads. */
	STANDS_STILL("net.accept-queue"),
	{"pause.event-loop", "net.accept-queue", FIRST_CULPRIT, SEVERITY_WARNING},
	{"pause.gc", "net.accept-queue", FIRST_CULPRIT, SEVERITY_WARNING},
	/* A port is its master's, and the worker is who accepts. */
	{"pause.freeze", "net.accept-queue", WITHIN, SEVERITY_INFO},
	{"pause.freeze", "app.downstream", FIRST_CULPRIT, SEVERITY_INFO},
	{"pause.freeze", "net.small-writes", HALF, SEVERITY_INFO},
	STANDS_STILL("net.zero-window"),
	STANDS_STILL("net.drops"),
	/* What a receiver does instead of reading is part of that. */
	{"net.zero-window", "cpu.hotspot", FIRST_CULPRIT, SEVERITY_WARNING},
	{"net.zero-window", "cpu.single-thread", FIRST_CULPRIT, SEVERITY_WARNING},
	{"net.drops", "cpu.kernel-time", FIRST_CULPRIT, SEVERITY_WARNING},
	{"net.drops", "cpu.hotspot", FIRST_CULPRIT, SEVERITY_WARNING},
	{"net.drops", "cpu.single-thread", FIRST_CULPRIT, SEVERITY_WARNING},
	/* What is dropped here is sent again and comes late. */
	{"net.drops", "net.retransmits", SHARED, SEVERITY_WARNING},
	{"net.drops", "net.latency", SHARED, SEVERITY_WARNING},
	/* So is what a receiver has no room for. */
	{"net.zero-window", "net.retransmits", PORT, SEVERITY_WARNING},
	{"net.zero-window", "net.latency", PORT, SEVERITY_WARNING},
	/* A service is slow for what slows its threads, or those that it waits for. */
	{"app.downstream", "app.thread-pool", SHARED, SEVERITY_WARNING},
	{"app.downstream", "app.slo", SHARED, SEVERITY_WARNING},
	{NULL, "app.downstream", FIRST_CULPRIT, SEVERITY_WARNING},
	{NULL, "app.slo", FIRST_CULPRIT, SEVERITY_WARNING},
	{"cpu.saturation", "app.slo", SHARED, SEVERITY_WARNING},
	/* A connect that was lost once takes a second; a request, a fifth. */
	{"net.retransmits", "net.latency", MORE_PORT, SEVERITY_WARNING},
};

static bool is_culprit(const struct finding *f, size_t i, uint32_t pid)
{
	return i < f->affected_count && f->affected[i].pid == pid &&
	       !strcmp(f->affected[i].role, "culprit");
}

static bool share_process(const struct finding *a, const struct finding *b)
{
	for (size_t i = 0; i < a->affected_count; i++)
		for (size_t k = 0; k < b->affected_count; k++)
			if (a->affected[i].pid == b->affected[k].pid)
				return true;
	return false;
}

static bool names(const struct finding *f, const struct finding_task *task)
{
	for (size_t i = 0; i < f->affected_count; i++)
		if (f->affected[i].pid == task->pid || !strcmp(f->affected[i].comm, task->comm))
			return true;
	return false;
}

static bool names_all(const struct finding *cause, const struct finding *symptom)
{
	for (size_t i = 0; i < symptom->affected_count; i++)
		if (!names(cause, &symptom->affected[i]))
			return false;
	return symptom->affected_count > 0;
}

/* The number at the end of the resource's name; "" if there is none. */
static const char *port_of(const struct finding *f)
{
	const char *name = f->resource_name ? f->resource_name : "", *end = name + strlen(name);

	while (end > name && end[-1] >= '0' && end[-1] <= '9')
		end--;
	return end;
}

static bool same_culprit(const struct finding *cause, const struct finding *symptom, size_t most)
{
	if (!symptom->affected_count || strcmp(symptom->affected[0].role, "culprit"))
		return false;
	for (size_t i = 0; i < most; i++)
		if (is_culprit(cause, i, symptom->affected[0].pid))
			return true;
	return false;
}

static bool lists(const char *names, const char *name)
{
	size_t length = strlen(name);

	for (const char *p = names; length && (p = strstr(p, name)); p++)
		if ((p == names || p[-1] == ' ') && (!p[length] || p[length] == ','))
			return true;
	return false;
}

static bool is_command(const struct finding *cause, const struct finding *symptom)
{
	return cause->resource_name && symptom->affected_count && !strcmp(symptom->affected[0].role, "culprit") &&
	       lists(cause->resource_name, symptom->affected[0].comm);
}

static bool related(const struct finding *cause, const struct finding *symptom,
		    enum relation relation)
{
	switch (relation) {
	case FIRST_CULPRIT:
		return same_culprit(cause, symptom, 1);
	case MORE:
		return cause->impact >= symptom->impact && same_culprit(cause, symptom, cause->affected_count);
	case ALMOST:
		return cause->impact >= 0.9 * symptom->impact && same_culprit(cause, symptom, cause->affected_count);
	case HALF:
		return 2 * cause->impact >= symptom->impact && same_culprit(cause, symptom, 1);
	case CULPRIT:
		return same_culprit(cause, symptom, cause->affected_count);
	case SHARED:
		return share_process(cause, symptom);
	case MOST_SHARED:
		return cause->impact > 0.5 && share_process(cause, symptom);
	case WITHIN:
		return names_all(cause, symptom);
	case RESOURCE:
		return !strcmp(cause->resource_kind, symptom->resource_kind) &&
		       !strcmp(cause->resource_name, symptom->resource_name);
	case COMMAND:
		return cause->impact >= 1 / 3.0 && is_command(cause, symptom);
	case MORE_PORT:
		return cause->impact >= symptom->impact && related(cause, symptom, PORT);
	case PORT:
		return *port_of(cause) && !strcmp(port_of(cause), port_of(symptom));
	}
	return false;
}

void add_evidence(struct findings *f, struct finding *finding,
		  const struct finding_evidence *evidence)
{
	if (!finding->evidence)
		finding->evidence =
			arena_alloc(f->strings, MOST_EVIDENCE * sizeof(*finding->evidence));
	if (finding->evidence_count < MOST_EVIDENCE)
		finding->evidence[finding->evidence_count++] = *evidence;
}

void explain(struct findings *f, struct draft *cause, struct draft *symptom)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT;

	symptom->folded = true;
	/* What its symptom harms, it harms. */
	if (cause->finding.severity < symptom->finding.severity)
		cause->finding.severity = symptom->finding.severity;
	buf_addf(&text, "explains %s: %s", symptom->finding.id, symptom->finding.title);
	add_evidence(f, &cause->finding,
		     &(struct finding_evidence){.metric = findings_copy(f, text.data),
						.value = 100 * symptom->finding.impact,
						.unit = "%"});
	/* What the symptom has explained is explained as well. */
	for (size_t i = 0; i < symptom->finding.evidence_count; i++)
		if (starts_with(symptom->finding.evidence[i].metric, "explains "))
			add_evidence(f, &cause->finding, &symptom->finding.evidence[i]);
	for (size_t i = 0;
	     i < symptom->selector_count && cause->selector_count < MOST_STACK_SELECTORS; i++)
		cause->selectors[cause->selector_count++] = symptom->selectors[i];
}

static void fold_one(struct drafts *d, const struct explanation *x)
{
	for (size_t c = 0; c < d->count; c++) {
		struct draft *cause = &d->items[c];

		if (cause->folded || (x->cause && strcmp(cause->finding.id, x->cause)) ||
		    !strcmp(cause->finding.id, x->symptom) ||
		    cause->finding.severity < x->least)
			continue;
		for (size_t s = 0; s < d->count; s++) {
			struct draft *symptom = &d->items[s];

			if (s != c && !symptom->folded &&
			    !strcmp(symptom->finding.id, x->symptom) &&
			    related(&cause->finding, &symptom->finding, x->relation))
				explain(d->findings, cause, symptom);
		}
	}
}

void fold(struct drafts *d)
{
	for (size_t i = 0; i < ARRAY_SIZE(explanations); i++)
		fold_one(d, &explanations[i]);
}
