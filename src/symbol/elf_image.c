// SPDX-License-Identifier: BSD-2-Clause
#include "elf_image.h"

#include <elfutils/libdwelf.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "mem.h"

static int reject(struct elf_image *image, int r)
{
	elf_image_free(image);
	return r;
}

/* As the mapped file says now: what is written over in place shows there. */
static uint32_t read_build_id(const struct elf_image *image, uint8_t ret_id[20])
{
	const void *id;
	ssize_t len = dwelf_elf_gnu_build_id(image->elf, &id);

	if (len <= 0)
		return 0;
	if (len > 20)
		len = 20;
	memcpy(ret_id, id, (size_t)len);
	return (uint32_t)len;
}

bool elf_image_is_unchanged(const struct elf_image *image)
{
	uint8_t id[20] = {0};

	return elf_image_has_id(image, id, read_build_id(image, id));
}

static int inspect(struct elf_image *image, struct elf_image **ret)
{
	GElf_Ehdr header;
	GElf_Shdr section;

	if (!image->elf || elf_kind(image->elf) != ELF_K_ELF || !gelf_getehdr(image->elf, &header))
		return reject(image, -ENOEXEC);
	/* What dwz has moved into a file of its own is, oddly, ET_REL. */
	if (header.e_type != ET_EXEC && header.e_type != ET_DYN && header.e_type != ET_REL)
		return reject(image, -ENOEXEC);
	image->machine = header.e_machine;
	image->build_id_len = read_build_id(image, image->build_id);
	image->has_symtab = elf_image_section(image, ".symtab", &section) &&
			    section.sh_type == SHT_SYMTAB;
	image->has_debug_info = (elf_image_section(image, ".debug_info", &section) ||
				 elf_image_section(image, ".zdebug_info", &section)) &&
				section.sh_type != SHT_NOBITS;
	*ret = image;
	return 0;
}

int elf_image_open(int fd, struct elf_image **ret)
{
	struct elf_image *image = xcalloc(1, sizeof(*image));

	elf_version(EV_CURRENT);
	image->elf = elf_begin(fd, ELF_C_READ_MMAP, NULL);
	/* The mapping is all that is needed; without one, libelf still reads from the file. */
	if (image->elf && elf_cntl(image->elf, ELF_C_FDREAD) == 0)
		elf_cntl(image->elf, ELF_C_FDDONE);
	close(fd);
	return inspect(image, ret);
}

int elf_image_from_memory(void *memory, size_t size, struct elf_image **ret)
{
	struct elf_image *image = xcalloc(1, sizeof(*image));

	elf_version(EV_CURRENT);
	image->memory = memory;
	image->elf = elf_memory(memory, size);
	return inspect(image, ret);
}

void elf_image_free(struct elf_image *image)
{
	if (!image)
		return;
	elf_end(image->elf);
	free(image->memory);
	free(image);
}

bool elf_image_has_id(const struct elf_image *image, const uint8_t *id, size_t len)
{
	return image->build_id_len == len && !memcmp(image->build_id, id, len);
}

Elf_Scn *elf_image_section(const struct elf_image *image, const char *name, GElf_Shdr *ret_header)
{
	size_t names;

	if (elf_getshdrstrndx(image->elf, &names) < 0)
		return NULL;
	for (Elf_Scn *s = elf_nextscn(image->elf, NULL); s; s = elf_nextscn(image->elf, s)) {
		const char *text;

		if (!gelf_getshdr(s, ret_header))
			continue;
		text = elf_strptr(image->elf, names, ret_header->sh_name);
		if (text && !strcmp(text, name))
			return s;
	}
	return NULL;
}

const void *elf_image_bytes(Elf_Scn *section, size_t *ret_size)
{
	Elf_Data *data = elf_rawdata(section, NULL);

	if (!data || !data->d_buf || !data->d_size)
		return NULL;
	*ret_size = data->d_size;
	return data->d_buf;
}

void elf_image_release_pages(const struct elf_image *image)
{
	size_t size = 0;
	char *bytes = image && !image->memory ? elf_rawfile(image->elf, &size) : NULL;

	/* A mapping begins on a page. Where mapping fails libelf reads into the heap instead, and
	 * so large a piece of the heap (see child.c) never does. */
	if (bytes && size >= MALLOC_MAPS &&
	    (uintptr_t)bytes % (uintptr_t)sysconf(_SC_PAGESIZE) == 0)
		madvise(bytes, size, MADV_DONTNEED);
}
