// SPDX-License-Identifier: BSD-2-Clause
/* TCP connections: who talks to whom, how much, how quickly, and what holds it up. */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>

#include "clock.h"
#include "fail.h"
#include "histogram.h"
#include "intern.h"
#include "log.h"
#include "map_take.h"
#include "mem.h"
#include "probe.h"
#include "tcp_drops.h"
#include "tcp_name.h"
#include "tcp_walk.h"

enum {
	SENT, RECEIVED, OPENED, ACCEPTED, REFUSED, TIMED_OUT, UNREACHABLE, ABANDONED, RESETS, RETRANSMITS, RETRANSMITTED,
	ZERO_WINDOW, NOT_READ, UNREAD, WINDOW_LIMITED, BUFFER_LIMITED, HELD, ROUND_TRIP, CONNECT, PEER, QUEUE, QUEUE_LIMIT,
	OVERFLOWS, DROPS, LOST,
};

enum {
	WALK_SHARE = 100,   /* a walk that took t is not repeated before that many t */
	MOST_TROUBLED = 64, /* connections named in one walk; the others are their service's */
	MOST_FLOWS = 8192, MOST_SERVICES = 256, /* entries of the maps */
	MOST_TICK_RATES = 4,
};

/* Counts of what is written once a slice. */
struct tally {
	struct intern *keys;
	uint64_t *counts;
	uint32_t capacity;
};

struct round_trip_key {
	uint32_t service, bucket;
};

struct peer_key {
	uint32_t client, server, service;
};

struct tcp_state {
	struct probe_state probe;
	int flows, services, drops;
	struct bpf_link *link;
	struct tcp_walk walk;
	struct tally round_trips, peers;
	struct tcp_drop_names names;
	uint64_t walked_ns, walk_cost_ns;
	uint64_t first_ns, first_jiffies;
	uint64_t tick_ns; /* of the kernel; 0 not known yet */
	uint32_t troubled;
	uint64_t lost;
};

static void tally_add(struct tally *t, const void *key, size_t size, uint64_t count)
{
	bool is_new;

	if (!t->keys)
		t->keys = intern_new();
	uint32_t id = intern_id(t->keys, key, size, &is_new);
	if (is_new) {
		GROW(t->counts, id, t->capacity);
		t->counts[id] = 0;
	}
	t->counts[id] += count;
}

static void tally_clear(struct tally *t)
{
	intern_free(t->keys);
	t->keys = NULL;
}

static int prepare(struct bpf_object *object)
{
	return tcp_drops_prepare(object);
}

static int attach(struct capture *c, struct bpf_object *object, void *arg)
{
	struct tcp_state *s = arg;

	s->walk = (struct tcp_walk){.bytes = BUF_INIT};
	s->flows = bpf_object__find_map_fd_by_name(object, "flows");
	s->services = bpf_object__find_map_fd_by_name(object, "services");
	s->drops = bpf_object__find_map_fd_by_name(object, "drops");
	tcp_drops_read_reasons(&s->names, object);
	s->link = bpf_program__attach_iter(bpf_object__find_program_by_name(object, "walk"), NULL);
	return s->link ? 0 : fail(-errno, "attach the program that lists sockets");
}

/* A process is its main thread, also when it has ended within the slice. NULL: not asked for. */
static const struct thread *owner(struct capture *c, uint32_t pid)
{
	const struct thread *t = pid ? tasks_recent(c->tasks, pid, pid) : NULL;

	return t && (!c->filter || t->process->selected) ? t : NULL;
}

static void add(struct capture *c, const struct tcp_state *s, unsigned metric, const struct thread *t, uint32_t resource,
		uint64_t count, uint64_t value)
{
	if (count || value)
		capture_add(c, s->probe.first_metric + metric, t->id, 0, resource, count, value);
}

static uint32_t service_of(struct capture *c, const uint8_t address[16], uint16_t port)
{
	char name[TCP_NAME_BYTES];

	tcp_name(address, port, name);
	return capture_resource(c, "service", name);
}

static uint32_t service_of_report(struct capture *c, const struct tcp_report *r)
{
	return r->flags & TCP_SERVER ? service_of(c, r->tuple.local, r->tuple.local_port) :
				       service_of(c, r->tuple.remote, r->tuple.remote_port);
}

static uint32_t connection_of(struct capture *c, struct tcp_state *s, const struct tcp_report *r)
{
	char name[TCP_PAIR_BYTES];

	if (s->troubled++ >= MOST_TROUBLED)
		return service_of_report(c, r);
	tcp_pair_name(&r->tuple, r->flags & TCP_SERVER, name);
	return capture_resource(c, "connection", name);
}

