/* SPDX-License-Identifier: BSD-2-Clause */
/* Where some functions of the kernel lie, for telling what a kernel stack passes through. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "wire.h"

struct bpf_object;
struct capture;

struct place_ranges {
	struct place_range *items;
	size_t count, capacity;
};

struct kernel_text {
	struct place_range places[PLACE_COUNT];
	struct place_range core; /* the kernel proper: modules and BPF programs come and go, its functions stay */
	struct place_ranges interrupts; /* entries from hardware: their frames lie below an interrupt's work */
	struct place_ranges syncs;      /* who is in one of them waits until data is on a disk */
	struct place_ranges enablers;   /* do nothing but let interrupts in again: a guest calls them where others have one instruction */
};

/* Unknown places stay 0, all of them where the kernel hides its addresses. It takes some 50 ms. */
void kernel_text_read(struct kernel_text *t);
int kernel_text_prepare(const struct capture *c, struct bpf_object *object); /* tells an object that walks kernel stacks */
void kernel_text_done(struct kernel_text *t);
/* A clock's sample is late where interrupts are off, and is taken as they come on: so many of the first frames are not where the time went. */
size_t kernel_text_late(const struct kernel_text *t, const uint64_t *frames, size_t depth);
bool kernel_text_is_interrupt(const struct kernel_text *t, const uint64_t *frames, size_t depth);
bool kernel_text_is_sync(const struct kernel_text *t, const uint64_t *frames, size_t depth);
