// SPDX-License-Identifier: BSD-2-Clause
/* System calls by process and call: how many, how long, which errors. On demand: each call of the machine pays. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>

#include "fail.h"
#include "map_take.h"
#include "mem.h"
#include "probe.h"
#include "syscalls.h"

enum { TIME, ERRORS, LOST };

#define X(name) [__NR_##name] = #name,
static const char *const call_names[] = {
#include "syscall_names.h"
};
#undef X

struct syscalls_state {
	struct probe_state probe;
	int sums, errors;
	struct syscall_sum *parts; /* one a CPU */
	uint64_t lost;
};

static int attach(struct capture *c, struct bpf_object *object, void *arg)
{
	struct syscalls_state *s = arg;

	s->sums = bpf_object__find_map_fd_by_name(object, "syscall_sums");
	s->errors = bpf_object__find_map_fd_by_name(object, "syscall_errors");
	return s->sums < 0 || s->errors < 0 ? fail(-ENOENT, "find its maps") : 0;
}

static void name_call(const struct syscall_key *key, char *name, size_t size)
{
	if (key->number < ARRAY_SIZE(call_names) && call_names[key->number])
		snprintf(name, size, "%s", call_names[key->number]);
	else if (key->number == SYSCALL_FOREIGN)
		snprintf(name, size, "of a 32-bit program");
	else
		snprintf(name, size, "call %u", key->number);
}

static void add(struct capture *c, const struct syscalls_state *s, const struct syscall_key *key, const struct syscall_sum *sum)
{
	const struct thread *t = tasks_recent(c->tasks, key->tgid, key->tgid);
	const char *error = key->error ? strerrorname_np(key->error) : NULL;
	char call[64], name[96];

	if (!t || (c->filter && !t->process->selected))
		return;
	name_call(key, call, sizeof(call));
	if (!key->error) {
		capture_add(c, s->probe.first_metric + TIME, t->id, 0, capture_resource(c, "syscall", call), sum->count, (int64_t)sum->ns);
		return;
	}
	snprintf(name, sizeof(name), error ? "%s %s" : "%s %s%u", call, error ? error : "error ", key->error);
	capture_add(c, s->probe.first_metric + ERRORS, t->id, 0, capture_resource(c, "syscall error", name), sum->count,
		    (int64_t)sum->count);
}

static void take(struct capture *c, struct syscalls_state *s, int map, bool write)
{
	struct syscall_key key;
	struct map_pass pass = {0};

	while (map_take(map, &pass, &key, sizeof(key), s->parts) == 0) {
		struct syscall_sum sum = {0};

		for (uint32_t cpu = 0; cpu < c->cpu_count; cpu++) {
			sum.count += s->parts[cpu].count;
			sum.ns += s->parts[cpu].ns;
		}
		if (write)
			add(c, s, &key, &sum);
	}
}

static void start(struct capture *c, void *arg)
{
	struct syscalls_state *s = arg;

	s->parts = xcalloc(c->cpu_count, sizeof(*s->parts));
	take(c, s, s->sums, false);
	take(c, s, s->errors, false);
}

static void slice(struct capture *c, void *arg, uint64_t now_ns)
{
	struct syscalls_state *s = arg;
	uint64_t lost = capture_counter(c, LOST_SYSCALLS);

	/* Errors first: else there may be more of them than calls. */
	take(c, s, s->errors, true);
	take(c, s, s->sums, true);
	if (lost > s->lost)
		capture_gauge(c, s->probe.first_metric + LOST, 0, (double)(lost - s->lost));
	s->lost = lost;
}

static void stop(struct capture *c, void *arg)
{
	free(((struct syscalls_state *)arg)->parts);
}

extern const char perfscope_syscalls_object[];
extern const unsigned long perfscope_syscalls_object_size;

const struct probe probe_syscalls = {
	.name = "syscalls",
	.help = "count, time and errors of system calls by process and call",
	.on_demand = true,
	.metrics = (const struct probe_metric[]){
		[TIME] = {"syscall.time", "ns", "by process and call: system calls that have returned, and how long they took, waiting included"},
		[ERRORS] = {"syscall.errors", "count", "by process, call and error: system calls that failed"},
		[LOST] = {"lost.syscalls", "count", "system calls that were not counted"},
		{0}},
	.object = perfscope_syscalls_object,
	.object_size = &perfscope_syscalls_object_size,
	.state_size = sizeof(struct syscalls_state),
	.attach = attach,
	.start = start,
	.slice = slice,
	.stop = stop,
};
