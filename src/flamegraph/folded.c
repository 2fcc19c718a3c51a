// SPDX-License-Identifier: BSD-2-Clause
#include "folded.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"
#include "fail.h"
#include "io.h"
#include "mem.h"
#include "trie.h"

#define READ_BYTES (1u << 20)
#define LINE_MAX_BYTES (16u << 20)
#define COUNT_MAX 9007199254740992.0 /* 2^53: up to here a double counts exactly */

#define BATCH 256

struct reader {
	struct flame *flame;
	struct flame_stack batch[BATCH]; /* their text is still in the buffer */
	size_t batched;
	enum flame_side side;
	bool two_counts;
	uint64_t line;
	struct folded_result result;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static size_t trim(const char *text, size_t len)
{
	while (len && is_blank(text[len - 1]))
		len--;
	return len;
}

static size_t last_word(const char *text, size_t len)
{
	while (len && !is_blank(text[len - 1]))
		len--;
	return len;
}

/* Digits with at most one point; NULL, or what is wrong. */
static const char *parse_count(const char *text, size_t len, double *ret_count)
{
	double count = 0, unit = 1;
	bool point = false, digits = false;

	if (len > 1 && text[0] == '-' && text[1] >= '0' && text[1] <= '9')
		return "the count is negative";
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '.' && !point) {
			point = true;
			continue;
		}
		if (text[i] < '0' || text[i] > '9')
			return "no count at its end";
		digits = true;
		if (point)
			count += (text[i] - '0') * (unit /= 10);
		else
			count = count * 10 + (text[i] - '0');
		if (count > COUNT_MAX)
			return "the count is above 2^53";
	}
	if (!digits)
		return "no count at its end";
	*ret_count = count;
	return NULL;
}

/* Splits "stack 12" in place: the stack's length and its count. */
static const char *cut_count(const char *line, size_t *len, double *ret_count)
{
	size_t end = trim(line, *len), word = last_word(line, end);
	const char *reason = parse_count(line + word, end - word, ret_count);

	if (reason)
		return reason;
	*len = trim(line, word);
	return *len ? NULL : "a count without a stack";
}

static bool has_two_counts(const char *line, size_t len)
{
	double count;

	return !cut_count(line, &len, &count) && !cut_count(line, &len, &count);
}

/* Only where no line says otherwise: a name may end in a number of its own. */
static bool all_have_two_counts(const char *text, size_t len)
{
	size_t lines = 0;

	for (const char *end; (end = memchr(text, '\n', len)); text = end + 1) {
		size_t n = (size_t)(end - text);

		len -= n + 1;
		if (!trim(text, n))
			continue;
		if (!has_two_counts(text, n))
			return false;
		lines++;
	}
	return lines > 0;
}

static void add_batched(struct reader *r)
{
	flame_add_stacks(r->flame, r->batch, r->batched);
	r->batched = 0;
}

static void add_stack(struct reader *r, enum flame_side side, const char *text, size_t len,
		      double count)
{
	if (!(count > 0))
		return;
	if (r->batched == BATCH)
		add_batched(r);
	r->batch[r->batched++] = (struct flame_stack){text, len, side, count};
}

static const char *add_line(struct reader *r, const char *line, size_t len)
{
	double count, before = 0;
	const char *reason = cut_count(line, &len, &count);

	if (!reason && r->two_counts)
		reason = cut_count(line, &len, &before);
	if (reason)
		return reason;
	add_stack(r, r->two_counts ? FLAME_NEW : r->side, line, len, count);
	add_stack(r, FLAME_BASE, line, len, before);
	return NULL;
}

static void take_line(struct reader *r, const char *line, size_t len, const char *reason)
{
	r->line++;
	len = trim(line, len);
	if (!len)
		return;
	r->result.lines++;
	if (!reason)
		reason = add_line(r, line, len);
	if (!reason)
		return;
	if (!r->result.skipped++) {
		r->result.first_skipped = r->line;
		r->result.reason = reason;
	}
}

static ssize_t read_some(int fd, struct buf *b)
{
	ssize_t n;

	buf_grow(b, READ_BYTES);
	do
		n = read(fd, b->data + b->len, READ_BYTES);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	b->len += (size_t)n;
	return n;
}

/* Takes the whole lines out of b and leaves the torn one; what is too long is dropped but for a
 * first byte that keeps the place. */
