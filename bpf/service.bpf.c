// SPDX-License-Identifier: BSD-2-Clause
/* Service times without knowing any protocol. Seen from a socket that was accepted, a request begins when data can be read
 * and ends with the first byte that is sent after some has been received. Seen from one that was connected, a call begins with
 * what was sent last and ends when data can be read. The state is kept with the socket and goes with it. */
#include "service_socket.bpf.h"
#include "service_parts.bpf.h"
#include "histogram.bpf.h"

enum {
	DRAWN_AT_ONCE = 64,     /* so many requests are drawn before their rate is looked at */
	LEAST_SHARE_SHIFT = 10, /* one in a thousand */
};

#define DRAWN_GAP_NS 250000ull /* between two requests that are drawn, on a CPU: 4,000 a second */

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct connection);
} connections SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, SERVICE_COUNT);
	__type(key, u32);
	__type(value, struct service_latency);
} latencies SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, SERVICE_THREADS);
	__type(key, u32);
	__type(value, struct service_sums);
} sums SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct service_used);
} used SEC(".maps");

const u64 no_counts[LATENCY_BUCKETS] SEC(".rodata.no_counts") = {};

/* tcp_sendmsg_locked() tells when the first byte is sent, for Unix sockets the peer's data that is ready does; without the
 * former, the end of the call that sends has to do for both. */
const volatile u8 sees_sending SEC(".rodata.service") = 0;

/* Every request is measured as long as there are few; else so few that it costs little. They are drawn as they begin: neither
 * short ones nor long ones are favoured. Returns how many this one stands for, as a power of two; -1: it is not drawn. */
static __always_inline int draw(struct cpu_slot *cpu)
{
	if (!cpu)
		return -1;
	u32 shift = cpu->service_shift;
	if (shift && random_of(cpu) & ((1u << (shift & 31)) - 1))
		return -1;
	if (++cpu->service_drawn < DRAWN_AT_ONCE)
		return shift;
	u64 now = bpf_ktime_get_ns(), ns = now - cpu->service_since_ns;
	if (ns < DRAWN_AT_ONCE * DRAWN_GAP_NS && shift < LEAST_SHARE_SHIFT)
		cpu->service_shift++;
	else if (ns > 4 * DRAWN_AT_ONCE * DRAWN_GAP_NS && shift)
		cpu->service_shift--;
	cpu->service_drawn = 0;
	cpu->service_since_ns = now;
	return shift;
}

static __always_inline u64 mix(u64 hash, u64 word)
{
	hash = (hash ^ word) * 0x9e3779b97f4a7c15ull;
	return hash ^ hash >> 29;
}

static __always_inline u64 id_of(const struct service_key *key, u64 thread)
{
	const u64 *words = (const u64 *)key;

	return mix(mix(mix(mix(1, words[0]), words[1]), words[2]), thread) | 1;
}

/* A new entry, seen by user space once it has counted something. */
static __noinline int name_latency(struct sock *sk, struct service_latency *e)
{
	if (!sk || !e)
		return 0;
	bpf_probe_read_kernel(e->histogram, sizeof(e->histogram), no_counts);
	e->path_length = read_path(sk, e->key.side, e->path);
	return 0;
}

static __always_inline struct service_used *entries_used(void)
{
	u32 zero = 0;

	return bpf_map_lookup_elem(&used, &zero);
}

static __noinline int find_latency(struct sock *sk, struct connection *c, u32 side)
{
	struct service_key key = {};

	if (!sk || !c)
		return 0;
	struct service_used *in_use = entries_used();
	fill_key(sk, side, &key);
	u64 id = id_of(&key, 0);
	c->latency.id = 0;
#pragma unroll
	for (u32 i = 0; i < SERVICE_PROBES; i++) {
		u32 index = (id + i * 37) & (SERVICE_COUNT - 1);
		struct service_latency *e = bpf_map_lookup_elem(&latencies, &index);

		if (!e)
			return 0;
		u64 owner = e->id ? e->id : __sync_val_compare_and_swap(&e->id, 0, id);
		if (!owner) {
			e->key = key;
			name_latency(sk, e);
			if (in_use)
				in_use->latencies[index & (SERVICE_COUNT - 1)] = 1;
		}
		if (!owner || owner == id) {
			c->latency.id = id;
			c->latency.index = index;
			return 0;
		}
	}
	count(this_cpu(), LOST_SERVICES);
	return 0;
}

