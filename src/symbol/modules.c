// SPDX-License-Identifier: BSD-2-Clause
#include "modules.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "hash.h"
#include "intern.h"
#include "mem.h"
#include "module_file.h"
#include "text.h"

#define RETRY_NS NS_PER_S
#define OPEN_MAX_FDS 128 /* opened ahead of their turn, so that processes may exit meanwhile */

/* Together with the path: what tells one module from another. No padding. */
struct key {
	uint32_t kind, pid;
	uint32_t dev_major, dev_minor;
	uint64_t inode, generation;
	uint8_t build_id[BUILD_ID_MAX];
	uint32_t build_id_len;
};

struct modules {
	struct intern *keys;   /* key and path -> index in ids */
	uint32_t *ids;         /* the current module of that key */
	size_t key_count, key_capacity;
	struct map *by_id;     /* -> struct module * */
	uint32_t next_id, period;
	unsigned open_fds;
	struct symbolizer_stats *stats;
};

struct modules *modules_new(struct symbolizer_stats *stats)
{
	struct modules *m = xcalloc(1, sizeof(*m));

	m->keys = intern_new();
	m->by_id = map_new();
	m->stats = stats;
	return m;
}

struct module *modules_next(const struct modules *m, size_t *cursor, uint32_t *ret_id)
{
	uint64_t id, value;

	if (!map_next(m->by_id, cursor, &id, &value))
		return NULL;
	*ret_id = (uint32_t)id;
	return (struct module *)(uintptr_t)value;
}

static void module_free(struct module *module)
{
	if (module->fd >= 0)
		close(module->fd);
	free((char *)(uintptr_t)module->mapping.path);
	free(module);
}

void modules_free(struct modules *m)
{
	struct module *module;
	size_t cursor = 0;
	uint32_t id;

	if (!m)
		return;
	while ((module = modules_next(m, &cursor, &id)))
		module_free(module);
	intern_free(m->keys);
	map_free(m->by_id);
	free(m->ids);
	free(m);
}

struct module *modules_get(const struct modules *m, uint32_t id)
{
	uint64_t value;

	return map_get(m->by_id, id, &value) ? (struct module *)(uintptr_t)value : NULL;
}

static int open_file(const struct module *module)
{
	switch (module->kind) {
	case MODULE_KERNEL:
		return module_file_kallsyms();
	case MODULE_PERF_MAP:
		return module_file_perf_map(module->mapping.pid);
	default:
		return *module->mapping.path ? module_file_elf(&module->mapping)
					     : module_file_vdso();
	}
}

static int64_t mtime_of(const struct stat *st)
{
	return st->st_mtim.tv_sec * (int64_t)NS_PER_S + st->st_mtim.tv_nsec;
}

static void keep_fd(struct modules *m, struct module *module, int fd)
{
	struct stat st;

	module->fd = fd;
	m->open_fds++;
	m->stats->opened++;
	if (fstat(fd, &st) < 0)
		return;
	module->size = st.st_size;
	module->mtime_ns = mtime_of(&st);
}

static void open_module(struct modules *m, struct module *module)
{
	uint64_t now = clock_mono_ns();

	if (module->fd >= 0 || now < module->retry_ns)
		return;
	int fd = open_file(module);
	if (fd >= 0) {
		keep_fd(m, module, fd);
		return;
	}
	module->retry_ns = now + RETRY_NS;
	m->stats->open_failed++;
}

static uint32_t add_module(struct modules *m, enum module_kind kind,
			   const struct symbol_mapping *mapping)
{
	struct module *module = xmalloc(sizeof(*module));

	*module = (struct module){.kind = kind, .mapping = *mapping, .fd = -1, .size = -1, .used = m->period};
	module->mapping.path = xstrdup(mapping->path);
	map_put(m->by_id, m->next_id, (uintptr_t)module);
	m->stats->modules++;
	m->stats->modules_known++;
	return m->next_id++;
}

/* File systems give the inode number of a deleted file to the next one: a program that is built and
 * run again and again. Without a generation or a build id only another look can tell. */
