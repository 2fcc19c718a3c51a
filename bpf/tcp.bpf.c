// SPDX-License-Identifier: BSD-2-Clause
/* TCP connections. Nothing runs for each packet: the kernel counts by itself, in the socket. A hook on changes of state
 * sees connections come and go, and a walk over all open files looks at those that are there. */
#include "probe.bpf.h"
#include "histogram.bpf.h"
#include "tcp.h"

enum { FAMILY_IPV4 = 2, FAMILY_IPV6 = 10, PACKET_IPV4 = 0x0800, PACKET_IPV6 = 0x86dd };
enum { ERROR_UNREACHABLE_NET = 101, ERROR_RESET = 104, ERROR_TIMED_OUT = 110, ERROR_REFUSED = 111,
       ERROR_UNREACHABLE_HOST = 113, ERROR_PIPE = 32 };
enum { CHRONO_BUSY = 1, CHRONO_WINDOW = 2, CHRONO_BUFFER = 3 };
enum { PATIENCE_NS = 100000000 }; /* who gives a connect up earlier did not want to wait for it */

enum { PASSED_ON = 1 }; /* process of init, which passes sockets on to others and does not use them */

/* What is remembered of a socket. */
struct tcp_socket {
	u64 start_ns; /* of its connect(), or when it could be accepted; 0: not seen */
	u64 session;  /* the walk that saw it last */
	u64 owned;    /* the walk that last met its owner with it */
	struct tcp_counts reported;
	u32 tgid;
	u32 server;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 131072);
	__type(key, u64); /* the socket's address */
	__type(value, struct tcp_socket);
} sockets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 8192);
	__type(key, struct tcp_flow_key);
	__type(value, struct tcp_flow);
} flows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 256);
	__type(key, struct tcp_service_key);
	__type(value, struct tcp_latency);
} services SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1024);
	__type(key, struct tcp_drop_key);
	__type(value, u64);
} drops SEC(".maps");

struct tcp_changes changes;

/* enum tcp_drop_where: packets thrown away for this reason are a loss. */
const volatile u8 drop_reasons[TCP_DROP_REASONS] SEC(".rodata.reasons") = {};

const struct tcp_latency no_latency SEC(".rodata.no_latency") = {};
const struct tcp_flow no_flow SEC(".rodata.no_flow") = {};

/* 0 if it is not of an internet. */
static __always_inline u8 protocol_of(const struct sock *sk)
{
	u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);

	return family == FAMILY_IPV4 || family == FAMILY_IPV6 ? BPF_CORE_READ_BITFIELD_PROBED(sk, sk_protocol) : 0;
}

static __always_inline void mapped(u8 *address, u32 ipv4)
{
	u32 *words = (u32 *)address;

	words[0] = words[1] = 0;
	words[2] = 0xffff0000; /* 00 00 ff ff in memory */
	words[3] = ipv4;
}

static __always_inline void read_tuple(const struct sock *sk, struct tcp_tuple *tuple)
{
	u16 remote_port = BPF_CORE_READ(sk, __sk_common.skc_dport);
	u16 local_port = BPF_CORE_READ((const struct inet_sock *)sk, inet_sport); /* skc_num is cleared early */

	tuple->local_port = __builtin_bswap16(local_port);
	tuple->remote_port = __builtin_bswap16(remote_port);
	tuple->netns = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
	if (BPF_CORE_READ(sk, __sk_common.skc_family) == FAMILY_IPV4) {
		mapped(tuple->local, BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr));
		mapped(tuple->remote, BPF_CORE_READ(sk, __sk_common.skc_daddr));
	} else {
		BPF_CORE_READ_INTO(&tuple->local, sk, __sk_common.skc_v6_rcv_saddr);
		BPF_CORE_READ_INTO(&tuple->remote, sk, __sk_common.skc_v6_daddr);
	}
}

