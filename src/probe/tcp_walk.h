/* SPDX-License-Identifier: BSD-2-Clause */
/* One look at all TCP and UDP sockets that a process has open. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "buf.h"
#include "hash.h"
#include "tcp.h"

struct tcp_walk {
	struct buf bytes;
	struct tcp_report *reports; /* in `bytes` */
	size_t count;
	struct map *by_tuple; /* hash of a tuple as its peer would see it -> index */
	struct map *listeners; /* port -> index */
	struct map *ports;     /* protocol and port -> index of who has it, or else talks to it */
};

/* Reads what the iterator tells. Negative errno with fail(). Which side serves is known better afterwards than in the
 * kernel: its port is listened on. */
int tcp_walk_read(struct tcp_walk *w, int link);
void tcp_walk_done(struct tcp_walk *w);
/* The other end when it is on this host, too; else NULL. */
const struct tcp_report *tcp_walk_peer(const struct tcp_walk *w, const struct tcp_report *r);
/* Who listens there, or NULL. */
const struct tcp_report *tcp_walk_listener(const struct tcp_walk *w, const uint8_t address[16], uint16_t port);
/* Who listens there or has bound that port (TCP, UDP), else a client of it; or NULL. */
const struct tcp_report *tcp_walk_port(const struct tcp_walk *w, uint8_t protocol, uint16_t port);
