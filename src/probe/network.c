// SPDX-License-Identifier: BSD-2-Clause
/* What the network stack counts for the whole machine: TCP, UDP, the backlog. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "cleanup.h"
#include "gauges.h"
#include "kept_files.h"
#include "mem.h"
#include "probe.h"

enum {
	ESTABLISHED, SEGMENTS_IN, SEGMENTS_OUT, RETRANSMITS, TIMEOUTS, CONNECTS, ACCEPTS, FAILED, RESETS_IN, RESETS_OUT,
	LISTEN_OVERFLOWS, LISTEN_DROPS, SYN_RETRANSMITS, ZERO_TO, ZERO_WANTED, RECEIVE_DROPS, MEMORY_PRESSURE, TIMED_OUT,
	UDP_IN, UDP_OUT, UDP_NO_PORT, UDP_RECEIVE_DROPS, UDP_SEND_DROPS, IP_DISCARDS, BACKLOG_DROPS, BUDGET_EXHAUSTED,
	CPU_BUDGET_EXHAUSTED,
};

/* TCP of both IP versions is counted together; UDP is not. */
static const struct gauge_key snmp[] = {
	{"Tcp.CurrEstab", ESTABLISHED, true}, {"Tcp.InSegs", SEGMENTS_IN}, {"Tcp.OutSegs", SEGMENTS_OUT},
	{"Tcp.RetransSegs", RETRANSMITS}, {"Tcp.ActiveOpens", CONNECTS}, {"Tcp.PassiveOpens", ACCEPTS},
	{"Tcp.AttemptFails", FAILED}, {"Tcp.EstabResets", RESETS_IN}, {"Tcp.OutRsts", RESETS_OUT},
	{"Udp.InDatagrams", UDP_IN}, {"Udp.OutDatagrams", UDP_OUT}, {"Udp.NoPorts", UDP_NO_PORT},
	{"Udp.RcvbufErrors", UDP_RECEIVE_DROPS}, {"Udp.SndbufErrors", UDP_SEND_DROPS},
	{"Ip.InDiscards", IP_DISCARDS}, {"Ip.OutDiscards", IP_DISCARDS}, {0}};

static const struct gauge_key netstat[] = {
	{"TcpExt.TCPTimeouts", TIMEOUTS}, {"TcpExt.ListenOverflows", LISTEN_OVERFLOWS},
	{"TcpExt.ListenDrops", LISTEN_DROPS}, {"TcpExt.TCPSynRetrans", SYN_RETRANSMITS},
	{"TcpExt.TCPToZeroWindowAdv", ZERO_TO}, {"TcpExt.TCPWantZeroWindowAdv", ZERO_WANTED},
	{"TcpExt.TCPRcvQDrop", RECEIVE_DROPS}, {"TcpExt.TCPBacklogDrop", RECEIVE_DROPS},
	{"TcpExt.TCPMemoryPressures", MEMORY_PRESSURE}, {"TcpExt.TCPAbortOnTimeout", TIMED_OUT}, {0}};

static const struct gauge_key snmp6[] = {
	{"Udp6InDatagrams", UDP_IN}, {"Udp6OutDatagrams", UDP_OUT}, {"Udp6NoPorts", UDP_NO_PORT},
	{"Udp6RcvbufErrors", UDP_RECEIVE_DROPS}, {"Udp6SndbufErrors", UDP_SEND_DROPS},
	{"Ip6InDiscards", IP_DISCARDS}, {"Ip6OutDiscards", IP_DISCARDS}, {0}};

static const struct gauge_key softnet[] = {{"dropped", BACKLOG_DROPS}, {"squeezed", BUDGET_EXHAUSTED}, {0}};

struct network_state {
	struct probe_state probe;
	struct gauge_set set;
	uint32_t cpu_count;
	uint32_t *squeezed, *squeezed_before; /* by CPU */
};

/* One line a CPU that is online, in hexadecimal: packets, dropped, out of budget, ...; the thirteenth number is the CPU's (5.10). */
static void read_softnet(const struct capture *c, struct network_state *s, struct gauge_values *v)
{
	_cleanup_(buf_done) struct buf b = BUF_INIT;
	unsigned dropped, squeezed, cpu, line_number = 0;
	char *rest;

	if (kept_files_read(c->files, "/proc/net/softnet_stat", 1 << 20, &b) < 0)
		return;
	rest = b.data;
	for (char *line; (line = strsep(&rest, "\n"));) {
		int found = sscanf(line, "%*x %x %x %*x %*x %*x %*x %*x %*x %*x %*x %*x %x", &dropped, &squeezed, &cpu);

		if (found < 2)
			continue;
		gauge_take(v, softnet, "dropped", dropped);
		gauge_take(v, softnet, "squeezed", squeezed);
		if (found < 3)
			cpu = line_number;
		line_number++;
		if (cpu < s->cpu_count)
			s->squeezed[cpu] = squeezed;
	}
}