static __always_inline u32 chrono(const struct tcp_sock *tp, u32 which, u32 jiffies)
{
	u32 stat[3] = {};

	BPF_CORE_READ_INTO(&stat, tp, chrono_stat);
	u32 sum = stat[which - CHRONO_BUSY];
	if (BPF_CORE_READ_BITFIELD_PROBED(tp, chrono_type) == which)
		sum += jiffies - BPF_CORE_READ(tp, chrono_start);
	return sum;
}

static __always_inline void read_counts(const struct tcp_sock *tp, struct tcp_counts *counts, u32 jiffies)
{
	counts->sent = BPF_CORE_READ(tp, bytes_acked);
	counts->received = BPF_CORE_READ(tp, bytes_received);
	counts->segments = BPF_CORE_READ(tp, data_segs_out);
	counts->retransmits = BPF_CORE_READ(tp, total_retrans);
	counts->busy = chrono(tp, CHRONO_BUSY, jiffies);
	counts->window_limited = chrono(tp, CHRONO_WINDOW, jiffies);
	counts->buffer_limited = chrono(tp, CHRONO_BUFFER, jiffies);
	counts->drops = BPF_CORE_READ((const struct sock *)tp, sk_drops.counter);
}

static __always_inline u32 grown(u32 now, u32 before)
{
	return (s32)(now - before) > 0 ? now - before : 0;
}

/* *now becomes the growth, *reported what was *now. */
static __always_inline void take_growth(struct tcp_counts *now, struct tcp_counts *reported)
{
	struct tcp_counts before = *reported;

	*reported = *now;
	now->sent = now->sent > before.sent ? now->sent - before.sent : 0;
	now->received = now->received > before.received ? now->received - before.received : 0;
	now->segments = grown(now->segments, before.segments);
	now->retransmits = grown(now->retransmits, before.retransmits);
	now->busy = grown(now->busy, before.busy);
	now->window_limited = grown(now->window_limited, before.window_limited);
	now->buffer_limited = grown(now->buffer_limited, before.buffer_limited);
	now->drops = grown(now->drops, before.drops);
}

static __always_inline struct tcp_flow *flow_at(const struct tcp_flow_key *key)
{
	struct tcp_flow *flow = bpf_map_lookup_elem(&flows, key);

	if (!flow) {
		bpf_map_update_elem(&flows, key, &no_flow, BPF_NOEXIST);
		flow = bpf_map_lookup_elem(&flows, key);
	}
	if (!flow)
		count(this_cpu(), LOST_CONNECTIONS);
	return flow;
}

static __always_inline struct tcp_flow *flow_of(const struct sock *sk, const struct tcp_socket *state)
{
	struct tcp_tuple tuple;
	struct tcp_flow_key key = {};

	read_tuple(sk, &tuple);
	key.server = state->server;
	key.tgid = state->tgid;
	key.port = state->server ? tuple.local_port : tuple.remote_port;
	__builtin_memcpy(key.address, state->server ? tuple.local : tuple.remote, sizeof(key.address));
	return flow_at(&key);
}

static __always_inline void add_latency(const struct sock *sk, u64 ns)
{
	struct tcp_service_key key = {};
	struct tcp_latency *latency;
	struct tcp_tuple tuple;

	read_tuple(sk, &tuple);
	__builtin_memcpy(key.address, tuple.remote, sizeof(key.address));
	key.port = tuple.remote_port;
	latency = bpf_map_lookup_elem(&services, &key);
	if (!latency) {
		bpf_map_update_elem(&services, &key, &no_latency, BPF_NOEXIST);
		latency = bpf_map_lookup_elem(&services, &key);
	}
	if (latency)
		latency_add(latency->connect, ns, 1);
}

static __always_inline void remember(u64 key, const struct tcp_socket *state)
{
	if (bpf_map_update_elem(&sockets, &key, state, BPF_ANY))
		count(this_cpu(), LOST_CONNECTIONS);
}

