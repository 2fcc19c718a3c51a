// SPDX-License-Identifier: BSD-2-Clause
/* Helpers: called for real, in a program that is run by hand, and their results compared with what
 * user space knows. */
#include "insn.h"

#include <errno.h>
#include <sched.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <sys/user.h>

#include "clock.h"
#include "map.h"
#include "mem.h"

static int run_raw(struct trial *t, const struct bpf_insn *insns, size_t count, int cpu,
		   uint32_t *ret_value)
{
	const struct program p = { .type = BPF_PROG_TYPE_RAW_TRACEPOINT };
	_cleanup_close_ int prog = program_load(t, &p, insns, count);

	return prog < 0 ? prog : program_run(prog, cpu, ret_value);
}

static int run_ktime(struct trial *t, const struct check *c, struct doctor_result *r)
{
	const struct bpf_insn insns[] = {
		CALL(ktime_get_ns),
		INSN(BPF_ALU64 | BPF_RSH | BPF_K, BPF_REG_0, 0, 0, 20),
		EXIT(),
	};
	uint32_t before = (uint32_t)(clock_mono_ns() >> 20), value;
	int error = run_raw(t, insns, ARRAY_SIZE(insns), -1, &value);

	if (error < 0)
		return error;
	return value - before <= (uint32_t)(clock_mono_ns() >> 20) - before ? 0 : -EIO;
}

static int last_online_cpu(void)
{
	cpu_set_t set;
	int last = 0;

	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		return 0;
	for (int i = 0; i < CPU_SETSIZE; i++)
		if (CPU_ISSET(i, &set))
			last = i;
	return last;
}

static int run_on_cpu(struct trial *t, const struct check *c, struct doctor_result *r)
{
	const struct bpf_insn insns[] = { CALL(get_smp_processor_id), EXIT() };
	int cpu = last_online_cpu();
	uint32_t value;
	int error = run_raw(t, insns, ARRAY_SIZE(insns), cpu, &value);

	if (error == 0 && value == (uint32_t)cpu)
		buf_addf(&r->detail, "ran on CPU %d", cpu);
	return error ? error : value == (uint32_t)cpu ? 0 : -EIO;
}

static int run_task_stack(struct trial *t, const struct check *c, struct doctor_result *r)
{
	const struct bpf_insn insns[] = {
		CALL(get_current_task_btf), MOV_REG(BPF_REG_1, BPF_REG_0),
		MOV_REG(BPF_REG_2, BPF_REG_10), ADD_IMM(BPF_REG_2, -64),
		MOV_IMM(BPF_REG_3, 64), MOV_IMM(BPF_REG_4, 0),
		CALL(get_task_stack), EXIT(),
	};
	uint32_t value;
	int error = run_raw(t, insns, ARRAY_SIZE(insns), -1, &value);

	return error ? error : (int32_t)value > 0 ? 0 : (int32_t)value;
}

/* The current task is in the bpf system call: its saved registers must say so. */
static int run_pt_regs(struct trial *t, const struct check *c, struct doctor_result *r)
{
#if defined(__x86_64__)
	const int offset = offsetof(struct user_regs_struct, orig_rax);
#else
	const int offset = 0;
#endif
	const struct bpf_insn insns[] = {
		CALL(get_current_task_btf),
		MOV_REG(BPF_REG_1, BPF_REG_0),
		CALL(task_pt_regs),
		LOAD(BPF_DW, BPF_REG_0, BPF_REG_0, offset),
		EXIT(),
	};
	uint32_t value;
	int error = run_raw(t, insns, ARRAY_SIZE(insns), -1, &value);

	if (error)
		return error;
	return offset && value != SYS_bpf ? -EIO : 0;
}

static int run_task_storage(struct trial *t, const struct check *c, struct doctor_result *r)
{
	_cleanup_close_ int map = task_storage_create();

	if (map < 0)
		return map;
	const struct bpf_insn insns[] = {
		CALL(get_current_task_btf),
		MOV_REG(BPF_REG_2, BPF_REG_0),
		LOAD_MAP(BPF_REG_1, map),
		MOV_IMM(BPF_REG_3, 0),
		MOV_IMM(BPF_REG_4, BPF_LOCAL_STORAGE_GET_F_CREATE),
		CALL(task_storage_get),
		JUMP_IF(BPF_JEQ, BPF_REG_0, 0, 2),
		STORE_IMM(BPF_DW, BPF_REG_0, 0, 42),
		LOAD(BPF_DW, BPF_REG_0, BPF_REG_0, 0),
		EXIT(),
	};
	uint32_t value;
	int error = run_raw(t, insns, ARRAY_SIZE(insns), -1, &value);

	return error ? error : value == 42 ? 0 : -ENOMEM;
}

/* bpf_loop takes a function, so that the program must bring types along. */
static struct btf *loop_types(int *ret_main, int *ret_body)
{
	struct btf *btf = btf__new_empty();

	if (!btf)
		return NULL;
	int integer = btf__add_int(btf, "int", 4, BTF_INT_SIGNED);
	int pointer = btf__add_ptr(btf, 0);
	int main_type = btf__add_func_proto(btf, integer);

	btf__add_func_param(btf, "ctx", pointer);
	int body_type = btf__add_func_proto(btf, integer);

	btf__add_func_param(btf, "i", integer);
	btf__add_func_param(btf, "data", pointer);
	*ret_main = btf__add_func(btf, "count", BTF_FUNC_STATIC, main_type);
	*ret_body = btf__add_func(btf, "body", BTF_FUNC_STATIC, body_type);
	return btf;
}