static __noinline int find_sums(struct sock *sk, struct connection *c, u32 side, u64 pid)
{
	struct service_key key = {};

	if (!sk || !c)
		return 0;
	struct service_used *in_use = entries_used();
	fill_key(sk, side, &key);
	u64 id = id_of(&key, pid);
	c->sums.id = 0;
#pragma unroll
	for (u32 i = 0; i < SERVICE_PROBES; i++) {
		u32 index = (id + i * 37) & (SERVICE_THREADS - 1);
		struct service_sums *e = bpf_map_lookup_elem(&sums, &index);

		if (!e)
			return 0;
		u64 owner = e->id ? e->id : __sync_val_compare_and_swap(&e->id, 0, id);
		if (!owner) {
			e->key = key;
			e->tid = (u32)pid;
			e->tgid = pid >> 32;
			e->count = e->ns = 0;
			__builtin_memset(e->part, 0, sizeof(e->part));
			if (in_use)
				in_use->sums[index & (SERVICE_THREADS - 1)] = 1;
		}
		if (!owner || owner == id) {
			c->sums.id = id;
			c->sums.index = index;
			return 0;
		}
	}
	count(this_cpu(), LOST_SERVICES);
	return 0;
}

static __always_inline void add_latency(struct sock *sk, struct connection *c, enum service_side side, u64 ns)
{
	struct service_latency *e = c->latency.id ? bpf_map_lookup_elem(&latencies, &c->latency.index) : NULL;

	if (!e || e->id != c->latency.id) {
		find_latency(sk, c, side);
		e = c->latency.id ? bpf_map_lookup_elem(&latencies, &c->latency.index) : NULL;
	}
	if (!e)
		return;
	__sync_fetch_and_add(&e->histogram[latency_index(ns)], 1ull << (c->shift & 31));
}

static __always_inline struct service_sums *sums_of(struct sock *sk, struct connection *c, enum service_side side, u64 pid)
{
	struct service_sums *e = c->sums.id ? bpf_map_lookup_elem(&sums, &c->sums.index) : NULL;

	if (e && e->id == c->sums.id && e->tid == (u32)pid)
		return e;
	find_sums(sk, c, side, pid);
	return c->sums.id ? bpf_map_lookup_elem(&sums, &c->sums.index) : NULL;
}

static __always_inline void answered(struct sock *sk, struct connection *c, u64 now)
{
	u64 pid = bpf_get_current_pid_tgid(), whole = elapsed(c->since_ns, now), part[PARTS] = {};
	const struct task_slot *slot = task_find((u32)pid);
	struct service_sums *e = sums_of(sk, c, SERVICE_ANSWERS, pid);

	add_latency(sk, c, SERVICE_ANSWERS, whole);
	if (!e)
		return;
	if (slot && c->tid == slot->tid)
		take_growth(slot, c->account, now, part);
	else
		split_other(c, slot, now, part);
#pragma unroll
	for (int i = 0; i < PARTS_BEFORE; i++)
		part[i] += c->before[i];
	e->count += 1ull << (c->shift & 31);
	e->ns += whole << (c->shift & 31);
	add_parts(e, part, whole, c->shift);
}

static __always_inline void call_answered(struct sock *sk, struct connection *c, u64 now)
{
	struct service_sums *e = sums_of(sk, c, SERVICE_CALLS, (u64)c->tgid << 32 | c->tid);
	u64 ns = elapsed(c->since_ns, now);

	add_latency(sk, c, SERVICE_CALLS, ns);
	if (!e)
		return;
	/* Other connections of the thread may be answered at the same time, on other CPUs. */
	__sync_fetch_and_add(&e->count, 1ull << (c->shift & 31));
	__sync_fetch_and_add(&e->ns, ns << (c->shift & 31));
}

/* Nothing is under way. A socket without a storage costs least, if its next requests are likely not drawn. */
static __always_inline void end(struct sock *sk, struct connection *c)
{
	c->since_ns = c->received_ns = c->more_ns = 0;
	if (c->shift > 2)
		bpf_sk_storage_delete(&connections, sk);
}

