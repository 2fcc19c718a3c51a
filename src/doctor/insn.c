// SPDX-License-Identifier: BSD-2-Clause
#include "insn.h"
#include "text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The verifier ends its log with statistics; its reason is the last line before them. */
static void keep_reason(struct trial *t, const char *log)
{
	const char *line = log, *reason = "";
	size_t length = 0;

	while (*line) {
		size_t n = strcspn(line, "\n");

		if (n && !starts_with(line, "processed ")) {
			reason = line;
			length = n;
		}
		line += n + (line[n] == '\n');
	}
	snprintf(t->log, sizeof(t->log), "%.*s", (int)(length < 200 ? length : 200), reason);
}

int program_load_opts(struct trial *t, enum bpf_prog_type type, const struct bpf_insn *insns,
		      size_t count, struct bpf_prog_load_opts *opts)
{
	char log[8192] = "";
	int fd = bpf_prog_load(type, "perfscope_try", "GPL", insns, count, opts);

	t->log[0] = '\0';
	if (fd >= 0)
		return fd;
	fd = -errno;
	if (fd == -EPERM)
		return fd;
	opts->log_buf = log;
	opts->log_size = sizeof(log);
	opts->log_level = 1;
	int again = bpf_prog_load(type, "perfscope_try", "GPL", insns, count, opts);

	opts->log_buf = NULL;
	opts->log_size = opts->log_level = 0;
	if (again >= 0)
		return again;
	keep_reason(t, log);
	return fd;
}

static int target_id(struct trial *t, const struct program *p)
{
	char name[128];

	if (!t->btf)
		return t->btf_error;
	snprintf(name, sizeof(name), "%s%s", p->prefix ? p->prefix : "", p->target);
	return btf__find_by_name_kind(t->btf, name, p->kind);
}

int program_load(struct trial *t, const struct program *p, const struct bpf_insn *insns,
		 size_t count)
{
	static const struct bpf_insn nothing[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = p->attach,
		    .prog_flags = p->flags);

	if (p->target) {
		int id = target_id(t, p);

		if (id < 0)
			return id;
		opts.attach_btf_id = (uint32_t)id;
	}
	if (!insns) {
		insns = nothing;
		count = 2;
	}
	return program_load_opts(t, p->type, insns, count, &opts);
}

int program_run(int prog, int cpu, uint32_t *ret_value)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);

	if (cpu >= 0) {
		opts.flags = BPF_F_TEST_RUN_ON_CPU;
		opts.cpu = (uint32_t)cpu;
	}
	if (bpf_prog_test_run_opts(prog, &opts) < 0)
		return -errno;
	*ret_value = opts.retval;
	return 0;
}

int iterator_run(int prog)
{
	_cleanup_close_ int link = bpf_link_create(prog, 0, BPF_TRACE_ITER, NULL);
	char bytes[4096];
	int total = 0;

	if (link < 0)
		return -errno;
	_cleanup_close_ int iterator = bpf_iter_create(link);

	if (iterator < 0)
		return -errno;
	for (;;) {
		ssize_t n = read(iterator, bytes, sizeof(bytes));

		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n <= 0)
			return n < 0 ? -errno : total;
		total += (int)n;
	}
}

int event_open(struct perf_event_attr *attr, int pid, int cpu)
{
	attr->size = sizeof(*attr);
	long fd = syscall(SYS_perf_event_open, attr, pid, cpu, -1, PERF_FLAG_FD_CLOEXEC);

	return fd < 0 ? -errno : (int)fd;
}

int event_attach(int event, int prog)
{
	if (ioctl(event, PERF_EVENT_IOC_SET_BPF, prog) < 0)
		return -errno;
	return ioctl(event, PERF_EVENT_IOC_ENABLE, 0) < 0 ? -errno : 0;
}

int one_slot_array(void)
{
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "perfscope_try", sizeof(uint32_t),
				sizeof(uint64_t), 1, NULL);

	return fd < 0 ? -errno : fd;
}

int one_slot_read(int map, uint64_t *ret_value)
{
	uint32_t key = 0;

	return bpf_map_lookup_elem(map, &key, ret_value) < 0 ? -errno : 0;
}