static __always_inline void established(const struct sock *sk, int old_state, u64 now)
{
	u64 key = (u64)sk;
	struct tcp_socket *state, accepted = {.server = 1, .start_ns = now};
	u32 retransmits = BPF_CORE_READ((const struct tcp_sock *)sk, total_retrans);

	if (old_state == TCP_STATE_SYN_RECV) {
		accepted.reported.retransmits = retransmits;
		remember(key, &accepted);
		return;
	}
	state = bpf_map_lookup_elem(&sockets, &key);
	if (!state || !state->start_ns)
		return;
	state->reported.retransmits = retransmits;
	struct tcp_flow *flow = flow_of(sk, state);
	if (flow) {
		__sync_fetch_and_add(&flow->opened, 1);
		__sync_fetch_and_add(&flow->connect_ns, now - state->start_ns);
		__sync_fetch_and_add(&flow->segments, retransmits + 1);
		__sync_fetch_and_add(&flow->retransmits, retransmits);
	}
	add_latency(sk, now - state->start_ns);
}

static __always_inline void failed(const struct sock *sk, struct tcp_flow *flow, u64 waited_ns)
{
	u64 *counter = &flow->abandoned;

	switch (BPF_CORE_READ(sk, sk_err)) {
	case ERROR_REFUSED:
		counter = &flow->refused;
		break;
	case ERROR_UNREACHABLE_NET:
	case ERROR_UNREACHABLE_HOST:
		counter = &flow->unreachable;
		break;
	case ERROR_TIMED_OUT:
		counter = &flow->timed_out;
		break;
	case 0:
		/* Its owner did not want to wait any longer, or there was no port left for it. */
		if (!BPF_CORE_READ((const struct inet_sock *)sk, inet_sport))
			counter = &flow->no_port;
		else if (waited_ns >= PATIENCE_NS || BPF_CORE_READ((const struct tcp_sock *)sk, total_retrans))
			counter = &flow->timed_out;
		break;
	}
	__sync_fetch_and_add(counter, 1);
}

/* us; what has not been measured yet is no slow one. */
static __always_inline u32 least_round_trip(const struct tcp_sock *tp)
{
	u32 us = BPF_CORE_READ(tp, rtt_min.s[0].v);

	return us == ~0U ? 0 : us;
}

static __always_inline void closed(const struct sock *sk, int old_state)
{
	u64 key = (u64)sk;
	struct tcp_socket *state = bpf_map_lookup_elem(&sockets, &key);
	struct tcp_counts counts;
	struct tcp_flow *flow;

	if (!state)
		return;
	flow = state->tgid && old_state != TCP_STATE_LISTEN ? flow_of(sk, state) : NULL;
	if (flow) {
		int error = BPF_CORE_READ(sk, sk_err);

		read_counts((const struct tcp_sock *)sk, &counts, bpf_jiffies64());
		take_growth(&counts, &state->reported);
		__sync_fetch_and_add(&flow->sent, counts.sent);
		__sync_fetch_and_add(&flow->received, counts.received);
		__sync_fetch_and_add(&flow->segments, counts.segments);
		if (old_state != TCP_STATE_SYN_SENT)
			__sync_fetch_and_add(&flow->retransmits, counts.retransmits);
		if (!state->server && least_round_trip((const struct tcp_sock *)sk) >= TCP_SLOW_US)
			__sync_fetch_and_add(&flow->waited, counts.busy);
		if (old_state == TCP_STATE_SYN_SENT)
			failed(sk, flow, bpf_ktime_get_ns() - state->start_ns);
		else if (error == ERROR_RESET || error == ERROR_PIPE || error == ERROR_TIMED_OUT)
			__sync_fetch_and_add(&flow->reset, 1);
	}
	bpf_map_delete_elem(&sockets, &key);
}

