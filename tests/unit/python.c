// SPDX-License-Identifier: BSD-2-Clause
/* Python's line tables as its compilers made them, and code objects as a hostile process may tell
 * them. */
#include "check.h"

#include <stdlib.h>

#include "hash.h"
#include "python_code.h"
#include "python_lines.h"
#include "tasks.h"

/* One function with a loop, a comprehension, a call over two lines and a hundred empty lines,
 * compiled by four versions. */
struct table {
	enum python_lines_format format;
	uint32_t units, len;
	uint8_t bytes[256];
	struct {
		uint32_t unit, line;
	} runs[32]; /* from this unit on; what the version itself says */
};

static const struct table python_3_9 = {
	.format = PYTHON_LINES_LNOTAB,
	.units = 43,
	.bytes = {0, 1, 4, 1, 4,   2, 14, 1,  6,   255, 6, 2,  2,
		  1, 6, 1, 2, 255, 8, 3,  20, 127, 0,   6, 10, 1},
	.len = 26,
	.runs = {{0, 3},
		 {2, 4},
		 {4, 6},
		 {11, 7},
		 {14, 6},
		 {17, 8},
		 {18, 9},
		 {21, 10},
		 {22, 9},
		 {26, 12},
		 {36, 145},
		 {41, 146}},
};

static const struct table python_3_10 = {
	.format = PYTHON_LINES_RANGES,
	.units = 44,
	.bytes = {4, 1,   4,  1, 14, 2,   6, 1, 6, 255, 2, 2,   6, 1,   2, 1,
		  8, 255, 20, 3, 0,  127, 8, 6, 0, 129, 4, 242, 0, 127, 4, 15},
	.len = 32,
	.runs = {{0, 3},
		 {2, 4},
		 {4, 6},
		 {11, 7},
		 {14, 6},
		 {17, 8},
		 {18, 9},
		 {21, 10},
		 {22, 9},
		 {26, 12},
		 {36, 145},
		 {40, 4},
		 {42, 146}},
};

static const struct table python_3_11 = {
	.format = PYTHON_LINES_LOCATIONS,
	.units = 81,
	.bytes = {128, 0,   216, 8,   9,   128, 65,  216, 10,  11,  240, 0,   77,  2,   5,   17,
		  224, 11,  12,  136, 113, 138, 53,  136, 53,  240, 0,   1,   23,  32,  240, 0,
		  1,   23,  32,  221, 22,  27,  152, 65,  145, 104, 148, 104, 240, 3,   1,   23,
		  32,  241, 0,   1,   23,  32,  244, 0,   1,   23,  32,  144, 33,  240, 4,   4,
		  9,   19,  216, 12,  13,  149, 17,  144, 49,  216, 19,  20,  241, 3,   1,   18,
		  22,  244, 0,   1,   18,  22,  241, 0,   1,   13,  22,  136, 65,  240, 6,   0,
		  13,  14,  144, 17,  137, 70,  136, 65,  136, 65,  248, 136, 65,  144, 17,  137,
		  70,  136, 65,  136, 65,  136, 65,  136, 65,  136, 65,  240, 74,  4,   0,   9,
		  10,  136, 83,  137, 8,   136, 1,   240, 91,  4,   0,   11,  12,  240, 0,   77,
		  2,   5,   17,  240, 92,  4,   0,   12,  13,  128, 72},
	.len = 155,
	.runs = {{0, 2},
		 {1, 3},
		 {3, 4},
		 {5, 6},
		 {13, 7},
		 {27, 6},
		 {36, 8},
		 {37, 9},
		 {45, 10},
		 {46, 9},
		 {56, 12},
		 {62, 0},
		 {63, 12},
		 {72, 145},
		 {77, 4},
		 {79, 146}},
};

static const struct table python_3_13 = {
	.format = PYTHON_LINES_LOCATIONS,
	.units = 94,
	.bytes = {128, 0,   216, 8,   9,   128, 65,  222, 10,  11,  224, 11, 12,  136, 113, 139,
		  53,  220, 22,  27,  152, 65,  148, 104, 243, 3,   1,   23, 32,  217, 22,  30,
		  144, 17,  243, 3,   0,   24,  25,  217, 22,  30,  240, 3,  0,   19,  20,  240,
		  0,   1,   23,  32,  240, 4,   4,   9,   19,  216, 12,  13, 148, 17,  144, 49,
		  216, 19,  20,  243, 3,   1,   18,  22,  241, 0,   1,   13, 22,  136, 65,  240,
		  6,   0,   13,  14,  144, 17,  137, 70,  136, 65,  240, 74, 4,   0,   9,   10,
		  136, 83,  137, 8,   136, 1,   247, 91,  4,   0,   11,  12, 136, 33,  240, 92,
		  4,   0,   12,  13,  128, 72,  249, 242, 89,  4,   1,   23, 32,  248, 240, 12,
		  0,   13,  14,  144, 17,  137, 70,  137, 65,  250},
	.len = 138,
	.runs = {{0, 2},  {1, 3},    {3, 4},  {10, 6}, {16, 7},  {27, 6},  {31, 7},  {34, 6},
		 {38, 7}, {40, 6},   {42, 8}, {43, 9}, {50, 10}, {51, 9},  {58, 12}, {63, 145},
		 {68, 4}, {77, 146}, {79, 0}, {81, 6}, {84, 0},  {85, 12}, {91, 0}},
};

static uint32_t expected(const struct table *t, uint32_t unit)
{
	uint32_t line = t->runs[0].line;

	for (int i = 1; i < 32 && t->runs[i].unit && t->runs[i].unit <= unit; i++)
		line = t->runs[i].line;
	return line;
}

