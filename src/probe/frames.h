/* SPDX-License-Identifier: BSD-2-Clause */
/* Addresses -> frames, and frames -> stacks of the recording: each is interned, written once, and its name
 * asked for; the answers are written when they come. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "symbolizer.h"

struct frames;
struct images;
struct kernel_text;
struct mapping;
struct mappings;
struct process;
struct store;

/* A function of interpreted code: names are valid UTF-8, `id` tells it from all others. */
struct interpreted {
	const char *name, *file;
	uint32_t id, first_line;
};

struct frames *frames_new(struct store *s);
void frames_free(struct frames *f);
void frames_set_symbolizer(struct frames *f, struct symbolizer *symbolizer); /* before the first frame */

void frames_set_kernel(struct frames *f, const struct kernel_text *text); /* borrowed */

struct images *frames_images(struct frames *f);
/* The symbolizer's id of an image that is mapped into the process; negative when it can have no names. */
int frames_introduce(struct frames *f, uint32_t image, const struct process *p, const struct mapping *mapping);

/* A stack's id with these frames on top of `parent` (0: from the root). Addresses are leaf first, all but the
 * first are return addresses. */
uint32_t frames_user(struct frames *f, uint32_t parent, struct process *p, struct mappings *mappings,
		     const uint64_t *addresses, size_t depth, uint64_t now_ns);
uint32_t frames_kernel(struct frames *f, uint32_t parent, const uint64_t *addresses, size_t depth);
/* A stack of one frame, "[words]", that stands for what is not known below others. */
uint32_t frames_marker(struct frames *f, const char *words);

/* One frame of native code on top of `parent`, an address as of user code. */
uint32_t frames_native(struct frames *f, uint32_t parent, struct process *p, struct mappings *mappings,
		       uint64_t address, uint64_t now_ns);
/* The frame of a line in interpreted code, and a frame on top of `parent`. */
uint32_t frames_interpreted(struct frames *f, const struct interpreted *function, uint32_t line);
uint32_t frames_push(struct frames *f, uint32_t parent, uint32_t frame);

/* The symbolizer's answer for a frame. */
void frames_named(struct frames *f, uint32_t frame, const struct symbol *symbols, size_t count);
/* A CPU sample has this stack: functions that have enough of them get their code into the recording. */
void frames_sampled(struct frames *f, uint32_t stack);
/* The symbolizer's answers to that, for a symbol of the recording. */
void frames_code(struct frames *f, uint32_t symbol, const void *bytes, size_t len);
void frames_callees(struct frames *f, uint32_t symbol, const struct symbol *symbols, size_t count);
void frames_wait_loops(struct frames *f, uint32_t symbol, const struct wait_loop *loops, size_t count);
uint32_t frames_code_due(const struct frames *f);
void frames_ask_again(struct frames *f); /* what the symbolizer's queue had no room for */
/* Files that nobody has used for long, after images_use() of those that are mapped. */
void frames_forget_images(struct frames *f);
uint32_t frames_unnamed(const struct frames *f); /* questions without answer yet */