/* Its owner closes it: who was accept()ed by whom is known at the latest now. */
static __always_inline void closing(const struct sock *sk)
{
	u64 key = (u64)sk;
	struct tcp_socket *state = bpf_map_lookup_elem(&sockets, &key);

	if (!state || state->tgid)
		return;
	state->tgid = bpf_get_current_pid_tgid() >> 32;
	struct tcp_flow *flow = flow_of(sk, state);
	if (flow)
		__sync_fetch_and_add(&flow->opened, 1);
}

SEC("tp_btf/inet_sock_set_state")
int inet_sock_set_state(u64 *ctx)
{
	const struct sock *sk = (const struct sock *)ctx[0];
	int old_state = ctx[1], new_state = ctx[2];
	u64 now = bpf_ktime_get_ns();
	struct cpu_slot *cpu = this_cpu();
	u64 start = cost_begin(cpu, COST_TCP, now);

	if (protocol_of(sk) != PROTOCOL_TCP)
		return 0;
	if (new_state == TCP_STATE_SYN_SENT) {
		struct tcp_socket state = {.start_ns = now, .tgid = bpf_get_current_pid_tgid() >> 32};

		remember((u64)sk, &state);
	} else if (new_state == TCP_STATE_LISTEN) {
		/* What finds no room from now on counts, also before the first walk; that tells whose it is, which may be a child's. */
		struct tcp_socket state = {.tgid = PASSED_ON, .reported.drops = BPF_CORE_READ(sk, sk_drops.counter)};

		remember((u64)sk, &state);
	} else if (new_state == TCP_STATE_ESTABLISHED) {
		established(sk, old_state, now);
	} else if (new_state == TCP_STATE_FIN_WAIT1 || new_state == TCP_STATE_LAST_ACK) {
		closing(sk);
	} else if (new_state == TCP_STATE_CLOSE) {
		closed(sk, old_state);
	}
	__sync_fetch_and_add(&changes.flows, 1);
	cost_end(cpu, COST_TCP, start);
	return 0;
}

SEC("?tp_btf/tcp_destroy_sock")
int tcp_destroy_sock(u64 *ctx)
{
	const struct inet_sock *sk = (const struct inet_sock *)ctx[0];

	if (!BPF_CORE_READ(sk, inet_sport))
		__sync_fetch_and_add(&changes.never, 1);
	return 0;
}

/* The address that a connect() was given. */
struct connect_address {
	u16 family, port; /* the port in network order */
	u32 ipv4; /* of IPv6 the address stands behind this */
};

static __always_inline bool read_address(u64 user, struct tcp_flow_key *key)
{
	struct connect_address a = {};

	if (bpf_probe_read_user(&a, sizeof(a), (const void *)user))
		return false;
	if (a.family == FAMILY_IPV4)
		mapped(key->address, a.ipv4);
	else if (a.family != FAMILY_IPV6 || bpf_probe_read_user(key->address, 16, (const void *)(user + sizeof(a))))
		return false;
	key->port = __builtin_bswap16(a.port);
	return true;
}

/* Where there is no way a socket does not change its state. One that an answer from the way has told so did, and keeps its port. */
static __always_inline void unreached(void)
{
	struct task_struct *task = current_task();
	struct entry entry = task_entry(task, config.has_task_registers);
	struct file *file = entry.syscall == changes.connect_call ? file_of(task, (u32)entry.first) : NULL;
	struct socket *socket = file ? (struct socket *)BPF_CORE_READ(file, private_data) : NULL;
	struct sock *sk = socket ? BPF_CORE_READ(socket, sk) : NULL;
	struct tcp_flow_key key = {.tgid = bpf_get_current_pid_tgid() >> 32};

	if (!sk || protocol_of(sk) != PROTOCOL_TCP || BPF_CORE_READ((const struct inet_sock *)sk, inet_sport) || !read_address(entry.second, &key))
		return;
	struct tcp_flow *flow = flow_at(&key);
	if (flow)
		__sync_fetch_and_add(&flow->unreachable, 1);
	__sync_fetch_and_add(&changes.flows, 1);
}

