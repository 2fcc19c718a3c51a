// SPDX-License-Identifier: BSD-2-Clause
/* Service times without knowing any protocol. Seen from a socket that was accepted, a request begins when data can be read
 * and ends with the first byte that is sent after some has been received. Seen from one that was connected, a call begins with
 * what was sent last and ends when data can be read. The state is kept with the socket and goes with it. */
#include "probe.bpf.h"
#include "histogram.bpf.h"
#include "service.h"

enum { FAMILY_UNIX = 1, FAMILY_IPV4 = 2, FAMILY_IPV6 = 10, PROTOCOL_TCP = 6, STATE_LISTENS = 10, STATE_CLOSED = 7, TYPE_DATAGRAM = 2 };

enum {
	DRAWN_AT_ONCE = 64,     /* so many requests are drawn before their rate is looked at */
	LEAST_SHARE_SHIFT = 10, /* one in a thousand */
};

#define DRAWN_GAP_NS 250000ull /* between two requests that are drawn, on a CPU: 4,000 a second */

/* Where sums are added: found once, and again when the entry is another's by now. */
struct table_place {
	u64 id;
	u32 index;
};

struct connection {
	u64 since_ns;    /* the request can be read, or the call was sent; 0: there is none */
	u64 received_ns; /* the request, by thread tid; 0: not yet */
	u64 more_ns;     /* when more data came after that; 0: none */
	u32 tid, tgid;   /* who received, or called */
	u32 shift;       /* it stands for 1 << shift of its like */
	u64 before[PARTS_BEFORE]; /* parts of the request's time until it was received */
	u64 account[PARTS];       /* of the thread, when it received it */
	struct table_place latency, sums;
};

/* Of a thread that answers what others have received, when it last did so. */
struct serving {
	u64 since_ns;
	u64 account[PARTS];
};

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct connection);
} connections SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct serving);
} servings SEC(".maps");

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

static __always_inline bool is_tcp(const struct sock *sk)
{
	u16 family = sk->__sk_common.skc_family;

	return (family == FAMILY_IPV4 || family == FAMILY_IPV6) && sk->sk_protocol == PROTOCOL_TCP;
}

/* The name of the serving end, in the kernel. Who accepts has its listener's; who connects has none, as a rule. */
static __always_inline struct unix_address *unix_name(struct sock *sk, enum service_side side)
{
	struct unix_sock *u = unix_socket(sk);

	if (u && side == SERVICE_CALLS)
		u = (struct unix_sock *)BPF_CORE_READ(u, peer);
	return u ? BPF_CORE_READ(u, addr) : NULL;
}

/* By whether there is a name; a comparison costs a tenth of reading it. */
static __always_inline enum service_side unix_side(struct sock *sk)
{
	struct unix_sock *own = sk->sk_type == TYPE_DATAGRAM ? NULL : unix_socket(sk);

	if (!own)
		return SERVICE_NONE;
	if (own->addr)
		return SERVICE_ANSWERS;
	struct sock *peer = own->peer;
	struct unix_sock *other = peer ? unix_socket(peer) : NULL;
	return other && other->addr ? SERVICE_CALLS : SERVICE_NONE;
}

/* A TCP socket that was accepted has inherited the length of its listener's queue. */
static __always_inline enum service_side side_of(struct sock *sk)
{
	if (sk->__sk_common.skc_state == STATE_LISTENS)
		return SERVICE_NONE;
	if (is_tcp(sk))
		return sk->sk_max_ack_backlog ? SERVICE_ANSWERS : SERVICE_CALLS;
	return sk->__sk_common.skc_family == FAMILY_UNIX ? unix_side(sk) : SERVICE_NONE;
}

