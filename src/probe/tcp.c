// SPDX-License-Identifier: BSD-2-Clause
/* TCP connections: who talks to whom, how much, how quickly, and what holds it up. */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>

#include "clock.h"
#include "fail.h"
#include "log.h"
#include "mem.h"
#include "tcp_internal.h"
#include "tcp_name.h"

enum {
	WALK_SHARE = 100,   /* a walk that took t is not repeated before that many t */
	MOST_TICK_RATES = 4,
};

/* Sockets are looked at ten times a second as long as one of them is in trouble and for a while after it, else twice. That
 * misses little: how long a window set the pace, what was sent again and how long a segment was under way is counted in the
 * socket, and drops are seen at once. A window that is closed to a sender elsewhere is not counted; where that takes the fifth of
 * the time which a finding needs, it is met within two or three seconds, and looked at closely from then on. */
#define CALM_NS (550 * NS_PER_MS) /* a slice of one second has one walk in its middle and one at its end */
#define CAREFUL_NS (2 * NS_PER_S)

const struct thread *tcp_owner(struct capture *c, uint32_t pid)
{
	const struct thread *t = pid ? tasks_known(c->tasks, pid, pid) : NULL;

	return t && (!c->filter || t->process->selected) ? t : NULL;
}

void tcp_add(struct capture *c, const struct tcp_state *s, enum tcp_metric metric, const struct thread *t, uint32_t resource,
	     uint64_t count, uint64_t value)
{
	if (count || value)
		capture_add(c, s->probe.first_metric + metric, t->id, 0, resource, count, value);
}

uint32_t tcp_service(struct capture *c, const uint8_t address[16], uint16_t port)
{
	char name[TCP_NAME_BYTES];

	tcp_name(address, port, name);
	return capture_resource(c, "service", name);
}

static int prepare(const struct capture *c, struct bpf_object *object)
{
	struct bpf_program *program = bpf_object__find_program_by_name(object, "connect_exit");

	if (program)
		bpf_program__set_autoattach(program, false);
	return tcp_drops_prepare(object);
}

