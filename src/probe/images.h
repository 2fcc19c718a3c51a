/* SPDX-License-Identifier: BSD-2-Clause */
/* The files (and file-like things) that code lies in. A module is known by what it is, not by where it
 * is mapped: the same library in a hundred processes is one module. Ids are those of the recording. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "cleanup.h"

enum image_kind { IMAGE_KERNEL, IMAGE_ELF, IMAGE_VDSO, IMAGE_JIT, IMAGE_UNKNOWN, IMAGE_PYTHON };

struct image {
	enum image_kind kind;
	const char *path;      /* file, or "[kernel]", "[vdso]", "[jit]", "[unknown]"; of IMAGE_PYTHON the source */
	uint32_t major, minor; /* of the device; all 0 where there is no file */
	uint64_t inode;
	uint32_t pid;     /* IMAGE_JIT: whose; else 0 */
	uint32_t process; /* likewise, as the recording's id: pids come again */
};

struct images;

struct images *images_new(void);
void images_free(struct images *m);

uint32_t images_id(struct images *m, const struct image *module);
struct image images_get(struct images *m, uint32_t id); /* its path is valid until images_forget(); of a forgotten one: unknown */
bool images_has(const struct images *m, uint32_t id);
bool images_many(const struct images *m); /* so many that it is time to forget some: */
void images_use(struct images *m, uint32_t id);
void images_forget(struct images *m); /* that have not been used, got or asked for since the last time; those that come again get new ids */
const char *image_kind_name(enum image_kind kind);

DEFINE_CLEANUP(struct images *, images_free)
