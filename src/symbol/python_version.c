// SPDX-License-Identifier: BSD-2-Clause
#include "python_version.h"

#include <errno.h>
#include <string.h>

#include "mem.h"
#include "python_debug.h"
#include "python_lines.h"
#include "symbolizer.h"
#include "text.h"

struct python_version {
	const char *name;
	bool tells; /* its own layout, which may change between releases */
	struct python_layout layout;
};

/* Within a version, releases keep these. Checked with the headers
 * of 3.9.18, 3.10.13, 3.11.7, 3.12.1 and 3.13.0. */
static const struct python_version versions[] = {
	{"3.9",
	 false,
	 {.interpreters = 32,
	  .interpreter_next = 0,
	  .interpreter_threads = 8,
	  .thread_id = 176,
	  .thread_frame = 24,
	  .indirect_frame = PYTHON_DIRECT,
	  .frame_code = 32,
	  .frame_back = 24,
	  .frame_instruction = 104,
	  .code_names = 104,
	  .code_first_line = 40,
	  .text_ascii = 48,
	  .text_other = 72,
	  .name = 1,
	  .lines = 2,
	  .names = 3,
	  .index_shift = 1,
	  .entry = PYTHON_ENTRY_EACH,
	  .lines_format = PYTHON_LINES_LNOTAB}},
	{"3.10",
	 false,
	 {.interpreters = 32,
	  .interpreter_next = 0,
	  .interpreter_threads = 8,
	  .thread_id = 176,
	  .thread_frame = 24,
	  .indirect_frame = PYTHON_DIRECT,
	  .frame_code = 32,
	  .frame_back = 24,
	  .frame_instruction = 96,
	  .code_names = 104,
	  .code_first_line = 40,
	  .text_ascii = 48,
	  .text_other = 72,
	  .name = 1,
	  .lines = 2,
	  .names = 3,
	  .index_shift = 0,
	  .entry = PYTHON_ENTRY_EACH,
	  .lines_format = PYTHON_LINES_RANGES}},
	{"3.11",
	 false,
	 {.interpreters = 40,
	  .interpreter_next = 0,
	  .interpreter_threads = 16,
	  .thread_id = 152,
	  .thread_frame = 56,
	  .indirect_frame = 8,
	  .frame_code = 32,
	  .frame_back = 48,
	  .frame_instruction = 56,
	  .frame_entry = 68,
	  .code_names = 112,
	  .code_first_line = 72,
	  .code_bytes = 184,
	  .text_ascii = 48,
	  .text_other = 72,
	  .name = 2,
	  .lines = 3,
	  .names = 4,
	  .index_shift = 1,
	  .entry = PYTHON_ENTRY_FLAG,
	  .lines_format = PYTHON_LINES_LOCATIONS}},
	{"3.12",
	 false,
	 {.interpreters = 40,
	  .interpreter_next = 0,
	  .interpreter_threads = 72,
	  .thread_id = 136,
	  .thread_frame = 56,
	  .indirect_frame = 0,
	  .frame_code = 0,
	  .frame_back = 8,
	  .frame_instruction = 56,
	  .frame_entry = 70,
	  .code_names = 112,
	  .code_first_line = 68,
	  .code_bytes = 192,
	  .text_ascii = 40,
	  .text_other = 56,
	  .name = 2,
	  .lines = 3,
	  .names = 4,
	  .index_shift = 1,
	  .entry = PYTHON_ENTRY_SHIM,
	  .lines_format = PYTHON_LINES_LOCATIONS}},
	{"3.13",
	 true,
	 {.interpreters = 632,
	  .interpreter_next = 7264,
	  .interpreter_threads = 7344,
	  .thread_id = 152,
	  .thread_frame = 72,
	  .indirect_frame = PYTHON_DIRECT,
	  .frame_code = 0,
	  .frame_back = 8,
	  .frame_instruction = 56,
	  .frame_entry = 70,
	  .code_names = 112,
	  .code_first_line = 68,
	  .code_bytes = 200,
	  .text_ascii = 40,
	  .text_other = 56,
	  .name = 2,
	  .lines = 3,
	  .names = 4,
	  .index_shift = 1,
	  .entry = PYTHON_ENTRY_SHIM,
	  .lines_format = PYTHON_LINES_LOCATIONS}},
};

static const char *const place_names[PYTHON_PLACES] = {
	"_PyRuntime", "_PyEval_EvalFrameDefault", "PyCode_Type", "PyUnicode_Type", "PyBytes_Type"};

/* "python3.11" or "libpython3.11.so.1.0"; builds with another layout have letters behind the
 * number. */
const struct python_version *python_version_of(const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;

	if (starts_with(name, "lib"))
		name += 3;
	if (!starts_with(name, "python"))
		return NULL;
	name += 6;
	for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
		size_t len = strlen(versions[i].name);

		if (!strncmp(name, versions[i].name, len) &&
		    (!name[len] || starts_with(name + len, ".so")))
			return &versions[i];
	}
	return NULL;
}

uint8_t python_version_lines(const struct python_version *v)
{
	return v->layout.lines_format;
}

bool python_places_note(struct python_places *p, const struct symbol *symbols, size_t count)
{
	bool all = true;

	for (size_t i = 0; i < count; i++)
		for (int place = 0; place < PYTHON_PLACES; place++) {
			if (strcmp(symbols[i].name, place_names[place]))
				continue;
			p->at[place] = symbols[i].start;
			if (place == PYTHON_LOOP)
				p->loop_size = symbols[i].size;
		}
	for (int place = 0; place < PYTHON_PLACES; place++)
		all &= p->at[place] != 0;
	return all;
}

bool python_version_process(const struct python_version *v, const struct python_places *places, pid_t pid, uint64_t base,
			    struct python_process *ret)
{
	*ret = (struct python_process){.runtime = base + places->at[PYTHON_RUNTIME],
				       .code_type = base + places->at[PYTHON_CODE],
				       .unicode_type = base + places->at[PYTHON_UNICODE],
				       .bytes_type = base + places->at[PYTHON_BYTES],
				       .layout = v->layout};
	return !v->tells || python_debug_layout(pid, ret->runtime, &ret->layout) != -ENOTSUP;
}
