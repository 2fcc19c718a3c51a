// SPDX-License-Identifier: BSD-2-Clause
#include "frames.h"

#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "cleanup.h"

DEFINE_CLEANUP(Elf *, elf_end)

/* push %rbp, then mov %rsp,%rbp in either encoding, a few instructions later at most: compilers put
 * other pushes and moves between. */
static bool sets_frame_x86(const uint8_t *code, size_t n)
{
	for (size_t i = 0; i + 1 < n; i++) {
		if (code[i] != 0x55)
			continue;
		for (size_t k = i + 1; k + 3 <= n; k++)
			if (code[k] == 0x48 && ((code[k + 1] == 0x89 && code[k + 2] == 0xe5) ||
						(code[k + 1] == 0x8b && code[k + 2] == 0xec)))
				return true;
	}
	return false;
}

/* stp x29, x30, [sp, #-N]! */
static bool sets_frame_arm64(const uint8_t *code, size_t n)
{
	for (size_t i = 0; i + 4 <= n; i += 4) {
		uint32_t insn;

		memcpy(&insn, code + i, sizeof(insn));
		if ((insn & 0xffc07fff) == 0xa9807bfd)
			return true;
	}
	return false;
}

static const uint8_t *bytes_at(Elf *elf, uint64_t address, size_t length)
{
	size_t count, size;
	const char *image = elf_rawfile(elf, &size);
	GElf_Phdr ph;

	if (!image || elf_getphdrnum(elf, &count) < 0)
		return NULL;
	for (size_t i = 0; i < count && gelf_getphdr(elf, (int)i, &ph); i++) {
		if (ph.p_type != PT_LOAD || address < ph.p_vaddr ||
		    address - ph.p_vaddr >= ph.p_filesz)
			continue;
		uint64_t offset = address - ph.p_vaddr + ph.p_offset;

		return offset < size && size - offset >= length ? (const uint8_t *)image + offset
								: NULL;
	}
	return NULL;
}

static void count_symbols(Elf *elf, Elf_Data *data, size_t count,
			  bool (*sets_frame)(const uint8_t *, size_t), struct frame_share *share)
{
	GElf_Sym symbol;

	for (size_t i = 0; i < count && gelf_getsym(data, (int)i, &symbol); i++) {
		if (GELF_ST_TYPE(symbol.st_info) != STT_FUNC || symbol.st_size < 32 ||
		    symbol.st_shndx == SHN_UNDEF)
			continue;
		const uint8_t *code = bytes_at(elf, symbol.st_value, 24);

		if (!code)
			continue;
		share->functions++;
		share->with_frame += sets_frame(code, 24);
	}
}

int frame_share_read(const char *path, struct frame_share *ret_share)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	Elf_Scn *section = NULL;
	GElf_Ehdr header;
	GElf_Shdr sh;

	*ret_share = (struct frame_share){ 0 };
	if (fd < 0)
		return -errno;
	if (elf_version(EV_CURRENT) == EV_NONE)
		return -ENOEXEC;
	_cleanup_(elf_endp) Elf *elf = elf_begin(fd, ELF_C_READ_MMAP, NULL);

	if (!elf || !gelf_getehdr(elf, &header) ||
	    (header.e_machine != EM_X86_64 && header.e_machine != EM_AARCH64))
		return -ENOEXEC;
	while ((section = elf_nextscn(elf, section))) {
		if (!gelf_getshdr(section, &sh) || sh.sh_type != SHT_DYNSYM || !sh.sh_entsize)
			continue;
		Elf_Data *data = elf_getdata(section, NULL);

		if (data)
			count_symbols(elf, data, sh.sh_size / sh.sh_entsize,
				      header.e_machine == EM_X86_64 ? sets_frame_x86
								    : sets_frame_arm64,
				      ret_share);
	}
	return ret_share->functions ? 0 : -ENOEXEC;
}
