// SPDX-License-Identifier: BSD-2-Clause
#include "python_code.h"

#include <string.h>

#include "buf.h"
#include "escape.h"
#include "hash.h"
#include "intern.h"
#include "mem.h"
#include "python_lines.h"
#include "python_text.h"
#include "tasks.h"

/* A program that makes new functions for ever must not eat our memory. */
#define MOST_FUNCTIONS (1u << 17)
#define MOST_BYTES (64u << 20)

/* An interned function is this, the name and the file with a NUL each, and the line table. No
 * padding. */
struct function {
	uint32_t first_line, lines_format;
	uint32_t name_bytes, file_bytes; /* with the NUL */
};

struct python_codes {
	struct intern *functions;
};

struct python_codes *python_codes_new(void)
{
	struct python_codes *pc = xcalloc(1, sizeof(*pc));

	pc->functions = intern_new();
	return pc;
}

void python_codes_free(struct python_codes *pc)
{
	if (!pc)
		return;
	intern_free(pc->functions);
	free(pc);
}

void python_codes_add(struct python_codes *pc, struct process *p,
		      const struct python_code_record *r, uint8_t lines_format)
{
	_cleanup_(buf_done) struct buf b = BUF_INIT;
	struct function f = {.first_line = r->first_line, .lines_format = lines_format};
	uint32_t id;

	buf_add(&b, &f, sizeof(f));
	f.name_bytes = python_text_add(&b, &r->name);
	f.file_bytes = python_text_add(&b, &r->file);
	memcpy(b.data, &f, sizeof(f));
	buf_add(&b, r->lines, r->lines_bytes < PYTHON_LINES_BYTES ? r->lines_bytes : 0);
	if (!p->python)
		p->python = map_new();
	if (intern_count(pc->functions) >= MOST_FUNCTIONS ||
	    intern_bytes(pc->functions) >= MOST_BYTES) {
		if (!intern_find(pc->functions, b.data, b.len, &id)) {
			map_remove(p->python, r->code);
			return;
		}
	} else {
		id = intern_id(pc->functions, b.data, b.len, NULL);
	}
	map_put(p->python, r->code, id);
}

struct interpreted python_codes_find(const struct python_codes *pc, const struct process *p,
				     uint64_t packed, uint32_t *ret_line)
{
	uint64_t code = packed >> PYTHON_FRAME_CODE_SHIFT << PYTHON_CODE_ALIGN_SHIFT, id;
	uint32_t unit = packed >> PYTHON_FRAME_UNIT_SHIFT & PYTHON_FRAME_UNIT_MASK;
	struct function f;
	size_t len;

	*ret_line = 0;
	if (!p->python || !map_get(p->python, code, &id))
		return (struct interpreted){.name = "[unknown Python function]",
					    .file = "[python]"};
	const char *bytes = intern_key(pc->functions, (uint32_t)id, &len),
		   *texts = bytes + sizeof(f);
	memcpy(&f, bytes, sizeof(f));
	const char *lines = texts + f.name_bytes + f.file_bytes;
	*ret_line = unit == PYTHON_FRAME_NO_UNIT
			    ? f.first_line
			    : python_line(f.lines_format, (const uint8_t *)lines,
					  len - (size_t)(lines - bytes), f.first_line, unit);
	return (struct interpreted){.name = texts,
				    .file = texts + f.name_bytes,
				    .id = (uint32_t)id + 1,
				    .first_line = f.first_line};
}