/* Every system call of the machine passes here: user space attaches this only while sockets are closed that were never connected. */
SEC("?tp_btf/sys_exit")
int connect_exit(u64 *ctx)
{
	s64 result = (s64)ctx[1];
	struct cpu_slot *cpu = this_cpu();
	u64 start = cost_of_run(cpu, COST_SYSCALL);

	if (result == -ERROR_UNREACHABLE_NET || result == -ERROR_UNREACHABLE_HOST)
		unreached();
	cost_end(cpu, COST_SYSCALL, start);
	return 0;
}

/* Protocol and port of the packet, as far as its headers are there. */
static __always_inline void read_packet(const struct sk_buff *skb, struct tcp_drop_key *key, bool in_socket)
{
	const unsigned char *packet = BPF_CORE_READ(skb, head) + BPF_CORE_READ(skb, network_header);
	u16 type = __builtin_bswap16(BPF_CORE_READ(skb, protocol));
	u8 first = 0, bytes = 40;
	u16 ports[2] = {};

	if (type == PACKET_IPV4) {
		bpf_probe_read_kernel(&first, 1, packet);
		bpf_probe_read_kernel(&key->protocol, 1, packet + 9);
		bytes = (first & 15) * 4;
	} else if (type == PACKET_IPV6) {
		bpf_probe_read_kernel(&key->protocol, 1, packet + 6);
	}
	if (key->protocol != PROTOCOL_TCP && key->protocol != PROTOCOL_UDP)
		return;
	bpf_probe_read_kernel(ports, sizeof(ports), packet + bytes);
	u16 from = __builtin_bswap16(ports[0]), to = __builtin_bswap16(ports[1]);
	key->port = !in_socket && from < to && from < TCP_EPHEMERAL ? from : to;
}

static __always_inline u32 sender_of(const struct sk_buff *skb)
{
	u64 sk = (u64)BPF_CORE_READ(skb, sk);
	struct tcp_socket *state = sk ? bpf_map_lookup_elem(&sockets, &sk) : NULL;

	if (state)
		return state->tgid;
	return sk ? bpf_get_current_pid_tgid() >> 32 : 0;
}

/* Packets that the kernel throws away with a reason; those that it merely is done with are not among them. */
SEC("?tp_btf/kfree_skb")
int kfree_skb(u64 *ctx)
{
	const struct sk_buff *skb = (const struct sk_buff *)ctx[0];
	u32 reason = (u32)ctx[2];
	u64 one = 1, *sum;

	if (reason >= TCP_DROP_REASONS || !drop_reasons[reason])
		return 0;
	struct tcp_drop_key key = {.location = ctx[1], .reason = reason};
	u64 now = bpf_ktime_get_ns();
	struct cpu_slot *cpu = this_cpu();
	u64 start = cost_begin(cpu, COST_TCP, now);
	read_packet(skb, &key, drop_reasons[reason] == TCP_DROP_IN_SOCKET);
	if (drop_reasons[reason] == TCP_DROP_ON_WAY) {
		BPF_CORE_READ_STR_INTO(&key.device, skb, dev, name);
		key.tgid = sender_of(skb);
	}
	sum = bpf_map_lookup_elem(&drops, &key);
	if (sum)
		__sync_fetch_and_add(sum, 1);
	else if (bpf_map_update_elem(&drops, &key, &one, BPF_NOEXIST))
		count(cpu, LOST_CONNECTIONS);
	__sync_fetch_and_add(&changes.drops, 1);
	cost_end(cpu, COST_TCP, start);
	return 0;
}

static __always_inline u32 least(u32 a, u32 b)
{
	return a < b ? a : b;
}

