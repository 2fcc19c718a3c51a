/* SPDX-License-Identifier: BSD-2-Clause */
/* Whether numbers of processes mean what they mean to the kernel. */
#pragma once
#include <errno.h>
#include <sys/stat.h>

/* 1: the machine's own, 0: a container's, or negative errno. The first namespace of each kind has a number that is part of the
 * kernel's interface by now. */
static inline int is_first_pid_namespace(void)
{
	struct stat st;

	return stat("/proc/self/ns/pid", &st) < 0 ? -errno : st.st_ino == 0xeffffffcu;
}
