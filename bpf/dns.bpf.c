// SPDX-License-Identifier: BSD-2-Clause
/* Queries to DNS servers by process and server, from the call that sends one to the call that has received the answer. Resolvers
 * connect their sockets to the server. Only when asked for: every send and receive on a socket runs through here. */
#include "probe.bpf.h"
#include "histogram.bpf.h"
#include "dns.h"

enum { UDP = 17, DNS_PORT = 53, IPV4 = 2, IPV6 = 10, PEEK = 2, UNDER_WAY = 4 };

/* The last queries of a socket: resolvers send two at once, for both kinds of addresses. */
struct queries {
	u64 sent_ns[UNDER_WAY];
	u32 sent, answered;
};

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct queries);
} dns_queries SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, MOST_DNS_SUMS);
	__type(key, struct dns_key);
	__type(value, struct dns_sum);
} dns_sums SEC(".maps");

const struct dns_sum no_sum SEC(".rodata.no_sum") = {};

static __always_inline bool asks(const struct sock *sk)
{
	u16 family = sk->__sk_common.skc_family;

	return (family == IPV4 || family == IPV6) && sk->sk_protocol == UDP &&
	       sk->__sk_common.skc_dport == __builtin_bswap16(DNS_PORT);
}

static __always_inline struct dns_sum *sum_of(struct sock *sk, struct cpu_slot *cpu)
{
	struct dns_key key = {.tgid = bpf_get_current_pid_tgid() >> 32};
	u32 *words = (u32 *)key.address;

	if (sk->__sk_common.skc_family == IPV4) {
		words[2] = 0xffff0000; /* 00 00 ff ff in memory */
		words[3] = sk->__sk_common.skc_daddr;
	} else {
		BPF_CORE_READ_INTO(&key.address, sk, __sk_common.skc_v6_daddr);
	}
	struct dns_sum *sum = bpf_map_lookup_elem(&dns_sums, &key);
	if (!sum) {
		bpf_map_update_elem(&dns_sums, &key, &no_sum, BPF_NOEXIST);
		sum = bpf_map_lookup_elem(&dns_sums, &key);
	}
	if (!sum)
		count(cpu, LOST_CONNECTIONS);
	return sum;
}

static __always_inline void sent(struct sock *sk, struct cpu_slot *cpu)
{
	if (!asks(sk) || !selected(task_find((u32)bpf_get_current_pid_tgid())))
		return;
	struct queries *q = bpf_sk_storage_get(&dns_queries, sk, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
	struct dns_sum *sum = q ? sum_of(sk, cpu) : NULL;
	if (!sum)
		return;
	q->sent_ns[q->sent++ % UNDER_WAY] = bpf_ktime_get_ns();
	__sync_fetch_and_add(&sum->sent, 1);
}

static __always_inline void received(struct sock *sk, struct cpu_slot *cpu)
{
	struct queries *q = asks(sk) ? bpf_sk_storage_get(&dns_queries, sk, NULL, 0) : NULL;

	if (!q || q->answered == q->sent)
		return;
	/* What was not answered in time is not waited for any more. */
	if (q->sent - q->answered > UNDER_WAY)
		q->answered = q->sent - UNDER_WAY;
	u64 ns = bpf_ktime_get_ns() - q->sent_ns[q->answered++ % UNDER_WAY];
	struct dns_sum *sum = sum_of(sk, cpu);
	if (!sum)
		return;
	__sync_fetch_and_add(&sum->answered, 1);
	__sync_fetch_and_add(&sum->ns, ns);
	__sync_fetch_and_add(&sum->latency[latency_index(ns)], 1);
}

SEC("tp_btf/sock_send_length")
int sock_send_length(u64 *ctx)
{
	struct cpu_slot *cpu = this_cpu();
	u64 start = cost_of_run(cpu, COST_DNS);

	if ((int)ctx[1] > 0)
		sent((struct sock *)ctx[0], cpu);
	cost_end(cpu, COST_DNS, start);
	return 0;
}

SEC("tp_btf/sock_recv_length")
int sock_recv_length(u64 *ctx)
{
	struct cpu_slot *cpu = this_cpu();
	u64 start = cost_of_run(cpu, COST_DNS);

	if ((int)ctx[1] > 0 && !((u32)ctx[2] & PEEK))
		received((struct sock *)ctx[0], cpu);
	cost_end(cpu, COST_DNS, start);
	return 0;
}
