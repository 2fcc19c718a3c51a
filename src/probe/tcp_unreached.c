// SPDX-License-Identifier: BSD-2-Clause
#include "tcp_unreached.h"

#include <bpf/libbpf.h>
#include <sys/syscall.h>

#include "tcp.h"

enum { RESTS = 16 }; /* slices, after one that was watched and had no such connect: those sockets were made for something else */

void tcp_unreached_attach(struct tcp_unreached *u, struct bpf_object *object, volatile struct tcp_changes *changes)
{
	struct bpf_program *program = bpf_object__find_program_by_name(object, "connect_exit");

	changes->connect_call = SYS_connect;
	u->program = program && bpf_program__autoload(program) ? program : NULL;
}

void tcp_unreached_look(struct tcp_unreached *u, volatile const struct tcp_changes *changes)
{
	uint64_t never = changes->never - u->never, unreached = changes->unreached - u->unreached;

	u->never += never;
	u->unreached += unreached;
	if (u->link && !unreached) {
		tcp_unreached_detach(u);
		u->rests = RESTS;
	} else if (u->rests) {
		u->rests--;
	} else if (!u->link && u->program && never) {
		u->link = bpf_program__attach(u->program);
	}
}

void tcp_unreached_detach(struct tcp_unreached *u)
{
	bpf_link__destroy(u->link);
	u->link = NULL;
}
