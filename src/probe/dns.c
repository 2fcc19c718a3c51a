// SPDX-License-Identifier: BSD-2-Clause
/* Queries to DNS servers by process and server. On demand: every send and receive on a socket pays. */
#include "dns.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>

#include "fail.h"
#include "map_take.h"
#include "probe.h"
#include "tcp_name.h"

enum { TIME, QUERIES };
enum { PORT = 53 };

struct dns_state {
	struct probe_state probe;
	int sums;
};

static int attach(struct capture *c, struct bpf_object *object, void *arg)
{
	struct dns_state *s = arg;

	s->sums = bpf_object__find_map_fd_by_name(object, "dns_sums");
	return s->sums < 0 ? fail(-ENOENT, "find its map") : 0;
}

static void add(struct capture *c, const struct dns_state *s, const struct dns_key *key, const struct dns_sum *sum)
{
	const struct thread *t = tasks_recent(c->tasks, key->tgid, key->tgid);
	uint32_t metric = s->probe.first_metric, server;
	char name[TCP_NAME_BYTES];

	if (!t || (c->filter && !t->process->selected))
		return;
	tcp_name(key->address, PORT, name);
	server = capture_resource(c, "service", name);
	capture_add(c, metric + TIME, t->id, 0, server, sum->answered, (int64_t)sum->ns);
	capture_add(c, metric + QUERIES, t->id, 0, server, sum->sent, (int64_t)sum->sent);
	for (uint32_t b = 0; b < LATENCY_BUCKETS; b++)
		if (sum->latency[b])
			capture_histogram(c, metric + TIME, server, b, sum->latency[b]);
}

static void take(struct capture *c, struct dns_state *s, bool write)
{
	struct dns_key key;
	struct map_pass pass = {0};
	struct dns_sum sum;

	while (map_take(s->sums, &pass, &key, sizeof(key), &sum) == 0) {
		if (write)
			add(c, s, &key, &sum);
	}
}

static void start(struct capture *c, void *arg)
{
	take(c, arg, false);
}

static void slice(struct capture *c, void *arg, uint64_t now_ns)
{
	take(c, arg, true);
}

extern const char perfscope_dns_object[];
extern const unsigned long perfscope_dns_object_size;

const struct probe probe_dns = {
	.name = "dns",
	.help = "queries to DNS servers by process, and how long answers take",
	.on_demand = true,
	.metrics = (const struct probe_metric[]){
		[TIME] = {"dns.time", "ns", "by process and server: from queries to their answers; count: answers"},
		[QUERIES] = {"dns.queries", "count", "by process and server: queries sent"},
		{0}},
	.object = perfscope_dns_object,
	.object_size = &perfscope_dns_object_size,
	.state_size = sizeof(struct dns_state),
	.attach = attach,
	.start = start,
	.slice = slice,
};
