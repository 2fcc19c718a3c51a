// SPDX-License-Identifier: BSD-2-Clause
#include "unwind_builder.h"

#include <errno.h>
#include <string.h>

#include "fail.h"
#include "intern.h"
#include "mem.h"
#include "unwind_table_private.h"

#define RULES_MAX (UINT16_MAX + 1)
#define EXPRS_MAX 65536
#define PADDING 16 /* a hole this small between two functions only aligns the second */

struct unwind_builder {
	const struct unwind_arch *arch;
	struct unwind_segment segments[UNWIND_SEGMENTS_MAX];
	size_t segment_count;
	uint64_t base;
	struct intern *rules, *exprs;
	uint32_t *address;
	uint16_t *rule;
	uint32_t rows, capacity;
	uint8_t build_id[32];
	size_t build_id_len;
};

int unwind_builder_new(const struct unwind_arch *arch, const struct unwind_segment *segments,
		       size_t count, struct unwind_builder **ret_builder)
{
	static const struct unwind_rule none = {.cfa = UNWIND_CFA_NONE};
	static const struct unwind_rule unsupported = {.cfa = UNWIND_CFA_UNSUPPORTED};
	struct unwind_builder *b;
	uint64_t end = 0;

	if (!count || count > UNWIND_SEGMENTS_MAX)
		return failx(-ENOEXEC, "%zu executable segments", count);
	for (size_t i = 0; i < count; i++) {
		if (segments[i].address < end || segments[i].size > UINT64_MAX - segments[i].address ||
		    segments[i].size > UINT64_MAX - segments[i].offset)
			return failx(-ENOEXEC, "executable segments overlap or wrap around");
		end = segments[i].address + segments[i].size;
	}
	if (end - segments[0].address >= UINT32_MAX)
		return failx(-EFBIG, "code spans 4 GB or more");
	b = xcalloc(1, sizeof(*b));
	b->arch = arch;
	memcpy(b->segments, segments, count * sizeof(*segments));
	b->segment_count = count;
	b->base = segments[0].address;
	b->rules = intern_new();
	b->exprs = intern_new();
	unwind_builder_rule(b, &none);        /* number UNWIND_RULE_NONE */
	unwind_builder_rule(b, &unsupported); /* number UNWIND_RULE_UNSUPPORTED */
	*ret_builder = b;
	return 0;
}

void unwind_builder_free(struct unwind_builder *b)
{
	if (!b)
		return;
	intern_free(b->rules);
	intern_free(b->exprs);
	free(b->address);
	free(b->rule);
	free(b);
}

void unwind_builder_build_id(struct unwind_builder *b, const void *id, size_t len)
{
	if (len > sizeof(b->build_id))
		return;
	memcpy(b->build_id, id, len);
	b->build_id_len = len;
}

uint64_t unwind_builder_segment_end(const struct unwind_builder *b, uint64_t address)
{
	for (size_t i = 0; i < b->segment_count; i++) {
		const struct unwind_segment *s = &b->segments[i];

		if (address >= s->address && address - s->address < s->size)
			return s->address + s->size;
	}
	return 0;
}

/* Number of the key, or -ENOSPC when it is new and `max` are there already. */
static int number(struct intern *in, const void *key, size_t len, uint32_t max)
{
	uint32_t id;

	if (intern_count(in) < max)
		return (int)intern_id(in, key, len, NULL);
	return intern_find(in, key, len, &id) ? (int)id : -ENOSPC;
}

int unwind_builder_rule(struct unwind_builder *b, const struct unwind_rule *rule)
{
	return number(b->rules, rule, sizeof(*rule) + rule->saves * sizeof(rule->save[0]), RULES_MAX);
}

int unwind_builder_expr(struct unwind_builder *b, const void *code, size_t len)
{
	return number(b->exprs, code, len, EXPRS_MAX);
}

static void enlarge(struct unwind_builder *b)
{
	b->capacity = b->capacity ? b->capacity * 2 : 1024;
	b->address = xrealloc(b->address, b->capacity * sizeof(*b->address));
	b->rule = xrealloc(b->rule, b->capacity * sizeof(*b->rule));
}

int unwind_builder_row(struct unwind_builder *b, uint64_t address, int rule)
{
	uint32_t at = (uint32_t)(address - b->base);

	if (b->rows && rule != UNWIND_RULE_NONE && b->rule[b->rows - 1] == UNWIND_RULE_NONE &&
	    at - b->address[b->rows - 1] < PADDING)
		b->rows--;
	if (b->rows && b->address[b->rows - 1] == at)
		b->rows--;
	if (b->rows && b->rule[b->rows - 1] == rule)
		return 0;
	if (b->rows == UNWIND_ROWS_MAX)
		return failx(-EFBIG, "call frame information makes more than %u rows", UNWIND_ROWS_MAX);
	if (b->rows == b->capacity)
		enlarge(b);
	b->address[b->rows] = at;
	b->rule[b->rows++] = (uint16_t)rule;
	return 0;
}

/* Lays the keys of an intern table end to end at `to`, and their positions in `unit`s at `at`. */
static size_t lay_out(const struct intern *in, char *to, uint32_t *at, size_t unit)
{
	size_t used = 0, len;

	for (uint32_t i = 0; i < intern_count(in); i++) {
		const void *key = intern_key(in, i, &len);

		if (to)
			memcpy(to + used, key, len), at[i] = (uint32_t)(used / unit);
		used += len;
	}
	return used;
}

int unwind_builder_finish(struct unwind_builder *b, struct unwind_table **ret_table)
{
	struct unwind_image head = {
		.magic = UNWIND_IMAGE_MAGIC,
		.version = UNWIND_IMAGE_VERSION,
		.machine = b->arch->machine,
		.base = b->base,
		.segments = (uint32_t)b->segment_count,
		.rows = b->rows,
		.rules = intern_count(b->rules),
		.pool_words = (uint32_t)(lay_out(b->rules, NULL, NULL, 1) / sizeof(uint32_t)),
		.exprs = intern_count(b->exprs),
		.expr_bytes = (uint32_t)lay_out(b->exprs, NULL, NULL, 1),
		.build_id_len = (uint32_t)b->build_id_len,
	};
	struct unwind_layout l = unwind_layout(&head);
	char *to = xcalloc(1, l.size);
	struct unwind_image *im = (struct unwind_image *)(void *)to;
	uint32_t *expr_at = (uint32_t *)(void *)(to + l.expr_at);

	*im = head;
	memcpy(im->build_id, b->build_id, b->build_id_len);
	memcpy(to + l.segment, b->segments, b->segment_count * sizeof(b->segments[0]));
	if (b->rows) {
		memcpy(to + l.address, b->address, b->rows * sizeof(*b->address));
		memcpy(to + l.rule, b->rule, b->rows * sizeof(*b->rule));
	}
	lay_out(b->rules, to + l.pool, (uint32_t *)(void *)(to + l.rule_at), sizeof(uint32_t));
	lay_out(b->exprs, to + l.expr, expr_at, 1);
	expr_at[head.exprs] = head.expr_bytes;
	im->checksum = unwind_image_checksum(im, l.size);
	*ret_table = unwind_table_adopt(im);
	return 0;
}
