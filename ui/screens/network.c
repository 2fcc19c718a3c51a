// SPDX-License-Identifier: BSD-2-Clause
/* The network: services and connections by process, listeners, interfaces, dropped packets. */

#include "clock.h"
#include "measure.h"
#include "mem.h"
#include "places.h"
#include "profile.h"
#include "table_screen.h"
#include "window.h"

enum { NAME, PROCESS, PID };

#define BY_WHOM                                                                                                 \
	{"PID", "process", .width = 7, .kind = COLUMN_TEXT, .field = PID, .ascending = true},                   \
	{"PROCESS", "whose it is", .width = 15, .kind = COLUMN_TEXT, .field = PROCESS, .ascending = true}

enum { SENT, RECEIVED, OPENED, ACCEPTED, CONNECT, RETRANSMITS, REFUSED, TIMED_OUT, RESETS };
static const struct measure service_measures[] = {
	[SENT] = {"connection.sent", VALUE_RATE}, [RECEIVED] = {"connection.received", VALUE_RATE},
	[OPENED] = {"connection.opened", COUNT_RATE}, [ACCEPTED] = {"connection.accepted", COUNT_RATE},
	[CONNECT] = {"connection.opened", VALUE_MEAN}, [RETRANSMITS] = {"connection.retransmits", COUNT_RATE},
	[REFUSED] = {"connection.refused", VALUE_SUM}, [TIMED_OUT] = {"connection.timed_out", VALUE_SUM},
	[RESETS] = {"connection.resets", VALUE_SUM}, {0},
};

static const struct column service_columns[] = {
	{"SENT/S", "bytes a second", .width = 7, .field = SENT, .unit = UNIT_BYTES},
	{"RECV/S", "bytes a second", .width = 7, .field = RECEIVED, .unit = UNIT_BYTES},
	{"OPEN/S", "connections opened from here", .width = 6, .from = 70, .field = OPENED},
	{"ACC/S", "connections taken on", .width = 6, .from = 70, .field = ACCEPTED},
	{"CONNECT", "how long a connect takes, on average", .width = 7, .from = 90, .field = CONNECT, .unit = UNIT_NS,
	 .warning = 100e6, .critical = 1e9},
	{"RETR/S", "segments sent again", .width = 6, .from = 60, .field = RETRANSMITS, .warning = 1},
	{"REF", "connects refused", .width = 4, .from = 84, .field = REFUSED, .warning = 1},
	{"T/O", "connects that nobody answered", .width = 4, .from = 84, .field = TIMED_OUT, .warning = 1},
	{"RST", "connections that broke", .width = 4, .from = 84, .field = RESETS},
	BY_WHOM,
	{"SERVICE", "address and port of the server's side", .kind = COLUMN_TEXT, .field = NAME, .ascending = true},
	{0},
};

enum { REQUESTS, MEAN_TIME, P99, TIME, QUEUE, RUNQUEUE, ON_CPU, ON_LOCK, ON_DISK, ON_MEMORY, ON_PEER, PARTS_END };
static const struct measure request_measures[] = {
	[REQUESTS] = {"request.time", COUNT_RATE}, [MEAN_TIME] = {"request.time", VALUE_MEAN}, [P99] = {"request.time", VALUE_MEAN},
	[TIME] = {"request.time", VALUE_SUM}, [QUEUE] = {"request.queue", VALUE_SUM}, [RUNQUEUE] = {"request.runqueue", VALUE_SUM},
	[ON_CPU] = {"request.cpu", VALUE_SUM}, [ON_LOCK] = {"request.lock", VALUE_SUM}, [ON_DISK] = {"request.disk", VALUE_SUM},
	[ON_MEMORY] = {"request.memory", VALUE_SUM}, [ON_PEER] = {"request.peer", VALUE_SUM}, {0},
};

#define PART(title, help, number, room) {title, help, .width = 6, .from = room, .field = number, .unit = UNIT_PERCENT}
static const struct column request_columns[] = {
	{"REQ/S", "requests answered a second", .width = 6, .field = REQUESTS},
	{"MEAN", "from a request that can be read to the first byte of its answer", .width = 7, .field = MEAN_TIME, .unit = UNIT_NS},
	{"p99", "99 % of the service's answers take less", .width = 7, .field = P99, .unit = UNIT_NS},
	PART("QUEUE%", "of that time, no thread had taken it", QUEUE, 76),
	PART("RUNQ%", "its thread waited for a CPU", RUNQUEUE, 100),
	PART("CPU%", "its thread ran", ON_CPU, 90),
	PART("LOCK%", "its thread waited for a lock", ON_LOCK, 64),
	PART("DISK%", "its thread waited for a disk", ON_DISK, 100),
	PART("PEER%", "its thread waited for others on sockets or pipes", ON_PEER, 100),
	BY_WHOM,
	{"SERVICE", "address and port, or the path of a Unix socket", .kind = COLUMN_TEXT, .field = NAME, .ascending = true},
	{0},
};

