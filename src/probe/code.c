// SPDX-License-Identifier: BSD-2-Clause
#include "code.h"

#include <stdlib.h>

#include "mem.h"
#include "recent.h"
#include "symbolizer.h"

#define ROOM_BYTES (1u << 20) /* in a recording, however long it is */
#define ROOM_FUNCTIONS 512
#define SAMPLES_NEEDED 3      /* fewer tell nothing of single instructions */
#define BYTES_A_SAMPLE 1024   /* large functions cost more room, and spread their samples */
#define MOST_SAMPLED 4096     /* functions whose samples are counted; who has none while so many others have some is forgotten */

struct code {
	struct recent *samples; /* symbol -> uint32_t */
	struct code_function *wanted; /* and places */
	uint32_t wanted_count, wanted_capacity;
	uint32_t functions; /* of the wanted */
	uint64_t bytes;
};

struct code *code_new(void)
{
	struct code *c = xcalloc(1, sizeof(*c));

	c->samples = recent_new(sizeof(uint32_t), sizeof(uint32_t), MOST_SAMPLED);
	return c;
}

void code_free(struct code *c)
{
	if (!c)
		return;
	recent_free(c->samples);
	free(c->wanted);
	free(c);
}

static const struct code_function *find(const struct code *c, uint32_t symbol)
{
	for (uint32_t i = 0; i < c->wanted_count; i++)
		if (c->wanted[i].symbol == symbol)
			return &c->wanted[i];
	return NULL;
}

/* The fuller it is, the hotter a function must be: what becomes hot after an hour finds room, too. */
static uint32_t samples_needed(const struct code *c, uint64_t size)
{
	uint64_t used = c->bytes + size, left = ROOM_BYTES, functions = ROOM_FUNCTIONS;
	uint32_t needed = SAMPLES_NEEDED + (uint32_t)(size / BYTES_A_SAMPLE);

	while (needed < UINT32_MAX / 10 && (used > ROOM_BYTES - left / 2 || c->functions >= ROOM_FUNCTIONS - functions / 2)) {
		needed *= 10;
		left /= 2;
		functions /= 2;
	}
	return needed;
}

static uint32_t count(struct code *c, uint32_t symbol, uint32_t samples)
{
	uint32_t *sum = recent_find(c->samples, &symbol);

	if (!sum)
		sum = recent_add(c->samples, &symbol);
	return *sum += samples;
}

bool code_sampled(struct code *c, const struct code_function *function, uint32_t samples)
{
	uint64_t size = function->size;

	if (!size || size > SYMBOL_CODE_MAX || count(c, function->symbol, samples) < samples_needed(c, size) ||
	    c->bytes + size > ROOM_BYTES || c->functions == ROOM_FUNCTIONS || find(c, function->symbol))
		return false;
	code_place(c, function);
	c->functions++;
	c->bytes += size;
	return true;
}

void code_place(struct code *c, const struct code_function *place)
{
	GROW(c->wanted, c->wanted_count, c->wanted_capacity);
	c->wanted[c->wanted_count++] = *place;
}

struct code_function code_of(const struct code *c, uint32_t symbol)
{
	const struct code_function *function = find(c, symbol);

	return function ? *function : (struct code_function){0};
}