/* What it is held up by at this moment. */
static __always_inline void read_levels(const struct tcp_sock *tp, struct tcp_report *r)
{
	u32 una = BPF_CORE_READ(tp, snd_una), next = BPF_CORE_READ(tp, snd_nxt), window = BPF_CORE_READ(tp, snd_wnd);
	u32 mss = BPF_CORE_READ(tp, mss_cache), flying = BPF_CORE_READ(tp, packets_out);
	u32 received = BPF_CORE_READ(tp, rcv_nxt);
	s32 own_window = (s32)(BPF_CORE_READ(tp, rcv_wup) + BPF_CORE_READ(tp, rcv_wnd) - received);

	const struct inet_connection_sock *icsk = (const struct inet_connection_sock *)tp;

	r->srtt_us = BPF_CORE_READ(tp, srtt_us) >> 3;
	r->least_rtt_us = least_round_trip(tp);
	r->flying = flying;
	r->unread = received - BPF_CORE_READ(tp, copied_seq);
	r->unsent = BPF_CORE_READ(tp, write_seq) - next;
	if ((s32)r->unsent < 0)
		r->unsent = 0;
	if ((s32)r->unread < 0)
		r->unread = 0;
	if (r->unsent && !flying && window < least(mss, r->unsent))
		r->flags |= TCP_STALLED;
	if (r->unread && own_window <= 0)
		r->flags |= TCP_CLOSED_WINDOW;
	if (r->unsent && flying && r->unsent < mss && window - (next - una) >= r->unsent &&
	    flying < BPF_CORE_READ(tp, snd_cwnd) && !BPF_CORE_READ_BITFIELD_PROBED(tp, nonagle))
		r->flags |= TCP_HELD;
	if (BPF_CORE_READ(tp, total_retrans))
		r->flags |= TCP_LOSSY;
	u64 silent_us = bpf_ktime_get_ns() / 1000 - BPF_CORE_READ(tp, tcp_mstamp);
	if (flying && (BPF_CORE_READ(icsk, icsk_retransmits) || (s64)(silent_us - 2 * r->srtt_us) > TCP_ACK_DELAY_US))
		r->flags |= TCP_OVERDUE;
}

/* The first in line is the one that waits longest; one that nothing is known of has waited since before the first look, but for one that
 * was reset meanwhile: it waits no more. */
static __always_inline void read_queue(const struct sock *sk, struct tcp_report *r)
{
	u64 first = (u64)BPF_CORE_READ((const struct inet_connection_sock *)sk, icsk_accept_queue.rskq_accept_head, sk);
	struct tcp_socket *state = first ? bpf_map_lookup_elem(&sockets, &first) : NULL;
	bool waits = first && BPF_CORE_READ((const struct sock *)first, __sk_common.skc_state) != TCP_STATE_CLOSE;

	r->backlog = BPF_CORE_READ(sk, sk_ack_backlog);
	r->backlog_max = BPF_CORE_READ(sk, sk_max_ack_backlog);
	if (!changes.first_look_ns)
		changes.first_look_ns = r->now_ns;
	r->start_ns = state ? state->start_ns : waits ? changes.first_look_ns : 0;
}

/* Whose turn it is, as far as jiffies tell: an answer comes in the one of its request as a rule. Only established connections:
 * one that is being closed wants none. */
static __always_inline void read_silence(const struct tcp_sock *tp, struct tcp_report *r)
{
	u32 received = BPF_CORE_READ((const struct inet_connection_sock *)tp, icsk_ack.lrcvtime);
	bool never_sent = !BPF_CORE_READ(tp, data_segs_out) && BPF_CORE_READ(tp, bytes_received);

	/* A socket that was accepted has inherited the length of its listener's queue. */
	if (BPF_CORE_READ((const struct sock *)tp, sk_max_ack_backlog) && r->state == TCP_STATE_ESTABLISHED &&
	    (never_sent || (s32)(received - BPF_CORE_READ(tp, lsndtime)) > 0))
		r->silent = (u32)r->jiffies - received;
}

