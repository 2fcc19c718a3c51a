// SPDX-License-Identifier: BSD-2-Clause
#include "resolver.h"

#include <elfutils/libdwelf.h>
#include <string.h>

#include "debug_lines.h"
#include "elf_image.h"
#include "file_service.h"
#include "mem.h"

#define SEGMENTS_MAX 64

struct segment {
	uint64_t offset, size, address; /* size: in memory, for variables */
	bool executable;
};

struct elf_module {
	struct elf_image *main, *packed, *debug; /* the file, its .gnu_debugdata, its debug file */
	struct elf_image *alt;                   /* what dwz moved out of the debug file */
	Dwarf *alt_dwarf;
	struct table *table, *variables; /* made when one is asked for */
	struct debug_lines *lines;
	bool inlined;
	struct segment segments[SEGMENTS_MAX];
	size_t segment_count;
};

static void elf_module_free(void *state)
{
	struct elf_module *m = state;

	if (!m)
		return;
	debug_lines_free(m->lines);
	dwarf_end(m->alt_dwarf);
	table_free(m->table);
	table_free(m->variables);
	elf_image_free(m->alt);
	elf_image_free(m->debug);
	elf_image_free(m->packed);
	elf_image_free(m->main);
	free(m);
}

static void read_segments(struct elf_module *m)
{
	size_t count;

	if (elf_getphdrnum(m->main->elf, &count) < 0)
		return;
	for (size_t i = 0; i < count && i < UINT16_MAX && m->segment_count < SEGMENTS_MAX; i++) {
		GElf_Phdr p;

		if (!gelf_getphdr(m->main->elf, (int)i, &p) || p.p_type != PT_LOAD ||
		    !(p.p_flags & (PF_X | PF_W)))
			continue;
		/* What follows the file's bytes is memory that begins as zero: variables, never code. */
		bool executable = p.p_flags & PF_X;
		m->segments[m->segment_count++] = (struct segment){
			p.p_offset, executable ? p.p_filesz : p.p_memsz, p.p_vaddr, executable};
	}
}

static const struct segment *segment_at(const struct elf_module *m, uint64_t offset)
{
	for (size_t i = 0; i < m->segment_count; i++)
		if (offset - m->segments[i].offset < m->segments[i].size)
			return &m->segments[i];
	return NULL;
}

static void open_alt(struct elf_module *m, struct module_request *request, Elf *elf)
{
	_cleanup_(dwarf_endp) Dwarf *dwarf = dwarf_begin_elf(elf, DWARF_C_READ, NULL);
	const char *name;
	const void *id;
	ssize_t id_len = dwarf ? dwelf_dwarf_gnu_debugaltlink(dwarf, &name, &id) : 0;

	if (id_len <= 0)
		return;
	int fd = file_service_want(request->files, request->record->module, WANTED_ALTLINK, name,
				   strlen(name), NULL);
	if (fd < 0 || elf_image_open(fd, &m->alt) < 0)
		return;
	if (elf_image_has_id(m->alt, id, (size_t)id_len))
		m->alt_dwarf = dwarf_begin_elf(m->alt->elf, DWARF_C_READ, NULL);
}

static void read_lines(struct elf_module *m, struct module_request *request)
{
	struct elf_image *image = m->debug && m->debug->has_debug_info ? m->debug : m->main;

	if (!image->has_debug_info)
		return;
	open_alt(m, request, image->elf);
	m->lines = debug_lines_new(image->elf, m->alt_dwarf);
}

static void release_pages(const struct elf_module *m)
{
	elf_image_release_pages(m->main);
	elf_image_release_pages(m->debug);
}

static void add_symbols(const struct elf_module *m, enum elf_symbol_kind kind, struct table *table)
{
	elf_symbols_add(m->main, kind, table);
	if (m->packed)
		elf_symbols_add(m->packed, kind, table);
	if (m->debug)
		elf_symbols_add(m->debug, kind, table);
}

static const struct table *functions_of(struct elf_module *m)
{
	if (m->table)
		return m->table;
	m->table = table_new();
	if (!elf_image_is_unchanged(m->main)) {
		table_finish(m->table);
		return m->table;
	}
	if (!m->main->has_symtab)
		elf_debugdata_open(m->main, &m->packed);
	add_symbols(m, ELF_FUNCTIONS, m->table);
	elf_plt_add(m->main, m->table);
	if (!m->main->has_symtab && !m->packed && !m->debug) {
		elf_go_add(m->main, m->table);
		elf_starts_add(m->main, m->table);
	}
	table_finish(m->table);
	return m->table;
}

