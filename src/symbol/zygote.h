/* SPDX-License-Identifier: BSD-2-Clause */
/* Starts children. The zygote is forked while the process is young, has nothing mapped and still
 * may give its privileges away; it forks a child whenever it is asked to, so that a child never
 * inherits what the capture has in memory. It lives exactly as long as its control socket. There is
 * at most one child of each kind at a time. */
#pragma once
#include <sys/types.h>

#include "child.h"

enum child_kind { CHILD_NAMES, CHILD_UNWIND, CHILD_KINDS };

struct zygote {
	pid_t pid;
	int control;
	struct child_progress *progress; /* shared with all children; one of each kind */
};

int zygote_init(struct zygote *z); /* negative errno with a message */
void zygote_done(struct zygote *z);
/* Kill the child of that kind, if any, and start one; returns both sockets, non-blocking. */
int zygote_spawn(struct zygote *z, enum child_kind kind, int *ret_socket, int *ret_files);