static int run_loop(struct trial *t, const struct check *c, struct doctor_result *r)
{
	const struct bpf_insn insns[] = {
		MOV_IMM(BPF_REG_1, 100),
		LOAD_IMM64(BPF_REG_2, BPF_PSEUDO_FUNC, 5),
		MOV_IMM(BPF_REG_3, 0),
		MOV_IMM(BPF_REG_4, 0),
		CALL(loop),
		EXIT(),
		MOV_IMM(BPF_REG_0, 0),
		EXIT(), /* the body, five instructions after the first half of its address */
	};
	int main_id, body_id;
	struct btf *btf = loop_types(&main_id, &body_id);

	if (!btf || btf__load_into_kernel(btf) < 0) {
		int error = -errno;

		btf__free(btf);
		return error;
	}
	struct bpf_func_info functions[] = { { 0, (uint32_t)main_id }, { 7, (uint32_t)body_id } };
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .prog_btf_fd = (uint32_t)btf__fd(btf),
		    .func_info = functions, .func_info_cnt = 2,
		    .func_info_rec_size = sizeof(functions[0]));
	_cleanup_close_ int prog = program_load_opts(t, BPF_PROG_TYPE_RAW_TRACEPOINT, insns,
						     ARRAY_SIZE(insns), &opts);
	uint32_t value;

	btf__free(btf);
	if (prog < 0)
		return prog;
	int error = program_run(prog, -1, &value);

	return error ? error : value == 100 ? 0 : -EIO;
}

/* Looks for a number of ours in every thread's memory; only this process has it there. */
static int run_copy_from_user_task(struct trial *t, const struct check *c, struct doctor_result *r)
{
	static const struct program p = {
		BPF_PROG_TYPE_TRACING, BPF_TRACE_ITER, BPF_F_SLEEPABLE,
		"bpf_iter_", "task", BTF_KIND_FUNC,
	};
	volatile uint64_t mark = clock_mono_ns() * 0x9e3779b97f4a7c15ull;
	_cleanup_close_ int map = one_slot_array();

	if (map < 0)
		return map;
	const struct bpf_insn insns[] = {
		LOAD(BPF_DW, BPF_REG_4, BPF_REG_1, 8), /* struct bpf_iter__task: meta, task */
		JUMP_IF(BPF_JEQ, BPF_REG_4, 0, 15),
		MOV_REG(BPF_REG_1, BPF_REG_10),
		ADD_IMM(BPF_REG_1, -8),
		MOV_IMM(BPF_REG_2, 8),
		LOAD_IMM64(BPF_REG_3, 0, (uintptr_t)&mark),
		MOV_IMM(BPF_REG_5, 0),
		CALL(copy_from_user_task),
		JUMP_IF(BPF_JNE, BPF_REG_0, 0, 7),
		LOAD(BPF_DW, BPF_REG_1, BPF_REG_10, -8),
		LOAD_IMM64(BPF_REG_2, 0, mark),
		JUMP_IF_REG(BPF_JNE, BPF_REG_1, BPF_REG_2, 3),
		MAP_VALUE(BPF_REG_3, map),
		STORE_IMM(BPF_DW, BPF_REG_3, 0, 1),
		MOV_IMM(BPF_REG_0, 0),
		EXIT(),
	};
	_cleanup_close_ int prog = program_load(t, &p, insns, ARRAY_SIZE(insns));
	uint64_t found = 0;

	if (prog < 0)
		return prog;
	int error = iterator_run(prog);

	if (error < 0)
		return error;
	error = one_slot_read(map, &found);
	return error ? error : found ? 0 : -EFAULT;
}

static const struct check rows[] = {
	{
		.name = "bpf_ktime_get_ns",
		.purpose = "time stamps",
		.cost = "nothing can be recorded",
		.since = RELEASE(4, 1),
		.caps = BPF_CAPS,
		.run = run_ktime,
	},
	{
		.name = "run on one CPU",
		.purpose = "reading each CPU's own data on demand (test run with a CPU given)",
		.cost = "perfscope moves itself to each CPU in turn",
		.fallback = "moving perfscope to that CPU",
		.since = RELEASE(5, 10),
		.caps = BPF_CAPS,
		.run = run_on_cpu,
	},
	{
		.name = "bpf_get_task_stack",
		.purpose = "kernel stacks of threads that wait",
		.cost = "no stacks of waits that were not drawn when they began",
		.since = RELEASE(5, 11),
		.caps = BPF_CAPS,
		.run = run_task_stack,
	},
	{
		.name = "bpf_task_pt_regs",
		.purpose = "the system call that a thread waits in",
		.cost = "causes of waits are told from kernel stacks alone",
		.fallback = "registers found through task->stack",
		.since = RELEASE(5, 15),
		.caps = BPF_CAPS,
		.run = run_pt_regs,
	},
	{
		.name = "bpf_task_storage_get",
		.purpose = "times of each thread, the cheapest way",
		.cost = "about 5 % of throughput on switch-heavy loads",
		.fallback = "hash by thread id",
		.since = RELEASE(5, 12),
		.caps = BPF_CAPS,
		.run = run_task_storage,
	},
	{
		.name = "bpf_loop",
		.purpose = "copying and walking long stacks in few instructions",
		.cost = "shallower copies of user stacks",
		.fallback = "unrolled loops",
		.since = RELEASE(5, 17),
		.caps = BPF_CAPS,
		.run = run_loop,
	},
	{
		.name = "bpf_copy_from_user_task",
		.purpose = "user stacks of threads while they wait",
		.cost = "waits longer than a tick may show only their kernel stack",
		.fallback = "stacks taken when the wait begins or ends",
		.since = RELEASE(5, 18),
		.caps = BPF_CAPS,
		.run = run_copy_from_user_task,
	},
};

CHECK_GROUP(helper, rows);
