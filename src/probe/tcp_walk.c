// SPDX-License-Identifier: BSD-2-Clause
#include "tcp_walk.h"

#include <string.h>

#include "iterator.h"
#include "tcp_name.h"

static uint64_t key_of(struct tcp_tuple tuple)
{
	if (!tcp_is_loopback(tuple.local))
		tuple.netns = 0;
	return hash_bytes(&tuple, sizeof(tuple));
}

static uint64_t port_key(uint8_t protocol, uint16_t port)
{
	return (uint64_t)protocol << 16 | port;
}

/* Who listens comes before who talks to it, and who opened a socket before who inherited it; but the first process of all
 * only passes sockets on. */
static void enter_port(struct tcp_walk *w, size_t i, uint16_t port, bool owns)
{
	uint64_t key = port_key(w->reports[i].protocol, port), index;
	bool taken = map_get(w->ports, key, &index);
	const struct tcp_report *r = taken ? &w->reports[index] : NULL;

	if (!taken || (owns && (r->tuple.local_port != port || r->tgid == 1)))
		map_put(w->ports, key, i);
}

static void enter(struct tcp_walk *w, size_t i)
{
	const struct tcp_report *r = &w->reports[i];
	bool owns = r->state == TCP_STATE_LISTEN || r->protocol == PROTOCOL_UDP;

	if (r->state == TCP_STATE_LISTEN)
		map_put(w->listeners, r->tuple.local_port, i);
	else if (r->protocol == PROTOCOL_TCP)
		map_put(w->by_tuple, key_of(r->tuple), i);
	enter_port(w, i, owns ? r->tuple.local_port : r->tuple.remote_port, owns);
}

static void settle_sides(struct tcp_walk *w)
{
	for (size_t i = 0; i < w->count; i++) {
		struct tcp_report *r = &w->reports[i];
		bool local, remote;

		if (r->state == TCP_STATE_LISTEN || r->protocol != PROTOCOL_TCP)
			continue;
		local = map_get(w->listeners, r->tuple.local_port, NULL);
		remote = map_get(w->listeners, r->tuple.remote_port, NULL) && tcp_walk_peer(w, r);
		if (local && !remote)
			r->flags |= TCP_SERVER;
		else if (remote && !local)
			r->flags &= (uint8_t)~TCP_SERVER;
	}
}

int tcp_walk_read(struct tcp_walk *w, int link)
{
	int r;

	tcp_walk_done(w);
	r = iterator_read(link, "sockets", &w->bytes);
	if (r < 0)
		return r;
	w->reports = (struct tcp_report *)w->bytes.data;
	w->count = w->bytes.len / sizeof(*w->reports);
	w->by_tuple = map_new();
	w->listeners = map_new();
	w->ports = map_new();
	for (size_t i = 0; i < w->count; i++)
		enter(w, i);
	settle_sides(w);
	return 0;
}

void tcp_walk_done(struct tcp_walk *w)
{
	buf_done(&w->bytes);
	map_free(w->by_tuple);
	map_free(w->listeners);
	map_free(w->ports);
	*w = (struct tcp_walk){.bytes = BUF_INIT};
}

const struct tcp_report *tcp_walk_peer(const struct tcp_walk *w, const struct tcp_report *r)
{
	struct tcp_tuple other = tcp_reverse(&r->tuple);
	uint64_t index;

	if (!map_get(w->by_tuple, key_of(other), &index))
		return NULL;
	const struct tcp_report *peer = &w->reports[index];
	return !memcmp(peer->tuple.local, other.local, 16) && !memcmp(peer->tuple.remote, other.remote, 16) ? peer : NULL;
}

const struct tcp_report *tcp_walk_listener(const struct tcp_walk *w, const uint8_t address[16], uint16_t port)
{
	uint64_t index;

	if (!w->listeners || !map_get(w->listeners, port, &index))
		return NULL;
	const struct tcp_report *r = &w->reports[index];
	return tcp_is_any(r->tuple.local) || !memcmp(r->tuple.local, address, 16) ? r : NULL;
}

const struct tcp_report *tcp_walk_port(const struct tcp_walk *w, uint8_t protocol, uint16_t port)
{
	uint64_t index;

	return port && w->ports && map_get(w->ports, port_key(protocol, port), &index) ? &w->reports[index] : NULL;
}
