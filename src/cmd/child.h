/* SPDX-License-Identifier: BSD-2-Clause */
/* A command that is started held back, so that it can be watched from its first instruction. */
#pragma once
#include <sys/types.h>

#include "cleanup.h"

struct child;

int child_new(char *const *argv, struct child **ret_child); /* forked, waits before exec */
int child_release(struct child *c);                         /* exec now; -errno when it cannot be run */
pid_t child_pid(const struct child *c);
int child_fd(const struct child *c); /* pidfd: readable when it has ended */
int child_wait(struct child *c);     /* its status as a shell says it */
void child_free(struct child *c);    /* one that was never released ends without having run */

DEFINE_CLEANUP(struct child *, child_free)
