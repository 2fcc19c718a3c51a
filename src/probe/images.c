// SPDX-License-Identifier: BSD-2-Clause
#include "images.h"

#include <stddef.h>
#include <string.h>

#include "buf.h"
#include "intern.h"
#include "mem.h"

/* An interned key is this followed by the path; no padding inside. */
struct key {
	uint64_t inode;
	uint32_t kind, major, minor, pid, process, zero;
};

struct images {
	struct intern *keys;
	struct buf key; /* that is looked for: each frame of Python asks for one */
};

struct images *images_new(void)
{
	struct images *m = xcalloc(1, sizeof(*m));

	m->keys = intern_new();
	m->key = (struct buf)BUF_INIT;
	return m;
}

void images_free(struct images *m)
{
	if (!m)
		return;
	intern_free(m->keys);
	buf_done(&m->key);
	free(m);
}

uint32_t images_id(struct images *m, const struct image *module)
{
	struct key key = {.inode = module->inode, .kind = module->kind, .major = module->major,
			  .minor = module->minor, .pid = module->pid, .process = module->process};

	buf_reset(&m->key);
	buf_add(&m->key, &key, sizeof(key));
	buf_addstr(&m->key, module->path);
	return intern_id(m->keys, m->key.data, m->key.len, NULL) + 1;
}

struct image images_get(const struct images *m, uint32_t id)
{
	const char *bytes = intern_key(m->keys, id - 1, NULL);
	struct key key;

	memcpy(&key, bytes, sizeof(key));
	return (struct image){.kind = key.kind, .path = bytes + sizeof(key), .major = key.major,
			       .minor = key.minor, .inode = key.inode, .pid = key.pid, .process = key.process};
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
