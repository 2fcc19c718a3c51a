/* SPDX-License-Identifier: BSD-2-Clause */
/* What a metric adds up to by stack, under the current selection (store_select()). */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store;

/* Zero means any. */
struct stack_filter {
	const char *metric; /* name or GLOB, such as "wait.*" */
	bool held_up;       /* of waits, only those that were not for work */
	uint32_t process, task, resource;
	const uint32_t *tasks; /* any of these, with task_count */
	size_t task_count;
	bool by_process;       /* one weight for each process and stack, not for each stack */
};

struct stack_weight {
	uint32_t stack;   /* 0: those without one that could be read */
	uint32_t process; /* 0 unless by_process */
	int64_t count;
	int64_t value;    /* in the metric's unit; time of whole slices (spans) included */
};

/* Heaviest first; the caller frees the array. A metric that is not in the recording weighs nothing. */
int stack_weights(struct store *s, const struct stack_filter *filter, struct stack_weight **ret_weights,
		  size_t *ret_count);
