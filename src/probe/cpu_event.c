// SPDX-License-Identifier: BSD-2-Clause
#include "cpu_event.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "capture.h"
#include "fail.h"
#include "mem.h"

static int open_event(const struct perf_event_attr *attr, int cpu)
{
	int fd = (int)syscall(SYS_perf_event_open, attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int cpu_event_open(uint32_t type, uint64_t config, uint64_t frequency, int cpu)
{
	return open_event(&(struct perf_event_attr){.type = type, .size = sizeof(struct perf_event_attr), .config = config,
						    .freq = 1, .sample_freq = frequency}, cpu);
}

static int attach_cpu(const struct cpu_events *e, const struct capture *c, int cpu)
{
	struct perf_event_attr each = {.type = e->type, .size = sizeof(each), .config = e->config, .sample_period = e->period};
	int fd = e->period ? open_event(&each, cpu) : cpu_event_open(e->type, e->config, c->frequency, cpu), r;

	if (fd < 0)
		return fail(fd, "perf event %s on CPU %d", e->name, cpu);
	e->links[cpu] = bpf_program__attach_perf_event(e->program, fd);
	if (e->links[cpu])
		return 0;
	r = -errno;
	close(fd);
	return fail(r, "attach to the perf event %s of CPU %d", e->name, cpu);
}

static void detach_cpu(const struct cpu_events *e, int cpu)
{
	bpf_link__destroy(e->links[cpu]); /* closes the event, too */
	e->links[cpu] = NULL;
}

int cpu_events_attach(struct cpu_events *e, const struct capture *c)
{
	int r = 0;

	e->links = xcalloc(c->cpu_count, sizeof(*e->links));
	for (uint32_t cpu = 0; cpu < c->cpu_count && r >= 0; cpu++)
		if (cpus_has(&c->cpus, cpu) && (r = attach_cpu(e, c, (int)cpu)) == -ENODEV)
			r = 0; /* just gone offline: it is tried again, slice by slice */
	if (r < 0)
		cpu_events_detach(e, c);
	return r;
}

void cpu_events_look(const struct cpu_events *e, const struct capture *c)
{
	for (uint32_t cpu = 0; e->links && cpu < c->cpu_count; cpu++)
		if (!e->links[cpu] && cpus_has(&c->cpus, cpu))
			attach_cpu(e, c, (int)cpu);
}

void cpu_events_changed(const struct cpu_events *e, const struct capture *c, int cpu, bool up)
{
	if (!e->links)
		return;
	detach_cpu(e, cpu);
	if (up)
		attach_cpu(e, c, cpu);
}

void cpu_events_retune(const struct cpu_events *e, const struct capture *c)
{
	for (uint32_t cpu = 0; e->links && cpu < c->cpu_count; cpu++)
		if (e->links[cpu])
			cpu_events_changed(e, c, (int)cpu, true);
}

void cpu_events_detach(struct cpu_events *e, const struct capture *c)
{
	for (uint32_t cpu = 0; e->links && cpu < c->cpu_count; cpu++)
		detach_cpu(e, (int)cpu);
	free(e->links);
	e->links = NULL;
}
