/* SPDX-License-Identifier: BSD-2-Clause */
/* Which end of a service a socket is, and the service's name: its listener's address. */
#pragma once
#include "probe.bpf.h"
#include "service.h"

enum { FAMILY_UNIX = 1, FAMILY_IPV4 = 2, FAMILY_IPV6 = 10, PROTOCOL_TCP = 6, STATE_LISTENS = 10, STATE_CLOSED = 7, TYPE_DATAGRAM = 2 };

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
