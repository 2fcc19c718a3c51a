// SPDX-License-Identifier: BSD-2-Clause
#include "unwind_bench.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fail.h"
#include "mem.h"

static void on_symbol(void *arg, uint32_t frame, const struct symbol *symbols, size_t count)
{
	(void)arg, (void)frame, (void)symbols, (void)count;
}

static void on_unwound(void *arg, uint64_t cookie, const uint64_t *addresses, size_t depth,
		       enum unwind_status status, enum unwind_reason reason)
{
	struct seen *seen = arg;

	seen->answers++;
	seen->wrong += cookie >= COOKIES || seen->times[cookie]++;
	seen->status[status]++;
	seen->reason[reason]++;
	seen->last_cookie = cookie;
	seen->depth = depth;
	if (depth)
		memcpy(seen->address, addresses, depth * sizeof(*addresses));
}

void bench_open(struct bench *b)
{
	struct symbolizer_options options = {.handler = on_symbol,
					     .unwound = on_unwound,
					     .remembers = b->remembers,
					     .arg = &b->seen,
					     .table_cache = b->cache,
					     .table_memory = b->table_memory,
					     .unused_ns = b->unused_ns};

	b->seen = (struct seen){.times = xcalloc(COOKIES, 1)};
	if (symbolizer_new(&options, &b->s) < 0) {
		fprintf(stderr, "%s\n", fail_message());
		exit(1);
	}
}

void bench_close(struct bench *b)
{
	symbolizer_free(b->s);
	free(b->seen.times);
}

bool subject_start(struct subject *x, const char *variant, const char *mode, const char *depth)
{
	char path[4096];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 64);
	int status;

	*x = (struct subject){.pid = -1};
	if (n < 0)
		return false;
	path[n] = 0;
	for (int i = 0; i < 2; i++) /* build/tests/unit/x -> build/tests */
		*strrchr(path, '/') = 0;
	snprintf(path + strlen(path), 64, "/unwind/workload-%s", variant);
	x->pid = fork();
	if (!x->pid) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		execl(path, path, mode, depth, NULL);
		_exit(127);
	}
	if (x->pid < 0 || waitpid(x->pid, &status, 0) != x->pid || !WIFSTOPPED(status))
		return false;
	ptrace(PTRACE_SETOPTIONS, x->pid, NULL, (void *)PTRACE_O_EXITKILL);
	do {
		int signal = WSTOPSIG(status) == SIGTRAP ? 0 : WSTOPSIG(status);

		ptrace(PTRACE_CONT, x->pid, NULL, (void *)(intptr_t)signal);
		if (waitpid(x->pid, &status, 0) != x->pid || !WIFSTOPPED(status))
			return false;
	} while (WSTOPSIG(status) != SIGTRAP);
	if (capture_new(x->pid, &x->capture) < 0 || capture_take(x->capture, x->pid, WHOLE) < 0)
		return false;
	unwind_stack(&x->capture->input, &x->expected);
	return true;
}

void subject_end(struct subject *x)
{
	capture_free(x->capture);
	if (x->pid > 0) {
		kill(x->pid, SIGKILL);
		waitpid(x->pid, NULL, 0);
	}
}

static void read_build_id(const char *path, struct symbol_mapping *m)
{
	_cleanup_(unwind_table_freep) struct unwind_table *table = NULL;
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || unwind_table_build(fd, NULL, &table) < 0)
		return;
	const struct unwind_table_info *info = unwind_table_info(table);
	m->build_id_len =
		info->build_id_len < sizeof(m->build_id) ? info->build_id_len : sizeof(m->build_id);
	memcpy(m->build_id, info->build_id, m->build_id_len);
}

static int module_at(struct bench *b, const struct subject *x, const char *path, uint64_t start,
		     uint64_t end, uint64_t offset)
{
	struct symbol_mapping m = {
		.pid = x->pid, .start = start, .end = end, .offset = offset, .path = path};
	struct stat st;

	if (!strcmp(path, "[vdso]"))
		return symbolizer_vdso(b->s);
	if (path[0] != '/' || stat(path, &st) < 0)
		return -1;
	m.dev_major = major(st.st_dev);
	m.dev_minor = minor(st.st_dev);
	m.inode = st.st_ino;
	if (b->with_build_ids)
		read_build_id(path, &m);
	return symbolizer_elf(b->s, &m);
}

int define_space(struct bench *b, const struct subject *x, uint32_t space)
{
	struct symbol_space_mapping m[256];
	size_t count = 0;
	char line[4096 + 128], path[4096], flags[8];
	uint64_t start, end, offset;

	snprintf(path, sizeof(path), "/proc/%d/maps", x->pid);
	_cleanup_fclose_ FILE *maps = fopen(path, "re");
	while (maps && count < 256 && fgets(line, sizeof(line), maps)) {
		path[0] = 0;
		if (sscanf(line, "%lx-%lx %7s %lx %*s %*s %4095[^\n]", &start, &end, flags, &offset,
			   path) < 4 ||
		    flags[2] != 'x' || !strcmp(path, "[vsyscall]"))
			continue;
		m[count++] = (struct symbol_space_mapping){
			start, end, offset, module_at(b, x, path, start, end, offset)};
	}
	return symbolizer_space(b->s, space, m, count);
}

int ask(struct bench *b, const struct subject *x, uint32_t space, uint64_t cookie)
{
	const struct unwind_stack *s = &x->capture->stacks[0];

	return symbolizer_unwind(b->s, space, &x->capture->input.regs,
				 &(struct stack_copy){.start = s->start, .bytes = s->bytes, .len = s->len}, cookie);
}

bool as_expected(const struct bench *b, const struct subject *x)
{
	const struct unwind_output *e = &x->expected;

	if (b->seen.depth != e->count)
		return false;
	for (uint32_t i = 0; i < e->count; i++)
		if (b->seen.address[i] != e->ip[i] + (i && e->exact[i]))
			return false;
	return true;
}
