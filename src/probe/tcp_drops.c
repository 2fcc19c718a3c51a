// SPDX-License-Identifier: BSD-2-Clause
#include "tcp_drops.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "fail.h"
#include "map_take.h"
#include "mem.h"
#include "tcp.h"

enum { MOST_DROPS = 1024 }; /* entries of the map */

/* Something was too small, broken or forbidden. Others are part of the protocols' daily life: duplicates, resets,
 * packets for nobody. */
static const char *const losses[] = {
	"SOCKET_RCVBUFF", "PROTO_MEM", "SOCKET_BACKLOG", "NETFILTER_DROP", "TCP_CSUM", "UDP_CSUM", "IP_CSUM", "SKB_CSUM",
	"ICMP_CSUM", "IP_RPFILTER", "XFRM_POLICY", "TCP_OFO_QUEUE_PRUNE", "TCP_OFO_DROP", "NEIGH_QUEUEFULL", "NEIGH_FAILED",
	"TC_EGRESS", "TC_INGRESS", "QDISC_DROP", "QDISC_OVERLIMIT", "QDISC_CONGESTED", "FQ_BAND_LIMIT",
	"FQ_HORIZON_LIMIT", "FQ_FLOW_LIMIT", "CPU_BACKLOG", "XDP", "FULL_RING", "NOMEM", "PKT_TOO_BIG",
	"FRAG_REASM_TIMEOUT", "TCP_LISTEN_OVERFLOW", "BPF_CGROUP_EGRESS", "SECURITY_HOOK", "DEV_READY", "PFMEMALLOC"};

static uint8_t loss_of(const char *name)
{
	static const char prefix[] = "SKB_DROP_REASON_";

	if (strncmp(name, prefix, sizeof(prefix) - 1))
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(losses); i++)
		if (!strcmp(name + sizeof(prefix) - 1, losses[i]))
			return (uint8_t)(i + 1);
	return 0;
}

static bool find_reasons(uint8_t reasons[TCP_DROP_REASONS])
{
	struct btf *btf = btf__load_vmlinux_btf();
	int id = btf ? btf__find_by_name_kind(btf, "skb_drop_reason", BTF_KIND_ENUM) : -1;
	bool found = false;

	if (id > 0) {
		const struct btf_type *t = btf__type_by_id(btf, (uint32_t)id);
		const struct btf_enum *e = btf_enum(t);

		for (unsigned i = 0; i < btf_vlen(t); i++) {
			uint8_t loss = loss_of(btf__name_by_offset(btf, e[i].name_off));

			if (!loss || e[i].val < 0 || e[i].val >= TCP_DROP_REASONS)
				continue;
			reasons[e[i].val] = loss;
			found = true;
		}
	}
	btf__free(btf);
	return found;
}

int tcp_drops_prepare(struct bpf_object *object)
{
	struct bpf_map *map = bpf_object__find_map_by_name(object, ".rodata.reasons");
	struct bpf_program *program = bpf_object__find_program_by_name(object, "kfree_skb");
	uint8_t reasons[TCP_DROP_REASONS] = {0};

	if (!find_reasons(reasons))
		return bpf_program__set_autoload(program, false);
	return bpf_map__set_initial_value(map, reasons, sizeof(reasons)) ? fail(-EINVAL, "set the reasons of drops") : 0;
}

void tcp_drops_read_reasons(struct tcp_drop_names *n, struct bpf_object *object)
{
	struct bpf_map *map = bpf_object__find_map_by_name(object, ".rodata.reasons");
	size_t size = 0;

	n->reasons = map ? bpf_map__initial_value(map, &size) : NULL;
	if (size < TCP_DROP_REASONS)
		n->reasons = NULL;
}

static void add_function(struct tcp_drop_names *n, uint64_t address, const char *name)
{
	size_t length = strlen(name) + 1;

	if (n->count >= n->capacity) {
		n->capacity = n->capacity ? n->capacity * 2 : 1 << 16;
		n->starts = xrealloc(n->starts, n->capacity * sizeof(*n->starts));
		n->names = xrealloc(n->names, n->capacity * sizeof(*n->names));
	}
	while (n->length + length > n->text_capacity) {
		n->text_capacity = n->text_capacity ? n->text_capacity * 2 : 1 << 20;
		n->text = xrealloc(n->text, n->text_capacity);
	}
	n->starts[n->count] = address;
	n->names[n->count++] = n->length;
	memcpy(n->text + n->length, name, length);
	n->length += (uint32_t)length;
}

/* The kernel's own functions, in the order of addresses. */
static void read_functions(struct tcp_drop_names *n)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/kallsyms", "re");
	_cleanup_free_ char *line = NULL;
	size_t size = 0;

	n->read = true;
	while (f && getline(&line, &size, f) > 0) {
		char *end;
		uint64_t address = strtoull(line, &end, 16);

		if (!address || strlen(end) < 4 || strchr(end, '['))
			break; /* hidden, or the modules */
		if (!strchr("tTwW", end[1]))
			continue;
		end[3 + strcspn(end + 3, "\n\t")] = 0;
		if (!n->count || address > n->starts[n->count - 1])
			add_function(n, address, end + 3);
	}
}

static const char *function_at(struct tcp_drop_names *n, uint64_t address)
{
	uint32_t low = 0, high;

	if (!n->read)
		read_functions(n);
	high = n->count;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (n->starts[middle] <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low ? n->text + n->names[low - 1] : NULL;
}

static void tell(struct tcp_drop_names *n, const struct tcp_drop_key *key, uint64_t count, struct capture *c,
		 void (*each)(void *arg, struct capture *c, const char *name, uint64_t count), void *arg)
{
	char name[256];

	if (!n->reasons || key->reason >= TCP_DROP_REASONS || !n->reasons[key->reason])
		return;
	const char *reason = losses[n->reasons[key->reason] - 1], *place = function_at(n, key->location);
	snprintf(name, sizeof(name), place ? "%s in %s" : "%s", reason, place);
	each(arg, c, name, count);
}

void tcp_drops_take(struct tcp_drop_names *n, int map, struct capture *c,
		    void (*each)(void *arg, struct capture *c, const char *name, uint64_t count), void *arg)
{
	struct tcp_drop_key key;
	uint64_t count;

	for (int i = 0; i < MOST_DROPS && bpf_map_get_next_key(map, NULL, &key) == 0; i++) {
		if (map_take(map, &key, &count) < 0)
			return;
		if (each)
			tell(n, &key, count, c, each, arg);
	}
}

void tcp_drops_done(struct tcp_drop_names *n)
{
	free(n->starts);
	free(n->names);
	free(n->text);
}
