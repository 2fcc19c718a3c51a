// SPDX-License-Identifier: BSD-2-Clause
/* Network interfaces of perfscope's network namespace. */
#include <stdio.h>
#include <string.h>

#include "buf.h"
#include "cleanup.h"
#include "clock.h"
#include "gauges.h"
#include "kept_files.h"
#include "probe.h"
#include "text.h"

enum { RECEIVED, SENT, PACKETS_IN, PACKETS_OUT, ERRORS, DROPS, BUSY, SPEED };

struct interfaces_state {
	struct probe_state probe;
	struct gauge_sets sets;
};

/* Bytes a second in each direction; 0 when it has none (lo, virtio). */
static double speed_of(struct kept_files *files, const char *name)
{
	char path[128];
	uint64_t megabits;

	snprintf(path, sizeof(path), "/sys/class/net/%s/speed", name);
	return kept_files_read_u64(files, path, &megabits) == 0 && megabits < 10000000 ? (double)megabits * 1e6 / 8 : 0;
}

static bool is_up(struct kept_files *files, const char *name)
{
	_cleanup_(buf_done) struct buf b = BUF_INIT;
	char path[128];

	snprintf(path, sizeof(path), "/sys/class/net/%s/operstate", name);
	return kept_files_read(files, path, 64, &b) == 0 && (starts_with(b.data, "up") || !strcmp(name, "lo"));
}

static void add(struct capture *c, struct gauge_set *set, uint32_t metric, const char *name,
		const unsigned long long *n, double seconds)
{
	double received = gauge_growth(set, RECEIVED, (double)n[0]), sent = gauge_growth(set, SENT, (double)n[8]);
	bool up = is_up(c->files, name);
	double speed = up ? speed_of(c->files, name) : 0;
	const struct { unsigned metric; double value; } values[] = {
		{RECEIVED, received},
		{SENT, sent},
		{PACKETS_IN, gauge_growth(set, PACKETS_IN, (double)n[1])},
		{PACKETS_OUT, gauge_growth(set, PACKETS_OUT, (double)n[9])},
		{ERRORS, gauge_growth(set, ERRORS, (double)(n[2] + n[10] + n[14]))},
		{DROPS, gauge_growth(set, DROPS, (double)(n[3] + n[4] + n[11] + n[12]))},
		{BUSY, speed > 0 && seconds > 0 ? 100 * (received > sent ? received : sent) / seconds / speed : 0},
	};

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		if (values[i].value > 0)
			capture_gauge(c, metric + values[i].metric, set->resource, values[i].value);
	/* 0, unknown, too: it tells that the interface is there. */
	if (seconds > 0 && up)
		gauge_level(c, set, metric, SPEED, speed);
}

static void read_interfaces(struct capture *c, struct interfaces_state *s, uint64_t now_ns)
{
	_cleanup_(buf_done) struct buf b = BUF_INIT;
	char *rest;

	if (kept_files_read(c->files, "/proc/net/dev", 1 << 20, &b) < 0)
		return;
	rest = b.data;
	for (char *line; (line = strsep(&rest, "\n"));) {
		unsigned long long n[16];
		char *numbers = strchr(line, ':'), *name = line + strspn(line, " ");
		bool is_new;

		if (!numbers)
			continue;
		*numbers++ = 0;
		if (sscanf(numbers, "%llu %llu %llu %llu %llu %llu %llu %llu %llu %llu %llu %llu %llu %llu %llu %llu", &n[0], &n[1],
			   &n[2], &n[3], &n[4], &n[5], &n[6], &n[7], &n[8], &n[9], &n[10], &n[11], &n[12], &n[13], &n[14],
			   &n[15]) != 16)
			continue;
		struct gauge_set *set = gauge_sets_get(&s->sets, name, &is_new);
		if (!set)
			continue;
		if (is_new)
			set->resource = capture_resource(c, "interface", name);
		add(c, set, s->probe.first_metric, name, n, set->time_ns ? (double)(now_ns - set->time_ns) / 1e9 : 0);
		set->time_ns = now_ns;
	}
}

static void start(struct capture *c, void *arg)
{
	read_interfaces(c, arg, clock_mono_ns());
}

static void slice(struct capture *c, void *arg, uint64_t now_ns)
{
	read_interfaces(c, arg, now_ns);
}

static void stop(struct capture *c, void *arg)
{
	gauge_sets_done(&((struct interfaces_state *)arg)->sets);
}

const struct probe probe_interfaces = {
	.name = "interfaces",
	.help = "traffic, errors and drops of each network interface, from /proc/net/dev",
	.metrics = (const struct probe_metric[]){
		[RECEIVED] = {"interface.received", "bytes", "received"},
		[SENT] = {"interface.sent", "bytes", "sent"},
		[PACKETS_IN] = {"interface.packets_received", "count", "packets received"},
		[PACKETS_OUT] = {"interface.packets_sent", "count", "packets sent"},
		[ERRORS] = {"interface.errors", "count", "packets that were damaged or could not be sent"},
		[DROPS] = {"interface.drops", "count", "packets dropped for want of room"},
		[BUSY] = {"interface.busy", "%", "of its speed, the busier direction"},
		[SPEED] = {"interface.speed", "bytes/s", "in each direction; 0 unknown"},
		{0}},
	.state_size = sizeof(struct interfaces_state),
	.start = start,
	.slice = slice,
	.stop = stop,
};
