/* SPDX-License-Identifier: BSD-2-Clause */
/* The threads of some processes as the kernel tells them, by a BPF iterator, or by /proc where that
 * is not allowed. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cleanup.h"
#include "wire.h"

struct raw_thread {
	struct thread_record r;
	bool few_registers; /* only those of the system call, ip and sp */
	char wchan[64];     /* without BPF, in place of the kernel's stack; else empty */
};

struct raw_threads {
	struct raw_thread *items; /* sorted by process and thread */
	size_t count, capacity;
	bool clock_known;
	int64_t clock_offset;     /* from the scheduler's clock to CLOCK_MONOTONIC */
};

void raw_threads_done(struct raw_threads *t);
struct raw_thread *raw_add(struct raw_threads *t);
void raw_sort(struct raw_threads *t);
/* Among sorted ones. */
const struct raw_thread *raw_find(const struct raw_threads *t, uint32_t pid, uint32_t tid);
/* By the number that the thread has in its own PID namespace, as programs know it. */
const struct raw_thread *raw_find_own(const struct raw_threads *t, uint32_t pid, uint32_t own_tid);
/* The thread's namespace is ours: numbers in its memory and in system calls mean what they mean
 * here. */
static inline bool raw_same_namespace(const struct raw_thread *t)
{
	return t->r.own_tid == t->r.tid;
}
/* Not on a CPU: until it gets one, registers, stack and what it waits on keep still. */
bool raw_is_still(const struct raw_thread *t);

struct raw_source;

/* -EPERM, -ENOTSUP or the like with a message when BPF cannot be used. */
int raw_bpf_new(struct raw_source **ret);
void raw_bpf_free(struct raw_source *s); /* NULL is fine */
/* Replaces what `ret` holds by all threads of these processes; those that are gone are not there.
 */
int raw_bpf_read(struct raw_source *s, const uint32_t *pids, size_t count, struct raw_threads *ret);
int raw_proc_read(const uint32_t *pids, size_t count, struct raw_threads *ret);

DEFINE_CLEANUP(struct raw_source *, raw_bpf_free)