static void test_table(const struct table *t)
{
	uint32_t wrong = 0;

	for (uint32_t unit = 0; unit < t->units; unit++)
		wrong += python_line(t->format, t->bytes, t->len, 2, unit) != expected(t, unit);
	CHECK(wrong == 0);
	if (t->format != PYTHON_LINES_LNOTAB)
		CHECK(python_line(t->format, t->bytes, t->len, 2, t->units) == 0);
	/* Cut anywhere, it says the same or nothing; the oldest format ends without a mark. */
	for (uint32_t len = 0; len < t->len; len++)
		for (uint32_t unit = 0; unit < t->units; unit++) {
			/* A copy of its own, so that reading behind it is noticed. */
			uint8_t *cut = malloc(len + !len);

			memcpy(cut, t->bytes, len);
			uint32_t line = python_line(t->format, cut, len, 2, unit);
			if (t->format == PYTHON_LINES_RANGES)
				wrong += line && line != expected(t, unit);
			free(cut);
		}
	CHECK(wrong == 0);
}

static void test_noise(void)
{
	uint32_t seed = 1, out_of_range = 0;

	for (int round = 0; round < 20000; round++) {
		size_t len = (size_t)rand_r((unsigned *)&seed) % 40;
		uint8_t *bytes = malloc(len + 1);

		for (size_t i = 0; i < len; i++)
			bytes[i] = (uint8_t)(rand_r((unsigned *)&seed) >> 8);
		for (int format = 0; format < 4; format++)
			out_of_range +=
				python_line((enum python_lines_format)format, bytes, len,
					    (uint32_t)seed,
					    (uint32_t)rand_r((unsigned *)&seed) % 300) > INT32_MAX;
		free(bytes);
	}
	CHECK(out_of_range == 0);
	CHECK(python_line((enum python_lines_format)3, (const uint8_t *)"\x80", 1, 1, 0) == 0);
}

static void set_text(struct python_text *t, uint32_t width, const void *text, uint32_t bytes)
{
	t->width = width;
	t->bytes = bytes;
	memcpy(t->text, text, bytes < PYTHON_TEXT_BYTES ? bytes : PYTHON_TEXT_BYTES);
}

static uint64_t packed(uint64_t code, uint32_t unit)
{
	return code >> PYTHON_CODE_ALIGN_SHIFT << PYTHON_FRAME_CODE_SHIFT |
	       (uint64_t)unit << PYTHON_FRAME_UNIT_SHIFT;
}

static void test_code(void)
{
	static const uint16_t two[] = {0x4e2d, 0x6587};
	static const uint32_t four[] = {0x1f40d, 0xd800, 0x110000, 'x'};
	struct python_codes *codes = python_codes_new();
	struct python_code_record *r = calloc(1, sizeof(*r));
	struct process one = {0}, other = {0};
	uint64_t code = 0x7f1234567898, top = 0x7ffffffffff8;
	struct interpreted f;
	uint32_t line, id;

	CHECK_STR(python_codes_find(codes, &one, packed(code, 0), &line).name,
		  "[unknown Python function]");
	CHECK(line == 0);
	r->code = code;
	r->first_line = 2;
	r->lines_bytes = python_3_11.len;
	memcpy(r->lines, python_3_11.bytes, python_3_11.len);
	set_text(&r->name, 1,
		 "Gr\xf6\xdf"
		 "e",
		 5);
	set_text(&r->file, 1, "a.py", 4);
	python_codes_add(codes, &one, r, PYTHON_LINES_LOCATIONS);
	f = python_codes_find(codes, &one, packed(code, 45), &line);
	CHECK_STR(f.name, "Gr\xc3\xb6\xc3\x9f"
			  "e");
	CHECK_STR(f.file, "a.py");
	CHECK(line == 10 && f.first_line == 2 && f.id);
	id = f.id;
	python_codes_find(codes, &one, packed(code, PYTHON_FRAME_NO_UNIT), &line);
	CHECK(line == 2);

	/* The same function in another process, elsewhere: one function. */
	r->code = top;
	python_codes_add(codes, &other, r, PYTHON_LINES_LOCATIONS);
	CHECK(python_codes_find(codes, &other, packed(top, 0), &line).id == id);
	CHECK(python_codes_find(codes, &other, packed(code, 0), &line).id == 0);

	/* Another function at an address that was used before. */
	set_text(&r->name, 2, two, sizeof(two));
	python_codes_add(codes, &other, r, PYTHON_LINES_LOCATIONS);
	f = python_codes_find(codes, &other, packed(top, 0), &line);
	CHECK_STR(f.name, "\xe4\xb8\xad\xe6\x96\x87");
	CHECK(f.id != id);
	set_text(&r->name, 4, four, sizeof(four));
	python_codes_add(codes, &other, r, PYTHON_LINES_LOCATIONS);
	CHECK_STR(python_codes_find(codes, &other, packed(top, 0), &line).name,
		  "\xf0\x9f\x90\x8d\xef\xbf\xbd\xef\xbf\xbdx");

	/* Lengths that lie. */
	r->name.bytes = UINT32_MAX;
	r->file.width = UINT32_MAX;
	r->lines_bytes = UINT32_MAX;
	python_codes_add(codes, &other, r, 200);
	f = python_codes_find(codes, &other, packed(top, 0), &line);
	CHECK_STR(f.name, "");
	CHECK_STR(f.file, "");
	CHECK(line == 0);
	map_free(one.python);
	map_free(other.python);
	python_codes_free(codes);
	free(r);
}

int main(void)
{
	test_table(&python_3_9);
	test_table(&python_3_10);
	test_table(&python_3_11);
	test_table(&python_3_13);
	test_noise();
	test_code();
	return check_done("python");
}
