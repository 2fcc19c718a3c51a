// SPDX-License-Identifier: BSD-2-Clause
/* Waits for System V's semaphores and message queues. */
#include "decode.h"

#include <stdio.h>
#include <string.h>
#include <sys/sem.h>
#include <unistd.h>

/* Else their numbers mean others here. */
static bool same_namespace(const struct decoding *d)
{
	char path[64], ours[64], theirs[64];
	ssize_t n = readlink("/proc/self/ns/ipc", ours, sizeof(ours));

	snprintf(path, sizeof(path), "/proc/%u/ns/ipc", d->thread->r.tgid);
	return n > 0 && readlink(path, theirs, sizeof(theirs)) == n && !memcmp(ours, theirs, (size_t)n);
}

void decode_semaphores(struct decoding *d, unsigned argument)
{
	struct thread_wait *w = &d->w->wait;
	int id = (int)d->argument[argument], last = -1;
	struct sembuf one;

	w->kind = WAIT_SEMAPHORE;
	w->resource = decode_text(d, "System V semaphores %d", id);
	if (d->argument[argument + 2] != 1 || !decode_memory(d, d->argument[argument + 1], &one, sizeof(one)))
		return;
	if (same_namespace(d))
		last = semctl(id, one.sem_num, GETPID);
	w->detail = last > 0 ? decode_text(d, "number %u, last changed by process %d", one.sem_num, last)
			     : decode_text(d, "number %u", one.sem_num);
}

void decode_message_queue(struct decoding *d, unsigned argument)
{
	d->w->wait.kind = WAIT_QUEUE;
	d->w->wait.resource = decode_text(d, "System V queue %d", (int)d->argument[argument]);
}
