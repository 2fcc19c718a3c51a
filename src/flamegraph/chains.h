/* SPDX-License-Identifier: BSD-2-Clause */
/* Waits with those who ended them on top, hop by hop. */
#pragma once
#include "recorded.h"
#include "stack_view.h"
#include "wait_chain.h"

/* Who a thread is; process_id 0: nobody knows. */
struct chain_thread {
	const char *comm, *process;
	uint32_t process_id;
};

typedef struct chain_thread chain_thread_of(void *arg, uint32_t task);

/* Chains of at least that share of all waits are followed. Returns how many were added. */
uint64_t flame_add_wait_chains(struct flame *f, enum flame_side side, struct wait_chains *chains, struct stack_view *view,
			       bool idle, double least_share, chain_thread_of *thread, void *arg);

/* The same as flame_add_recording(), of PROFILE_WAKEUP. */
int flame_add_chains(struct flame *f, enum flame_side side, struct store *s, bool idle, struct recorded *ret_recorded);