enum { ZERO, NOT_READ, WINDOW, BUFFER, HELD, AGAIN };
static const struct measure connection_measures[] = {
	[ZERO] = {"connection.zero_window", VALUE_PERCENT}, [NOT_READ] = {"connection.not_read", VALUE_PERCENT},
	[WINDOW] = {"connection.window_limited", VALUE_PERCENT},
	[BUFFER] = {"connection.buffer_limited", VALUE_PERCENT}, [HELD] = {"connection.held", VALUE_PERCENT},
	[AGAIN] = {"connection.retransmitted", VALUE_SUM}, {0},
};

static const struct column connection_columns[] = {
	{"SHUT%", "of the time, the receiver left no room for what was to be sent", .width = 6, .field = ZERO, .unit = UNIT_PERCENT,
	 .warning = 10, .critical = 50},
	{"UNREAD%", "of the time, it did not read what was there and left no room", .width = 7, .field = NOT_READ,
	 .unit = UNIT_PERCENT, .warning = 10, .critical = 50},
	{"HELD%", "of the time, a small segment was held back", .width = 6, .from = 84, .field = HELD, .unit = UNIT_PERCENT, .warning = 10},
	{"WIN%", "of the time, the receiver's window set the pace", .width = 6, .from = 92, .field = WINDOW, .unit = UNIT_PERCENT},
	{"BUF%", "of the time, its own buffer set the pace", .width = 6, .from = 100, .field = BUFFER, .unit = UNIT_PERCENT},
	{"AGAIN", "segments sent again", .width = 6, .field = AGAIN, .warning = 1},
	BY_WHOM,
	{"CONNECTION", "client and server", .kind = COLUMN_TEXT, .field = NAME, .ascending = true},
	{0},
};

enum { QUEUED, OVERFLOWS };
static const struct measure listener_measures[] = {
	[QUEUED] = {"port.queue", LAST}, [OVERFLOWS] = {"port.overflows", VALUE_SUM}, {0},
};

static const struct column listener_columns[] = {
	{"WAITING", "connections that wait to be accepted", .width = 7, .field = QUEUED, .warning = 1},
	{"OVERFLOWS", "connections that found no room in the window", .width = 9, .field = OVERFLOWS, .critical = 1},
	{"PORT", "which port", .kind = COLUMN_TEXT, .field = NAME, .ascending = true},
	{0},
};

enum { RTT_P50, RTT_P99, CONNECT_P99 };
static const struct measure trip_measures[] = {
	[RTT_P50] = {"connection.round_trip", QUANTILE, 0.5}, [RTT_P99] = {"connection.round_trip", QUANTILE, 0.99},
	[CONNECT_P99] = {"connection.connect", QUANTILE, 0.99}, {0},
};

static const struct column trip_columns[] = {
	{"RTT p99", "smoothed round trips", .width = 8, .field = RTT_P99, .unit = UNIT_NS, .warning = 200e6, .critical = 1e9},
	{"RTT p50", "smoothed round trips", .width = 8, .field = RTT_P50, .unit = UNIT_NS},
	{"CONN p99", "how long connects take", .width = 8, .field = CONNECT_P99, .unit = UNIT_NS, .warning = 1e9},
	{"SERVICE", "address and port of the server's side", .kind = COLUMN_TEXT, .field = NAME, .ascending = true},
	{0},
};

enum { IN, OUT, PACKETS_IN, PACKETS_OUT, BUSY, ERRORS, DROPS };
static const struct measure interface_measures[] = {
	[IN] = {"interface.received", RATE}, [OUT] = {"interface.sent", RATE}, [PACKETS_IN] = {"interface.packets_received", RATE},
	[PACKETS_OUT] = {"interface.packets_sent", RATE}, [BUSY] = {"interface.busy", MEAN}, [ERRORS] = {"interface.errors", SUM},
	[DROPS] = {"interface.drops", SUM}, {"interface.speed", LAST}, {0},
};

static const struct column interface_columns[] = {
	{"IN/S", "bytes a second", .width = 7, .field = IN, .unit = UNIT_BYTES},
	{"OUT/S", "bytes a second", .width = 7, .field = OUT, .unit = UNIT_BYTES},
	{"PKT IN", "packets a second", .width = 7, .field = PACKETS_IN},
	{"PKT OUT", "packets a second", .width = 7, .field = PACKETS_OUT},
	{"BUSY%", "of its speed, if that is known", .width = 6, .field = BUSY, .unit = UNIT_PERCENT, .warning = 80, .critical = 95},
	{"ERR", "packets that were damaged", .width = 5, .field = ERRORS, .warning = 1},
	{"DROP", "packets dropped for want of room", .width = 5, .field = DROPS, .warning = 1},
	{"INTERFACE", "which one", .kind = COLUMN_TEXT, .field = NAME, .ascending = true},
	{0},
};