static bool was_replaced(struct module *module, const struct symbol_mapping *mapping)
{
	uint64_t place = mapping->start >> 12 << 22 ^ (uint64_t)mapping->pid; /* a pid comes again, at another address */
	struct stat st;

	if (!mapping->inode || mapping->inode_generation || mapping->build_id_len ||
	    module->size < 0 || mapping->pid == module->mapping.pid)
		return false;
	for (int i = 0; i < MODULE_SEEN; i++)
		if (module->seen[i] == place)
			return false;
	_cleanup_close_ int fd = module_file_elf(mapping);
	if (fd >= 0 && fstat(fd, &st) == 0 &&
	    (st.st_size != module->size || mtime_of(&st) != module->mtime_ns))
		return true;
	module->seen[module->seen_next++ % MODULE_SEEN] = place;
	return false;
}

/* From now on the module is looked for through this process. */
static void move_to(struct module *module, const struct symbol_mapping *mapping)
{
	char *path = xstrdup(mapping->path);

	free((char *)(uintptr_t)module->mapping.path);
	module->mapping = *mapping;
	module->mapping.path = path;
	module->retry_ns = 0;
}

static uint32_t find_or_add(struct modules *m, enum module_kind kind, const struct key *key,
			    const struct symbol_mapping *mapping)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT;
	bool is_new;

	buf_add(&text, key, sizeof(*key));
	buf_addstr(&text, mapping->path);
	uint32_t index = intern_id(m->keys, text.data, text.len, &is_new);
	if (is_new) {
		GROW(m->ids, m->key_count, m->key_capacity);
		m->ids[m->key_count++] = add_module(m, kind, mapping);
	} else if (was_replaced(modules_get(m, m->ids[index]), mapping)) {
		m->ids[index] = add_module(m, kind, mapping);
	}
	struct module *module = modules_get(m, m->ids[index]);
	module->used = m->period;
	/* It could not be opened through another process, or that one is gone. */
	if (module->fd < 0 && !module->with_child && mapping->pid != module->mapping.pid)
		move_to(module, mapping);
	if (!module->with_child && module_usable(module) && m->open_fds < OPEN_MAX_FDS)
		open_module(m, module);
	return m->ids[index];
}

/* A process may be executed from a file in memory. */
static bool is_program(const char *path, pid_t pid)
{
	char link[32], program[PATH_MAX];

	snprintf(link, sizeof(link), "/proc/%d/exe", (int)pid);
	ssize_t n = readlink(link, program, sizeof(program) - 1);

	return n > 0 && (size_t)n == strlen(path) && !memcmp(program, path, (size_t)n);
}

bool symbol_path_opens(const char *path, uint64_t inode, pid_t pid)
{
	static const char *const memory[] = {"/dev/zero", "/anon_hugepage", "/SYSV"};

	for (size_t i = 0; i < ARRAY_SIZE(memory); i++)
		if (starts_with(path, memory[i]))
			return false;
	return path[0] == '/' && inode && (!starts_with(path, "/memfd:") || is_program(path, pid));
}

uint32_t modules_kernel(struct modules *m)
{
	return find_or_add(m, MODULE_KERNEL, &(struct key){.kind = MODULE_KERNEL},
			   &(struct symbol_mapping){.path = ""});
}

uint32_t modules_vdso(struct modules *m)
{
	return find_or_add(m, MODULE_ELF, &(struct key){.kind = MODULE_ELF},
			   &(struct symbol_mapping){.path = ""});
}

uint32_t modules_perf_map(struct modules *m, pid_t pid)
{
	return find_or_add(m, MODULE_PERF_MAP,
			   &(struct key){.kind = MODULE_PERF_MAP, .pid = (uint32_t)pid},
			   &(struct symbol_mapping){.pid = pid, .path = ""});
}

static uint32_t modules_file(struct modules *m, enum module_kind kind, const struct symbol_mapping *mapping)
{
	struct symbol_mapping copy = *mapping;
	struct key key = {
		.kind = kind,
		.dev_major = mapping->dev_major, .dev_minor = mapping->dev_minor,
		.inode = mapping->inode, .generation = mapping->inode_generation};

	if (copy.build_id_len > BUILD_ID_MAX)
		copy.build_id_len = BUILD_ID_MAX;
	key.build_id_len = (uint32_t)copy.build_id_len;
	memcpy(key.build_id, copy.build_id, copy.build_id_len);
	/* Without an inode or a build id a path says something only within its process. */
	if (!key.inode && !key.build_id_len)
		key.pid = (uint32_t)mapping->pid;
	return find_or_add(m, kind, &key, &copy);
}

