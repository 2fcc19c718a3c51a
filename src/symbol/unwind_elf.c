// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <gelf.h>
#include <libelf.h>
#include <string.h>
#include <sys/stat.h>

#include "fail.h"
#include "unwind_cfi.h"
#include "unwind_table.h"

#define SECTION_MAX (128u << 20) /* bytes of call frame information; the largest known have 50 MB */
#define NOTES_MAX 65536
#define HEADERS_MAX 65536

static void elf_endp(Elf **elf)
{
	if (*elf)
		elf_end(*elf);
}

struct elf_file {
	Elf *elf;
	size_t size; /* of the file */
	struct unwind_segment segments[UNWIND_SEGMENTS_MAX];
	size_t segment_count;
	GElf_Phdr hdr;   /* PT_GNU_EH_FRAME; p_type 0 when there is none */
};

/* The file's bytes; NULL when they do not lie within the file or are too many. */
static const uint8_t *file_bytes(const struct elf_file *f, uint64_t offset, uint64_t size)
{
	Elf_Data *data;

	if (!size || size > SECTION_MAX || offset > f->size || size > f->size - offset)
		return NULL;
	data = elf_getdata_rawchunk(f->elf, (int64_t)offset, size, ELF_T_BYTE);
	return data && data->d_size == size ? data->d_buf : NULL;
}

static int open_elf(struct elf_file *f)
{
	GElf_Ehdr header;

	if (!f->elf || elf_kind(f->elf) != ELF_K_ELF || !gelf_getehdr(f->elf, &header))
		return failx(-ENOEXEC, "not an ELF file, or a damaged one");
	if (header.e_machine != unwind_arch_x86_64.machine || gelf_getclass(f->elf) != ELFCLASS64 ||
	    header.e_ident[EI_DATA] != ELFDATA2LSB)
		return failx(-ENOTSUP, "ELF for machine %u, class %u: not x86-64", header.e_machine,
			     header.e_ident[EI_CLASS]);
	return 0;
}

/* The build-id among the notes of a segment. */
static bool add_build_id(const struct elf_file *f, const GElf_Phdr *ph, struct unwind_builder *b)
{
	const uint8_t *at;
	uint64_t left = ph->p_filesz < NOTES_MAX ? ph->p_filesz : NOTES_MAX;
	uint32_t head[3]; /* name size, contents size, type */

	at = file_bytes(f, ph->p_offset, left);
	while (at && left >= sizeof(head)) {
		uint64_t name, whole;

		memcpy(head, at, sizeof(head));
		name = sizeof(head) + (((uint64_t)head[0] + 3) & ~3ull);
		whole = name + (((uint64_t)head[1] + 3) & ~3ull);
		if (whole > left)
			return false;
		if (head[2] == NT_GNU_BUILD_ID && head[0] == 4 && !memcmp(at + sizeof(head), "GNU", 4)) {
			unwind_builder_build_id(b, at + name, head[1]);
			return true;
		}
		at += whole;
		left -= whole;
	}
	return false;
}

static int read_segments(struct elf_file *f)
{
	size_t count;

	if (elf_getphdrnum(f->elf, &count) < 0 || count > HEADERS_MAX)
		return failx(-ENOEXEC, "damaged ELF program headers");
	for (size_t i = 0; i < count; i++) {
		GElf_Phdr ph;

		if (!gelf_getphdr(f->elf, (int)i, &ph))
			return failx(-ENOEXEC, "damaged ELF program header %zu", i);
		if (ph.p_type == PT_GNU_EH_FRAME)
			f->hdr = ph;
		if (ph.p_type != PT_LOAD || !(ph.p_flags & PF_X) || !ph.p_memsz)
			continue;
		if (f->segment_count == UNWIND_SEGMENTS_MAX)
			return failx(-ENOEXEC, "more than %d executable segments", UNWIND_SEGMENTS_MAX);
		f->segments[f->segment_count++] = (struct unwind_segment){
			.address = ph.p_vaddr, .offset = ph.p_offset, .size = ph.p_memsz};
	}
	return 0;
}

static void read_build_id(const struct elf_file *f, struct unwind_builder *b)
{
	size_t count = 0;

	elf_getphdrnum(f->elf, &count);
	for (size_t i = 0; i < count; i++) {
		GElf_Phdr ph;

		if (gelf_getphdr(f->elf, (int)i, &ph) && ph.p_type == PT_NOTE && add_build_id(f, &ph, b))
			return;
	}
}

/* The contents of a section, decompressed if need be. -EFBIG with a message: too large. */
static int section_bytes(const struct elf_file *f, Elf_Scn *scn, const char *name,
			 struct cfi_section *s)
{
	Elf_Data *data;
	GElf_Shdr sh;
	GElf_Chdr ch;

	if (!gelf_getshdr(scn, &sh) || sh.sh_type == SHT_NOBITS || !sh.sh_size)
		return 0;
	if (sh.sh_size > SECTION_MAX)
		return failx(-EFBIG, "%s of %llu bytes", name, (unsigned long long)sh.sh_size);
	s->address = sh.sh_addr;
	if (!(sh.sh_flags & SHF_COMPRESSED)) {
		s->data = file_bytes(f, sh.sh_offset, sh.sh_size);
		s->size = sh.sh_size;
		return s->data ? 0 : failx(-ENOEXEC, "%s lies outside the file", name);
	}
	if (!gelf_getchdr(scn, &ch) || ch.ch_size > SECTION_MAX)
		return failx(-EFBIG, "%s: damaged, or more than %u bytes", name, SECTION_MAX);
	if (elf_compress(scn, 0, 0) < 0 || !(data = elf_rawdata(scn, NULL)))
		return failx(-ENOEXEC, "%s cannot be decompressed", name);
	s->data = data->d_buf;
	s->size = data->d_size;
	return 0;
}

