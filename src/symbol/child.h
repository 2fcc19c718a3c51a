/* SPDX-License-Identifier: BSD-2-Clause */
/* The child that parses other people's bytes. */
#pragma once
#include <stdint.h>

/* Shared memory that says which module is being worked on, for the case that it is the last one. */
struct child_progress {
	volatile uint32_t module; /* NO_MODULE: none */
};

/* Reads records from `socket` until its end. Never returns. */
_Noreturn void child_run(int socket, int files, struct child_progress *progress);
