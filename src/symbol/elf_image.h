/* SPDX-License-Identifier: BSD-2-Clause */
/* One ELF file as libelf sees it, and what perfscope wants from it. Runs in the child only: the
 * file is other people's, and may shrink while it is mapped. */
#pragma once
#include <gelf.h>
#include <stdbool.h>
#include <stdint.h>

#include "cleanup.h"
#include "table.h"

enum { MALLOC_MAPS = 256 << 10 }; /* what malloc() takes as a mapping of its own, in the child */

struct file_service;

struct elf_image {
	Elf *elf;
	void *memory; /* of an image that was unpacked, else NULL */
	uint16_t machine;
	uint8_t build_id[20];
	uint32_t build_id_len; /* 0: none */
	bool has_symtab;       /* not only .dynsym */
	bool has_debug_info;
};

/* The image takes the descriptor, and the second form the malloc'd memory, also on error. */
int elf_image_open(int fd, struct elf_image **ret);
int elf_image_from_memory(void *memory, size_t size, struct elf_image **ret);
void elf_image_free(struct elf_image *image);

bool elf_image_is_unchanged(const struct elf_image *image); /* in place since it was opened, by its build id */
bool elf_image_has_id(const struct elf_image *image, const uint8_t *id, size_t len);
/* What was stripped from it, in a file of its own: by its build id, else by .gnu_debuglink. NULL: none is found. */
struct elf_image *elf_debug_file(const struct elf_image *image, struct file_service *files, uint32_t module);

/* The section of that name with its header; NULL if there is none. */
Elf_Scn *elf_image_section(const struct elf_image *image, const char *name, GElf_Shdr *ret_header);
/* Its bytes as they are in the file; NULL if it has none. */
const void *elf_image_bytes(Elf_Scn *section, size_t *ret_size);

/* Gives the memory of a large mapped file back; what is needed again comes from the page cache. */
void elf_image_release_pages(const struct elf_image *image);

/* The table reads names from the image afterwards: the image must live as long. */
enum elf_symbol_kind { ELF_FUNCTIONS, ELF_VARIABLES };
void elf_symbols_add(const struct elf_image *image, enum elf_symbol_kind kind, struct table *table);
/* The same for the stubs of linkage, as name@plt. */
void elf_plt_add(const struct elf_image *image, struct table *table);
/* Where functions begin that have no symbol: their name is SYMBOL_NAMELESS. */
void elf_starts_add(const struct elf_image *image, struct table *table);
/* Those of a program of Go, of which its own runtime keeps the names. */
void elf_go_add(const struct elf_image *image, struct table *table);
/* .gnu_debugdata: the symbol table that distributions pack into stripped files. */
int elf_debugdata_open(const struct elf_image *image, struct elf_image **ret);

DEFINE_CLEANUP(struct elf_image *, elf_image_free)
