// SPDX-License-Identifier: BSD-2-Clause
#include <elfutils/libdwelf.h>
#include <string.h>
#include <zlib.h>

#include "elf_image.h"
#include "file_service.h"
#include "protocol.h"

static struct elf_image *by_build_id(const struct elf_image *image, struct file_service *files, uint32_t module)
{
	struct elf_image *debug;
	int fd;

	if (!image->build_id_len)
		return NULL;
	fd = file_service_want(files, module, WANTED_BUILD_ID, image->build_id, image->build_id_len, NULL);
	if (fd < 0 || elf_image_open(fd, &debug) < 0)
		return NULL;
	if (elf_image_has_id(debug, image->build_id, image->build_id_len))
		return debug;
	elf_image_free(debug);
	return NULL;
}

static struct elf_image *by_link(const struct elf_image *image, struct file_service *files, uint32_t module)
{
	GElf_Word crc;
	const char *name = dwelf_elf_gnu_debuglink(image->elf, &crc);
	struct elf_image *debug;
	size_t size;

	if (!name)
		return NULL;
	int fd = file_service_want(files, module, WANTED_DEBUGLINK, name, strlen(name), NULL);
	if (fd < 0 || elf_image_open(fd, &debug) < 0)
		return NULL;
	const char *bytes = elf_rawfile(debug->elf, &size);
	if (bytes && crc32_z(0, (const Bytef *)bytes, size) == crc)
		return debug;
	elf_image_free(debug);
	return NULL;
}

struct elf_image *elf_debug_file(const struct elf_image *image, struct file_service *files, uint32_t module)
{
	struct elf_image *debug = by_build_id(image, files, module);

	return debug ? debug : by_link(image, files, module);
}
