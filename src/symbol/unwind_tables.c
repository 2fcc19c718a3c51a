// SPDX-License-Identifier: BSD-2-Clause
#include "unwind_tables.h"

#include <fcntl.h>
#include <malloc.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "clock.h"
#include "elf_image.h"
#include "file_service.h"
#include "mem.h"
#include "table_cache.h"

/* CPU time for one table. Whatever takes longer is malicious or broken, and the timer's signal ends
 * the child; the parent then knows which module it was. */
#define SECONDS_A_TABLE 5
#define EVICTED_NS NS_PER_S /* a table that had to go is not made again at once */
/* What is mapped from the cache is the system's memory as soon as it wants it. But it counts as this process's, and of large programs'
 * tables, which are searched all over, all would in the end. To read a page again takes a microsecond. */
#define MOST_MAPPED (4u << 20)
#define RELEASE_NS (2 * NS_PER_S)
#define WORTH_KEEPING (64u << 10) /* smaller ones are built as fast as they are read */

struct entry {
	struct unwind_table *table;
	enum table_state state;
	uint64_t used;
	uint64_t not_before_ns; /* wanted again, but not yet */
};

struct unwind_tables {
	struct file_service files;
	struct child_progress *progress;
	struct entry *entries; /* by module */
	size_t count, capacity;
	uint64_t budget, generation, uses;
	uint64_t own_bytes;   /* without what is mapped from the cache */
	uint64_t released_ns; /* that was given back last */
	uint64_t unused_ns;
	uint64_t forgot_ns, forgot_uses; /* unused tables were forgotten last, and `uses` then */
	struct record_tables totals;
};

struct unwind_tables *unwind_tables_new(int files_socket, struct child_progress *progress)
{
	struct unwind_tables *t = xcalloc(1, sizeof(*t));

	t->files.socket = files_socket;
	t->progress = progress;
	t->budget = t->unused_ns = UINT64_MAX / 2;
	return t;
}

void unwind_tables_budget(struct unwind_tables *t, uint64_t bytes, uint64_t unused_ns)
{
	t->budget = bytes;
	t->unused_ns = unused_ns;
}

static struct entry *entry(struct unwind_tables *t, uint32_t module)
{
	while (module >= t->count) {
		GROW(t->entries, t->count, t->capacity);
		t->entries[t->count++] = (struct entry){0};
	}
	return &t->entries[module];
}

enum table_state unwind_tables_get(struct unwind_tables *t, uint32_t module,
				   const struct unwind_table **ret_table)
{
	struct entry *e = entry(t, module);

	*ret_table = e->table;
	return e->state;
}

void unwind_tables_used(struct unwind_tables *t, uint32_t module)
{
	entry(t, module)->used = ++t->uses;
}

uint64_t unwind_tables_generation(const struct unwind_tables *t)
{
	return t->generation;
}

static void release_pages(struct unwind_tables *t, uint64_t now)
{
	if (now < t->released_ns + RELEASE_NS || t->totals.bytes - t->own_bytes < MOST_MAPPED)
		return;
	t->released_ns = now;
	for (size_t i = 0; i < t->count; i++)
		if (t->entries[i].table)
			unwind_table_release_pages(t->entries[i].table);
}

void unwind_tables_report(const struct unwind_tables *t, struct record_tables *record)
{
	*record = t->totals;
	record->head = (struct record){RECORD_TABLES, sizeof(*record)};
}

void unwind_tables_retry(struct unwind_tables *t)
{
	for (size_t i = 0; i < t->count; i++) {
		if (t->entries[i].state != TABLE_NO_FILE)
			continue;
		t->entries[i].state = TABLE_WANTED;
		t->generation++;
	}
}

static void adopt(struct unwind_tables *t, struct entry *e, struct unwind_table *table)
{
	const struct unwind_table_info *info = unwind_table_info(table);

	e->table = table;
	e->state = TABLE_READY;
	t->totals.tables++;
	t->totals.bytes += info->bytes;
	t->own_bytes += info->own_bytes;
	t->totals.unsupported += info->unsupported;
}

static void forget(struct unwind_tables *t, struct entry *e)
{
	const struct unwind_table_info *info = unwind_table_info(e->table);

	t->totals.tables--;
	t->totals.bytes -= info->bytes;
	t->own_bytes -= info->own_bytes;
	t->totals.unsupported -= info->unsupported;
	unwind_table_free(e->table);
	*e = (struct entry){0};
	t->generation++;
}

static void evict(struct unwind_tables *t, struct entry *e)
{
	forget(t, e);
	e->not_before_ns = clock_mono_ns() + EVICTED_NS;
	t->totals.evicted++;
}

/* The file may lie in a container and be known through a process that is gone: then there will be no other table. */
static bool is_last(struct unwind_tables *t, size_t module)
{
	_cleanup_(buf_done) struct buf note = BUF_INIT;
	_cleanup_close_ int fd = file_service_want(&t->files, (uint32_t)module, WANTED_AGAIN, NULL, 0, &note);

	return fd < 0 && note.len;
}

