// SPDX-License-Identifier: BSD-2-Clause
/* /tmp/perf-PID.map: what a JIT compiler says it has put where, a line each: START SIZE NAME with
 * both numbers hexadecimal. The file grows while the process runs; a later line overrides earlier
 * ones. */
#include "resolver.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "clock.h"
#include "mem.h"
#include "search.h"

#define FILE_MAX (128u << 20)
#define READ_AT_ONCE (1u << 20)
#define CHECK_NS (20 * NS_PER_MS)

struct function {
	uint64_t start;
	uint32_t size;
	uint32_t name; /* in the order of the file, so the greater one is the later one */
};

struct perf_map {
	int fd;
	off_t done; /* bytes of complete lines */
	struct function *functions;
	size_t count, capacity;
	struct buf names;
	uint64_t next_check_ns;
};

static void add_line(struct perf_map *m, const char *line, const char *end)
{
	char *rest;
	uint64_t start = strtoull(line, &rest, 16), size;

	if (rest == line || *rest != ' ')
		return;
	line = rest + 1;
	size = strtoull(line, &rest, 16);
	if (rest == line || *rest != ' ' || rest + 1 >= end || !size || size > UINT32_MAX)
		return;
	if (start > UINT64_MAX - size)
		return;
	GROW(m->functions, m->count, m->capacity);
	m->functions[m->count++] = (struct function){
		.start = start, .size = (uint32_t)size, .name = (uint32_t)m->names.len};
	size_t len = (size_t)(end - rest - 1);
	buf_add(&m->names, rest + 1, len < NAME_MAX_BYTES ? len : NAME_MAX_BYTES);
	buf_addch(&m->names, 0);
}

static int by_start(const void *left, const void *right)
{
	const struct function *a = left, *b = right;

	if (a->start != b->start)
		return a->start < b->start ? -1 : 1;
	return a->name < b->name ? -1 : a->name > b->name;
}

/* Code that later code has overwritten is gone. */
static void drop_overwritten(struct perf_map *m)
{
	struct function *f = m->functions;
	size_t kept = 0;

	for (size_t i = 0; i < m->count; i++) {
		bool gone = false;

		while (kept && f[kept - 1].start + f[kept - 1].size > f[i].start && !gone) {
			gone = f[kept - 1].name > f[i].name;
			kept -= !gone;
		}
		if (!gone)
			f[kept++] = f[i];
	}
	m->count = kept;
}

/* Complete lines only: the writer may be in the middle of one. */
static bool read_more(struct perf_map *m)
{
	_cleanup_(buf_done) struct buf b = BUF_INIT;

	buf_grow(&b, READ_AT_ONCE);
	ssize_t n = pread(m->fd, b.data, READ_AT_ONCE, m->done);
	if (n <= 0)
		return false;
	b.data[n] = 0;
	const char *line = b.data, *end;
	while ((end = memchr(line, '\n', (size_t)(b.data + n - line)))) {
		add_line(m, line, end);
		line = end + 1;
	}
	if (line == b.data && n == READ_AT_ONCE) /* a megabyte without an end is no line */
		line = b.data + n;
	m->done += line - b.data;
	return line != b.data;
}

static void refresh(struct perf_map *m)
{
	uint64_t begin = clock_mono_ns();
	struct stat st;

	if (fstat(m->fd, &st) < 0)
		return;
	if (st.st_size < m->done) { /* written anew */
		m->done = 0;
		m->count = 0;
		buf_reset(&m->names);
	}
	off_t before = m->done;
	while (m->done < st.st_size && m->done < FILE_MAX && read_more(m))
		;
	if (m->done != before && m->count) {
		qsort(m->functions, m->count, sizeof(*m->functions), by_start);
		drop_overwritten(m);
	}
	/* A large map is read again less often: at most a twentieth of the time. */
	uint64_t now = clock_mono_ns();
	m->next_check_ns = now + CHECK_NS + (now - begin) * 20;
}

static void perf_map_free(void *state)
{
	struct perf_map *m = state;

	buf_done(&m->names);
	free(m->functions);
	close(m->fd);
	free(m);
}

static void *perf_map_load(struct module_request *request)
{
	if (request->fd < 0)
		return NULL;
	struct perf_map *m = xcalloc(1, sizeof(*m));
	m->fd = request->fd;
	m->names = (struct buf)BUF_INIT;
	refresh(m);
	request->symbols = (uint32_t)m->count;
	return m;
}

static void perf_map_resolve(void *state, uint64_t offset, struct answer *answer)
{
	struct perf_map *m = state;
	size_t count;

	if (clock_mono_ns() >= m->next_check_ns)
		refresh(m);
	count = COUNT_UP_TO(m->functions, m->count, .start, offset);
	if (!count || offset - m->functions[count - 1].start >= m->functions[count - 1].size)
		return;
	const struct function *f = &m->functions[count - 1];
	const char *name = m->names.data + f->name;
	answer_add(answer, &(struct found){.name = name, .name_len = strlen(name),
					   .start = f->start, .size = f->size});
}

const struct resolver resolver_perf_map = {perf_map_load, perf_map_resolve, perf_map_free};