uint32_t modules_elf(struct modules *m, const struct symbol_mapping *mapping)
{
	return modules_file(m, MODULE_ELF, mapping);
}

uint32_t modules_python(struct modules *m, const struct symbol_mapping *mapping)
{
	return modules_file(m, MODULE_PYTHON, mapping);
}

uint32_t modules_marks(struct modules *m, const struct symbol_mapping *mapping)
{
	return modules_file(m, MODULE_MARKS, mapping);
}

void modules_forget_process(struct modules *m, pid_t pid)
{
	struct key key = {.kind = MODULE_PERF_MAP, .pid = (uint32_t)pid};
	uint32_t index;

	/* Questions about the old module may still be due: it stays, and the key gets a new one. */
	if (intern_find(m->keys, &key, sizeof(key), &index))
		m->ids[index] = add_module(m, MODULE_PERF_MAP,
					   &(struct symbol_mapping){.pid = pid, .path = ""});
}

void modules_use(struct modules *m, uint32_t id)
{
	struct module *module = modules_get(m, id);

	if (module)
		module->used = m->period;
}

static void forget(struct modules *m, uint32_t id, struct module *module)
{
	map_remove(m->by_id, id);
	m->open_fds -= module->fd >= 0;
	m->stats->modules_known--;
	module_free(module);
}

/* Keys of modules that are there. */
static void rebuild_keys(struct modules *m)
{
	struct intern *old = m->keys;
	uint32_t *ids = m->ids;

	m->keys = intern_new();
	m->ids = NULL;
	m->key_count = m->key_capacity = 0;
	for (uint32_t i = 0; i < intern_count(old); i++) {
		size_t len;
		const void *key = intern_key(old, i, &len);

		if (!modules_get(m, ids[i]))
			continue;
		intern_id(m->keys, key, len, NULL);
		GROW(m->ids, m->key_count, m->key_capacity);
		m->ids[m->key_count++] = ids[i];
	}
	intern_free(old);
	free(ids);
}

void modules_forget_unused(struct modules *m)
{
	struct module *module;
	size_t cursor = 0;
	uint32_t id;

	while ((module = modules_next(m, &cursor, &id)))
		if (module->used != m->period && !module->with_child)
			forget(m, id, module);
	rebuild_keys(m);
	m->period++;
}

void modules_lost(struct modules *m)
{
	struct module *module;
	size_t cursor = 0;
	uint32_t id;

	while ((module = modules_next(m, &cursor, &id)))
		module->with_child = false;
}

bool module_usable(const struct module *module)
{
	return module->strikes < STRIKES_MAX;
}

int modules_take_fd(struct modules *m, struct module *module)
{
	int fd;

	open_module(m, module);
	fd = module->fd;
	if (fd < 0)
		return -ENOENT;
	module->fd = -1;
	m->open_fds--;
	return fd;
}

int modules_copy_fd(const struct module *module)
{
	if (module->fd < 0)
		return open_file(module);
	int fd = fcntl(module->fd, F_DUPFD_CLOEXEC, 3);
	return fd < 0 ? -errno : fd;
}

static int wanted_build_id(const struct module *module, const char *name, size_t len)
{
	return module_file_by_build_id(module->mapping.pid, (const uint8_t *)name, len);
}

static int wanted_debuglink(const struct module *module, const char *name, size_t len)
{
	return module_file_by_debuglink(module->mapping.pid, module->mapping.path, name, len);
}

static int wanted_altlink(const struct module *module, const char *name, size_t len)
{
	return module_file_by_altlink(module->mapping.pid, name, len);
}

int module_open_wanted(const struct module *module, uint32_t kind, const char *name, size_t len)
{
	static int (*const openers[WANTED_FILES])(const struct module *, const char *, size_t) = {
		[WANTED_BUILD_ID] = wanted_build_id,
		[WANTED_DEBUGLINK] = wanted_debuglink,
		[WANTED_ALTLINK] = wanted_altlink,
	};

	return kind < WANTED_FILES && module->kind == MODULE_ELF ? openers[kind](module, name, len)
								 : -EINVAL;
}
