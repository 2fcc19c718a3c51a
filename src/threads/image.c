// SPDX-License-Identifier: BSD-2-Clause
#include "image.h"

#include <elf.h>
#include <string.h>

enum {
	MOST_HEADERS = 64,
	MOST_DYNAMIC = 256,
	MOST_CHAIN = 4096, /* symbols of one bucket */
	MOST_NAME = 128,
};

struct image {
	const struct space *space;
	uint64_t bias, symbols, strings, hash; /* addresses in the process */
};

const struct space_mapping *image_find(const struct space *s, const char *file)
{
	for (size_t i = 0; i < s->count; i++) {
		const char *slash = strrchr(s->items[i].path, '/');

		if (slash && !strcmp(slash + 1, file) && !s->items[i].offset)
			return &s->items[i];
	}
	return NULL;
}

static bool find_dynamic(struct image *m, uint64_t base, uint64_t *ret)
{
	Elf64_Ehdr header;
	Elf64_Phdr segments[MOST_HEADERS];

	if (!space_read_all(m->space, base, &header, sizeof(header)) || memcmp(header.e_ident, ELFMAG, SELFMAG) ||
	    header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_phentsize != sizeof(*segments) || header.e_phnum > MOST_HEADERS ||
	    !space_read_all(m->space, base + header.e_phoff, segments, header.e_phnum * sizeof(*segments)))
		return false;
	m->bias = base;
	for (size_t i = 0; i < header.e_phnum; i++)
		if (segments[i].p_type == PT_LOAD && !segments[i].p_offset)
			m->bias = base - segments[i].p_vaddr;
	for (size_t i = 0; i < header.e_phnum; i++) {
		*ret = m->bias + segments[i].p_vaddr;
		if (segments[i].p_type == PT_DYNAMIC)
			return true;
	}
	return false;
}

/* The loader has made addresses of what the file holds, but for the vDSO's kind. */
static uint64_t address_in(const struct image *m, uint64_t value)
{
	return value < m->bias ? value + m->bias : value;
}

static bool find_tables(struct image *m, uint64_t base)
{
	Elf64_Dyn items[MOST_DYNAMIC];
	uint64_t at;

	if (!find_dynamic(m, base, &at))
		return false;
	size_t count = space_read(m->space, at, items, sizeof(items)) / sizeof(*items);
	for (size_t i = 0; i < count && items[i].d_tag != DT_NULL; i++) {
		uint64_t value = address_in(m, items[i].d_un.d_ptr);

		if (items[i].d_tag == DT_SYMTAB)
			m->symbols = value;
		else if (items[i].d_tag == DT_STRTAB)
			m->strings = value;
		else if (items[i].d_tag == DT_GNU_HASH)
			m->hash = value;
	}
	return m->symbols && m->strings && m->hash;
}

static uint32_t hash_of(const char *name)
{
	uint32_t hash = 5381;

	for (; *name; name++)
		hash = hash * 33 + (unsigned char)*name;
	return hash;
}

static bool is_called(const struct image *m, const Elf64_Sym *symbol, const char *name)
{
	char text[MOST_NAME];
	size_t len = strlen(name) + 1;

	return len <= sizeof(text) && space_read_all(m->space, m->strings + symbol->st_name, text, len) && !memcmp(text, name, len);
}

static uint64_t find_symbol(const struct image *m, const char *name)
{
	struct {
		uint32_t buckets, first, words, shift;
	} table;
	uint32_t hash = hash_of(name), index, other;
	Elf64_Sym symbol;

	if (!space_read_all(m->space, m->hash, &table, sizeof(table)) || !table.buckets)
		return 0;
	uint64_t buckets = m->hash + sizeof(table) + 8 * (uint64_t)table.words, chains = buckets + 4 * (uint64_t)table.buckets;
	if (!space_read_all(m->space, buckets + 4 * (uint64_t)(hash % table.buckets), &index, sizeof(index)) || index < table.first)
		return 0;
	for (size_t i = 0; i < MOST_CHAIN; i++, index++) {
		if (!space_read_all(m->space, chains + 4 * (uint64_t)(index - table.first), &other, sizeof(other)))
			return 0;
		if ((other | 1) == (hash | 1) &&
		    space_read_all(m->space, m->symbols + sizeof(symbol) * (uint64_t)index, &symbol, sizeof(symbol)) &&
		    is_called(m, &symbol, name))
			return symbol.st_shndx == SHN_UNDEF ? 0 : m->bias + symbol.st_value;
		if (other & 1)
			return 0;
	}
	return 0;
}

uint64_t image_symbol(const struct space *s, const struct space_mapping *image, const char *name)
{
	struct image m = {.space = s};

	return find_tables(&m, image->start) ? find_symbol(&m, name) : 0;
}