static void add_listener(struct capture *c, struct tcp_state *s, const struct tcp_report *r, bool closing)
{
	const struct thread *t = owner(c, r->tgid);
	char name[TCP_NAME_BYTES];

	if (!t || (!closing && !r->growth.drops))
		return;
	tcp_name(r->tuple.local, r->tuple.local_port, name);
	uint32_t port = capture_resource(c, "port", name);
	add(c, s, OVERFLOWS, t, port, r->growth.drops, r->growth.drops);
	if (!closing)
		return;
	if (r->backlog)
		capture_gauge(c, s->probe.first_metric + QUEUE, port, r->backlog);
	/* With its owner; a limit of n has room for n + 1. */
	add(c, s, QUEUE_LIMIT, t, port, 1, (uint64_t)r->backlog_max + 1);
}

/* What holds it up now has held it up since the last walk: so it is on average. */
static void add_trouble(struct capture *c, struct tcp_state *s, const struct tcp_report *r, const struct thread *t,
			uint64_t ns, bool closing)
{
	const struct tcp_report *peer = tcp_walk_peer(&s->walk, r);
	uint64_t limited = r->growth.window_limited * s->tick_ns, buffer = r->growth.buffer_limited * s->tick_ns;

	if (!(r->flags & ~TCP_SERVER) && !limited && !buffer && !r->growth.retransmits)
		return;
	uint32_t connection = connection_of(c, s, r);
	if (r->flags & TCP_STALLED)
		add(c, s, ZERO_WINDOW, t, connection, 1, ns);
	if (r->flags & TCP_HELD)
		add(c, s, HELD, t, connection, 1, ns);
	if (r->flags & TCP_CLOSED_WINDOW || (peer && peer->flags & TCP_STALLED)) {
		add(c, s, NOT_READ, t, connection, 1, ns);
		if (closing)
			capture_gauge(c, s->probe.first_metric + UNREAD, connection, r->unread);
	}
	add(c, s, RETRANSMITTED, t, connection, r->growth.retransmits, r->growth.retransmits);
	add(c, s, WINDOW_LIMITED, t, connection, limited > 0, limited < ns ? limited : ns);
	add(c, s, BUFFER_LIMITED, t, connection, buffer > 0, buffer < ns ? buffer : ns);
}

static void add_connection(struct capture *c, struct tcp_state *s, const struct tcp_report *r, uint64_t ns, bool closing)
{
	const struct tcp_report *peer = tcp_walk_peer(&s->walk, r);
	const struct thread *t = owner(c, r->tgid), *other;
	uint32_t service;

	if (!t)
		return;
	service = service_of_report(c, r);
	add(c, s, SENT, t, service, r->growth.segments, r->growth.sent);
	add(c, s, RECEIVED, t, service, 0, r->growth.received);
	add(c, s, RETRANSMITS, t, service, r->growth.retransmits, r->growth.retransmits);
	add_trouble(c, s, r, t, ns, closing);
	if (r->srtt_us && r->growth.sent) {
		struct round_trip_key key = {service, histogram_bucket((uint64_t)r->srtt_us * 1000)};

		tally_add(&s->round_trips, &key, sizeof(key), 1);
	}
	if (peer && !(r->flags & TCP_SERVER) && (other = owner(c, peer->tgid))) {
		struct peer_key key = {t->id, other->id, service};

		tally_add(&s->peers, &key, sizeof(key), 1);
	}
}

static void learn_tick(struct tcp_state *s)
{
	static const uint32_t rates[MOST_TICK_RATES] = {100, 250, 300, 1000};
	const struct tcp_report *r = s->walk.count ? &s->walk.reports[s->walk.count - 1] : NULL;

	if (!r || s->tick_ns)
		return;
	if (!s->first_ns) {
		s->first_ns = r->now_ns;
		s->first_jiffies = r->jiffies;
	}
	uint64_t ns = r->now_ns - s->first_ns, ticks = r->jiffies - s->first_jiffies;
	if (ns < NS_PER_S / 2 || !ticks)
		return;
	for (int i = 0; i < MOST_TICK_RATES; i++) {
		uint64_t tick = NS_PER_S / rates[i];

		if (ns / ticks > tick * 9 / 10 && ns / ticks < tick * 11 / 10)
			s->tick_ns = tick;
	}
	if (!s->tick_ns)
		s->tick_ns = ns / ticks;
}

/* closing: the slice ends with this walk. */
static void walk(struct capture *c, struct tcp_state *s, bool write, bool closing)
{
	uint64_t begin = clock_mono_ns(), since = s->walked_ns;

	s->walked_ns = begin;
	s->troubled = 0;
	if (tcp_walk_read(&s->walk, bpf_link__fd(s->link)) < 0) {
		log_debug("%s", fail_message());
		return;
	}
	learn_tick(s);
	for (size_t i = 0; write && i < s->walk.count; i++) {
		const struct tcp_report *r = &s->walk.reports[i];

		if (r->state == TCP_STATE_LISTEN)
			add_listener(c, s, r, closing);
		else
			add_connection(c, s, r, begin - since, closing);
	}
	s->walk_cost_ns = clock_mono_ns() - begin;
}