static int find_sections(const struct elf_file *f, struct cfi_section *eh, struct cfi_section *debug)
{
	Elf_Scn *scn = NULL;
	bool go = false;
	size_t names;
	int r = 0;

	if (elf_getshdrstrndx(f->elf, &names) < 0)
		return 0; /* no section headers: the program headers serve */
	while (r >= 0 && (scn = elf_nextscn(f->elf, scn))) {
		const char *name;
		GElf_Shdr sh;

		if (!gelf_getshdr(scn, &sh) || !(name = elf_strptr(f->elf, names, sh.sh_name)))
			continue;
		go |= !strcmp(name, ".go.buildinfo") || !strcmp(name, ".gopclntab"); /* the former from 1.13 on */
		if (!strcmp(name, ".eh_frame") && !eh->data)
			r = section_bytes(f, scn, name, eh);
		else if (!strcmp(name, ".debug_frame") && !debug->data)
			r = section_bytes(f, scn, name, debug);
	}
	/* Go keeps frame pointers. Its .debug_frame does not say where they are saved, and is wrong in
	 * the functions that change from a goroutine's stack to the thread's. */
	if (go)
		debug->data = NULL;
	return r;
}

/* Without section headers: .eh_frame_hdr, which the run time finds through the program headers,
 * points to .eh_frame, and that reaches at most to the end of its segment. */
static void find_through_header(const struct elf_file *f, struct cfi_section *eh)
{
	const uint8_t *hdr = f->hdr.p_type ? file_bytes(f, f->hdr.p_offset, 8) : NULL;
	uint64_t address;
	size_t count = 0;
	int32_t distance;

	if (!hdr || hdr[0] != 1 || hdr[1] != 0x1b /* pc-relative, signed, 4 bytes: what linkers write */)
		return;
	memcpy(&distance, hdr + 4, sizeof(distance));
	address = f->hdr.p_vaddr + 4 + (uint64_t)(int64_t)distance;
	elf_getphdrnum(f->elf, &count);
	for (size_t i = 0; i < count; i++) {
		uint64_t skip;
		GElf_Phdr ph;

		if (!gelf_getphdr(f->elf, (int)i, &ph) || ph.p_type != PT_LOAD || address < ph.p_vaddr ||
		    address - ph.p_vaddr >= ph.p_filesz)
			continue;
		skip = address - ph.p_vaddr;
		eh->data = file_bytes(f, ph.p_offset + skip, ph.p_filesz - skip);
		eh->size = ph.p_filesz - skip;
		eh->address = address;
		eh->open_ended = true;
		return;
	}
}

/* What was stripped from the file. One that cannot be read is as good as none. */
static void find_in_debug_file(Elf *elf, struct cfi_section *debug)
{
	struct elf_file f = {.elf = elf};
	struct cfi_section none = {.eh = true};

	if (open_elf(&f) < 0 || !elf_rawfile(elf, &f.size) || find_sections(&f, &none, debug) < 0)
		*debug = (struct cfi_section){0};
}

static int build(struct elf_file *f, Elf *debug, struct unwind_table **ret_table)
{
	_cleanup_(unwind_builder_freep) struct unwind_builder *b = NULL;
	struct cfi_section sections[2] = {{.eh = true}, {.eh = false}};
	int r;

	r = open_elf(f);
	if (r < 0)
		return r;
	r = read_segments(f);
	if (r < 0)
		return r;
	r = unwind_builder_new(&unwind_arch_x86_64, f->segments, f->segment_count, &b);
	if (r < 0)
		return r;
	read_build_id(f, b);
	r = find_sections(f, &sections[0], &sections[1]);
	if (r < 0)
		return r;
	if (!sections[0].data)
		find_through_header(f, &sections[0]);
	if (debug && !sections[1].data)
		find_in_debug_file(debug, &sections[1]);
	r = cfi_build(&unwind_arch_x86_64, sections, 2, b);
	if (r < 0)
		return r;
	return unwind_builder_finish(b, ret_table);
}

int unwind_table_build(int fd, Elf *debug, struct unwind_table **ret_table)
{
	_cleanup_(elf_endp) Elf *elf = NULL;
	struct elf_file f = {0};
	struct stat st;
	int r;

	if (fstat(fd, &st) < 0)
		return fail(-errno, "unwind table");
	elf_version(EV_CURRENT);
	f.elf = elf = elf_begin(fd, ELF_C_READ, NULL);
	f.size = (size_t)st.st_size;
	r = build(&f, debug, ret_table);
	return r < 0 ? fail_in(r, "unwind table") : 0;
}

int unwind_table_build_memory(const void *image, size_t len, struct unwind_table **ret_table)
{
	_cleanup_free_ void *copy = NULL; /* libelf wants a writable one; released after the Elf */
	_cleanup_(elf_endp) Elf *elf = NULL;
	struct elf_file f = {.size = len};
	int r;

	copy = malloc(len ? len : 1);
	if (!copy)
		return fail(-ENOMEM, "unwind table");
	memcpy(copy, image, len);
	elf_version(EV_CURRENT);
	f.elf = elf = elf_memory(copy, len);
	r = build(&f, NULL, ret_table);
	return r < 0 ? fail_in(r, "unwind table") : 0;
}
