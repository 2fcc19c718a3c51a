// SPDX-License-Identifier: BSD-2-Clause
/* /proc/kallsyms: the kernel, its modules and its BPF programs. */
#include "resolver.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "mem.h"
#include "table.h"

#define LINE_MAX_BYTES 4096
#define FUNCTION_MAX (128u << 10) /* the list has no sizes: what lies further behind has no name */
#define REREAD_NS (2 * NS_PER_S)

struct kernel {
	int fd;
	struct table *table;
	uint64_t core_start, core_end; /* of the kernel proper, whose symbols never change */
	uint64_t read_ns;
};

static void add_line(struct kernel *k, struct table *table, char *line)
{
	char *rest, type;
	uint64_t address = strtoull(line, &rest, 16);

	if (!address || rest[0] != ' ' || !(type = rest[1]) || rest[2] != ' ')
		return;
	char *name = rest + 3, *module = strchr(name, '\t');
	size_t len = module ? (size_t)(module - name) : strlen(name);
	if (!strcmp(name, "_stext"))
		k->core_start = address;
	if (!strcmp(name, "_etext"))
		k->core_end = address;
	if (!strchr("tTwW", type) || !len || !strcmp(name, "_etext"))
		return;
	struct table_symbol s = {
		.start = address,
		.limit = address < UINT64_MAX - FUNCTION_MAX ? address + FUNCTION_MAX : UINT64_MAX,
		.source = TABLE_OWN_NAMES,
		.rank = table_rank(name, len, false, true, type == 'T' || type == 'W',
				   type == 'w' || type == 'W')};
	s.name = table_add_name(table, name, len);
	table_add(table, &s);
}

/* Adds the complete lines of b, and leaves what is behind the last one. */
static void add_lines(struct kernel *k, struct table *table, struct buf *b)
{
	char *line = b->data, *end;

	while ((end = memchr(line, '\n', b->len - (size_t)(line - b->data)))) {
		*end = 0;
		add_line(k, table, line);
		line = end + 1;
	}
	size_t rest = b->len - (size_t)(line - b->data);
	if (rest > LINE_MAX_BYTES)
		rest = 0;
	memmove(b->data, line, rest);
	b->len = rest;
}

static void read_list(struct kernel *k)
{
	_cleanup_(buf_done) struct buf b = BUF_INIT;
	struct table *table = table_new();
	ssize_t n;

	k->read_ns = clock_mono_ns();
	if (lseek(k->fd, 0, SEEK_SET) < 0)
		n = 0;
	for (;;) {
		buf_grow(&b, 64 << 10);
		n = read(k->fd, b.data + b.len, 64 << 10);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		b.len += (size_t)n;
		add_lines(k, table, &b);
	}
	table_finish(table);
	table_free(k->table);
	k->table = table;
}

static void kernel_free(void *state)
{
	struct kernel *k = state;

	table_free(k->table);
	close(k->fd);
	free(k);
}

static void *kernel_load(struct module_request *request)
{
	if (request->fd < 0)
		return NULL;
	struct kernel *k = xcalloc(1, sizeof(*k));
	k->fd = request->fd;
	read_list(k);
	request->symbols = table_count(k->table);
	return k;
}

static bool in_core(const struct kernel *k, uint64_t address)
{
	return address >= k->core_start && address < k->core_end;
}

static void kernel_resolve(void *state, uint64_t offset, struct answer *answer)
{
	struct kernel *k = state;
	struct table_hit hit;
	bool known = table_find(k->table, offset, &hit);

	/* Modules and BPF programs come and go. */
	if (!known && !in_core(k, offset) && clock_mono_ns() - k->read_ns > REREAD_NS) {
		read_list(k);
		known = table_find(k->table, offset, &hit);
	}
	if (known)
		answer_add(answer, &(struct found){.name = hit.name, .name_len = hit.name_len,
						   .start = hit.start, .size = hit.size});
}

const struct resolver resolver_kernel = {kernel_load, kernel_resolve, kernel_free};