static void write_squeezed(struct capture *c, struct network_state *s)
{
	char name[16];

	for (uint32_t cpu = 0; cpu < s->cpu_count; cpu++) {
		uint32_t growth = s->squeezed[cpu] - s->squeezed_before[cpu];

		s->squeezed_before[cpu] = s->squeezed[cpu];
		snprintf(name, sizeof(name), "%u", cpu);
		if (growth)
			capture_gauge(c, s->probe.first_metric + CPU_BUDGET_EXHAUSTED, capture_resource(c, "cpu", name), growth);
	}
}

static void read_all(const struct capture *c, struct network_state *s, struct gauge_values *v)
{
	gauge_read_pairs(c, "/proc/net/snmp", snmp, v);
	gauge_read_pairs(c, "/proc/net/netstat", netstat, v);
	gauge_read_lines(c, "/proc/net/snmp6", snmp6, v);
	read_softnet(c, s, v);
}

static void start(struct capture *c, void *arg)
{
	struct network_state *s = arg;
	struct gauge_values v = {0};

	s->cpu_count = c->cpu_count;
	s->squeezed = xcalloc(c->cpu_count, sizeof(*s->squeezed));
	s->squeezed_before = xcalloc(c->cpu_count, sizeof(*s->squeezed_before));
	read_all(c, s, &v);
	gauge_remember(&s->set, &v);
	memcpy(s->squeezed_before, s->squeezed, c->cpu_count * sizeof(*s->squeezed));
}

static void slice(struct capture *c, void *arg, uint64_t now_ns)
{
	struct network_state *s = arg;
	struct gauge_values v = {0};

	read_all(c, s, &v);
	gauge_write(c, &s->set, s->probe.first_metric, &v);
	write_squeezed(c, s);
}

static void stop(struct capture *c, void *arg)
{
	struct network_state *s = arg;

	free(s->squeezed);
	free(s->squeezed_before);
}

const struct probe probe_network = {
	.name = "network",
	.help = "TCP, UDP and packet counters of the machine, from /proc/net",
	.metrics = (const struct probe_metric[]){
		[ESTABLISHED] = {"tcp.established", "connections", "open connections"},
		[SEGMENTS_IN] = {"tcp.segments_received", "count", "segments received"},
		[SEGMENTS_OUT] = {"tcp.segments_sent", "count", "segments sent, but for those sent again"},
		[RETRANSMITS] = {"tcp.retransmits", "count", "segments sent again"},
		[TIMEOUTS] = {"tcp.timeouts", "count", "retransmission timers that ran out"},
		[CONNECTS] = {"tcp.connects", "count", "connections opened from here"},
		[ACCEPTS] = {"tcp.accepts", "count", "connections opened from elsewhere"},
		[FAILED] = {"tcp.connects_failed", "count", "connections that did not come about"},
		[RESETS_IN] = {"tcp.resets", "count", "open connections that were reset"},
		[RESETS_OUT] = {"tcp.resets_sent", "count", "resets sent"},
		[LISTEN_OVERFLOWS] = {"tcp.listen_overflows", "count", "connections refused because a listener's queue was full"},
		[LISTEN_DROPS] = {"tcp.listen_drops", "count", "connections that a listener lost, for any reason"},
		[SYN_RETRANSMITS] = {"tcp.syn_retransmits", "count", "requests to connect sent again"},
		[ZERO_TO] = {"tcp.zero_windows", "count", "times a socket here told its peer to stop sending"},
		[ZERO_WANTED] = {"tcp.zero_windows_wanted", "count", "times a socket here would have liked to"},
		[RECEIVE_DROPS] = {"tcp.receive_drops", "count", "segments dropped because a socket's buffer was full"},
		[MEMORY_PRESSURE] = {"tcp.memory_pressure", "count", "times TCP's memory came near its limit"},
		[TIMED_OUT] = {"tcp.timed_out", "count", "connections given up after retransmissions in vain"},
		[UDP_IN] = {"udp.received", "count", "datagrams received"},
		[UDP_OUT] = {"udp.sent", "count", "datagrams sent"},
		[UDP_NO_PORT] = {"udp.no_port", "count", "datagrams that nobody listened for"},
		[UDP_RECEIVE_DROPS] = {"udp.receive_drops", "count", "datagrams dropped because a socket's buffer was full"},
		[UDP_SEND_DROPS] = {"udp.send_drops", "count", "datagrams not sent because a buffer was full"},
		[IP_DISCARDS] = {"ip.discards", "count", "packets dropped for want of memory"},
		[BACKLOG_DROPS] = {"net.backlog_drops", "count", "packets dropped because a CPU's backlog was full"},
		[BUDGET_EXHAUSTED] = {"net.budget_exhausted", "count", "times packets were left when a softirq's time was up"},
		[CPU_BUDGET_EXHAUSTED] = {"softnet.budget_exhausted", "count", "likewise, by CPU"},
		{0}},
	.state_size = sizeof(struct network_state),
	.start = start,
	.slice = slice,
	.stop = stop,
};