static __always_inline bool worth_telling(const struct tcp_report *r)
{
	return r->state == TCP_STATE_LISTEN || r->state == TCP_STATE_SYN_SENT || r->flags & ~(TCP_SERVER | TCP_LOSSY) ||
	       (changes.most_silent && r->silent >= changes.most_silent) || r->unread || r->growth.sent || r->growth.received ||
	       r->growth.retransmits || r->growth.window_limited || r->growth.buffer_limited;
}

static __always_inline void tell_datagrams(struct seq_file *seq, const struct sock *sk, u32 tgid)
{
	struct tcp_report r = {.now_ns = bpf_ktime_get_ns(), .jiffies = bpf_jiffies64(), .protocol = PROTOCOL_UDP, .tgid = tgid};

	read_tuple(sk, &r.tuple);
	r.backlog = BPF_CORE_READ(sk, sk_backlog.rmem_alloc.counter);
	r.backlog_max = BPF_CORE_READ(sk, sk_rcvbuf);
	if (r.tuple.local_port)
		bpf_seq_write(seq, &r, sizeof(r));
}

SEC("iter/task_file")
int walk(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct tcp_socket *state;

	if (!task || !file)
		return 0;
	struct socket *socket = file_socket(file);
	if (!socket)
		return 0;
	struct sock *sk = BPF_CORE_READ(socket, sk);
	struct tcp_report r = {.protocol = sk ? protocol_of(sk) : 0};
	if (r.protocol == PROTOCOL_UDP)
		tell_datagrams(ctx->meta->seq, sk, task->tgid);
	if (r.protocol != PROTOCOL_TCP)
		return 0;
	u64 key = (u64)sk;
	r.state = BPF_CORE_READ(sk, __sk_common.skc_state);
	if (r.state == TCP_STATE_CLOSE)
		return 0;
	read_tuple(sk, &r.tuple);
	state = bpf_map_lookup_elem(&sockets, &key);
	if (!state) {
		/* Older than this capture: the lower port serves. */
		struct tcp_socket first = {.server = r.tuple.local_port < r.tuple.remote_port, .tgid = task->tgid};

		if (r.state == TCP_STATE_SYN_SENT) {
			first.server = 0;
			first.start_ns = bpf_ktime_get_ns();
		}
		read_counts((const struct tcp_sock *)sk, &first.reported, bpf_jiffies64());
		remember(key, &first);
		state = bpf_map_lookup_elem(&sockets, &key);
	}
	if (state && state->tgid == PASSED_ON)
		state->tgid = task->tgid;
	if (!state)
		return 0;
	if (state->session && state->owned != state->session && state->session != ctx->meta->session_id)
		state->tgid = task->tgid; /* the one before has passed it on */
	if (state->tgid == task->tgid)
		state->owned = ctx->meta->session_id;
	if (state->session == ctx->meta->session_id)
		return 0; /* another process has it open, too */
	state->session = ctx->meta->session_id;
	r.now_ns = bpf_ktime_get_ns();
	r.jiffies = bpf_jiffies64();
	r.start_ns = state->start_ns;
	if (!state->tgid) {
		state->tgid = task->tgid;
		state->owned = ctx->meta->session_id;
		struct tcp_flow *flow = flow_of(sk, state);
		if (flow)
			__sync_fetch_and_add(&flow->opened, 1);
		__sync_fetch_and_add(&changes.flows, 1);
	}
	r.tgid = state->tgid;
	r.flags = state->server ? TCP_SERVER : 0;
	read_counts((const struct tcp_sock *)sk, &r.growth, r.jiffies);
	take_growth(&r.growth, &state->reported);
	if (r.state == TCP_STATE_LISTEN)
		read_queue(sk, &r);
	else
		read_levels((const struct tcp_sock *)sk, &r);
	if (changes.most_silent)
		read_silence((const struct tcp_sock *)sk, &r);
	if (worth_telling(&r))
		bpf_seq_write(ctx->meta->seq, &r, sizeof(r));
	return 0;
}
