/* SPDX-License-Identifier: BSD-2-Clause */
/* A symbolizer, the samples that symbol/make.sh has made, and what was last answered. */
#pragma once
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "buf.h"
#include "check.h"
#include "cleanup.h"
#include "clock.h"
#include "io.h"
#include "symbolizer.h"

#define PATIENCE (30 * NS_PER_S)

struct seen {
	unsigned answers, named;
	uint32_t last_frame;
	bool in_order;
	size_t count;
	char name[8][256];
	char file[8][256];
	uint32_t line[8];
	bool inlined[8];
	uint64_t start, size; /* of the outermost */
	uint8_t code[1024];
	size_t code_len, codes; /* answers to questions for code */
	char callees[1024];     /* their names, each followed by a space */
};

struct bench {
	const char *samples;
	struct symbolizer *s;
	uint64_t unused_ns; /* as in symbolizer_options */
	struct seen seen;
};

static inline void on_symbol(void *arg, uint32_t frame, const struct symbol *symbols, size_t count)
{
	struct seen *seen = arg;

	seen->in_order = seen->in_order && (!seen->answers || frame == seen->last_frame + 1);
	seen->last_frame = frame;
	seen->answers++;
	seen->named += count > 0;
	seen->count = count;
	for (size_t i = 0; i < count && i < 8; i++) {
		snprintf(seen->name[i], sizeof(seen->name[i]), "%s", symbols[i].name);
		snprintf(seen->file[i], sizeof(seen->file[i]), "%s",
			 symbols[i].file ? symbols[i].file : "");
		seen->line[i] = symbols[i].line;
		seen->inlined[i] = symbols[i].inlined;
	}
	seen->start = count ? symbols[count - 1].start : 0;
	seen->size = count ? symbols[count - 1].size : 0;
}

static inline void on_code(void *arg, uint32_t function, const void *bytes, size_t len)
{
	struct seen *seen = arg;

	seen->codes++;
	seen->code_len = len;
	memcpy(seen->code, bytes ? bytes : "", len < sizeof(seen->code) ? len : sizeof(seen->code));
}

static inline void on_callees(void *arg, uint32_t function, const struct symbol *symbols, size_t count)
{
	struct seen *seen = arg;

	for (size_t i = 0; i < count; i++) {
		size_t len = strlen(seen->callees);

		snprintf(seen->callees + len, sizeof(seen->callees) - len, "%s ", symbols[i].name);
	}
}

static inline void bench_init(struct bench *b, const char *samples, bool lines)
{
	*b = (struct bench){.samples = samples, .unused_ns = b->unused_ns, .seen.in_order = true};
	struct symbolizer_options options = {
		.source_lines = lines, .inlined = lines,
		.handler = on_symbol, .code = on_code, .code_callees = on_callees, .arg = &b->seen,
		.unused_ns = b->unused_ns};
	if (symbolizer_new(&options, &b->s) < 0) {
		CHECK(!"symbolizer_new");
		exit(check_done("symbol"));
	}
}

static inline void bench_done(struct bench *b)
{
	symbolizer_free(b->s);
}

/* The name of one address; "" if it has none. */
static inline const char *ask(struct bench *b, int module, uint64_t offset)
{
	unsigned before = b->seen.answers;

	b->seen.count = 0;
	b->seen.name[0][0] = 0;
	CHECK(module >= 0 && symbolizer_request(b->s, module, offset, b->seen.last_frame + 1) == 0);
	symbolizer_flush(b->s, PATIENCE);
	CHECK(b->seen.answers == before + 1);
	return b->seen.count ? b->seen.name[b->seen.count - 1] : "";
}

static inline struct symbol_mapping mapping_of(const char *path)
{
	struct symbol_mapping m = {.path = path};
	struct stat st;

	if (stat(path, &st) == 0) {
		m.dev_major = major(st.st_dev);
		m.dev_minor = minor(st.st_dev);
		m.inode = st.st_ino;
	}
	return m;
}

static inline int module_of(struct bench *b, const char *path)
{
	struct symbol_mapping m = mapping_of(path);

	return symbolizer_elf(b->s, &m);
}

static inline int sample_module(struct bench *b, const char *name)
{
	_cleanup_(buf_done) struct buf path = BUF_INIT;

	buf_addf(&path, "%s/%s", b->samples, name);
	return module_of(b, path.data);
}

static inline char *sample_text(struct bench *b, const char *name)
{
	struct buf path = BUF_INIT, text = BUF_INIT;

	buf_addf(&path, "%s/%s", b->samples, name);
	CHECK(read_file(path.data, 1 << 20, &text) == 0);
	buf_done(&path);
	return buf_steal(&text);
}

/* What nm says: the address of a symbol. The sample is linked so that its code's addresses are its
 * offsets. */
static inline uint64_t address_of(struct bench *b, const char *symbol)
{
	_cleanup_free_ char *nm = sample_text(b, "sample.nm");
	_cleanup_(buf_done) struct buf wanted = BUF_INIT;

	buf_addf(&wanted, " %s\n", symbol);
	char *at = strstr(nm, wanted.data);
	CHECK(at);
	while (at && at > nm && at[-1] != '\n')
		at--;
	return at ? strtoull(at, NULL, 16) : 0;
}

static inline void write_file(const char *path, const void *data, size_t len)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);

	CHECK(fd >= 0 && write_all(fd, data, len) == 0);
}

static inline void copy_file(const char *from, const char *to)
{
	_cleanup_(buf_done) struct buf b = BUF_INIT;

	CHECK(read_file(from, 1 << 24, &b) == 0);
	write_file(to, b.data, b.len);
}
