/* SPDX-License-Identifier: BSD-2-Clause */
/* What /proc tells about a process that is still there. Everything may have ended meanwhile: then a
 * function returns a negative errno without a message. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "buf.h"

struct kept_files;

struct proc_mapping {
	uint64_t start, end, offset, inode;
	uint32_t major, minor;
	const char *path; /* "" for anonymous memory; valid during the call */
};

/* Bytes. */
struct proc_memory {
	uint64_t resident, shared, private; /* shared: of files and shared memory; private: the rest of what is resident */
	uint64_t data;                      /* set aside for it alone, touched or not */
	uint64_t mapped;                    /* the rest of its address space: files, shared memory, what it may not write to */
};

int proc_comm(uint32_t pid, char comm[16]);
int proc_memory(struct kept_files *files, uint32_t pid, struct proc_memory *ret_memory);
int proc_shared_memory(uint32_t pid, uint64_t *ret_bytes); /* resident, without files; dearer than proc_memory() */
int proc_command(uint32_t pid, struct buf *command); /* arguments joined by blanks; empty for kernel threads */
int proc_exe(uint32_t pid, struct buf *path);
int proc_age(uint32_t pid, uint64_t *ret_ns); /* since it began */
int proc_parent(uint32_t pid, uint32_t *ret_ppid);
bool proc_lives(uint32_t tid, uint32_t pid); /* such a thread of that process: one that has ended may still have its entry */
/* The path in the hierarchy that tells most: the unified one, else cpu, memory or any other that is
 * not the root; "/" otherwise. */
int proc_cgroup(uint32_t pid, struct buf *path);
void cgroup_choose(char *lines, struct buf *path); /* the same from that text, which it takes apart */
int proc_freezer(uint32_t pid, struct buf *path); /* the cgroup that can freeze it; -ENOENT: the root */
/* Every executable mapping. Also when the group's leader has ended: a living thread's map is read. */
int proc_mappings(uint32_t pid, void (*each)(void *arg, const struct proc_mapping *m), void *arg);

void arguments_join(const char *data, size_t len, struct buf *command); /* NUL-separated, as in /proc */
