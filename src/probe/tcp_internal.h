/* SPDX-License-Identifier: BSD-2-Clause */
/* The tcp probe's own parts: what a look at the sockets and what connections that came and went become. */
#pragma once
#include "clock.h"
#include "hash.h"
#include "probe.h"
#include "tally.h"
#include "tcp_drops.h"
#include "tcp_unreached.h"
#include "tcp_walk.h"
#include "variables.h"

enum tcp_metric {
	SENT, RECEIVED, OPENED, ACCEPTED, REFUSED, TIMED_OUT, UNREACHABLE, NO_PORT, ABANDONED, UNANSWERED, RESETS, RETRANSMITS,
	RETRANSMITTED, OVERDUE, ZERO_WINDOW, NOT_READ, UNREAD, STANDING, WINDOW_LIMITED, BUFFER_LIMITED, HELD, UNDER_WAY, WAITED, ROUND_TRIP,
	CONNECT, PEER, QUEUE, QUEUE_LIMIT, QUEUED, OVERFLOWS, DROPS, DROPPING, SILENT, LOST,
};

#define SILENT_NS NS_PER_S /* a request that waits longer is told of before its answer */

struct peer_key {
	uint32_t client, server, service;
};

struct tcp_state {
	struct probe_state probe;
	int flows, services, drops;
	struct bpf_link *link;
	struct tcp_walk walk;
	struct tally peers;
	struct tcp_drop_names names;
	struct tcp_unreached unreached;
	struct variables variables;
	volatile struct tcp_changes *changes; /* the kernel side's */
	struct tcp_changes taken; /* as it was when the maps were emptied last */
	uint64_t walked_ns, walk_cost_ns;
	uint64_t troubled_ns; /* the last walk that met a socket in trouble */
	uint64_t no_drops_ns; /* until when there were none, after the last walk */
	uint64_t met_ns;      /* since the last walk, on average, for what this one meets */
	struct map *held;     /* connections of which a segment was once held back, by a hash of their ends */
	uint64_t first_ns, first_jiffies;
	uint64_t tick_ns; /* of the kernel; 0 not known yet */
	uint32_t troubled;
	uint64_t lost;
};

/* A process is its main thread, also when it has ended within the slice. NULL: not asked for. */
const struct thread *tcp_owner(struct capture *c, uint32_t pid);
void tcp_add(struct capture *c, const struct tcp_state *s, enum tcp_metric metric, const struct thread *t, uint32_t resource,
	     uint64_t count, uint64_t value);
uint32_t tcp_service(struct capture *c, const uint8_t address[16], uint16_t port);

/* What one socket has done in the `ns` since the last look. closing: the slice ends with this one. */
void tcp_look(struct capture *c, struct tcp_state *s, const struct tcp_report *r, uint64_t ns, bool closing);

/* Empty the kernel side's maps; write: what they hold is part of the recording. */
void tcp_take_flows(struct capture *c, struct tcp_state *s, bool write);
void tcp_take_latencies(struct capture *c, struct tcp_state *s, bool write);
