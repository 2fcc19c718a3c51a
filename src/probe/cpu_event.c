// SPDX-License-Identifier: BSD-2-Clause
#include "cpu_event.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fail.h"

int cpu_event_open(uint32_t type, uint64_t config, uint64_t frequency, int cpu)
{
	struct perf_event_attr attr = {.type = type, .size = sizeof(attr), .config = config, .freq = 1,
				       .sample_freq = frequency};
	int fd = (int)syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int cpu_event_attach(const struct bpf_program *program, uint32_t type, uint64_t config, uint64_t frequency, int cpu,
		     const char *name, struct bpf_link **ret_link)
{
	int fd = cpu_event_open(type, config, frequency, cpu), r;

	*ret_link = NULL;
	if (fd < 0)
		return fail(fd, "perf event %s on CPU %d", name, cpu);
	*ret_link = bpf_program__attach_perf_event(program, fd);
	if (*ret_link)
		return 0;
	r = -errno;
	close(fd);
	return fail(r, "attach to the perf event %s of CPU %d", name, cpu);
}