static const struct measure drop_measures[] = {{"packet.drops", VALUE_RATE}, {0}};

static const struct column drop_columns[] = {
	{"DROPS/S", "packets that the kernel threw away", .width = 8, .warning = 10},
	{"REASON AND PLACE", "why, and in which of its functions", .kind = COLUMN_TEXT, .field = NAME, .ascending = true},
	{0},
};

/* What kind a resource of connections is called is the probe's affair: its metrics tell. */
static void fill_services(const struct screen_context *c, struct table *t, unsigned flags)
{
	measure_processes(c, t, NULL, service_measures);
}

static void fill_requests(const struct screen_context *c, struct table *t, unsigned flags)
{
	measure_processes(c, t, NULL, request_measures);
	for (uint32_t i = 0; i < t->count; i++) {
		double *n = t->records[i].number;

		n[P99] = (double)window_quantile(c->window, "request.time", t->records[i].resource, 0.99);
		for (int k = QUEUE; k < PARTS_END; k++)
			n[k] = n[TIME] > 0 ? 100 * n[k] / n[TIME] : 0;
	}
}

static void fill_connections(const struct screen_context *c, struct table *t, unsigned flags)
{
	measure_processes(c, t, NULL, connection_measures);
}

static void fill_listeners(const struct screen_context *c, struct table *t, unsigned flags)
{
	measure_resources(c, t, NULL, listener_measures);
}

static void fill_trips(const struct screen_context *c, struct table *t, unsigned flags)
{
	measure_resources(c, t, NULL, trip_measures);
}

static void fill_interfaces(const struct screen_context *c, struct table *t, unsigned flags)
{
	measure_resources(c, t, "interface", interface_measures);
}

static void fill_drops(const struct screen_context *c, struct table *t, unsigned flags)
{
	measure_resources(c, t, NULL, drop_measures);
}

/* Where a process waits for the network: a receiver that does not read waits for something else. */
static void detail(const struct screen_context *c, const struct record *r, unsigned width, struct lines *l)
{
	static const struct {
		enum profile profile;
		const char *words;
	} parts[] = {{PROFILE_NET, "waits for the network"}, {PROFILE_OFFCPU, "waits"}, {PROFILE_CPU, "runs"}};
	struct screen_context narrowed = *c;
	struct profile_stack stack;
	uint32_t told = 0;

	narrowed.focus.process = r->process;
	narrowed.focus.resource = 0;
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		if (!profile_heaviest(&narrowed, parts[i].profile, false, NULL, &stack, 1) || stack.stack == told)
			continue;
		told = stack.stack;
		lines_add(l, STYLE_STRONG, 0, "Where %s %s most: %.0f ms, innermost first", r->text[PROCESS], parts[i].words,
			  (double)stack.value / NS_PER_MS);
		(parts[i].profile == PROFILE_CPU ? lines_add_stack : lines_add_wait)(l, window_stacks(c->window), stack.stack, 2, 8);
	}
}

static bool enter(const struct screen_context *c, const struct record *r, struct target *target)
{
	target->focus.process = r->process;
	target->focus.resource = 0;
	target->screen = "threads";
	return true;
}

static const struct table_view views[] = {
	{.name = "services", .columns = service_columns, .fill = fill_services, .detail = detail, .enter = enter,
	 .empty = "No process that fits sent or received anything over TCP."},
	{.name = "requests", .columns = request_columns, .fill = fill_requests, .detail = detail, .enter = enter,
	 .empty = "No process that fits answered a request, or requests cannot be told apart here."},
	{.name = "connections", .columns = connection_columns, .fill = fill_connections, .detail = detail, .enter = enter,
	 .empty = "No connection is held up: nothing was sent again, no receiver left a sender without room."},
	{.name = "listeners", .columns = listener_columns, .fill = fill_listeners, .empty = "No connection waits to be accepted."},
	{.name = "round trips", .columns = trip_columns, .fill = fill_trips, .empty = "No connection was busy."},
	{.name = "interfaces", .columns = interface_columns, .fill = fill_interfaces, .empty = "There is no interface."},
	{.name = "drops", .columns = drop_columns, .fill = fill_drops, .empty = "The kernel threw no packet away."},
	{0},
};

static const struct table_screen table = {.views = views};

const struct screen screen_network = {
	.name = "network",
	.label = "Net",
	.key = '8',
	.help = "services and connections by process, listeners, round trips, interfaces, drops",
	.keys = table_tabs_keys,
	.profile = PROFILE_NET,
	TABLE_SCREEN(&table),
};
