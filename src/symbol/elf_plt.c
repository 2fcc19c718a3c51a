// SPDX-License-Identifier: BSD-2-Clause
/* Stubs of the procedure linkage table have no symbols. Each one jumps through a slot of the global
 * offset table, and the relocation that fills the slot knows the name; that holds for every
 * linker's layout (.plt, .plt.sec, .plt.got), so the jump is what is looked for. */
#include "elf_image.h"

#include <string.h>

#include "mem.h"

#define SLOTS_MAX (1u << 20)

struct slot {
	uint64_t address;
	uint64_t addend; /* of an IRELATIVE relocation: the resolver's address; else 0 */
	const char *name; /* NULL for IRELATIVE */
	size_t len;
};

struct slots {
	struct slot *items;
	size_t count, capacity;
};

static void slots_done(struct slots *s)
{
	free(s->items);
}

/* The symbols that a relocation section names. */
struct names {
	Elf_Data *symbols;
	const char *strings;
	size_t size;
};

static bool symbol_name(const struct names *n, size_t index, struct slot *slot)
{
	GElf_Sym sym;

	if (!n->symbols || !n->strings || index > INT32_MAX ||
	    !gelf_getsym(n->symbols, (int)index, &sym) || sym.st_name >= n->size)
		return false;
	slot->name = n->strings + sym.st_name;
	slot->len = strnlen(slot->name,
			    n->size - sym.st_name < 4096 ? n->size - sym.st_name : 4096);
	return slot->len > 0;
}

static void add_relocations(const struct elf_image *image, Elf_Scn *section,
			    const GElf_Shdr *header, struct slots *slots)
{
	Elf_Scn *symbols = elf_getscn(image->elf, header->sh_link), *strings = NULL;
	Elf_Data *data = elf_getdata(section, NULL);
	struct names names = {0};
	GElf_Shdr symbol_header;
	GElf_Rela rela;

	if (header->sh_link && symbols && gelf_getshdr(symbols, &symbol_header)) {
		names.symbols = elf_getdata(symbols, NULL);
		strings = elf_getscn(image->elf, symbol_header.sh_link);
		names.strings = strings ? elf_image_bytes(strings, &names.size) : NULL;
	}
	for (int i = 0; data && slots->count < SLOTS_MAX && gelf_getrela(data, i, &rela); i++) {
		unsigned type = (unsigned)GELF_R_TYPE(rela.r_info);
		struct slot slot = {.address = rela.r_offset};

		if (type == R_X86_64_IRELATIVE)
			slot.addend = (uint64_t)rela.r_addend;
		else if ((type != R_X86_64_JUMP_SLOT && type != R_X86_64_GLOB_DAT) ||
			 !symbol_name(&names, GELF_R_SYM(rela.r_info), &slot))
			continue;
		GROW(slots->items, slots->count, slots->capacity);
		slots->items[slots->count++] = slot;
	}
}

static int by_address(const void *left, const void *right)
{
	const struct slot *a = left, *b = right;

	return a->address < b->address ? -1 : a->address > b->address;
}

static struct slots all_slots(const struct elf_image *image)
{
	struct slots slots = {0};

	for (Elf_Scn *s = elf_nextscn(image->elf, NULL); s; s = elf_nextscn(image->elf, s)) {
		GElf_Shdr header;

		if (gelf_getshdr(s, &header) && header.sh_type == SHT_RELA &&
		    header.sh_flags & SHF_ALLOC)
			add_relocations(image, s, &header, &slots);
	}
	if (slots.count)
		qsort(slots.items, slots.count, sizeof(*slots.items), by_address);
	return slots;
}

static bool has_resolver(const struct slots *slots)
{
	for (size_t i = 0; i < slots->count; i++)
		if (!slots->items[i].name)
			return true;
	return false;
}

static void add_stub(struct table *table, const struct slot *slot, const struct table *known,
		     uint64_t start, uint64_t size)
{
	struct table_symbol s = {.start = start, .size = size, .limit = start + size,
				 .source = TABLE_OWN_NAMES,
				 .rank = 1}; /* before a start without a name */
	struct table_hit hit = {.name = slot->name, .name_len = slot->len};
	char name[4096 + 8];

	if (!slot->name && (!known || !table_find(known, slot->addend, &hit)))
		return;
	if (hit.name_len > 4096)
		hit.name_len = 4096;
	memcpy(name, hit.name, hit.name_len);
	memcpy(name + hit.name_len, "@plt", 4);
	s.name = table_add_name(table, name, hit.name_len + 4);
	table_add(table, &s);
}

/* jmp *displacement(%rip) within one stub. */
static bool jump_slot(const uint8_t *code, size_t size, uint64_t address, uint64_t *ret_slot)
{
	for (size_t i = 0; i + 6 <= size; i++) {
		int32_t displacement;

		if (code[i] != 0xff || code[i + 1] != 0x25)
			continue;
		memcpy(&displacement, code + i + 2, 4);
		*ret_slot = address + i + 6 + (uint64_t)(int64_t)displacement;
		return true;
	}
	return false;
}

static void add_stubs(const struct slots *slots, const struct table *known, const GElf_Shdr *header,
		      Elf_Scn *section, struct table *table)
{
	size_t size, step = header->sh_entsize == 8 ? 8 : 16;
	const uint8_t *code = elf_image_bytes(section, &size);

	for (size_t i = 0; code && i + step <= size; i += step) {
		struct slot key = {0}, *slot;

		if (!jump_slot(code + i, step, header->sh_addr + i, &key.address))
			continue;
		slot = bsearch(&key, slots->items, slots->count, sizeof(key), by_address);
		if (slot)
			add_stub(table, slot, known, header->sh_addr + i, step);
	}
}

void elf_plt_add(const struct elf_image *image, struct table *table)
{
	static const char *const sections[] = {".plt", ".plt.sec", ".plt.got", ".iplt"};

	if (image->machine != EM_X86_64)
		return;
	_cleanup_(slots_done) struct slots slots = all_slots(image);
	if (!slots.count)
		return;
	_cleanup_(table_freep) struct table *known = has_resolver(&slots) ? table_new() : NULL;
	if (known) {
		elf_symbols_add(image, ELF_FUNCTIONS, known);
		table_finish(known);
	}
	for (size_t i = 0; i < ARRAY_SIZE(sections); i++) {
		GElf_Shdr header;
		Elf_Scn *section = elf_image_section(image, sections[i], &header);

		if (section && header.sh_type == SHT_PROGBITS)
			add_stubs(&slots, known, &header, section, table);
	}
}
