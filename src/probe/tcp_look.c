// SPDX-License-Identifier: BSD-2-Clause
/* What one look at a socket says: what it has done since the last, and what it is held up by. */
#include "tcp_internal.h"
#include "tcp_name.h"

enum {
	MOST_HELD = 4096,   /* remembered */
	MOST_TROUBLED = 64, /* connections named in one walk; the others are their service's */
	FEW_SEGMENTS = 10,  /* under way at a time: who has more does not wait for each */
	ANSWER_NS = 500000000, /* a connect is answered by then, wherever on earth */
	SLOW_SEGMENT_NS = 10000000, /* an acknowledgement that is kept back takes 40 ms, for two or three segments */
};

static uint32_t service_of_report(struct capture *c, const struct tcp_report *r)
{
	return r->flags & TCP_SERVER ? tcp_service(c, r->tuple.local, r->tuple.local_port) :
				       tcp_service(c, r->tuple.remote, r->tuple.remote_port);
}

static uint32_t connection_of(struct capture *c, struct tcp_state *s, const struct tcp_report *r)
{
	char name[TCP_PAIR_BYTES];

	if (s->troubled++ >= MOST_TROUBLED)
		return service_of_report(c, r);
	tcp_pair_name(&r->tuple, r->flags & TCP_SERVER, name);
	return capture_resource(c, "connection", name);
}

/* What is there at this moment has been there since the last look: so it is on average. */
static void add_queue(struct capture *c, struct tcp_state *s, const struct tcp_report *r, const struct thread *t, uint32_t port,
		      uint64_t ns)
{
	tcp_add(c, s, QUEUED, t, port, 0, r->backlog * ns);
	if (r->backlog && r->start_ns && r->start_ns < r->now_ns)
		capture_latency(c, s->probe.first_metric + QUEUED, port, r->now_ns - r->start_ns, 1);
}

static void add_listener(struct capture *c, struct tcp_state *s, const struct tcp_report *r, const struct thread *t, uint64_t ns,
			 bool closing)
{
	char name[TCP_NAME_BYTES];

	if (!closing && !r->growth.drops && !r->backlog)
		return;
	tcp_name(r->tuple.local, r->tuple.local_port, name);
	uint32_t port = capture_resource(c, "port", name);
	tcp_add(c, s, OVERFLOWS, t, port, r->growth.drops, r->growth.drops);
	add_queue(c, s, r, t, port, ns);
	if (!closing)
		return;
	if (r->backlog)
		capture_gauge(c, s->probe.first_metric + QUEUE, port, r->backlog);
	/* With its owner; a limit of n has room for n + 1. */
	tcp_add(c, s, QUEUE_LIMIT, t, port, 1, (uint64_t)r->backlog_max + 1);
}

/* How long a packet takes there and back; 0: quickly, or not known. An acknowledgement that its receiver kept back, because
 * it had something to work out first, is no slow path. */
static uint32_t path_us(const struct tcp_report *r, const struct tcp_report *peer)
{
	uint32_t us = peer && peer->srtt_us && peer->srtt_us < r->srtt_us ? peer->srtt_us : r->srtt_us;

	if (us < TCP_SLOW_US)
		return 0;
	return r->least_rtt_us >= TCP_SLOW_US || us >= TCP_ACK_DELAY_US ? us : 0;
}

/* A client that sends little at a time waits for each round trip. */
static uint64_t waited_ns(const struct tcp_state *s, const struct tcp_report *r, uint32_t us, uint64_t ns)
{
	uint64_t busy = r->growth.busy * s->tick_ns;

	if (r->flags & TCP_SERVER || !us || (uint64_t)r->growth.segments * us * 1000 > FEW_SEGMENTS * busy)
		return 0;
	return busy < ns ? busy : ns;
}

static void add_round_trip(struct capture *c, struct tcp_state *s, uint32_t resource, uint32_t us)
{
	capture_latency(c, s->probe.first_metric + ROUND_TRIP, resource, (uint64_t)us * 1000, 1);
}

/* Whether the walks should come more often. What is under way for long at a time may be held back by its sender (Nagle). A
 * peer that is far away is none as long as nobody waits for it. */
static bool is_trouble(const struct tcp_state *s, const struct tcp_report *r, uint64_t waited, uint64_t ns)
{
	uint64_t busy = r->growth.busy * s->tick_ns;

	return r->flags & ~(TCP_SERVER | TCP_LOSSY) || r->growth.window_limited || r->growth.buffer_limited ||
	       r->growth.retransmits || waited > ns / 10 || (busy > ns / 10 && busy > (uint64_t)r->growth.segments * SLOW_SEGMENT_NS);
}

/* Looks that come as regularly as its segments may find each of them held back, or none: how long something was under way bounds
 * that. */
static bool was_held(struct tcp_state *s, const struct tcp_report *r)
{
	uint64_t key = hash_bytes(&r->tuple, sizeof(r->tuple)), once;

	if (r->flags & TCP_HELD) {
		if (map_count(s->held) >= MOST_HELD) { /* most of them are gone */
			map_free(s->held);
			s->held = map_new();
		}
		map_put(s->held, key, 1);
	}
	return map_get(s->held, key, &once);
}