static __always_inline void fill_key(struct sock *sk, enum service_side side, struct service_key *key)
{
	u32 *words = (u32 *)key->address;
	u16 family = sk->__sk_common.skc_family;

	key->side = side;
	if (family == FAMILY_UNIX) {
		*(u64 *)key->address = (u64)unix_name(sk, side);
		return;
	}
	key->port = side == SERVICE_ANSWERS ? sk->__sk_common.skc_num : __builtin_bswap16(sk->__sk_common.skc_dport);
	if (family == FAMILY_IPV4) {
		words[2] = 0xffff0000; /* 00 00 ff ff in memory */
		words[3] = side == SERVICE_ANSWERS ? sk->__sk_common.skc_rcv_saddr : sk->__sk_common.skc_daddr;
	} else if (side == SERVICE_ANSWERS) {
		BPF_CORE_READ_INTO(&key->address, sk, __sk_common.skc_v6_rcv_saddr);
	} else {
		BPF_CORE_READ_INTO(&key->address, sk, __sk_common.skc_v6_daddr);
	}
}

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

/* Of a Unix socket's name; returns its length, 0 of others. */
static __always_inline u32 read_path(struct sock *sk, enum service_side side, char *path)
{
	struct unix_address *name = sk->__sk_common.skc_family == FAMILY_UNIX ? unix_name(sk, side) : NULL;
	s32 length = name ? BPF_CORE_READ(name, len) - (s32)sizeof(u16) : 0;

	if (length <= 0 || length > SERVICE_PATH_BYTES)
		return 0;
	bpf_probe_read_kernel(path, SERVICE_PATH_BYTES, name->name[0].sun_path);
	return length;
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

static __always_inline u64 elapsed(u64 since, u64 now)
{
	return now > since ? now - since : 0; /* another CPU's clock may be a little behind */
}

/* What the thread that runs has done so far. */
static __always_inline void take_account(const struct task_slot *slot, u64 now, u64 *account)
{
	const u64 *ns = slot->ns;

	account[PART_RUNQUEUE] = ns[STATE_RUNNABLE] + ns[STATE_PREEMPTED];
	account[PART_CPU] = ns[STATE_RUNNING] + elapsed(slot->since_ns, now);
	account[PART_LOCK] = ns[STATE_LOCK] + ns[STATE_KERNEL_LOCK];
	account[PART_DISK] = ns[STATE_DISK] + ns[STATE_DIRTY];
	account[PART_MEMORY] = ns[STATE_FAULT] + ns[STATE_RECLAIM];
	account[PART_PEER] = ns[STATE_POLL] + ns[STATE_NETWORK] + ns[STATE_IPC];
	account[PART_OTHER] = ns[STATE_SLEEPING] + ns[STATE_CHILD] + ns[STATE_SIGNAL] + ns[STATE_OTHER] + ns[STATE_STOPPED];
}

/* Until now nobody had received it. The thread that does so has come to a CPU for it, or for one before it. */
static __always_inline void split_before(struct connection *c, const struct task_slot *slot, u64 now)
{
	u64 ready = c->since_ns < now ? c->since_ns : now, on_cpu = slot->since_ns, runnable = slot->runnable_ns;
	u64 in_line = 0, running = 0;

	if (on_cpu > ready && on_cpu <= now && runnable <= on_cpu) {
		in_line = on_cpu - (runnable > ready ? runnable : ready);
		running = runnable >= ready ? now - on_cpu : 0;
	}
	c->before[PART_QUEUE] = now - ready - in_line - running;
	c->before[PART_RUNQUEUE] = in_line;
	c->before[PART_CPU] = running;
}

static __always_inline void receive(struct connection *c, const struct task_slot *slot, u64 now)
{
	c->received_ns = now;
	c->more_ns = 0;
	c->tid = slot ? slot->tid : 0;
	c->tgid = slot ? slot->tgid : 0;
	if (slot) {
		split_before(c, slot, now);
		take_account(slot, now, c->account);
	} else {
		c->before[PART_QUEUE] = elapsed(c->since_ns, now);
		c->before[PART_RUNQUEUE] = c->before[PART_CPU] = 0;
	}
}

/* More data has come since some was received. Whoever waited for it had only a part of the request, or the one before wants no
 * answer: the request begins here. Unless it waits for others in order to answer. */
static __always_inline bool begins_again(const struct connection *c, const struct task_slot *slot, u64 now)
{
	u64 account[PARTS];

	if (!slot || slot->tid != c->tid)
		return true;
	take_account(slot, now, account);
	return account[PART_PEER] != c->account[PART_PEER] && slot->called_ns < c->received_ns;
}

static __always_inline void received(struct connection *c, u64 now)
{
	const struct task_slot *slot = task_find((u32)bpf_get_current_pid_tgid());

	if (c->received_ns) {
		if (!begins_again(c, slot, now)) {
			c->more_ns = 0;
			return;
		}
		c->since_ns = c->more_ns;
	}
	receive(c, slot, now);
}

/* The parts' sum is the request's time. */
static __always_inline void add_parts(struct service_sums *e, const u64 *part, u64 whole, u32 shift)
{
	u64 known = 0;

#pragma unroll
	for (int i = 0; i < PARTS; i++) {
		known += part[i];
		e->part[i] += part[i] << (shift & 31);
	}
	e->part[PART_ELSEWHERE] += elapsed(known, whole) << (shift & 31);
}

/* What the thread has done since. An account may go back, when a switch was not seen. */
static __always_inline void take_growth(const struct task_slot *slot, const u64 *since, u64 now, u64 *growth)
{
	take_account(slot, now, growth);
#pragma unroll
	for (int i = PART_RUNQUEUE; i < PART_ELSEWHERE; i++)
		growth[i] = elapsed(since[i], growth[i]);
}

/* Of a thread that answers what another has received, growth is all since it last did so. Some of that was before the request was
 * there, in waiting for work: in what it waited in for that long, but not much longer. After its last call it waited for
 * the answer. */
static __always_inline bool take_off_idle(u64 *growth, u64 idle, u64 calling)
{
	u64 lock = growth[PART_LOCK], peer = elapsed(calling, growth[PART_PEER]), other = growth[PART_OTHER], least = ~0ull;

	if (lock >= idle)
		least = lock;
	if (peer >= idle && peer < least)
		least = peer;
	if (other >= idle && other < least)
		least = other;
	if (least == ~0ull)
		return false;
	if (least == lock)
		growth[PART_LOCK] -= idle;
	else if (least == peer)
		growth[PART_PEER] -= idle;
	else
		growth[PART_OTHER] -= idle;
	return true;
}

static __always_inline void split_other(const struct connection *c, const struct task_slot *slot, u64 now, u64 *part)
{
	struct serving *last = bpf_task_storage_get(&servings, bpf_get_current_task_btf(), NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
	u64 whole = elapsed(c->received_ns, now);

	if (!last || !slot) {
		part[PART_ELSEWHERE] = whole;
		return;
	}
	u64 since = last->since_ns;
	take_growth(slot, last->account, now, part);
	take_account(slot, now, last->account);
	last->since_ns = now;
	if (since && since >= c->received_ns) {
		part[PART_QUEUE] = since - c->received_ns; /* it was busy with another one */
		return;
	}
	u64 calling = slot->called_ns > c->received_ns ? elapsed(slot->called_ns, now) : 0;
	if (!since || !take_off_idle(part, c->received_ns - since, calling)) {
#pragma unroll
		for (int i = PART_RUNQUEUE; i < PART_ELSEWHERE; i++)
			part[i] = 0;
		part[PART_ELSEWHERE] = whole;
	}
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
SEC("iter/bpf_sk_storage_map")
int walk_open(struct bpf_iter__bpf_sk_storage_map *ctx)
{
	struct sock *sk = ctx->sk;
	const struct connection *c = ctx->value;
	struct service_open o = {};

	if (!sk || !c || !c->since_ns)
		return 0;
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
	bpf_seq_write(ctx->meta->seq, &o, sizeof(o));
	return 0;
}
