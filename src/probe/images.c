// SPDX-License-Identifier: BSD-2-Clause
#include "images.h"

#include <stddef.h>
#include <string.h>

#include "buf.h"
#include "cleanup.h"
#include "intern.h"
#include "mem.h"

/* An interned key is this followed by the path; no padding inside. */
struct key {
	uint64_t inode;
	uint32_t kind, major, minor, pid, process, zero;
};

struct images {
	struct intern *keys;
};

struct images *images_new(void)
{
	struct images *m = xcalloc(1, sizeof(*m));

	m->keys = intern_new();
	return m;
}

void images_free(struct images *m)
{
	if (!m)
		return;
	intern_free(m->keys);
	free(m);
}

uint32_t images_id(struct images *m, const struct image *module)
{
	_cleanup_(buf_done) struct buf b = BUF_INIT;
	struct key key = {.inode = module->inode, .kind = module->kind, .major = module->major,
			  .minor = module->minor, .pid = module->pid, .process = module->process};

	buf_add(&b, &key, sizeof(key));
	buf_addstr(&b, module->path);
	return intern_id(m->keys, b.data, b.len, NULL) + 1;
}

struct image images_get(const struct images *m, uint32_t id)
{
	const char *bytes = intern_key(m->keys, id - 1, NULL);
	struct key key;

	memcpy(&key, bytes, sizeof(key));
	return (struct image){.kind = key.kind, .path = bytes + sizeof(key), .major = key.major,
			       .minor = key.minor, .inode = key.inode, .pid = key.pid, .process = key.process};
}

uint32_t images_count(const struct images *m)
{
	return intern_count(m->keys);
}

const char *image_kind_name(enum image_kind kind)
{
	static const char *const names[] = {
		[IMAGE_KERNEL] = "kernel", [IMAGE_ELF] = "elf", [IMAGE_VDSO] = "vdso",
		[IMAGE_JIT] = "jit", [IMAGE_UNKNOWN] = "unknown",
		[IMAGE_PYTHON] = "python",
	};

	return names[kind];
}
