/* SPDX-License-Identifier: BSD-2-Clause */
/* The other end of sockets and pipes: addresses, and the processes that hold it. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "buf.h"
#include "cleanup.h"

struct peers;

/* Reads /proc at the first question, and then keeps what it has read. */
struct peers *peers_new(void);
void peers_free(struct peers *p);

/* Appends "tcp 127.0.0.1:5000 -> 127.0.0.1:41000" or "unix /run/x.sock"; false: not known. The
 * process is one of those in whose network the socket lies. *ret_pid: the process at the other end
 * when it is on this machine and the only one, else 0; *ret_coming: data are on their way from there. */
bool peers_socket(struct peers *p, uint32_t pid, uint64_t inode, struct buf *b, uint32_t *ret_pid, bool *ret_coming);

/* The same for a Unix socket of that name that listens; *ret_pid: the first of the processes that hold it, but for `pid`, or of its
 * children that do if it leaves that to them. */
bool peers_listener(struct peers *p, uint32_t pid, const char *name, struct buf *b, uint32_t *ret_pid);

/* The processes that hold the pipe's other end (the writers when `writers`), without `pid` unless
 * nobody else does: appends "from PID (COMM), ..."; *ret_pid: the only one, `pid` itself if it does and nobody else is seen to, else 0. */
void peers_pipe(struct peers *p, uint32_t pid, uint64_t inode, bool writers, struct buf *b,
		uint32_t *ret_pid);

DEFINE_CLEANUP(struct peers *, peers_free)