static void add_client_peer(struct capture *c, struct tcp_state *s, const struct tcp_flow_key *key, const struct thread *t,
			    uint32_t service, uint64_t count)
{
	const struct tcp_report *listener = tcp_walk_listener(&s->walk, key->address, key->port);
	const struct thread *other = listener && tcp_is_loopback(key->address) ? owner(c, listener->tgid) : NULL;
	struct peer_key peer;

	if (!other || !count)
		return;
	peer = (struct peer_key){t->id, other->id, service};
	tally_add(&s->peers, &peer, sizeof(peer), count);
}

static void add_flow(struct capture *c, struct tcp_state *s, const struct tcp_flow_key *key, const struct tcp_flow *f)
{
	const struct thread *t = owner(c, key->tgid);
	uint32_t service;

	if (!t)
		return;
	service = service_of(c, key->address, key->port);
	add(c, s, key->server ? ACCEPTED : OPENED, t, service, f->opened, f->connect_ns);
	add(c, s, REFUSED, t, service, f->refused, f->refused);
	add(c, s, TIMED_OUT, t, service, f->timed_out, f->timed_out);
	add(c, s, UNREACHABLE, t, service, f->unreachable, f->unreachable);
	add(c, s, ABANDONED, t, service, f->abandoned, f->abandoned);
	add(c, s, RESETS, t, service, f->reset, f->reset);
	add(c, s, SENT, t, service, f->segments, f->sent);
	add(c, s, RECEIVED, t, service, 0, f->received);
	add(c, s, RETRANSMITS, t, service, f->retransmits, f->retransmits);
	if (!key->server)
		add_client_peer(c, s, key, t, service, f->opened);
}

static void take_flows(struct capture *c, struct tcp_state *s, bool write)
{
	struct tcp_flow_key key;
	struct tcp_flow flow;

	for (int i = 0; i < MOST_FLOWS && bpf_map_get_next_key(s->flows, NULL, &key) == 0; i++) {
		if (map_take(s->flows, &key, &flow) < 0)
			return;
		if (write)
			add_flow(c, s, &key, &flow);
	}
}

static void take_latencies(struct capture *c, struct tcp_state *s, bool write)
{
	struct tcp_service_key key;
	struct tcp_latency latency;

	for (int i = 0; i < MOST_SERVICES && bpf_map_get_next_key(s->services, NULL, &key) == 0; i++) {
		if (map_take(s->services, &key, &latency) < 0)
			return;
		uint32_t service = write ? service_of(c, key.address, key.port) : 0;
		for (uint32_t b = 0; write && b < LATENCY_BUCKETS; b++)
			if (latency.connect[b])
				capture_histogram(c, s->probe.first_metric + CONNECT, service, b, latency.connect[b]);
	}
}

static void write_tallies(struct capture *c, struct tcp_state *s)
{
	for (uint32_t id = 0; s->round_trips.keys && id < intern_count(s->round_trips.keys); id++) {
		struct round_trip_key key;

		memcpy(&key, intern_key(s->round_trips.keys, id, NULL), sizeof(key));
		capture_histogram(c, s->probe.first_metric + ROUND_TRIP, key.service, key.bucket, s->round_trips.counts[id]);
	}
	for (uint32_t id = 0; s->peers.keys && id < intern_count(s->peers.keys); id++) {
		struct peer_key key;

		memcpy(&key, intern_key(s->peers.keys, id, NULL), sizeof(key));
		store_add_edge(c->store, &(struct edge_row){
			.slice = c->slice, .kind = s->probe.first_metric + PEER, .task = key.client,
			.other_task = key.server, .resource = key.service, .count = s->peers.counts[id]});
	}
	tally_clear(&s->round_trips);
	tally_clear(&s->peers);
}

static void add_drop(void *arg, struct capture *c, const char *name, uint64_t count)
{
	const struct tcp_state *s = arg;

	capture_add(c, s->probe.first_metric + DROPS, 0, 0, capture_resource(c, "drop", name), count, count);
}

static uint64_t lost(const struct capture *c)
{
	uint64_t sum = 0;

	for (uint32_t cpu = 0; cpu < c->cpu_count; cpu++)
		sum += c->cpu_slots[cpu].counter[LOST_CONNECTIONS];
	return sum;
}

