// SPDX-License-Identifier: BSD-2-Clause
/* Map types: created, written or mapped, and read back. */
#include "insn.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "map.h"

static int run_keyed(struct trial *t, const struct check *c, struct doctor_result *r)
{
	enum bpf_map_type type = *(const enum bpf_map_type *)c->arg;
	_cleanup_close_ int map = bpf_map_create(type, "perfscope_try", 4, 8, 16, NULL);
	uint32_t key = 7;
	uint64_t values[1024] = { 42 }; /* one a possible CPU for per-CPU maps */

	if (map < 0 || bpf_map_update_elem(map, &key, values, BPF_ANY) < 0)
		return -errno;
	values[0] = 0;
	if (bpf_map_lookup_elem(map, &key, values) < 0)
		return -errno;
	return values[0] == 42 ? 0 : -EIO;
}

static int run_mappable_array(struct trial *t, const struct check *c, struct doctor_result *r)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_MMAPABLE);
	_cleanup_close_ int map = bpf_map_create(BPF_MAP_TYPE_ARRAY, "perfscope_try", 4, 8, 16, &opts);
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uint64_t value = 42;
	uint32_t key = 0;

	if (map < 0)
		return -errno;
	const uint64_t *memory = mmap(NULL, page, PROT_READ, MAP_SHARED, map, 0);

	if (memory == MAP_FAILED)
		return -errno;
	int error = bpf_map_update_elem(map, &key, &value, BPF_ANY) < 0 ? -errno : *memory == 42 ? 0 : -EIO;

	munmap((void *)(uintptr_t)memory, page);
	return error;
}

/* One event travels from a program that is run by hand to the mapped buffer. */
static int run_ringbuf(struct trial *t, const struct check *c, struct doctor_result *r)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	_cleanup_close_ int map = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "perfscope_try", 0, 0, (uint32_t)page, NULL);

	if (map < 0)
		return -errno;
	const struct program p = { .type = BPF_PROG_TYPE_RAW_TRACEPOINT };
	const struct bpf_insn insns[] = {
		STORE_IMM(BPF_DW, BPF_REG_10, -8, 42), LOAD_MAP(BPF_REG_1, map), MOV_REG(BPF_REG_2, BPF_REG_10),
		ADD_IMM(BPF_REG_2, -8), MOV_IMM(BPF_REG_3, 8), MOV_IMM(BPF_REG_4, 0), CALL(ringbuf_output), EXIT(),
	};
	_cleanup_close_ int prog = program_load(t, &p, insns, sizeof(insns) / sizeof(insns[0]));
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
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_NO_PREALLOC, .btf_fd = (uint32_t)btf__fd(btf),
		    .btf_key_type_id = (uint32_t)key, .btf_value_type_id = (uint32_t)value);
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
	_cleanup_close_ int map = bpf_map_create(BPF_MAP_TYPE_STACK_TRACE, "perfscope_try", 4, 127 * 8, 16, NULL);

	return map < 0 ? -errno : 0;
}

static const enum bpf_map_type hash = BPF_MAP_TYPE_HASH, percpu = BPF_MAP_TYPE_PERCPU_ARRAY, lru = BPF_MAP_TYPE_LRU_HASH;

static const struct check rows[] = {
	{ "hash", "counters of stacks, locks, connections", "nothing can be recorded", NULL,
	  "BPF_SYSCALL", RELEASE(3, 19), BPF_CAPS, true, run_keyed, &hash },
	{ "LRU hash", "tables that may be larger than what fits", "a full table refuses new entries; losses are counted",
	  "hash", "BPF_SYSCALL", RELEASE(4, 10), BPF_CAPS, false, run_keyed, &lru },
	{ "per-CPU array", "counters and scratch memory of each CPU", "nothing can be recorded", NULL,
	  "BPF_SYSCALL", RELEASE(4, 6), BPF_CAPS, true, run_keyed, &percpu },
	{ "mmapable array", "settings and counters shared without system calls", "a little more CPU for perfscope itself",
	  "reading maps by system call", "BPF_SYSCALL", RELEASE(5, 5), BPF_CAPS, false, run_mappable_array, NULL },
	{ "ring buffer", "the way of samples out of the kernel", "nothing can be recorded", NULL,
	  "BPF_SYSCALL", RELEASE(5, 8), BPF_CAPS, true, run_ringbuf, NULL },
	{ "task storage", "times of each thread, the cheapest way", "about 5 % of throughput on switch-heavy loads",
	  "hash by thread id", "BPF_SYSCALL", RELEASE(5, 11), BPF_CAPS, false, run_task_storage, NULL },
	{ "stack trace", "stacks under one number, kept for kernels before 5.8", NULL, "stacks hashed by perfscope itself",
	  "PERF_EVENTS", RELEASE(4, 6), BPF_CAPS, false, run_stack_trace, NULL },
};

CHECK_GROUP(map, rows);
