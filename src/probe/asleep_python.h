/* SPDX-License-Identifier: BSD-2-Clause */
/* Python frames of threads that sleep on: what the kernel side does for threads that are on their CPU (bpf/python.bpf.h). */
#pragma once
#include "capture.h"
#include "pagemap.h"

struct asleep_python;

struct asleep_python *asleep_python_new(void);
void asleep_python_free(struct asleep_python *a);

struct asleep_reading {
	struct pagemap *pages; /* the process's */
	uint64_t until_ns;     /* a process that is new is looked at no longer */
};

/* What is remembered of processes' memory is no longer true. */
void asleep_python_forget(struct asleep_python *a);
/* Adds the thread's Python frames to its stack, behind the kernel's, and tells `c` of their functions. */
void asleep_python_read(struct asleep_python *a, struct capture *c, struct process *p, const struct asleep_reading *from, struct wait_record *r);
