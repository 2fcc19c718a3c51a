// SPDX-License-Identifier: BSD-2-Clause
#include "code.h"

#include <stdlib.h>

#include "mem.h"
#include "symbolizer.h"

#define ROOM_BYTES (1u << 20) /* in a recording, however long it is */
#define ROOM_FUNCTIONS 512
#define SAMPLES_NEEDED 3      /* fewer tell nothing of single instructions */
#define BYTES_A_SAMPLE 1024   /* large functions cost more room, and spread their samples */

struct function {
	struct code_function place; /* symbol 0: not known yet */
	uint32_t samples;
	bool wanted;
};

struct leaf {
	uint32_t symbol;  /* 0: no name yet */
	uint32_t samples; /* of the time before */
};

struct code {
	struct leaf *leaves; /* by frame */
	struct function *functions; /* by symbol - 1 */
	uint32_t leaf_count, function_count;
	uint32_t wanted;
	uint64_t bytes;
};

struct code *code_new(void)
{
	return xcalloc(1, sizeof(struct code));
}

void code_free(struct code *c)
{
	if (!c)
		return;
	free(c->leaves);
	free(c->functions);
	free(c);
}

static struct leaf *leaf_of(struct code *c, uint32_t frame)
{
	GROW_ZEROED(c->leaves, c->leaf_count, frame + 1);
	return &c->leaves[frame];
}

static struct function *function_of(struct code *c, uint32_t symbol)
{
	GROW_ZEROED(c->functions, c->function_count, symbol);
	return &c->functions[symbol - 1];
}

/* The fuller it is, the hotter a function must be: what becomes hot after an hour finds room, too. */
static uint32_t samples_needed(const struct code *c, uint64_t size)
{
	uint64_t used = c->bytes + size, left = ROOM_BYTES, functions = ROOM_FUNCTIONS;
	uint32_t needed = SAMPLES_NEEDED + (uint32_t)(size / BYTES_A_SAMPLE);

	while (needed < UINT32_MAX / 10 && (used > ROOM_BYTES - left / 2 || c->wanted >= ROOM_FUNCTIONS - functions / 2)) {
		needed *= 10;
		left /= 2;
		functions /= 2;
	}
	return needed;
}

static bool wants(struct code *c, struct function *f, uint32_t samples)
{
	uint64_t size = f->place.size;

	f->samples += samples;
	if (f->wanted || !size || size > SYMBOL_CODE_MAX || f->samples < samples_needed(c, size) ||
	    c->bytes + size > ROOM_BYTES || c->wanted == ROOM_FUNCTIONS)
		return false;
	f->wanted = true;
	c->wanted++;
	c->bytes += size;
	return true;
}

bool code_sampled(struct code *c, uint32_t frame, struct code_function *ret_function)
{
	struct leaf *leaf = leaf_of(c, frame);

	if (!leaf->symbol) {
		leaf->samples++;
		return false;
	}
	struct function *f = function_of(c, leaf->symbol);
	*ret_function = f->place;
	return wants(c, f, 1);
}

bool code_named(struct code *c, uint32_t frame, const struct code_function *function)
{
	struct leaf *leaf = leaf_of(c, frame);
	struct function *f = function_of(c, function->symbol);
	uint32_t samples = leaf->samples;

	if (!f->place.symbol)
		f->place = *function;
	*leaf = (struct leaf){.symbol = function->symbol};
	return wants(c, f, samples);
}

void code_forget_frames(struct code *c)
{
	free(c->leaves);
	c->leaves = NULL;
	c->leaf_count = 0;
}

void code_place(struct code *c, const struct code_function *place)
{
	function_of(c, place->symbol)->place = *place;
}

struct code_function code_of(const struct code *c, uint32_t symbol)
{
	return c->functions[symbol - 1].place;
}