/* The socket's state, made for a request or call that begins, if it is drawn. */
static __always_inline struct connection *begin(struct sock *sk, struct cpu_slot *cpu)
{
	int shift = draw(cpu);
	struct connection *c = shift < 0 ? NULL : bpf_sk_storage_get(&connections, sk, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);

	if (!c)
		return NULL;
	c->shift = shift;
	c->since_ns = bpf_ktime_get_ns();
	return c;
}

static __always_inline struct connection *connection_of(struct sock *sk)
{
	return sk->sk_bpf_storage ? bpf_sk_storage_get(&connections, sk, NULL, 0) : NULL;
}

static __always_inline void call(struct sock *sk, struct connection *c, struct cpu_slot *cpu)
{
	u64 pid = bpf_get_current_pid_tgid();

	if (c && c->since_ns)
		c->since_ns = bpf_ktime_get_ns();
	else if (!(c = begin(sk, cpu)))
		return;
	c->tid = (u32)pid;
	c->tgid = pid >> 32;
	struct task_slot *slot = task_find((u32)pid);
	if (slot)
		slot->called_ns = c->since_ns;
}

static __always_inline void answer(struct sock *sk, struct connection *c, struct cpu_slot *cpu)
{
	u64 more = c->more_ns;

	answered(sk, c, bpf_ktime_get_ns());
	end(sk, c);
	/* The next request has been there for a moment. */
	if (more && (c = begin(sk, cpu)))
		c->since_ns = more;
}

static __always_inline void sent(struct sock *sk)
{
	enum service_side side = side_of(sk);
	struct connection *c = side != SERVICE_NONE ? connection_of(sk) : NULL;

	if (side == SERVICE_NONE || (side == SERVICE_ANSWERS && !(c && c->since_ns && c->received_ns)))
		return;
	struct cpu_slot *cpu = this_cpu();
	u64 start = cost_of_run(cpu, COST_SERVICE);
	if (side == SERVICE_ANSWERS)
		answer(sk, c, cpu);
	else
		call(sk, c, cpu);
	cost_end(cpu, COST_SERVICE, start);
}

SEC("?tp_btf/tcp_sendmsg_locked")
int tcp_sendmsg_locked(u64 *ctx)
{
	sent((struct sock *)ctx[0]);
	return 0;
}

/* Attached where there is no such tracepoint only. */
SEC("?tp_btf/sock_send_length")
int sock_send_length(u64 *ctx)
{
	if ((int)ctx[1] > 0)
		sent((struct sock *)ctx[0]);
	return 0;
}

static __always_inline void taken(struct sock *sk, int length)
{
	if (length < 0 || !sk->sk_bpf_storage || side_of(sk) != SERVICE_ANSWERS)
		return;
	struct connection *c = connection_of(sk);
	if (!c || !c->since_ns)
		return;
	struct cpu_slot *cpu = this_cpu();
	u64 start = cost_of_run(cpu, COST_SERVICE);
	if (!length) /* the end of the stream */
		end(sk, c);
	else if (!c->received_ns || c->more_ns)
		received(c, bpf_ktime_get_ns());
	cost_end(cpu, COST_SERVICE, start);
}

SEC("?tp_btf/sock_recv_length")
int sock_recv_length(u64 *ctx)
{
	taken((struct sock *)ctx[0], ctx[1]);
	return 0;
}

static __always_inline void ready(struct sock *sk, enum service_side side, struct connection *c, struct cpu_slot *cpu)
{
	if (!c || !c->since_ns) {
		begin(sk, cpu);
	} else if (side == SERVICE_CALLS) {
		call_answered(sk, c, bpf_ktime_get_ns());
		end(sk, c);
	} else if (c->received_ns && !c->more_ns) {
		c->more_ns = bpf_ktime_get_ns();
	}
}

static __always_inline void readable(struct sock *sk)
{
	/* It is the sender who runs here, and whose peer this is. */
	if (sees_sending && sk->__sk_common.skc_family == FAMILY_UNIX) {
		struct unix_sock *u = unix_socket(sk);

		if (u && u->peer)
			sent(u->peer);
	}
	enum service_side side = side_of(sk);
	struct connection *c = side != SERVICE_NONE ? connection_of(sk) : NULL;

	if (side == SERVICE_NONE || (side == SERVICE_CALLS && !(c && c->since_ns)))
		return;
	struct cpu_slot *cpu = this_cpu();
	u64 start = cost_of_run(cpu, COST_SERVICE);
	ready(sk, side, c, cpu);
	cost_end(cpu, COST_SERVICE, start);
}