static int attach(struct capture *c, struct bpf_object *object, void *arg)
{
	struct tcp_state *s = arg;

	s->walk = (struct tcp_walk){.bytes = BUF_INIT};
	s->flows = bpf_object__find_map_fd_by_name(object, "flows");
	s->services = bpf_object__find_map_fd_by_name(object, "services");
	s->drops = bpf_object__find_map_fd_by_name(object, "drops");
	int r = variables_map(object, &s->variables);
	if (r < 0)
		return r;
	s->changes = s->variables.memory;
	tcp_unreached_attach(&s->unreached, object, s->changes);
	tcp_drops_read_reasons(&s->names);
	s->link = bpf_program__attach_iter(bpf_object__find_program_by_name(object, "walk"), NULL);
	return s->link ? 0 : fail(-errno, "attach the program that lists sockets");
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

struct drop_context {
	struct capture *c;
	const struct tcp_state *s;
	uint64_t ns; /* since the last look */
};

/* Whose packets they are: who sent them, or who has the port. */
static void add_drop(void *arg, const struct tcp_drop_key *key, const char *name, uint64_t count)
{
	const struct drop_context *d = arg;
	const struct tcp_report *r = key->tgid ? NULL : tcp_walk_port(&d->s->walk, key->protocol, key->port);
	const struct thread *t = tcp_owner(d->c, r ? r->tgid : key->tgid);
	uint32_t metric = d->s->probe.first_metric, resource = capture_resource(d->c, "drop", name);

	capture_add(d->c, metric + DROPS, t ? t->id : 0, 0, resource, count, count);
	capture_add(d->c, metric + DROPPING, t ? t->id : 0, 0, resource, 1, d->ns);
}

/* A table that nothing was put into is not searched: its empty places are many. */
static void take_drops(struct tcp_state *s, tcp_drop_taker *each, void *arg)
{
	uint64_t drops = s->changes->drops;

	if (drops == s->taken.drops)
		return;
	s->taken.drops = drops;
	tcp_drops_take(&s->names, s->drops, each, arg);
}

static void take_flows(struct capture *c, struct tcp_state *s, bool write)
{
	uint64_t flows = s->changes->flows;

	if (flows == s->taken.flows)
		return;
	s->taken.flows = flows;
	tcp_take_flows(c, s, write);
	tcp_take_latencies(c, s, write);
}

static bool is_calm(const struct tcp_state *s, uint64_t now_ns)
{
	return now_ns > s->troubled_ns + CAREFUL_NS;
}

/* closing: the slice ends with this walk. */
static void walk(struct capture *c, struct tcp_state *s, bool write, bool closing)
{
	uint64_t begin = clock_mono_ns(), since = s->walked_ns;
	struct drop_context drop = {c, s, begin - (s->no_drops_ns > since ? s->no_drops_ns : since)};

	s->walked_ns = begin;
	s->troubled = 0;
	s->changes->most_silent = closing && s->tick_ns ? SILENT_NS / s->tick_ns : 0;
	/* What is met after a walk that met nothing began in between: in the middle, on average. */
	s->met_ns = is_calm(s, since) ? (begin - since) / 2 : begin - since;
	if (tcp_walk_read(&s->walk, bpf_link__fd(s->link)) < 0) {
		log_debug("%s", fail_message());
		return;
	}
	learn_tick(s);
	for (size_t i = 0; write && i < s->walk.count; i++)
		tcp_look(c, s, &s->walk.reports[i], begin - since, closing);
	take_drops(s, write ? add_drop : NULL, &drop);
	s->walk_cost_ns = clock_mono_ns() - begin;
}

struct peer_writer {
	struct capture *capture;
	const struct tcp_state *state;
};

static void write_peer(void *arg, const void *key, uint64_t count)
{
	const struct peer_writer *w = arg;
	struct peer_key k;

	memcpy(&k, key, sizeof(k));
	store_add_edge(w->capture->store, &(struct edge_row){
		.slice = w->capture->slice, .kind = w->state->probe.first_metric + PEER, .task = k.client,
		.other_task = k.server, .resource = k.service, .count = count});
}

static void start(struct capture *c, void *arg)
{
	struct tcp_state *s = arg;

	s->lost = capture_counter(c, LOST_CONNECTIONS);
	s->troubled_ns = clock_mono_ns(); /* what is going on is not known yet */
	s->held = map_new();
	walk(c, s, false, false);
	take_flows(c, s, false);
}

/* Between slices, so that what lasts for tenths of seconds is met often enough to know its share. */
static void drained(struct capture *c, void *arg)
{
	struct tcp_state *s = arg;
	uint64_t now = clock_mono_ns(), since = now - s->walked_ns;

	if (!c->start_ns)
		return;
	if (s->changes->drops != s->taken.drops)
		s->troubled_ns = now;
	else
		s->no_drops_ns = now;
	if (since > s->walk_cost_ns * WALK_SHARE && (since > CALM_NS || !is_calm(s, now)))
		walk(c, s, true, false);
}

static void slice(struct capture *c, void *arg, uint64_t now_ns)
{
	struct tcp_state *s = arg;
	uint64_t now = capture_counter(c, LOST_CONNECTIONS);

	walk(c, s, true, true);
	tcp_unreached_look(&s->unreached, s->changes);
	take_flows(c, s, true);
	tally_take(&s->peers, write_peer, &(struct peer_writer){c, s});
	if (now > s->lost)
		capture_gauge(c, s->probe.first_metric + LOST, 0, (double)(now - s->lost));
	s->lost = now;
}

static void detach(struct capture *c, void *arg)
{
	tcp_unreached_detach(&((struct tcp_state *)arg)->unreached);
}

static void stop(struct capture *c, void *arg)
{
	struct tcp_state *s = arg;

	bpf_link__destroy(s->link);
	tcp_walk_done(&s->walk);
	variables_done(&s->variables);
	tally_done(&s->peers);
	map_free(s->held);
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
		[NO_PORT] = {"connection.no_port", "count", "by process and service: connects for which all local ports were in use"},
		[ABANDONED] = {"connection.abandoned", "count", "by process and service: connects given up by their owner"},
		[UNANSWERED] = {"connection.unanswered", "ns", "by process and service: time since connects that nobody has answered "
				"yet were made, beyond half a second; count: such connects, summed over looks"},
		[RESETS] = {"connection.resets", "count", "by process and service: connections that broke"},
		[RETRANSMITS] = {"connection.retransmits", "count", "by process and service: segments sent again"},
		[RETRANSMITTED] = {"connection.retransmitted", "count", "by sender and connection: segments sent again; count: all "
				   "that it sent since it lost one"},
		[OVERDUE] = {"connection.overdue", "ns", "by sender and connection: time in which nothing came back for what it had "
			     "sent, for longer than an acknowledgement may take"},
		[ZERO_WINDOW] = {"connection.zero_window", "ns", "by sender and connection: time that the receiver left no room, "
				 "from looks at moments"},
		[NOT_READ] = {"connection.not_read", "ns", "by receiver and connection: time that it left no room"},
		[UNREAD] = {"connection.unread", "bytes", "data that a receiver which leaves no room has not read"},
		[STANDING] = {"connection.standing", "ns", "by process and service: time that what has come stands there unread, added up "
			      "over connections; count: such looks"},
		[WINDOW_LIMITED] = {"connection.window_limited", "ns", "by sender and connection: time that the receiver's window "
				    "set the pace"},
		[BUFFER_LIMITED] = {"connection.buffer_limited", "ns", "by sender and connection: time that its own send buffer "
				    "set the pace"},
		[HELD] = {"connection.held", "ns", "by writer and connection: time that a small segment was held back until the "
			  "one before is acknowledged"},
		[UNDER_WAY] = {"connection.under_way", "ns", "likewise, of connections that were once held back: exactly for how long "
			       "something was under way, held back or not"},
		[WAITED] = {"connection.waited", "ns", "by client and service, and by client and connection: time that a few segments "
			    "were under way on a path whose round trip takes 5 ms or more"},
		[ROUND_TRIP] = {"connection.round_trip", "ns", "smoothed round trips of a service's busy connections, and of each that "
				"takes 5 ms or more, from looks at moments"},
		[CONNECT] = {"connection.connect", "ns", "how long it takes to connect to a service"},
		[PEER] = {"connection.peer", "count", "client and server process of connections within this host: looks that found them busy, and connects"},
		[QUEUE] = {"port.queue", "connections", "that wait at a port to be accepted"},
		[QUEUE_LIMIT] = {"port.queue_limit", "connections", "by owner and port: for how many there is room, summed over looks"},
		[QUEUED] = {"port.queued", "ns", "by owner and port: time that connections waited to be accepted, from looks at "
			    "moments; as a histogram: for how long the first in line had waited at a look"},
		[OVERFLOWS] = {"port.overflows", "count", "by owner and port: connections that found no room"},
		[DROPS] = {"packet.drops", "count", "by process that loses them, reason and place: packets that the kernel threw away"},
		[DROPPING] = {"packet.dropping", "ns", "likewise: time between looks in which it did; count: such looks"},
		[SILENT] = {"open.silent", "ns", "by owner and service: clients that have sent something a second ago or longer and got nothing since"},
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
	.detach = detach,
	.stop = stop,
};