static const struct table *variables_of(struct elf_module *m)
{
	if (m->variables)
		return m->variables;
	m->variables = table_new();
	if (elf_image_is_unchanged(m->main))
		add_symbols(m, ELF_VARIABLES, m->variables);
	table_finish(m->variables);
	release_pages(m);
	return m->variables;
}

static void elf_rest(void *state)
{
	release_pages(state);
}

static void *elf_load(struct module_request *request)
{
	const struct record_module *record = request->record;
	bool lines = record->source_lines || record->inlined;
	struct elf_image *image;

	if (request->fd < 0 || elf_image_open(request->fd, &image) < 0)
		return NULL;
	/* Another file now stands under the name: no name at all is better than a wrong one. */
	if (record->build_id_len &&
	    !elf_image_has_id(image, record->build_id, record->build_id_len)) {
		elf_image_free(image);
		return NULL;
	}
	struct elf_module *m = xcalloc(1, sizeof(*m));
	m->main = image;
	m->inlined = record->inlined;
	read_segments(m);
	if (!image->has_symtab || (lines && !image->has_debug_info))
		m->debug = elf_debug_file(image, request->files, record->module);
	request->symbols = table_count(functions_of(m));
	if (lines)
		read_lines(m, request);
	release_pages(m);
	memcpy(request->build_id, image->build_id, sizeof(request->build_id));
	request->build_id_len = image->build_id_len;
	return m;
}

struct naming {
	struct answer *answer;
	struct found function; /* of the symbol table, for the outermost frame */
	bool function_known, answered;
};

static void add_frame(void *arg, const struct debug_frame *frame, bool inlined)
{
	struct naming *n = arg;
	struct found f = inlined ? (struct found){.inlined = true} : n->function;

	f.file = frame->file;
	f.line = frame->line;
	if (inlined || !n->function_known) {
		if (!frame->function)
			return;
		f.name = frame->function;
		f.name_len = strlen(frame->function);
	}
	answer_add(n->answer, &f);
	n->answered = n->answered || !inlined;
}

static void resolve_variable(struct elf_module *m, const struct segment *segment, uint64_t offset,
			     struct answer *answer)
{
	struct table_hit hit;

	if (table_find(variables_of(m), offset - segment->offset + segment->address, &hit))
		answer_add(answer, &(struct found){
			.name = hit.name, .name_len = hit.name_len, .size = hit.size,
			.start = hit.start - segment->address + segment->offset});
}

static void elf_resolve(void *state, uint64_t offset, struct answer *answer)
{
	struct elf_module *m = state;
	const struct segment *segment = segment_at(m, offset);
	struct naming n = {.answer = answer};
	struct table_hit hit;

	if (!segment)
		return;
	if (!segment->executable) {
		resolve_variable(m, segment, offset, answer);
		return;
	}
	uint64_t address = offset - segment->offset + segment->address;
	if (table_find(functions_of(m), address, &hit)) {
		n.function_known = true;
		n.function = (struct found){
			.name = hit.name, .name_len = hit.name_len, .size = hit.size,
			.start = hit.start - segment->address + segment->offset};
	}
	if (m->lines && elf_image_is_unchanged(m->main))
		debug_lines_find(m->lines, address, m->inlined, add_frame, &n);
	if (n.function_known && !n.answered)
		answer_add(answer, &n.function);
}

#ifdef __aarch64__
#define OWN_MACHINE EM_AARCH64
#else
#define OWN_MACHINE EM_X86_64
#endif

static const void *elf_code(void *state, uint64_t offset, uint64_t size)
{
	const struct elf_module *m = state;
	const struct segment *segment = segment_at(m, offset);
	size_t file_size;
	const char *file = elf_rawfile(m->main->elf, &file_size);

	if (!file || m->main->machine != OWN_MACHINE || !segment || !segment->executable ||
	    size > segment->size - (offset - segment->offset) || offset > file_size || size > file_size - offset)
		return NULL;
	return file + offset;
}

static bool elf_function(void *state, uint64_t offset, struct found *ret)
{
	struct elf_module *m = state;
	const struct segment *segment = segment_at(m, offset);
	struct table_hit hit;

	if (!segment || !segment->executable)
		return false;
	uint64_t address = offset - segment->offset + segment->address;
	if (!table_find(functions_of(m), address, &hit) || hit.start != address)
		return false;
	*ret = (struct found){.name = hit.name, .name_len = hit.name_len, .start = offset, .size = hit.size};
	return true;
}

const struct resolver resolver_elf = {elf_load, elf_resolve, elf_module_free, elf_code, elf_function, elf_rest};
