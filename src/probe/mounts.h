/* SPDX-License-Identifier: BSD-2-Clause */
/* File systems that lie on this machine, those in namespaces of containers, too. Each is there once, wherever else it is mounted.
 * Those of remote servers and of other programs (FUSE) are not asked, nor what is mounted below them: statvfs() would hang with
 * a server that does not answer. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/statvfs.h>

struct mounts;
struct tasks;

struct mount {
	uint32_t major, minor; /* of the device */
	uint64_t namespace;
	char *path;  /* where it is mounted, as its namespace sees it */
	char *name;  /* its path; in another namespace than perfscope's "PATH of COMM (PID)", of a process that lives there */
	char *there; /* its path from here */
	bool read_only;
	struct statvfs space; /* when it was last asked */
};

struct mounts *mounts_new(void);
void mounts_free(struct mounts *m); /* NULL is fine */

/* Finds and asks them anew, if that was not done within the last seconds: what mounts_get() gave is gone then. Returns how often that
 * was done. */
uint32_t mounts_look(struct mounts *m, const struct tasks *tasks);
size_t mounts_count(const struct mounts *m);
struct mount *mounts_get(struct mounts *m, size_t i);

/* How much room there is now; false: it is no longer there. */
bool mount_ask(struct mount *m);

/* Of a process's mounts; 0: the process is gone. */
uint64_t mounts_namespace(uint32_t pid);