static void take_lines(struct reader *r, struct buf *b, size_t scanned, bool *too_long)
{
	static const char reason[] = "it is longer than 16 MiB";
	char *start = b->data, *end;
	size_t left = b->len;

	for (size_t skip = scanned; (end = memchr(start + skip, '\n', left - skip)); skip = 0) {
		take_line(r, start, (size_t)(end - start), *too_long ? reason : NULL);
		*too_long = false;
		left -= (size_t)(end + 1 - start);
		start = end + 1;
	}
	add_batched(r);
	memmove(b->data, start, left);
	b->len = left;
	if (left > LINE_MAX_BYTES) {
		*too_long = true;
		b->len = 1;
		b->data[0] = '.';
	}
}

static int read_lines(struct reader *r, int fd)
{
	_cleanup_(buf_done) struct buf b = BUF_INIT;
	bool too_long = false, first = true;
	size_t scanned;
	ssize_t n;

	for (;;) {
		scanned = b.len;
		n = read_some(fd, &b);
		if (n < 0)
			return (int)n;
		if (!n)
			break;
		if (first && b.len < READ_BYTES)
			continue; /* a pipe gives little at a time; the first look wants more */
		if (first) {
			r->two_counts = all_have_two_counts(b.data, b.len);
			scanned = 0;
		}
		first = false;
		take_lines(r, &b, scanned, &too_long);
	}
	buf_addch(&b, '\n');
	if (first)
		r->two_counts = all_have_two_counts(b.data, b.len);
	take_lines(r, &b, 0, &too_long);
	return 0;
}

int flame_read_folded(struct flame *f, enum flame_side side, int fd, const char *name,
		      struct folded_result *ret_result)
{
	struct reader reader = {.flame = f, .side = side};
	double before = flame_total(f, FLAME_NEW) + flame_total(f, FLAME_BASE);
	int r = read_lines(&reader, fd);

	reader.result.two_counts = reader.two_counts;
	*ret_result = reader.result;
	if (r < 0)
		return fail(r, "read %s", name);
	if (!reader.result.lines)
		return failx(-EINVAL, "%s: it is empty; folded stacks are wanted", name);
	if (reader.result.skipped == reader.result.lines)
		return failx(-EINVAL, "%s:%llu: %s, and no other line is a folded stack", name,
			     (unsigned long long)reader.result.first_skipped, reader.result.reason);
	if (flame_total(f, FLAME_NEW) + flame_total(f, FLAME_BASE) <= before)
		return failx(-EINVAL, "%s: all counts are 0", name);
	return 0;
}

static void add_label(struct buf *b, const struct trie_node *n)
{
	for (size_t at = 0, len; at <= n->label_len; at += len + 1) {
		len = frame_length(n->label + at, n->label_len - at);
		size_t name = len;
		enum flame_kind kind = frame_kind(n->label + at, &name);

		for (size_t i = at; i < at + name; i++) {
			unsigned char c = (unsigned char)n->label[i];

			if (c == TRIE_SEMICOLON)
				c = ':';
			buf_addch(b, c < 0x20 || c == 0x7f ? '?' : (char)c);
		}
		if (kind != FLAME_TASK && kind != FLAME_PYTHON)
			buf_addstr(b, kind_suffix(kind));
		buf_addch(b, ';');
	}
	b->len--;
}

/* Whole numbers as such, others with the decimals they need, nine at most. */
static void add_count(struct buf *b, double count)
{
	if (count == (double)(uint64_t)count) {
		buf_addf(b, " %.0f\n", count);
		return;
	}
	buf_addf(b, " %.9f", count);
	while (b->data[b->len - 1] == '0')
		b->len--;
	buf_addch(b, '\n');
}

static void write_stack(struct buf *b, const struct trie_node *nodes, uint32_t node,
		      uint32_t **path, size_t *capacity)
{
	size_t depth = 0;

	for (; node; node = nodes[node].parent) {
		GROW(*path, depth, *capacity);
		(*path)[depth++] = node;
	}
	while (depth--) {
		add_label(b, &nodes[(*path)[depth]]);
		if (depth)
			buf_addch(b, ';');
	}
}

int flame_write_folded(const struct flame *f, enum flame_side side, int fd)
{
	_cleanup_(buf_done) struct buf b = BUF_INIT;
	_cleanup_free_ uint32_t *path = NULL;
	size_t capacity = 0;
	uint32_t count;
	const struct trie_node *nodes = flame_nodes(f, &count);
	int r;

	for (uint32_t i = 1; i < count; i++) {
		if (!(nodes[i].self[side] > 0))
			continue;
		write_stack(&b, nodes, i, &path, &capacity);
		add_count(&b, nodes[i].self[side]);
		if (b.len < READ_BYTES)
			continue;
		r = write_all(fd, b.data, b.len);
		if (r < 0)
			return r;
		buf_reset(&b);
	}
	return write_all(fd, b.data, b.len);
}
