/* SPDX-License-Identifier: BSD-2-Clause */
/* File systems that lie on this machine, those in namespaces of containers, too. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/statvfs.h>

struct tasks;

struct mount {
	uint32_t major, minor; /* of the device */
	const char *name; /* where it is mounted; in another namespace "PATH of COMM (PID)", of its oldest process */
	bool read_only;
	struct statvfs space;
};

/* Each of them once, wherever else it is mounted too. Those of remote servers are not asked: statvfs() would hang with a server
 * that does not answer. */
void mounts_each(const struct tasks *tasks, void (*visit)(void *arg, const struct mount *mount), void *arg);
