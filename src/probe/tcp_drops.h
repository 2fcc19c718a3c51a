/* SPDX-License-Identifier: BSD-2-Clause */
/* Packets that the kernel throws away: which of its reasons are a loss, and what reason and place are called. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "tcp.h"

struct bpf_object;

struct tcp_drop_names {
	uint8_t reasons[TCP_DROP_REASONS]; /* by the kernel's number: 1 + index of our name; 0: no loss */
	uint64_t *starts;        /* of the kernel's functions, ascending; read when first needed */
	uint32_t *names;         /* offsets in text */
	char *text;
	uint32_t count, capacity, length, text_capacity;
	bool read;
};

/* Before loading: tells the kernel side which reasons matter; without reasons (before 5.17) its hook is left out. */
int tcp_drops_prepare(struct bpf_object *object);
void tcp_drops_read_reasons(struct tcp_drop_names *n);
typedef void tcp_drop_taker(void *arg, const struct tcp_drop_key *key, const char *name, uint64_t count);
/* Empties the map; each may be NULL. A name is "REASON in FUNCTION, DEVICE, udp port N", as far as that is known. */
void tcp_drops_take(struct tcp_drop_names *n, int map, tcp_drop_taker *each, void *arg);
void tcp_drops_done(struct tcp_drop_names *n);
