/* SPDX-License-Identifier: BSD-2-Clause */
/* Connects that find no way there at once. A socket does not change for that, so system calls are watched, which each of them pays
 * for: only while sockets are closed that never had a port. */
#pragma once
#include <stdint.h>

struct bpf_link;
struct bpf_object;
struct bpf_program;
struct tcp_changes;

struct tcp_unreached {
	const struct bpf_program *program; /* NULL: this kernel has no such hook */
	struct bpf_link *link;             /* NULL: not watched now */
	uint64_t never;                    /* as counted by the kernel side at the last look */
	unsigned watched, rests;           /* slices */
};

void tcp_unreached_attach(struct tcp_unreached *u, struct bpf_object *object, volatile struct tcp_changes *changes);
void tcp_unreached_look(struct tcp_unreached *u, volatile const struct tcp_changes *changes); /* each slice */
void tcp_unreached_detach(struct tcp_unreached *u);
