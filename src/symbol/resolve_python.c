// SPDX-License-Identifier: BSD-2-Clause
/* Where CPython keeps what its stacks are found by. A question about any offset is answered with
 * all of these symbols that the file has, as offsets in it: those of variables as if the code's
 * segment reached there. */
#include <string.h>

#include "elf_image.h"
#include "mem.h"
#include "resolver.h"

static const char *const names[] = {"_PyRuntime", "_PyEval_EvalFrameDefault", "PyCode_Type",
				    "PyUnicode_Type", "PyBytes_Type"};

struct place {
	uint64_t start, size; /* start 0: not found */
};

struct python_module {
	struct place places[ARRAY_SIZE(names)];
};

static void note_symbol(struct python_module *m, const GElf_Sym *sym, const char *strings,
			size_t size)
{
	if (sym->st_shndx == SHN_UNDEF || sym->st_name >= size)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		size_t len = strlen(names[i]) + 1;

		if (size - sym->st_name >= len && !memcmp(strings + sym->st_name, names[i], len))
			m->places[i] = (struct place){sym->st_value, sym->st_size};
	}
}

static void read_section(const struct elf_image *image, Elf_Scn *section, const GElf_Shdr *header,
			 struct python_module *m)
{
	Elf_Scn *string_section = elf_getscn(image->elf, header->sh_link);
	Elf_Data *symbols = elf_getdata(section, NULL);
	size_t size, entry = gelf_fsize(image->elf, ELF_T_SYM, 1, EV_CURRENT);
	const char *strings = string_section ? elf_image_bytes(string_section, &size) : NULL;

	if (!symbols || !strings || !entry)
		return;
	for (size_t i = 1; i < symbols->d_size / entry && i < TABLE_SYMBOLS_MAX; i++) {
		GElf_Sym sym;

		if (gelf_getsym(symbols, (int)i, &sym))
			note_symbol(m, &sym, strings, size);
	}
}

static bool code_segment(const struct elf_image *image, GElf_Phdr *ret)
{
	size_t count;

	if (elf_getphdrnum(image->elf, &count) < 0)
		return false;
	for (size_t i = 0; i < count && i < UINT16_MAX; i++)
		if (gelf_getphdr(image->elf, (int)i, ret) && ret->p_type == PT_LOAD &&
		    ret->p_flags & PF_X)
			return true;
	return false;
}

static void *python_load(struct module_request *request)
{
	_cleanup_(elf_image_freep) struct elf_image *image = NULL;
	GElf_Phdr code;

	if (request->fd < 0 || elf_image_open(request->fd, &image) < 0 ||
	    !code_segment(image, &code))
		return NULL;
	struct python_module *m = xcalloc(1, sizeof(*m));
	for (Elf_Scn *s = elf_nextscn(image->elf, NULL); s; s = elf_nextscn(image->elf, s)) {
		GElf_Shdr header;

		if (gelf_getshdr(s, &header) &&
		    (header.sh_type == SHT_SYMTAB || header.sh_type == SHT_DYNSYM))
			read_section(image, s, &header, m);
	}
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (m->places[i].start)
			m->places[i].start += code.p_offset - code.p_vaddr;
	return m;
}

static void python_resolve(void *state, uint64_t offset, struct answer *answer)
{
	const struct python_module *m = state;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (m->places[i].start)
			answer_add(answer, &(struct found){.name = names[i],
							   .name_len = strlen(names[i]),
							   .start = m->places[i].start,
							   .size = m->places[i].size});
}

const struct resolver resolver_python = {python_load, python_resolve, free};
