/* SPDX-License-Identifier: BSD-2-Clause */
/* Packets that the kernel throws away: which of its reasons are a loss, and what reason and place are called. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct bpf_object;
struct capture;

struct tcp_drop_names {
	const uint8_t *reasons;  /* by the kernel's number: 1 + index of our name; NULL: no reasons on this kernel */
	uint64_t *starts;        /* of the kernel's functions, ascending; read when first needed */
	uint32_t *names;         /* offsets in text */
	char *text;
	uint32_t count, capacity, length, text_capacity;
	bool read;
};

/* Before loading: tells the kernel side which reasons matter; without reasons (before 5.17) its hook is left out. */
int tcp_drops_prepare(struct bpf_object *object);
void tcp_drops_read_reasons(struct tcp_drop_names *n, struct bpf_object *object);
/* Empties the map; each may be NULL. */
void tcp_drops_take(struct tcp_drop_names *n, int map, struct capture *c,
		    void (*each)(void *arg, struct capture *c, const char *name, uint64_t count), void *arg);
void tcp_drops_done(struct tcp_drop_names *n);
