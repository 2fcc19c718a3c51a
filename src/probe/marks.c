// SPDX-License-Identifier: BSD-2-Clause
#include "marks.h"

#include <string.h>
#include <unistd.h>

#include "images.h"
#include "mappings.h"
#include "mem.h"
#include "symbolizer.h"
#include "tasks.h"
#include "text.h"

struct marked_file {
	uint32_t image;
	int fd; /* until the answer has come: the process may be gone by then; else -1 */
};

struct marks {
	struct images *images;
	struct symbolizer *symbolizer;
	marks_found *found; /* NULL: nobody wants to know */
	void *arg;
	bool selected;
	struct marked_file *files;
	uint32_t count, capacity;
};

struct marks *marks_new(struct images *images, struct symbolizer *symbolizer)
{
	struct marks *m = xcalloc(1, sizeof(*m));

	m->images = images;
	m->symbolizer = symbolizer;
	return m;
}

static void close_file(struct marked_file *file)
{
	if (file->fd >= 0)
		close(file->fd);
	file->fd = -1;
}

void marks_free(struct marks *m)
{
	if (!m)
		return;
	for (uint32_t i = 0; i < m->count; i++)
		close_file(&m->files[i]);
	free(m->files);
	free(m);
}

void marks_want(struct marks *m, bool selected, marks_found *found, void *arg)
{
	m->selected = selected;
	m->found = found;
	m->arg = arg;
}

/* Whether it is worth a look is decided by the name alone: every file that is mapped comes by here. */
static bool is_runtime(const struct image *image)
{
	static const char *const names[] = {"libjvm.so", "libpython", "python", "libruby", "ruby", "node"};
	const char *slash = strrchr(image->path, '/'), *name = slash ? slash + 1 : image->path;

	for (size_t i = 0; image->kind == IMAGE_ELF && i < ARRAY_SIZE(names); i++)
		if (starts_with(name, names[i]))
			return true;
	return false;
}

static bool is_known(const struct marks *m, uint32_t image)
{
	for (uint32_t i = 0; i < m->count; i++)
		if (m->files[i].image == image)
			return true;
	return false;
}

void marks_mapped(struct marks *m, const struct process *p, const struct mapping *mapping)
{
	if (!m->found || (m->selected && !p->selected))
		return;
	struct image image = images_get(m->images, mapping->module);
	if (!is_runtime(&image) || is_known(m, mapping->module))
		return;
	int module = symbolizer_marks(m->symbolizer, &(struct symbol_mapping){
		.pid = (pid_t)p->pid, .start = mapping->start, .end = mapping->end, .offset = mapping->offset,
		.path = image.path, .dev_major = image.major, .dev_minor = image.minor, .inode = image.inode});
	int fd = symbolizer_open(m->symbolizer, module);
	if (fd < 0)
		return; /* the next process may be able to */
	GROW(m->files, m->count, m->capacity);
	struct marked_file *file = &m->files[m->count++];
	*file = (struct marked_file){mapping->module, fd};
	if (symbolizer_request(m->symbolizer, module, 0, MARKS_QUESTION | (m->count - 1)) < 0)
		close_file(file);
}

/* Whoever has found marks in a file would find them once more in it under another id. */
void marks_use_images(const struct marks *m)
{
	for (uint32_t i = 0; i < m->count; i++)
		images_use(m->images, m->files[i].image);
}

void marks_answer(struct marks *m, uint32_t question, const struct symbol *symbols, size_t count)
{
	uint32_t index = question & ~(uint32_t)MARKS_QUESTION;

	if (index >= m->count)
		return;
	if (count && m->found && m->files[index].fd >= 0)
		m->found(m->arg, m->files[index].image, m->files[index].fd, symbols, count);
	close_file(&m->files[index]);
}
