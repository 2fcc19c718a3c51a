// SPDX-License-Identifier: BSD-2-Clause
/* Functions of a stripped program of Go: the list that its runtime needs for stack traces stays and names them all.
 * Layout of Go 1.18 and later; before, addresses were absolute. */
#include "elf_image.h"

#include <string.h>

#include "mem.h"

enum { MAGIC_1_18 = 0xfffffff0, MAGIC_1_20 = 0xfffffff1, LIST_ALIGN = 32 };

struct go_header {
	uint32_t magic;
	uint16_t zero;
	uint8_t quantum, pointer_size;
	/* Offsets are from this header. */
	uint64_t functions, files, text, names, units, file_names, counters, table;
};

struct go_function {
	uint32_t start; /* from the beginning of the code; that of one behind the last is its end */
	uint32_t data;  /* from the table's own beginning: the start again, and the name's place */
};

/* Where the code begins; position-independent programs have it relocated, and newer ones leave it out. Where C's linker
 * was at work, which brings .init, its own start files come first: then it is not known. */
static uint64_t code_start(const struct elf_image *image, const struct go_header *h)
{
	GElf_Shdr text;

	if (h->text)
		return h->text;
	if (elf_image_section(image, ".init", &text))
		return 0;
	return elf_image_section(image, ".text", &text) ? text.sh_addr : 0;
}

static void add(struct table *table, const struct go_function *f, uint64_t code, unsigned source, uint32_t name,
		const char *names)
{
	uint64_t size = f[1].start - f[0].start;

	table_add(table, &(struct table_symbol){
				 .start = code + f->start, .size = size, .limit = code + f->start + size,
				 .source = source, .name = name,
				 .rank = table_rank(names + name, 2, true, true, false, false)});
}

static bool is_list(const char *bytes, size_t size, struct go_header *h)
{
	if (size < sizeof(*h))
		return false;
	memcpy(h, bytes, sizeof(*h));
	return (h->magic == MAGIC_1_18 || h->magic == MAGIC_1_20) && !h->zero && h->pointer_size == 8 && h->names < size &&
	       h->table < size && h->functions < (size - h->table) / sizeof(struct go_function);
}

static const char *section_bytes(const struct elf_image *image, const char *name, size_t *ret_size)
{
	GElf_Shdr header;
	Elf_Scn *section = elf_image_section(image, name, &header);

	*ret_size = 0;
	return section ? elf_image_bytes(section, ret_size) : NULL;
}

/* A section of its own, under either name; but C's linker lays that of a position-independent program among other data. */
static const char *find_list(const struct elf_image *image, struct go_header *h, size_t *ret_size)
{
	static const char *const names[] = {".gopclntab", ".data.rel.ro.gopclntab"};
	const char *bytes;
	GElf_Shdr header;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if ((bytes = section_bytes(image, names[i], ret_size)) && is_list(bytes, *ret_size, h))
			return bytes;
	bytes = elf_image_section(image, ".go.buildinfo", &header) ? section_bytes(image, ".data.rel.ro", ret_size) : NULL;
	for (; bytes && *ret_size >= sizeof(*h); bytes += LIST_ALIGN, *ret_size -= LIST_ALIGN)
		if (is_list(bytes, *ret_size, h))
			return bytes;
	return NULL;
}

void elf_go_add(const struct elf_image *image, struct table *table)
{
	struct go_header h;
	size_t size;
	const char *bytes = find_list(image, &h, &size);

	if (!bytes)
		return;
	const char *names = bytes + h.names, *functions = bytes + h.table;
	size_t left = size - h.table, names_size = size - h.names;
	uint64_t code = code_start(image, &h);
	int source = code && names_size > 2 ? table_source(table, names, names_size) : -1;
	for (uint64_t i = 0; source >= 0 && i < h.functions && i < TABLE_SYMBOLS_MAX; i++) {
		struct go_function f[2] = {{0}};
		uint32_t name;

		/* Behind the last function only its end is told. */
		memcpy(f, functions + i * sizeof(*f), sizeof(f[0]) + sizeof(f[1].start));
		if (f[0].data > left || left - f[0].data < 2 * sizeof(name) || f[1].start <= f[0].start)
			continue;
		memcpy(&name, functions + f[0].data + sizeof(name), sizeof(name));
		if (name < names_size - 2)
			add(table, f, code, (unsigned)source, name, names);
	}
}
