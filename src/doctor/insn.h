/* SPDX-License-Identifier: BSD-2-Clause */
/* BPF programs of a few instructions, written by hand, and what loads and attaches them. */
#pragma once
#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>

#include "trial.h"

#define INSN(c, d, s, o, i) \
	((struct bpf_insn){ .code = (c), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (i) })
#define MOV_IMM(dst, imm) INSN(BPF_ALU64 | BPF_MOV | BPF_K, dst, 0, 0, imm)
#define MOV_REG(dst, src) INSN(BPF_ALU64 | BPF_MOV | BPF_X, dst, src, 0, 0)
#define ADD_IMM(dst, imm) INSN(BPF_ALU64 | BPF_ADD | BPF_K, dst, 0, 0, imm)
#define LOAD(size, dst, src, off) INSN(BPF_LDX | BPF_MEM | (size), dst, src, off, 0)
#define STORE(size, dst, src, off) INSN(BPF_STX | BPF_MEM | (size), dst, src, off, 0)
#define STORE_IMM(size, dst, off, imm) INSN(BPF_ST | BPF_MEM | (size), dst, 0, off, imm)
#define JUMP_IF(op, dst, imm, off) INSN(BPF_JMP | (op) | BPF_K, dst, 0, off, imm)
#define JUMP_IF_REG(op, dst, src, off) INSN(BPF_JMP | (op) | BPF_X, dst, src, off, 0)
#define CALL(helper) INSN(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_##helper)
#define EXIT() INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)
#define LOAD_IMM64(dst, pseudo, value)                                                       \
	INSN(BPF_LD | BPF_DW | BPF_IMM, dst, pseudo, 0, (__s32)(uint32_t)(uint64_t)(value)), \
		INSN(0, 0, 0, 0, (__s32)(uint32_t)((uint64_t)(value) >> 32))
#define LOAD_MAP(dst, fd) LOAD_IMM64(dst, BPF_PSEUDO_MAP_FD, (uint32_t)(fd))
#define MAP_VALUE(dst, fd) \
	INSN(BPF_LD | BPF_DW | BPF_IMM, dst, BPF_PSEUDO_MAP_VALUE, 0, fd), INSN(0, 0, 0, 0, 0)

struct program {
	enum bpf_prog_type type;
	enum bpf_attach_type attach;
	uint32_t flags;              /* BPF_F_SLEEPABLE */
	const char *prefix, *target; /* BTF name of what it attaches to is prefix + target */
	uint32_t kind;               /* BTF_KIND_TYPEDEF or BTF_KIND_FUNC */
};

/* An fd or a negative errno. Without instructions the program only returns 0. On failure the
 * verifier's last line stands in t->log. */
int program_load(struct trial *t, const struct program *p, const struct bpf_insn *insns,
		 size_t count);
int program_load_opts(struct trial *t, enum bpf_prog_type type, const struct bpf_insn *insns,
		      size_t count, struct bpf_prog_load_opts *opts);
/* Runs a raw tracepoint program once, here or on `cpu` when that is not negative. */
int program_run(int prog, int cpu, uint32_t *ret_value);
/* Lets an iterator program see every object; the number of bytes that it wrote or -errno. */
int iterator_run(int prog);

int event_open(struct perf_event_attr *attr, int pid, int cpu); /* fd or -errno */
int event_attach(int event, int prog);
int one_slot_array(void); /* map fd of one u64 that is 0, or -errno */
int one_slot_read(int map, uint64_t *ret_value);
