// SPDX-License-Identifier: BSD-2-Clause
#include "tcp_unreached.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>
#include <sys/syscall.h>

#include "log.h"
#include "tcp.h"

enum { WATCHED = 8, RESTS = 24 }; /* slices: each system call of the machine pays for the watching, so it is bounded whatever is found */

void tcp_unreached_attach(struct tcp_unreached *u, struct bpf_object *object, volatile struct tcp_changes *changes)
{
	struct bpf_program *program = bpf_object__find_program_by_name(object, "connect_exit");

	changes->connect_call = SYS_connect;
	u->program = program && bpf_program__autoload(program) ? program : NULL;
}

static void watch(struct tcp_unreached *u)
{
	u->link = bpf_program__attach(u->program);
	u->watched = 0;
	if (u->link)
		return;
	log_debug("connects that find no way at once are not counted: attach to sys_exit: %s", strerror(errno));
	u->program = NULL;
}

void tcp_unreached_look(struct tcp_unreached *u, volatile const struct tcp_changes *changes)
{
	uint64_t never = changes->never - u->never;

	u->never += never;
	if (u->link && ++u->watched >= WATCHED) {
		tcp_unreached_detach(u);
		u->rests = RESTS;
	} else if (u->rests) {
		u->rests--;
	} else if (!u->link && u->program && never) {
		watch(u);
	}
}

void tcp_unreached_detach(struct tcp_unreached *u)
{
	bpf_link__destroy(u->link);
	u->link = NULL;
}
