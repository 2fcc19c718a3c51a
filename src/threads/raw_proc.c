// SPDX-License-Identifier: BSD-2-Clause
/* Without BPF: state, counts of switches and the system call from /proc, which the process's own
 * user may read. */
#include "raw.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "fail.h"
#include "io.h"
#include "proc_status.h"
#include "registers.h"
#include "text.h"

DEFINE_CLEANUP(DIR *, closedir)

struct letter {
	char letter;
	u32 state; /* as the kernel's bits */
};

static const struct letter letters[] = {
	{'R', 0},    {'S', 1},    {'D', 2},    {'T', 4},     {'t', 8},
	{'X', 0x80}, {'Z', 0x80}, {'P', 0x40}, {'I', 0x402},
};

static int read_thread_file(uint32_t pid, uint32_t tid, const char *name, struct buf *b)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%u/task/%u/%s", pid, tid, name);
	buf_reset(b);
	return read_file(path, 1 << 16, b);
}

static unsigned long long number_after(const struct buf *b, const char *name)
{
	const char *at = strstr(b->data, name);

	return at ? strtoull(at + strlen(name), NULL, 10) : 0;
}

static void read_status(struct thread_record *r, const struct buf *b)
{
	const char *state = strstr(b->data, "\nState:\t");

	for (size_t i = 0; state && i < sizeof(letters) / sizeof(letters[0]); i++)
		if (letters[i].letter == state[8])
			r->state = letters[i].state;
	r->switches = number_after(b, "\nvoluntary_ctxt_switches:\t") +
		      number_after(b, "\nnonvoluntary_ctxt_switches:\t");
	r->own_tid = proc_status_own_number(b->data, r->tid);
}

/* "comm" may hold blanks and brackets: the fields begin behind the last bracket. */
static void read_cpu(struct thread_record *r, const struct buf *b)
{
	const char *at = strrchr(b->data, ')');

	for (int field = 2; at && field < 39; field++)
		at = strchr(at + 1, ' ');
	r->cpu = at ? (u32)strtoul(at, NULL, 10) : 0;
}

/* "running", "-1 sp ip", or "number six-arguments sp ip". */
static void read_syscall(struct thread_record *r, const struct buf *b)
{
	unsigned long long a[6], sp, ip;
	long number;

	if (starts_with(b->data, "running")) {
		r->flags |= r->state ? 0 : THREAD_ON_CPU;
	} else if (sscanf(b->data, "%ld %llx %llx %llx %llx %llx %llx %llx %llx", &number, &a[0],
			  &a[1], &a[2], &a[3], &a[4], &a[5], &sp, &ip) == 9) {
		for (unsigned i = 0; i < 6; i++)
			r->registers[register_of_argument(i)] = a[i];
		r->registers[REGISTER_NUMBER] = (u64)number;
		r->registers[REGISTER_SP] = sp;
		r->registers[REGISTER_IP] = ip;
		r->flags |= THREAD_HAS_REGISTERS;
	} else if (sscanf(b->data, "-1 %llx %llx", &sp, &ip) == 2) {
		r->registers[REGISTER_NUMBER] = (u64)-1;
		r->registers[REGISTER_SP] = sp;
		r->registers[REGISTER_IP] = ip;
		r->flags |= THREAD_HAS_REGISTERS;
	}
}

static int read_thread(struct raw_threads *t, uint32_t pid, uint32_t tid)
{
	_cleanup_(buf_done) struct buf b = BUF_INIT;
	struct raw_thread raw = {.few_registers = true,
				 .r = {.tid = tid, .tgid = pid, .now_ns = clock_mono_ns()}};
	int r = read_thread_file(pid, tid, "status", &b);

	if (r < 0)
		return r;
	read_status(&raw.r, &b);
	if (read_thread_file(pid, tid, "comm", &b) >= 0)
		snprintf(raw.r.comm, sizeof(raw.r.comm), "%.*s", (int)strcspn(b.data, "\n"),
			 b.data);
	if (read_thread_file(pid, tid, "stat", &b) >= 0)
		read_cpu(&raw.r, &b);
	r = read_thread_file(pid, tid, "syscall", &b);
	if (r >= 0)
		read_syscall(&raw.r, &b);
	else if (r == -EPERM || r == -EACCES)
		return r;
	if (read_thread_file(pid, tid, "wchan", &b) >= 0 && strcmp(b.data, "0"))
		snprintf(raw.wchan, sizeof(raw.wchan), "%.63s", b.data);
	*raw_add(t) = raw;
	return 0;
}

static int read_process(struct raw_threads *t, uint32_t pid)
{
	char path[64];
	int r = 0;

	snprintf(path, sizeof(path), "/proc/%u/task", pid);
	_cleanup_(closedirp) DIR *threads = opendir(path);
	if (!threads)
		return 0; /* it is gone */
	for (struct dirent *entry; (entry = readdir(threads));) {
		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		int thread = read_thread(t, pid, (uint32_t)strtoul(entry->d_name, NULL, 10));
		if (thread == -EPERM || thread == -EACCES)
			r = thread;
	}
	return r;
}

int raw_proc_read(const uint32_t *pids, size_t count, struct raw_threads *ret)
{
	int r = 0;

	ret->count = 0;
	for (size_t i = 0; i < count; i++) {
		int one = read_process(ret, pids[i]);
		/* Of other users' processes nothing can be told; the first is the one that was
		 * asked for. */
		if (i == 0 && one < 0)
			r = one;
	}
	raw_sort(ret);
	return r < 0 ? fail(r, "read the threads of process %u in /proc", pids[0]) : 0;
}
