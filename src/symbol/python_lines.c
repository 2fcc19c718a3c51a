// SPDX-License-Identifier: BSD-2-Clause
#include "python_lines.h"

#include <stdbool.h>

#include "mem.h"

static uint32_t valid(int64_t line)
{
	return line > 0 && line <= INT32_MAX ? (uint32_t)line : 0;
}

static uint32_t lnotab(const uint8_t *b, size_t len, uint32_t first_line, uint32_t unit)
{
	uint64_t wanted = (uint64_t)unit * 2, at = 0;
	int64_t line = first_line;

	for (size_t i = 0; i + 1 < len; i += 2) {
		at += b[i];
		if (at > wanted)
			break;
		line += (int8_t)b[i + 1];
	}
	return valid(line);
}

enum { RANGE_WITHOUT_LINE = -128 };

static uint32_t ranges(const uint8_t *b, size_t len, uint32_t first_line, uint32_t unit)
{
	uint64_t wanted = (uint64_t)unit * 2, end = 0;
	int64_t line = first_line;

	for (size_t i = 0; i + 1 < len; i += 2) {
		int8_t step = (int8_t)b[i + 1];

		end += b[i];
		if (step != RANGE_WITHOUT_LINE)
			line += step;
		if (wanted < end)
			return step == RANGE_WITHOUT_LINE ? 0 : valid(line);
	}
	return 0;
}

/* An entry's first byte has the top bit, the others have not: seven bits are left. */
enum {
	ENTRY_FIRST = 0x80,
	ENTRY_ONE_LINE = 10, /* up to 12: so many lines further, and two columns */
	ENTRY_NO_COLUMNS = 13,
	ENTRY_LONG = 14, /* a signed number of lines */
	ENTRY_NONE = 15,
};

/* Six bits a byte, the lowest first, the sign in the lowest of all. */
static int64_t signed_number(const uint8_t *b, size_t len)
{
	uint64_t value = 0;
	bool more = true;

	for (size_t i = 0; i < len && i < 6 && more; i++) {
		value |= (uint64_t)(b[i] & 0x3f) << (6 * i);
		more = b[i] & 0x40;
	}
	return value & 1 ? -(int64_t)(value >> 1) : (int64_t)(value >> 1);
}

static uint32_t locations(const uint8_t *b, size_t len, uint32_t first_line, uint32_t unit)
{
	int64_t line = first_line;
	uint64_t end = 0;

	for (size_t i = 0; i < len;) {
		unsigned code = b[i] >> 3 & 15;

		if (!(b[i] & ENTRY_FIRST))
			return 0;
		end += (b[i] & 7u) + 1;
		i++;
		if (code == ENTRY_NO_COLUMNS || code == ENTRY_LONG)
			line += signed_number(b + i, len - i);
		else if (code >= ENTRY_ONE_LINE && code < ENTRY_NO_COLUMNS)
			line += code - ENTRY_ONE_LINE;
		if (unit < end)
			return code == ENTRY_NONE ? 0 : valid(line);
		while (i < len && !(b[i] & ENTRY_FIRST))
			i++;
	}
	return 0;
}

uint32_t python_line(enum python_lines_format format, const uint8_t *bytes, size_t len,
		     uint32_t first_line, uint32_t unit)
{
	static uint32_t (*const readers[])(const uint8_t *, size_t, uint32_t, uint32_t) = {
		[PYTHON_LINES_LNOTAB] = lnotab,
		[PYTHON_LINES_RANGES] = ranges,
		[PYTHON_LINES_LOCATIONS] = locations,
	};

	return (size_t)format < ARRAY_SIZE(readers) ? readers[format](bytes, len, first_line, unit)
						    : 0;
}
