// SPDX-License-Identifier: BSD-2-Clause
#include "debug_lines.h"

#include <dwarf.h>

#include "mem.h"
#include "protocol.h"
#include "search.h"

#define RANGES_MAX (4u << 20)

struct unit_range {
	uint64_t start, end;
	uint64_t reach; /* highest end of this and all earlier ranges */
	Dwarf_Off die;
};

struct debug_lines {
	Dwarf *dwarf;
	struct unit_range *ranges;
	size_t count, capacity;
};

static void add_unit(struct debug_lines *d, Dwarf_Die *unit)
{
	Dwarf_Addr base, start, end;

	for (ptrdiff_t at = 0; d->count < RANGES_MAX; ) {
		at = dwarf_ranges(unit, at, &base, &start, &end);
		if (at <= 0)
			return;
		if (start >= end)
			continue;
		GROW(d->ranges, d->count, d->capacity);
		d->ranges[d->count++] = (struct unit_range){start, end, 0, dwarf_dieoffset(unit)};
	}
}

static int by_start(const void *left, const void *right)
{
	const struct unit_range *a = left, *b = right;

	return a->start < b->start ? -1 : a->start > b->start;
}

/* .debug_aranges would be the ready-made index, but many compilers leave it out. */
static void index_units(struct debug_lines *d)
{
	Dwarf_CU *cu = NULL;
	Dwarf_Die unit, split;
	uint8_t type;

	while (dwarf_get_units(d->dwarf, cu, &cu, NULL, &type, &unit, &split) == 0)
		if (type == DW_UT_compile || type == DW_UT_skeleton)
			add_unit(d, &unit);
	if (d->count)
		qsort(d->ranges, d->count, sizeof(*d->ranges), by_start);
	for (size_t i = 0; i < d->count; i++) {
		uint64_t before = i ? d->ranges[i - 1].reach : 0;

		d->ranges[i].reach = d->ranges[i].end > before ? d->ranges[i].end : before;
	}
}

struct debug_lines *debug_lines_new(Elf *elf, Dwarf *alt)
{
	struct debug_lines *d = xcalloc(1, sizeof(*d));

	d->dwarf = dwarf_begin_elf(elf, DWARF_C_READ, NULL);
	if (d->dwarf && alt)
		dwarf_setalt(d->dwarf, alt);
	if (d->dwarf)
		index_units(d);
	if (d->count)
		return d;
	debug_lines_free(d);
	return NULL;
}

void debug_lines_free(struct debug_lines *d)
{
	if (!d)
		return;
	dwarf_end(d->dwarf);
	free(d->ranges);
	free(d);
}

static bool unit_at(struct debug_lines *d, uint64_t address, Dwarf_Die *ret_unit)
{
	size_t i = COUNT_UP_TO(d->ranges, d->count, .start, address);

	while (i-- && d->ranges[i].reach > address)
		if (d->ranges[i].end > address)
			return dwarf_offdie(d->dwarf, d->ranges[i].die, ret_unit) != NULL;
	return false;
}

static const char *function_name(Dwarf_Die *die)
{
	static const unsigned names[] = {DW_AT_linkage_name, DW_AT_MIPS_linkage_name, DW_AT_name};
	Dwarf_Attribute attribute;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const char *name = dwarf_formstring(
			dwarf_attr_integrate(die, names[i], &attribute));

		if (name)
			return name;
	}
	return NULL;
}

static uint32_t number(Dwarf_Die *die, unsigned name)
{
	Dwarf_Attribute attribute;
	Dwarf_Word value;

	if (dwarf_formudata(dwarf_attr(die, name, &attribute), &value) != 0 || value > UINT32_MAX)
		return 0;
	return (uint32_t)value;
}

/* Where the inlined function was called: that is where the frame around it stands. */
static void call_site(Dwarf_Die *unit, Dwarf_Die *inlined, struct debug_frame *frame)
{
	Dwarf_Files *files;
	size_t count;
	uint32_t file = number(inlined, DW_AT_call_file);

	frame->line = number(inlined, DW_AT_call_line);
	frame->file = NULL;
	if (dwarf_getsrcfiles(unit, &files, &count) == 0 && file < count)
		frame->file = dwarf_filesrc(files, file, NULL, NULL);
}

static void frames_around(Dwarf_Die *unit, uint64_t address, struct debug_frame *frame,
			  debug_frame_handler *handler, void *arg)
{
	_cleanup_free_ Dwarf_Die *innermost = NULL, *scopes = NULL;
	int count = dwarf_getscopes(unit, address, &innermost);

	/* That goes on in the definition of an inlined function, this goes on around it. */
	if (count > 0)
		count = dwarf_getscopes_die(&innermost[0], &scopes);
	for (int i = 0; i < count && i < 1024; i++) {
		int tag = dwarf_tag(&scopes[i]);

		if (tag != DW_TAG_inlined_subroutine && tag != DW_TAG_subprogram)
			continue;
		frame->function = function_name(&scopes[i]);
		handler(arg, frame, tag == DW_TAG_inlined_subroutine);
		if (tag == DW_TAG_subprogram)
			return;
		call_site(unit, &scopes[i], frame);
	}
	frame->function = NULL; /* no subprogram was found around what is known so far */
	handler(arg, frame, false);
}

void debug_lines_find(struct debug_lines *d, uint64_t address, bool inlined,
		      debug_frame_handler *handler, void *arg)
{
	struct debug_frame frame = {0};
	Dwarf_Die unit;
	int line_number;

	if (!unit_at(d, address, &unit))
		return;
	Dwarf_Line *line = dwarf_getsrc_die(&unit, address);
	if (line) {
		frame.file = dwarf_linesrc(line, NULL, NULL);
		if (dwarf_lineno(line, &line_number) == 0 && line_number > 0)
			frame.line = (uint32_t)line_number;
	}
	if (inlined)
		frames_around(&unit, address, &frame, handler, arg);
	else
		handler(arg, &frame, false);
}
