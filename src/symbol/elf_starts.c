// SPDX-License-Identifier: BSD-2-Clause
/* Functions of a stripped file: where each begins is still told by .eh_frame_hdr, the sorted index that
 * unwinders search. They have no names, but samples of one function stay together. */
#include "elf_image.h"

#include <string.h>

#include "symbolizer.h"

/* DW_EH_PE_datarel | DW_EH_PE_sdata4: what every linker writes; other encodings are left out. */
enum { INDEX_VERSION = 1, ENCODING_UDATA4 = 0x03, ENCODING_INDEX = 0x3b };

struct index_header {
	uint8_t version, frame_encoding, count_encoding, table_encoding;
	int32_t frame;
	uint32_t count;
};

struct index_entry {
	int32_t start, description; /* both from the section's own address */
};

static uint64_t code_end(const struct elf_image *image, uint64_t address)
{
	size_t count;

	if (elf_getphdrnum(image->elf, &count) < 0)
		return 0;
	for (size_t i = 0; i < count && i < UINT16_MAX; i++) {
		GElf_Phdr p;

		if (gelf_getphdr(image->elf, (int)i, &p) && p.p_type == PT_LOAD && p.p_flags & PF_X &&
		    address - p.p_vaddr < p.p_filesz)
			return p.p_vaddr + p.p_filesz;
	}
	return 0;
}

void elf_starts_add(const struct elf_image *image, struct table *table)
{
	GElf_Shdr header;
	Elf_Scn *section = elf_image_section(image, ".eh_frame_hdr", &header);
	size_t size = 0;
	const char *bytes = section ? elf_image_bytes(section, &size) : NULL;
	uint32_t name = table_add_name(table, SYMBOL_NAMELESS, strlen(SYMBOL_NAMELESS));
	struct index_header index;
	uint64_t end = 0;

	if (!bytes || size < sizeof(index))
		return;
	memcpy(&index, bytes, sizeof(index));
	if (index.version != INDEX_VERSION || index.count_encoding != ENCODING_UDATA4 ||
	    index.table_encoding != ENCODING_INDEX || index.count > (size - sizeof(index)) / sizeof(struct index_entry))
		return;
	for (uint32_t i = 0; i < index.count; i++) {
		struct index_entry entry;

		memcpy(&entry, bytes + sizeof(index) + i * sizeof(entry), sizeof(entry));
		uint64_t start = header.sh_addr + (uint64_t)(int64_t)entry.start;
		if (start >= end)
			end = code_end(image, start);
		if (start < end)
			table_add(table, &(struct table_symbol){.start = start, .limit = end,
								.source = TABLE_OWN_NAMES, .name = name});
	}
}
