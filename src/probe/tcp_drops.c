// SPDX-License-Identifier: BSD-2-Clause
#include "tcp_drops.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "cleanup.h"
#include "fail.h"
#include "map_take.h"
#include "mem.h"
#include "search.h"

/* Something was too small, broken or forbidden. Others are part of the protocols' daily life: duplicates, resets,
 * packets for nobody. */
static const struct loss {
	const char *name;
	enum tcp_drop_where where;
} losses[] = {
	{"SOCKET_RCVBUFF", TCP_DROP_IN_SOCKET}, {"SOCKET_BACKLOG", TCP_DROP_IN_SOCKET}, {"SOCKET_FILTER", TCP_DROP_IN_SOCKET},
	{"PROTO_MEM", TCP_DROP_IN_SOCKET}, {"TCP_CSUM", TCP_DROP_IN_SOCKET}, {"UDP_CSUM", TCP_DROP_IN_SOCKET},
	{"SKB_CSUM", TCP_DROP_IN_SOCKET}, {"TCP_OFO_QUEUE_PRUNE", TCP_DROP_IN_SOCKET}, {"TCP_OFO_DROP", TCP_DROP_IN_SOCKET},
	{"TCP_LISTEN_OVERFLOW", TCP_DROP_IN_SOCKET}, {"PFMEMALLOC", TCP_DROP_IN_SOCKET}, {"SECURITY_HOOK", TCP_DROP_IN_SOCKET},
	{"FRAG_REASM_TIMEOUT", TCP_DROP_IN_SOCKET}, {"ICMP_CSUM", TCP_DROP_IN_SOCKET},
	{"NETFILTER_DROP", TCP_DROP_ON_WAY}, {"IP_CSUM", TCP_DROP_ON_WAY}, {"IP_RPFILTER", TCP_DROP_ON_WAY},
	{"XFRM_POLICY", TCP_DROP_ON_WAY}, {"NEIGH_QUEUEFULL", TCP_DROP_ON_WAY}, {"NEIGH_FAILED", TCP_DROP_ON_WAY},
	{"TC_EGRESS", TCP_DROP_ON_WAY}, {"TC_INGRESS", TCP_DROP_ON_WAY}, {"QDISC_DROP", TCP_DROP_ON_WAY},
	{"QDISC_OVERLIMIT", TCP_DROP_ON_WAY}, {"QDISC_CONGESTED", TCP_DROP_ON_WAY}, {"FQ_BAND_LIMIT", TCP_DROP_ON_WAY},
	{"FQ_HORIZON_LIMIT", TCP_DROP_ON_WAY}, {"FQ_FLOW_LIMIT", TCP_DROP_ON_WAY}, {"CPU_BACKLOG", TCP_DROP_ON_WAY},
	{"XDP", TCP_DROP_ON_WAY}, {"FULL_RING", TCP_DROP_ON_WAY}, {"NOMEM", TCP_DROP_ON_WAY},
	{"PKT_TOO_BIG", TCP_DROP_ON_WAY}, {"BPF_CGROUP_EGRESS", TCP_DROP_ON_WAY}, {"DEV_READY", TCP_DROP_ON_WAY}};

static uint8_t loss_of(const char *name)
{
	static const char prefix[] = "SKB_DROP_REASON_";

	if (strncmp(name, prefix, sizeof(prefix) - 1))
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(losses); i++)
		if (!strcmp(name + sizeof(prefix) - 1, losses[i].name))
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
	for (int i = 0; i < TCP_DROP_REASONS; i++)
		reasons[i] = reasons[i] ? (uint8_t)losses[reasons[i] - 1].where : TCP_DROP_NOT;
	return bpf_map__set_initial_value(map, reasons, sizeof(reasons)) ? fail(-EINVAL, "set the reasons of drops") : 0;
}

void tcp_drops_read_reasons(struct tcp_drop_names *n)
{
	find_reasons(n->reasons);
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
	size_t count;

	if (!n->read)
		read_functions(n);
	count = COUNT_UP_TO(n->starts, n->count, , address);
	return count ? n->text + n->names[count - 1] : NULL;
}

static void add_name(struct tcp_drop_names *n, const struct tcp_drop_key *key, struct buf *name)
{
	const char *place = function_at(n, key->location);

	buf_addstr(name, losses[n->reasons[key->reason] - 1].name);
	if (place)
		buf_addf(name, " in %s", place);
	if (*key->device)
		buf_addf(name, ", %.*s", (int)sizeof(key->device), key->device);
	if (key->port)
		buf_addf(name, ", %s port %u", key->protocol == PROTOCOL_UDP ? "udp" : "tcp", key->port);
}

void tcp_drops_take(struct tcp_drop_names *n, int map, tcp_drop_taker *each, void *arg)
{
	struct tcp_drop_key key;
	struct map_pass pass = {0};
	uint64_t count;

	while (map_take(map, &pass, &key, sizeof(key), &count) == 0) {
		_cleanup_(buf_done) struct buf name = BUF_INIT;

		if (!each || key.reason >= TCP_DROP_REASONS || !n->reasons[key.reason])
			continue;
		add_name(n, &key, &name);
		each(arg, &key, name.data, count);
	}
}

void tcp_drops_done(struct tcp_drop_names *n)
{
	free(n->starts);
	free(n->names);
	free(n->text);
}
