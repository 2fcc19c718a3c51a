// SPDX-License-Identifier: BSD-2-Clause
/* Map types: created, written or mapped, and read back. */
#include "insn.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "map.h"
#include "mem.h"

/* Per-CPU maps give and take one value a possible CPU; others, the first. */
static int run_keyed(struct trial *t, const struct check *c, struct doctor_result *r)
{
	enum bpf_map_type type = *(const enum bpf_map_type *)c->arg;
	_cleanup_close_ int map = bpf_map_create(type, "perfscope_try", 4, 8, 16, NULL);

	if (map < 0)
		return -errno;
	int cpus = libbpf_num_possible_cpus();
	_cleanup_free_ uint64_t *values = xcalloc(cpus > 0 ? (size_t)cpus : 1, sizeof(*values));
	uint32_t key = 7;

	if (cpus < 0)
		return cpus;
	values[0] = 42;
	if (bpf_map_update_elem(map, &key, values, BPF_ANY) < 0)
		return -errno;
	values[0] = 0;
	if (bpf_map_lookup_elem(map, &key, values) < 0)
		return -errno;
	return values[0] == 42 ? 0 : -EIO;
}

static int run_mappable_array(struct trial *t, const struct check *c, struct doctor_result *r)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_MMAPABLE);
	_cleanup_close_ int map = bpf_map_create(BPF_MAP_TYPE_ARRAY, "perfscope_try", 4, 8, 16,
						 &opts);
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uint64_t value = 42;
	uint32_t key = 0;

	if (map < 0)
		return -errno;
	const uint64_t *memory = mmap(NULL, page, PROT_READ, MAP_SHARED, map, 0);

	if (memory == MAP_FAILED)
		return -errno;
	int error = bpf_map_update_elem(map, &key, &value, BPF_ANY) < 0 ? -errno : 0;

	if (!error && *memory != value)
		error = -EIO;
	munmap((void *)(uintptr_t)memory, page);
	return error;
}

/* One event travels from a program that is run by hand to the mapped buffer. */
static int run_ringbuf(struct trial *t, const struct check *c, struct doctor_result *r)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	_cleanup_close_ int map = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "perfscope_try", 0, 0,
						 (uint32_t)page, NULL);

	if (map < 0)
		return -errno;
	const struct program p = { .type = BPF_PROG_TYPE_RAW_TRACEPOINT };
	const struct bpf_insn insns[] = {
		STORE_IMM(BPF_DW, BPF_REG_10, -8, 42),
		LOAD_MAP(BPF_REG_1, map),
		MOV_REG(BPF_REG_2, BPF_REG_10),
		ADD_IMM(BPF_REG_2, -8),
		MOV_IMM(BPF_REG_3, 8),
		MOV_IMM(BPF_REG_4, 0),
		CALL(ringbuf_output),
		EXIT(),
	};
	_cleanup_close_ int prog = program_load(t, &p, insns, ARRAY_SIZE(insns));
	uint32_t value;

	if (prog < 0)
		return prog;
	int error = program_run(prog, -1, &value);

	if (error < 0) /* the program could not be run by hand: that is not the buffer's fault */
		return error == -EOPNOTSUPP || error == -EINVAL || error == -524 ? 0 : error;
	/* The producer's page, then the data: a header of 8 bytes and the event. */
	const char *memory = mmap(NULL, 2 * page, PROT_READ, MAP_SHARED, map, (off_t)page);

	if (memory == MAP_FAILED)
		return -errno;
	memcpy(&value, memory + page + 8, sizeof(value));
	munmap((void *)(uintptr_t)memory, 2 * page);
	return value == 42 ? 0 : -EIO;
}

int task_storage_create(void)
{
	struct btf *btf = btf__new_empty();

	if (!btf)
		return -errno;
	int key = btf__add_int(btf, "int", 4, BTF_INT_SIGNED);
	int value = btf__add_int(btf, "long", 8, 0);
	int error = btf__load_into_kernel(btf);

	if (error < 0) {
		btf__free(btf);
		return error;
	}
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_NO_PREALLOC,
		    .btf_fd = (uint32_t)btf__fd(btf), .btf_key_type_id = (uint32_t)key,
		    .btf_value_type_id = (uint32_t)value);
	int map = bpf_map_create(BPF_MAP_TYPE_TASK_STORAGE, "perfscope_try", 4, 8, 0, &opts);

	error = errno;
	btf__free(btf);
	return map < 0 ? -error : map;
}

static int run_task_storage(struct trial *t, const struct check *c, struct doctor_result *r)
{
	_cleanup_close_ int map = task_storage_create();

	return map < 0 ? map : 0;
}

static int run_stack_trace(struct trial *t, const struct check *c, struct doctor_result *r)
{
	_cleanup_close_ int map = bpf_map_create(BPF_MAP_TYPE_STACK_TRACE, "perfscope_try", 4,
						 127 * 8, 16, NULL);

	return map < 0 ? -errno : 0;
}

static const enum bpf_map_type hash = BPF_MAP_TYPE_HASH, percpu = BPF_MAP_TYPE_PERCPU_ARRAY,
			       lru = BPF_MAP_TYPE_LRU_HASH;

static const struct check rows[] = {
	{
		.name = "hash",
		.purpose = "counters of stacks, locks, connections",
		.cost = "nothing can be recorded",
		.config = "BPF_SYSCALL",
		.since = RELEASE(3, 19),
		.caps = BPF_CAPS,
		.required = true,
		.run = run_keyed,
		.arg = &hash,
	},
	{
		.name = "LRU hash",
		.purpose = "tables that may be larger than what fits",
		.cost = "a full table refuses new entries; losses are counted",
		.fallback = "hash",
		.config = "BPF_SYSCALL",
		.since = RELEASE(4, 10),
		.caps = BPF_CAPS,
		.run = run_keyed,
		.arg = &lru,
	},
	{
		.name = "per-CPU array",
		.purpose = "counters and scratch memory of each CPU",
		.cost = "nothing can be recorded",
		.config = "BPF_SYSCALL",
		.since = RELEASE(4, 6),
		.caps = BPF_CAPS,
		.required = true,
		.run = run_keyed,
		.arg = &percpu,
	},
	{
		.name = "mmapable array",
		.purpose = "settings and counters shared without system calls",
		.cost = "a little more CPU for perfscope itself",
		.fallback = "reading maps by system call",
		.config = "BPF_SYSCALL",
		.since = RELEASE(5, 5),
		.caps = BPF_CAPS,
		.run = run_mappable_array,
	},
	{
		.name = "ring buffer",
		.purpose = "the way of samples out of the kernel",
		.cost = "nothing can be recorded",
		.config = "BPF_SYSCALL",
		.since = RELEASE(5, 8),
		.caps = BPF_CAPS,
		.required = true,
		.run = run_ringbuf,
	},
	{
		.name = "task storage",
		.purpose = "times of each thread, the cheapest way",
		.cost = "about 5 % of throughput on switch-heavy loads",
		.fallback = "hash by thread id",
		.config = "BPF_SYSCALL",
		.since = RELEASE(5, 11),
		.caps = BPF_CAPS,
		.run = run_task_storage,
	},
	{
		.name = "stack trace",
		.purpose = "stacks under one number, kept for kernels before 5.8",
		.fallback = "stacks hashed by perfscope itself",
		.config = "PERF_EVENTS",
		.since = RELEASE(4, 6),
		.caps = BPF_CAPS,
		.run = run_stack_trace,
	},
};

CHECK_GROUP(map, rows);
