// SPDX-License-Identifier: BSD-2-Clause
/* Places that a program's makers have marked for tracers (SystemTap's notes). A question about any offset is answered with
 * those at which a garbage collector begins and ends. */
#include <string.h>

#include "elf_image.h"
#include "mem.h"
#include "resolver.h"
#include "text.h"

enum { NOTE_TYPE = 3, MOST_NOTES = 65536, MOST_NAME = 64 };

/* A note's contents begin with these; then three texts follow: provider, name, arguments. */
struct note {
	uint64_t place, base, semaphore; /* addresses; base: of .stapsdt.base when they were written */
};

struct mark {
	char name[2 * MOST_NAME]; /* provider:name */
	uint64_t place, semaphore; /* in the file */
};

struct marks {
	struct mark *items;
	size_t count, capacity;
};

/* What is at an address of the image, in the file; 0: nothing. */
static uint64_t file_offset(const struct elf_image *image, uint64_t address)
{
	size_t count;

	if (elf_getphdrnum(image->elf, &count) < 0)
		return 0;
	for (size_t i = 0; i < count && i < UINT16_MAX; i++) {
		GElf_Phdr p;

		if (gelf_getphdr(image->elf, (int)i, &p) && p.p_type == PT_LOAD && address - p.p_vaddr < p.p_filesz)
			return address - p.p_vaddr + p.p_offset;
	}
	return 0;
}

/* The text at the beginning; NULL when it does not end. */
static const char *take_text(const char **at, const char *end)
{
	const char *text = *at, *nul = memchr(text, 0, (size_t)(end - text));

	*at = nul ? nul + 1 : end;
	return nul && nul - text < MOST_NAME ? text : NULL;
}

static void add(struct marks *m, const struct elf_image *image, const char *contents, size_t size, uint64_t base)
{
	const char *at = contents + sizeof(struct note), *end = contents + size;
	struct note note;

	if (size < sizeof(note))
		return;
	memcpy(&note, contents, sizeof(note));
	const char *provider = take_text(&at, end), *name = take_text(&at, end);
	if (!provider || !name || !starts_with(name, "gc__"))
		return;
	uint64_t moved = base ? base - note.base : 0; /* by prelink */
	struct mark mark = {.place = file_offset(image, note.place + moved)};
	if (note.semaphore)
		mark.semaphore = file_offset(image, note.semaphore + moved);
	if (!mark.place || (note.semaphore && !mark.semaphore))
		return;
	size_t len = strlen(provider);
	memcpy(mark.name, provider, len);
	mark.name[len] = ':';
	memcpy(mark.name + len + 1, name, strlen(name));
	GROW(m->items, m->count, m->capacity);
	m->items[m->count++] = mark;
}

static void read_notes(struct marks *m, const struct elf_image *image, Elf_Data *data)
{
	GElf_Shdr header;
	uint64_t base = elf_image_section(image, ".stapsdt.base", &header) ? header.sh_addr : 0;
	size_t at = 0, next, name, contents;
	GElf_Nhdr note;

	for (int i = 0; i < MOST_NOTES && (next = gelf_getnote(data, at, &note, &name, &contents)) > 0; i++, at = next)
		if (note.n_type == NOTE_TYPE && note.n_namesz == sizeof("stapsdt") &&
		    !memcmp((char *)data->d_buf + name, "stapsdt", sizeof("stapsdt")))
			add(m, image, (char *)data->d_buf + contents, note.n_descsz, base);
}

static void marks_free(void *state)
{
	struct marks *m = state;

	free(m->items);
	free(m);
}

static void *marks_load(struct module_request *request)
{
	_cleanup_(elf_image_freep) struct elf_image *image = NULL;
	GElf_Shdr header;

	if (request->fd < 0 || elf_image_open(request->fd, &image) < 0 || gelf_getclass(image->elf) != ELFCLASS64)
		return NULL;
	struct marks *m = xcalloc(1, sizeof(*m));
	Elf_Scn *section = elf_image_section(image, ".note.stapsdt", &header);
	Elf_Data *data = section && header.sh_type == SHT_NOTE ? elf_getdata(section, NULL) : NULL;
	if (data && data->d_buf)
		read_notes(m, image, data);
	return m;
}

static void marks_resolve(void *state, uint64_t offset, struct answer *answer)
{
	const struct marks *m = state;

	for (size_t i = 0; i < m->count; i++)
		answer_add(answer, &(struct found){.name = m->items[i].name, .name_len = strlen(m->items[i].name),
						   .start = m->items[i].place, .size = m->items[i].semaphore});
}

const struct resolver resolver_marks = {marks_load, marks_resolve, marks_free};
