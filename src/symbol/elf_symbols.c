// SPDX-License-Identifier: BSD-2-Clause
#include "elf_image.h"

#include <string.h>

#include "mem.h"

struct extent {
	uint64_t start, end; /* of a section that may hold such symbols; empty for others */
};

struct kind {
	uint64_t wanted, unwanted; /* flags of sections */
	uint32_t types;            /* of symbols, 1 << STT_x */
};

static const struct kind kinds[] = {
	[ELF_FUNCTIONS] = {SHF_ALLOC | SHF_EXECINSTR, 0, 1u << STT_FUNC | 1u << STT_GNU_IFUNC | 1u << STT_NOTYPE},
	[ELF_VARIABLES] = {SHF_ALLOC | SHF_WRITE, SHF_EXECINSTR | SHF_TLS, 1u << STT_OBJECT},
};

struct extents {
	const struct kind *kind;
	struct extent *items;
	size_t count;
};

static void extents_done(struct extents *e)
{
	free(e->items);
}

static struct extents sections_of(const struct elf_image *image, const struct kind *kind)
{
	struct extents e = {.kind = kind};

	if (elf_getshdrnum(image->elf, &e.count) < 0 || e.count > UINT16_MAX)
		e.count = 0;
	e.items = xcalloc(e.count, sizeof(*e.items));
	for (size_t i = 0; i < e.count; i++) {
		GElf_Shdr header;

		if (!gelf_getshdr(elf_getscn(image->elf, i), &header) ||
		    (header.sh_flags & kind->wanted) != kind->wanted || header.sh_flags & kind->unwanted ||
		    header.sh_size > UINT64_MAX - header.sh_addr)
			continue;
		e.items[i] = (struct extent){header.sh_addr, header.sh_addr + header.sh_size};
	}
	return e;
}

/* Assemblers leave labels such as .L1 behind, and $x and $d to mark code and data on ARM. */
static bool is_label(const char *name, size_t len)
{
	return !len || (len > 1 && name[0] == '.' && name[1] == 'L') ||
	       (name[0] == '$' && len > 1 && strchr("adtx", name[1]) &&
		(len == 2 || name[2] == '.'));
}

static void add_symbol(struct table *table, const struct extents *sections, const GElf_Sym *sym,
		       unsigned source, const char *strings, size_t size)
{
	unsigned type = GELF_ST_TYPE(sym->st_info), bind = GELF_ST_BIND(sym->st_info);
	bool function = type != STT_NOTYPE;

	if (!(sections->kind->types >> type & 1) || sym->st_shndx >= sections->count ||
	    sym->st_name >= size)
		return;
	struct extent e = sections->items[sym->st_shndx];
	if (sym->st_value < e.start || sym->st_value >= e.end)
		return;
	const char *name = strings + sym->st_name;
	size_t len = strnlen(name, size - sym->st_name < 64 ? size - sym->st_name : 64);
	if (is_label(name, len))
		return;
	struct table_symbol s = {
		.start = sym->st_value, .size = sym->st_size, .limit = e.end, .source = source,
		.name = sym->st_name,
		.rank = table_rank(name, len, sym->st_size, function, bind != STB_LOCAL,
				   bind == STB_WEAK)};
	table_add(table, &s);
}

static void add_section(const struct elf_image *image, struct table *table,
			const struct extents *sections, Elf_Scn *section, const GElf_Shdr *header)
{
	Elf_Scn *string_section = elf_getscn(image->elf, header->sh_link);
	Elf_Data *symbols = elf_getdata(section, NULL);
	size_t size, entry = gelf_fsize(image->elf, ELF_T_SYM, 1, EV_CURRENT);
	const char *strings = string_section ? elf_image_bytes(string_section, &size) : NULL;

	if (!symbols || !strings || !entry || size > UINT32_MAX)
		return;
	int source = table_source(table, strings, size);
	if (source < 0)
		return;
	size_t count = symbols->d_size / entry;
	for (size_t i = 1; i < count && i < TABLE_SYMBOLS_MAX; i++) {
		GElf_Sym sym;

		if (gelf_getsym(symbols, (int)i, &sym))
			add_symbol(table, sections, &sym, (unsigned)source, strings, size);
	}
}

void elf_symbols_add(const struct elf_image *image, enum elf_symbol_kind kind, struct table *table)
{
	_cleanup_(extents_done) struct extents sections = sections_of(image, &kinds[kind]);

	for (Elf_Scn *s = elf_nextscn(image->elf, NULL); s; s = elf_nextscn(image->elf, s)) {
		GElf_Shdr header;

		if (gelf_getshdr(s, &header) &&
		    (header.sh_type == SHT_SYMTAB || header.sh_type == SHT_DYNSYM))
			add_section(image, table, &sections, s, &header);
	}
}