/* What holds it up now has held it up since the last walk: so it is on average. */
static void add_trouble(struct capture *c, struct tcp_state *s, const struct tcp_report *r, const struct thread *t,
			uint64_t ns, bool closing)
{
	const struct tcp_report *peer = tcp_walk_peer(&s->walk, r);
	uint64_t limited = r->growth.window_limited * s->tick_ns, buffer = r->growth.buffer_limited * s->tick_ns;
	bool sent_again = r->flags & TCP_LOSSY && r->growth.segments;
	uint32_t us = r->growth.sent ? path_us(r, peer) : 0;
	uint64_t waited = waited_ns(s, r, us, ns), busy = r->growth.busy * s->tick_ns;
	bool held = was_held(s, r);

	if (is_trouble(s, r, waited, ns))
		s->troubled_ns = s->walked_ns;
	if (!(r->flags & ~(TCP_SERVER | TCP_LOSSY)) && !limited && !buffer && !sent_again && !us && !held)
		return;
	uint32_t connection = connection_of(c, s, r);
	if (r->flags & TCP_STALLED)
		tcp_add(c, s, ZERO_WINDOW, t, connection, 1, s->met_ns);
	if (r->flags & TCP_HELD)
		tcp_add(c, s, HELD, t, connection, 1, s->met_ns);
	if (held && s->tick_ns)
		tcp_add(c, s, UNDER_WAY, t, connection, 0, busy < ns ? busy : ns);
	if (r->flags & TCP_CLOSED_WINDOW || (peer && peer->flags & TCP_STALLED)) {
		tcp_add(c, s, NOT_READ, t, connection, 1, s->met_ns);
		if (closing)
			capture_gauge(c, s->probe.first_metric + UNREAD, connection, r->unread);
	}
	if (sent_again)
		tcp_add(c, s, RETRANSMITTED, t, connection, r->growth.segments, r->growth.retransmits);
	if (r->flags & TCP_OVERDUE)
		tcp_add(c, s, OVERDUE, t, connection, 1, s->met_ns);
	if (us)
		add_round_trip(c, s, connection, us);
	tcp_add(c, s, WAITED, t, connection, 0, waited);
	tcp_add(c, s, WAITED, t, service_of_report(c, r), 0, waited);
	tcp_add(c, s, WINDOW_LIMITED, t, connection, limited > 0, limited < ns ? limited : ns);
	tcp_add(c, s, BUFFER_LIMITED, t, connection, buffer > 0, buffer < ns ? buffer : ns);
}

static void add_connection(struct capture *c, struct tcp_state *s, const struct tcp_report *r, const struct thread *t, uint64_t ns,
			   bool closing)
{
	const struct tcp_report *peer = tcp_walk_peer(&s->walk, r);
	uint32_t service = service_of_report(c, r);
	const struct thread *other;

	tcp_add(c, s, SENT, t, service, r->growth.segments, r->growth.sent);
	tcp_add(c, s, RECEIVED, t, service, 0, r->growth.received);
	tcp_add(c, s, RETRANSMITS, t, service, r->growth.retransmits, r->growth.retransmits);
	tcp_add(c, s, STANDING, t, service, r->unread > 0, r->unread ? ns : 0);
	add_trouble(c, s, r, t, ns, closing);
	if (closing && r->flags & TCP_SERVER && r->silent * s->tick_ns >= SILENT_NS)
		tcp_add(c, s, SILENT, t, service, 1, r->silent * s->tick_ns);
	if (r->srtt_us && r->growth.sent)
		add_round_trip(c, s, service, r->srtt_us);
	if (peer && !(r->flags & TCP_SERVER) && (other = tcp_owner(c, peer->tgid))) {
		struct peer_key key = {t->id, other->id, service};

		tally_add(&s->peers, &key, sizeof(key), 1);
	}
}

static void add_unanswered(struct capture *c, struct tcp_state *s, const struct tcp_report *r, const struct thread *t,
			   uint64_t ns)
{
	uint64_t since = r->start_ns ? r->now_ns - r->start_ns : 0;

	s->troubled_ns = s->walked_ns;
	if (since >= ANSWER_NS)
		tcp_add(c, s, UNANSWERED, t, service_of_report(c, r), 1, since - ANSWER_NS < ns ? since - ANSWER_NS : ns);
}

void tcp_look(struct capture *c, struct tcp_state *s, const struct tcp_report *r, uint64_t ns, bool closing)
{
	const struct thread *t = tcp_owner(c, r->tgid);

	if (!t || r->protocol != PROTOCOL_TCP)
		return;
	if (r->backlog)
		s->troubled_ns = s->walked_ns;
	if (r->state == TCP_STATE_LISTEN)
		add_listener(c, s, r, t, ns, closing);
	else if (r->state == TCP_STATE_SYN_SENT)
		add_unanswered(c, s, r, t, ns);
	else
		add_connection(c, s, r, t, ns, closing);
}