/* Of the programs that came by in an hour most are gone. */
static void forget_unused(struct unwind_tables *t, uint64_t now)
{
	if (now < t->forgot_ns + t->unused_ns)
		return;
	for (size_t i = 0; i < t->count; i++) {
		if (!t->entries[i].table || t->entries[i].used > t->forgot_uses || is_last(t, i))
			continue;
		forget(t, &t->entries[i]);
		t->totals.unused++;
	}
	t->forgot_ns = now;
	t->forgot_uses = t->uses;
	malloc_trim(0);
}

void unwind_tables_rest(struct unwind_tables *t)
{
	uint64_t now = clock_mono_ns();

	release_pages(t, now);
	forget_unused(t, now);
}

/* All but `keep`, which was just made, may go. */
static void shrink(struct unwind_tables *t, const struct entry *keep)
{
	while (t->own_bytes > t->budget) {
		struct entry *oldest = NULL;

		for (size_t i = 0; i < t->count; i++) {
			struct entry *e = &t->entries[i];

			if (e->table && e != keep && (!oldest || e->used < oldest->used))
				oldest = e;
		}
		if (!oldest)
			return;
		evict(t, oldest);
	}
}

static bool has_build_id(const struct unwind_table *table, const struct buf *id)
{
	const struct unwind_table_info *info = unwind_table_info(table);

	return !id->len ||
	       (info->build_id_len == id->len && !memcmp(info->build_id, id->data, id->len));
}

static struct unwind_table *load_cached(struct unwind_tables *t, uint32_t module,
					const struct buf *id)
{
	_cleanup_(unwind_table_freep) struct unwind_table *table = NULL;
	_cleanup_close_ int fd = file_service_want(&t->files, module, WANTED_TABLE, NULL, 0, NULL);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || unwind_table_map(fd, (size_t)st.st_size, &table) < 0 || !has_build_id(table, id))
		return NULL;
	struct unwind_table *found = table;
	table = NULL;
	t->totals.loaded++;
	return found;
}

/* This process cannot make files grow, so the file comes with its final size. */
static void keep_in_cache(struct unwind_tables *t, uint32_t module, struct unwind_table *table)
{
	size_t len;
	const void *image = unwind_table_image(table, &len);
	uint64_t size = len;
	struct stat st;

	if (size < WORTH_KEEPING)
		return;
	_cleanup_close_ int fd =
		file_service_want(&t->files, module, WANTED_TABLE_ROOM, &size, sizeof(size), NULL);
	if (fd < 0 || fstat(fd, &st) < 0 || (uint64_t)st.st_size < size)
		return;
	void *room = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (room == MAP_FAILED)
		return;
	memcpy(room, image, len);
	unwind_table_move(table, room);
	file_service_want(&t->files, module, WANTED_TABLE_KEPT, NULL, 0, NULL);
}

/* Code that .eh_frame does not describe may be described in .debug_frame, and that may have been stripped into a file
 * of its own. Takes the table, and returns it or a better one. */
static struct unwind_table *with_debug_file(struct unwind_tables *t, uint32_t module, int fd,
					    struct unwind_table *table)
{
	_cleanup_(elf_image_freep) struct elf_image *image = NULL, *debug = NULL;
	struct unwind_table *better;
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);

	if (copy < 0 || elf_image_open(copy, &image) < 0)
		return table;
	debug = elf_debug_file(image, &t->files, module);
	if (!debug || unwind_table_build(fd, debug->elf, &better) < 0)
		return table;
	unwind_table_free(table);
	return better;
}

static struct unwind_table *build(struct unwind_tables *t, uint32_t module, int fd,
				  const struct buf *id)
{
	_cleanup_(unwind_table_freep) struct unwind_table *table = NULL;

	if (unwind_table_build(fd, NULL, &table) < 0 || !has_build_id(table, id))
		return NULL;
	struct unwind_table *built = table;
	table = NULL;
	if (unwind_table_info(built)->partial)
		built = with_debug_file(t, module, fd, built);
	t->totals.built++;
	if (!unwind_table_info(built)->partial) /* its debug file may be installed by the next time */
		keep_in_cache(t, module, built);
	return built;
}

static void load(struct unwind_tables *t, uint32_t module)
{
	_cleanup_(buf_done) struct buf id = BUF_INIT;
	_cleanup_close_ int fd = file_service_want(&t->files, module, WANTED_MODULE, NULL, 0, &id);
	struct entry *e = entry(t, module);
	struct unwind_table *table;

	e->state = TABLE_NO_FILE;
	if (fd >= 0) {
		e->state = TABLE_BROKEN;
		table = load_cached(t, module, &id);
		if (!table)
			table = build(t, module, fd, &id);
		if (table)
			adopt(t, e, table);
	}
	t->totals.failed += e->state != TABLE_READY;
	e->used = ++t->uses;
	shrink(t, e);
	t->generation++;
}

bool unwind_tables_load(struct unwind_tables *t, uint32_t module)
{
	struct itimerval timer = {.it_value.tv_sec = SECONDS_A_TABLE}, off = {0};
	const struct entry *e = entry(t, module);

	if (e->state != TABLE_WANTED || (e->not_before_ns && clock_mono_ns() < e->not_before_ns))
		return false;
	t->progress->module = module;
	setitimer(ITIMER_PROF, &timer, NULL);
	load(t, module);
	setitimer(ITIMER_PROF, &off, NULL);
	t->progress->module = NO_MODULE;
	return true;
}