SEC("?tp_btf/sk_data_ready")
int sk_data_ready(u64 *ctx)
{
	readable((struct sock *)ctx[0]);
	return 0;
}

/* The same of kernels before 6.3, which have none of these tracepoints: the functions themselves. */
SEC("?fentry/tcp_sendmsg_locked")
int on_tcp_sendmsg(u64 *ctx)
{
	sent((struct sock *)ctx[0]);
	return 0;
}

SEC("?fentry/sock_def_readable")
int on_readable(u64 *ctx)
{
	readable((struct sock *)ctx[0]);
	return 0;
}

#define ON_RECEIVED(function)                                 \
	SEC("?fexit/" #function)                              \
	int on_##function(u64 *ctx)                           \
	{                                                     \
		taken(((struct socket *)ctx[0])->sk, ctx[4]); \
		return 0;                                     \
	}

ON_RECEIVED(inet_recvmsg)
ON_RECEIVED(inet6_recvmsg)
ON_RECEIVED(unix_stream_recvmsg)

static __always_inline bool waits_for_peer(const struct task_slot *slot)
{
	return slot->state == STATE_POLL || slot->state == STATE_NETWORK || slot->state == STATE_IPC;
}

/* Whoever has gone back to wait for more, and asked nobody meanwhile, had only a part of the request, or it wants no answer. */
static __always_inline bool is_held(const struct connection *c, const struct task_slot *slot)
{
	u64 account[PARTS];

	if (!slot)
		return false;
	take_account(slot, 0, account);
	return slot->called_ns >= c->received_ns || (account[PART_PEER] == c->account[PART_PEER] && !waits_for_peer(slot));
}

/* -1: it may be as well that it is no request, or that nobody waits. */
static __always_inline int open_kind(const struct connection *c, enum service_side side)
{
	if (side == SERVICE_ANSWERS && !c->received_ns)
		return OPEN_UNREAD;
	const struct task_slot *slot = task_find(c->tid);
	if (side == SERVICE_ANSWERS)
		return is_held(c, slot) ? OPEN_HELD : -1;
	return slot && waits_for_peer(slot) ? OPEN_CALL : -1;
}

/* What has been waited for for long and is not over: nothing else would ever tell of it. */
static __always_inline int tell_open(struct bpf_iter_meta *meta, struct sock *sk, const struct connection *c)
{
	struct service_open o = {};

	o.ns = elapsed(c->since_ns, bpf_ktime_get_ns());
	enum service_side side = side_of(sk);
	if (o.ns < SERVICE_OPEN_NS || side == SERVICE_NONE || sk->__sk_common.skc_state == STATE_CLOSED)
		return 0;
	int kind = open_kind(c, side);
	if (kind < 0)
		return 0;
	fill_key(sk, side, &o.key);
	o.kind = kind;
	if (kind != OPEN_UNREAD) {
		o.tid = c->tid;
		o.tgid = c->tgid;
	}
	o.shift = c->shift;
	o.path_length = read_path(sk, side, o.path);
	bpf_seq_write(meta->seq, &o, sizeof(o));
	return 0;
}

SEC("iter/bpf_sk_storage_map")
int list_open(struct bpf_iter__bpf_sk_storage_map *ctx)
{
	struct sock *sk = ctx->sk;
	const struct connection *c = ctx->value;

	return sk && c && c->since_ns ? tell_open(ctx->meta, sk, c) : 0;
}

/* The same for a kernel that does not let the map be listed; what nobody has accepted is not met. */
SEC("?iter/task_file")
int walk_open(struct bpf_iter__task_file *ctx)
{
	struct file *file = ctx->file;
	struct socket *socket = ctx->task && file ? file_socket(file) : NULL;
	struct sock *sk = socket ? socket->sk : NULL;
	struct connection *c = sk ? connection_of(sk) : NULL;

	/* Other processes may have it open, too. */
	if (!c || !c->since_ns || c->told == ctx->meta->session_id)
		return 0;
	c->told = ctx->meta->session_id;
	return tell_open(ctx->meta, sk, c);
}