static void start(struct capture *c, void *arg)
{
	struct tcp_state *s = arg;

	s->lost = lost(c);
	walk(c, s, false, false);
	take_flows(c, s, false);
	take_latencies(c, s, false);
	tcp_drops_take(&s->names, s->drops, c, NULL, NULL);
}

/* Between slices, so that what lasts for tenths of seconds is met often enough to know its share. */
static void drained(struct capture *c, void *arg)
{
	struct tcp_state *s = arg;

	if (c->start_ns && clock_mono_ns() - s->walked_ns > s->walk_cost_ns * WALK_SHARE)
		walk(c, s, true, false);
}

static void slice(struct capture *c, void *arg, uint64_t now_ns)
{
	struct tcp_state *s = arg;
	uint64_t now = lost(c);

	walk(c, s, true, true);
	take_flows(c, s, true);
	take_latencies(c, s, true);
	write_tallies(c, s);
	tcp_drops_take(&s->names, s->drops, c, add_drop, s);
	if (now > s->lost)
		capture_gauge(c, s->probe.first_metric + LOST, 0, (double)(now - s->lost));
	s->lost = now;
}

static void stop(struct capture *c, void *arg)
{
	struct tcp_state *s = arg;

	bpf_link__destroy(s->link);
	tcp_walk_done(&s->walk);
	tally_clear(&s->round_trips);
	tally_clear(&s->peers);
	free(s->round_trips.counts);
	free(s->peers.counts);
	tcp_drops_done(&s->names);
}

extern const char perfscope_tcp_object[];
extern const unsigned long perfscope_tcp_object_size;

const struct probe probe_tcp = {
	.name = "tcp",
	.help = "TCP connections by process: traffic, round trips, what holds them up, failures, queues of listeners",
	.metrics = (const struct probe_metric[]){
		[SENT] = {"connection.sent", "bytes", "by process and service: acknowledged bytes; count: segments"},
		[RECEIVED] = {"connection.received", "bytes", "by process and service: bytes that came in"},
		[OPENED] = {"connection.opened", "ns", "by process and service: connects that succeeded, and how long they took"},
		[ACCEPTED] = {"connection.accepted", "ns", "by process and service: connections taken on; the time is not known"},
		[REFUSED] = {"connection.refused", "count", "by process and service: connects that were refused"},
		[TIMED_OUT] = {"connection.timed_out", "count", "by process and service: connects that nobody answered"},
		[UNREACHABLE] = {"connection.unreachable", "count", "by process and service: connects without a way there"},
		[ABANDONED] = {"connection.abandoned", "count", "by process and service: connects given up by their owner"},
		[RESETS] = {"connection.resets", "count", "by process and service: connections that broke"},
		[RETRANSMITS] = {"connection.retransmits", "count", "by process and service: segments sent again"},
		[RETRANSMITTED] = {"connection.retransmitted", "count", "by process and connection: segments sent again"},
		[ZERO_WINDOW] = {"connection.zero_window", "ns", "by sender and connection: time that the receiver left no room, "
				 "from looks ten times a second"},
		[NOT_READ] = {"connection.not_read", "ns", "by receiver and connection: time that it left no room"},
		[UNREAD] = {"connection.unread", "bytes", "data that a receiver which leaves no room has not read"},
		[WINDOW_LIMITED] = {"connection.window_limited", "ns", "by sender and connection: time that the receiver's window "
				    "set the pace"},
		[BUFFER_LIMITED] = {"connection.buffer_limited", "ns", "by sender and connection: time that its own send buffer "
				    "set the pace"},
		[HELD] = {"connection.held", "ns", "by writer and connection: time that a small segment was held back until the "
			  "one before is acknowledged"},
		[ROUND_TRIP] = {"connection.round_trip", "ns", "smoothed round trips of a service's busy connections, looked at ten times a second"},
		[CONNECT] = {"connection.connect", "ns", "how long it takes to connect to a service"},
		[PEER] = {"connection.peer", "count", "client and server process of connections within this host: looks that found them busy, and connects"},
		[QUEUE] = {"port.queue", "connections", "that wait at a port to be accepted"},
		[QUEUE_LIMIT] = {"port.queue_limit", "connections", "by owner and port: for how many there is room, summed over looks"},
		[OVERFLOWS] = {"port.overflows", "count", "by owner and port: connections that found no room"},
		[DROPS] = {"packet.drops", "count", "packets that the kernel threw away, by reason and place"},
		[LOST] = {"lost.connections", "count", "changes of connections that were not counted"},
		{0}},
	.object = perfscope_tcp_object,
	.object_size = &perfscope_tcp_object_size,
	.state_size = sizeof(struct tcp_state),
	.prepare = prepare,
	.attach = attach,
	.start = start,
	.drained = drained,
	.slice = slice,
	.stop = stop,
};
