// SPDX-License-Identifier: BSD-2-Clause
#include "capture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>

#include "fail.h"
#include "io.h"
#include "mem.h"

static ssize_t read_memory(pid_t pid, uint64_t address, void *to, size_t len)
{
	struct iovec local = {to, len}, remote = {(void *)(uintptr_t)address, len};

	return process_vm_readv(pid, &local, 1, &remote, 1, 0);
}

struct map_line {
	uint64_t start, end, offset;
	char flags[8];
	char path[512];
};

static bool next_map(FILE *f, struct map_line *m)
{
	char line[1024];

	if (!fgets(line, sizeof(line), f))
		return false;
	m->path[0] = '\0';
	return sscanf(line, "%lx-%lx %7s %lx %*s %*s %511[^\n]", &m->start, &m->end, m->flags, &m->offset,
		      m->path) >= 4;
}

static FILE *open_maps(pid_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/task/%d/maps", pid, pid);
	return fopen(path, "re");
}

static int build(pid_t pid, const struct map_line *m, struct unwind_table **ret_table)
{
	_cleanup_free_ char *copy = NULL;
	_cleanup_close_ int fd = -1;

	if (!strcmp(m->path, "[vdso]")) {
		copy = xmalloc(m->end - m->start);
		if (read_memory(pid, m->start, copy, m->end - m->start) < 0)
			return fail(-errno, "read the vDSO");
		return unwind_table_build_memory(copy, m->end - m->start, ret_table);
	}
	fd = open(m->path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? fail(-errno, "open %s", m->path) : unwind_table_build(fd, NULL, ret_table);
}

static const struct capture_module *module(struct capture *c, const struct map_line *m)
{
	struct unwind_table *table = NULL;

	for (size_t i = 0; i < c->module_count; i++)
		if (!strcmp(c->modules[i].path, m->path))
			return &c->modules[i];
	if (build(c->pid, m, &table) < 0)
		fprintf(stderr, "%s\n", fail_message());
	GROW(c->modules, c->module_count, c->module_capacity);
	c->modules[c->module_count] = (struct capture_module){xstrdup(m->path), table};
	return &c->modules[c->module_count++];
}

/* A JVM keeps frame pointers in compiled code when it is told to; other compilers always do. */
static enum unwind_code generated_code(struct capture *c)
{
	_cleanup_(buf_done) struct buf line = BUF_INIT;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/cmdline", c->pid);
	for (size_t i = 0; i < c->module_count; i++)
		if (strstr(c->modules[i].path, "libjvm.so") &&
		    (read_file(path, 65536, &line) < 0 ||
		     !memmem(line.data, line.len, "+PreserveFramePointer", 21)))
			return UNWIND_CODE_JIT;
	return UNWIND_CODE_JIT_FP;
}

static void add_mapping(struct capture *c, const struct map_line *m)
{
	struct unwind_mapping u = {.start = m->start, .end = m->end, .code = UNWIND_CODE_JIT};
	const struct capture_module *mod = NULL;

	if (m->flags[2] != 'x' || !strcmp(m->path, "[vsyscall]"))
		return;
	if (m->path[0] == '/' || !strcmp(m->path, "[vdso]")) {
		mod = module(c, m);
		u.code = UNWIND_CODE_MODULE;
		u.table = mod->table;
		if (!u.table || !unwind_table_bias(u.table, u.start, m->offset, &u.bias))
			u.table = NULL;
	}
	if (c->mapping_count >= c->mapping_capacity)
		c->names = xrealloc(c->names, (c->mapping_capacity ? c->mapping_capacity * 2 : 16) *
						      sizeof(*c->names));
	GROW(c->mappings, c->mapping_count, c->mapping_capacity);
	c->names[c->mapping_count] = mod ? mod->path : "";
	c->mappings[c->mapping_count++] = u;
}

int capture_new(pid_t pid, struct capture **ret_capture)
{
	_cleanup_fclose_ FILE *maps = open_maps(pid);
	struct capture *c;
	struct map_line m;

	if (!maps)
		return fail(-errno, "mappings of process %d", pid);
	c = xcalloc(1, sizeof(*c));
	c->pid = pid;
	while (next_map(maps, &m))
		add_mapping(c, &m);
	for (size_t i = 0; i < c->mapping_count; i++)
		if (c->mappings[i].code == UNWIND_CODE_JIT)
			c->mappings[i].code = generated_code(c);
	c->input.arch = &unwind_arch_x86_64;
	c->input.mappings = c->mappings;
	c->input.mapping_count = c->mapping_count;
	c->input.stacks = c->stacks;
	*ret_capture = c;
	return 0;
}

static void drop_stacks(struct capture *c)
{
	for (size_t i = 0; i < c->input.stack_count; i++)
		free((void *)(uintptr_t)c->stacks[i].bytes);
	c->input.stack_count = 0;
}

void capture_free(struct capture *c)
{
	if (!c)
		return;
	drop_stacks(c);
	for (size_t i = 0; i < c->module_count; i++) {
		free(c->modules[i].path);
		unwind_table_free(c->modules[i].table);
	}
	free(c->modules);
	free(c->mappings);
	free(c->names);
	free(c);
}

int capture_more(struct capture *c, uint64_t address, size_t max)
{
	_cleanup_fclose_ FILE *maps = open_maps(c->pid);
	struct unwind_stack *s = &c->stacks[c->input.stack_count];
	struct map_line m = {.end = 0};
	size_t len;
	char *copy;

	if (c->input.stack_count == 2)
		return failx(-ENOSPC, "two stacks are there already");
	while (maps && address >= m.end && next_map(maps, &m))
		;
	if (address < m.start || address >= m.end)
		return failx(-EFAULT, "no memory at %lx", address);
	len = m.end - address < max ? m.end - address : max;
	copy = xmalloc(len);
	if (read_memory(c->pid, address, copy, len) != (ssize_t)len) {
		free(copy);
		return fail(-EFAULT, "copy the stack at %lx", address);
	}
	*s = (struct unwind_stack){.start = address, .bytes = copy, .len = len};
	c->input.stack_count++;
	return 0;
}

int capture_take(struct capture *c, pid_t tid, size_t max)
{
	struct user_regs_struct u;
	const uint64_t *from[UNWIND_X86_64_REGS] = {
		[UNWIND_RAX] = (void *)&u.rax, [UNWIND_RDX] = (void *)&u.rdx,
		[UNWIND_RCX] = (void *)&u.rcx, [UNWIND_RBX] = (void *)&u.rbx,
		[UNWIND_RSI] = (void *)&u.rsi, [UNWIND_RDI] = (void *)&u.rdi,
		[UNWIND_RBP] = (void *)&u.rbp, [UNWIND_RSP] = (void *)&u.rsp,
		[UNWIND_R8] = (void *)&u.r8, [UNWIND_R9] = (void *)&u.r9,
		[UNWIND_R10] = (void *)&u.r10, [UNWIND_R11] = (void *)&u.r11,
		[UNWIND_R12] = (void *)&u.r12, [UNWIND_R13] = (void *)&u.r13,
		[UNWIND_R14] = (void *)&u.r14, [UNWIND_R15] = (void *)&u.r15,
		[UNWIND_RIP] = (void *)&u.rip,
	};

	if (ptrace(PTRACE_GETREGS, tid, NULL, &u) < 0)
		return fail(-errno, "registers of thread %d", tid);
	for (unsigned i = 0; i < UNWIND_X86_64_REGS; i++)
		unwind_regs_set(&c->input.regs, i, *from[i]);
	drop_stacks(c);
	if (capture_more(c, u.rsp - c->input.arch->red_zone, max) == 0)
		return 0;
	return capture_more(c, u.rsp, max); /* the red zone has no page yet: nothing is in it */
}

bool capture_is_vdso(const struct capture *c, uint64_t address)
{
	for (size_t i = 0; i < c->mapping_count; i++)
		if (address >= c->mappings[i].start && address < c->mappings[i].end)
			return !strcmp(c->names[i], "[vdso]");
	return false;
}
