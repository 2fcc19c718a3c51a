/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading hostile little-endian bytes: a read past the end gives 0 and sets `bad`, for good. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct bytes {
	const uint8_t *at, *end;
	bool bad;
};

static inline size_t bytes_left(const struct bytes *b)
{
	return b->bad ? 0 : (size_t)(b->end - b->at);
}

static inline void bytes_skip(struct bytes *b, uint64_t n)
{
	if (n > bytes_left(b))
		b->bad = true;
	else
		b->at += n;
}

static inline uint64_t bytes_unsigned(struct bytes *b, size_t size)
{
	uint64_t value = 0;

	if (size > bytes_left(b)) {
		b->bad = true;
		return 0;
	}
	memcpy(&value, b->at, size);
	b->at += size;
	return value;
}

static inline int64_t bytes_signed(struct bytes *b, size_t size)
{
	unsigned unused = 64 - 8 * (unsigned)size;

	return (int64_t)(bytes_unsigned(b, size) << unused) >> unused;
}

static inline uint8_t bytes_u8(struct bytes *b)
{
	return (uint8_t)bytes_unsigned(b, 1);
}

static inline uint64_t bytes_uleb(struct bytes *b)
{
	uint64_t value = 0;
	unsigned shift = 0;
	uint8_t byte;

	do {
		byte = bytes_u8(b);
		if (shift < 64)
			value |= (uint64_t)(byte & 0x7f) << shift;
		shift += 7;
	} while ((byte & 0x80) && !b->bad && shift < 140);
	return value;
}

static inline int64_t bytes_sleb(struct bytes *b)
{
	uint64_t value = 0;
	unsigned shift = 0;
	uint8_t byte;

	do {
		byte = bytes_u8(b);
		if (shift < 64)
			value |= (uint64_t)(byte & 0x7f) << shift;
		shift += 7;
	} while ((byte & 0x80) && !b->bad && shift < 140);
	if (shift < 64 && (byte & 0x40))
		value |= ~0ull << shift;
	return (int64_t)value;
}

static inline struct bytes bytes_take(struct bytes *b, uint64_t n)
{
	struct bytes part = {.at = b->at};

	bytes_skip(b, n);
	part.end = b->bad ? part.at : b->at;
	part.bad = b->bad;
	return part;
}
