/* SPDX-License-Identifier: BSD-2-Clause */
/* The BPF maps that every probe's object has in common: made once, put into each of them. */
#pragma once
#include <stddef.h>
#include <stdint.h>

struct bpf_object;
struct capture;

enum shared_map { SHARED_RECORDS, SHARED_TASKS, SHARED_CPUS, SHARED_PYTHON_PROCESSES, SHARED_PYTHON_CODES, SHARED_COUNT };

struct shared_maps {
	int fd[SHARED_COUNT]; /* -1: not made */
	size_t task_bytes, cpu_bytes;
	uint32_t ring_bytes;
};

/* For about so many threads, and stacks of so many bytes (0: as usual). Maps the tables of threads and CPUs into memory and points the capture at them. To be freed
 * after an error, too. */
int shared_maps_create(struct shared_maps *s, struct capture *c, uint32_t threads, uint32_t stack_bytes);
void shared_maps_free(struct shared_maps *s, struct capture *c);

int shared_maps_put(const struct shared_maps *s, struct bpf_object *object); /* before it is loaded */

/* Kernel memory in bytes, as the kernel itself says: of these maps, and of those of the object's own. */
uint64_t shared_maps_bytes(const struct shared_maps *s);
uint64_t own_maps_bytes(const struct bpf_object *object);
