// SPDX-License-Identifier: BSD-2-Clause
/* Connections that came or went: what the kernel side has summed up by process and service. */

#include "map_take.h"
#include "tcp_internal.h"
#include "tcp_name.h"

static void add_client_peer(struct capture *c, struct tcp_state *s, const struct tcp_flow_key *key, const struct thread *t,
			    uint32_t service, uint64_t count)
{
	const struct tcp_report *listener = tcp_walk_listener(&s->walk, key->address, key->port);
	const struct thread *other = listener && tcp_is_loopback(key->address) ? tcp_owner(c, listener->tgid) : NULL;
	struct peer_key peer;

	if (!other || !count)
		return;
	peer = (struct peer_key){t->id, other->id, service};
	tally_add(&s->peers, &peer, sizeof(peer), count);
}

static void add_flow(struct capture *c, struct tcp_state *s, const struct tcp_flow_key *key, const struct tcp_flow *f)
{
	const struct thread *t = tcp_owner(c, key->tgid);
	uint32_t service;

	if (!t)
		return;
	service = tcp_service(c, key->address, key->port);
	tcp_add(c, s, key->server ? ACCEPTED : OPENED, t, service, f->opened, f->connect_ns);
	tcp_add(c, s, REFUSED, t, service, f->refused, f->refused);
	tcp_add(c, s, TIMED_OUT, t, service, f->timed_out, f->timed_out);
	tcp_add(c, s, UNREACHABLE, t, service, f->unreachable, f->unreachable);
	tcp_add(c, s, NO_PORT, t, service, f->no_port, f->no_port);
	tcp_add(c, s, ABANDONED, t, service, f->abandoned, f->abandoned);
	tcp_add(c, s, RESETS, t, service, f->reset, f->reset);
	tcp_add(c, s, SENT, t, service, f->segments, f->sent);
	tcp_add(c, s, RECEIVED, t, service, 0, f->received);
	tcp_add(c, s, RETRANSMITS, t, service, f->retransmits, f->retransmits);
	tcp_add(c, s, WAITED, t, service, 0, f->waited * s->tick_ns);
	if (!key->server)
		add_client_peer(c, s, key, t, service, f->opened);
}

void tcp_take_flows(struct capture *c, struct tcp_state *s, bool write)
{
	struct tcp_flow_key key;
	struct map_pass pass = {0};
	struct tcp_flow flow;

	while (map_take(s->flows, &pass, &key, sizeof(key), &flow) == 0) {
		if (write)
			add_flow(c, s, &key, &flow);
	}
}

void tcp_take_latencies(struct capture *c, struct tcp_state *s, bool write)
{
	struct tcp_service_key key;
	struct map_pass pass = {0};
	struct tcp_latency latency;

	while (map_take(s->services, &pass, &key, sizeof(key), &latency) == 0) {
		uint32_t service = write ? tcp_service(c, key.address, key.port) : 0;
		for (uint32_t b = 0; write && b < LATENCY_BUCKETS; b++)
			if (latency.connect[b])
				capture_histogram(c, s->probe.first_metric + CONNECT, service, b, latency.connect[b]);
	}
}

