/* SPDX-License-Identifier: BSD-2-Clause */
/* A system call's arguments while it is found out what its thread waits on (waits.c has the table of calls). */
#pragma once
#include "waits.h"

struct decoding {
	const struct wait_context *c;
	const struct raw_thread *thread;
	uint64_t argument[6];
	struct waiting *w;
};

__attribute__((format(printf, 2, 3))) const char *decode_text(const struct decoding *d, const char *format, ...);
bool decode_memory(const struct decoding *d, uint64_t address, void *to, size_t len);

/* Each is told which argument to look at. */
typedef void call_decoder(struct decoding *d, unsigned argument);
call_decoder decode_wait4, decode_waitid, decode_vfork, decode_clone, decode_clone3; /* processes */
call_decoder decode_semaphores, decode_message_queue;                                /* System V's */
void decode_pidfd(struct decoding *d, int fd);
