// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "fail.h"
#include "hash.h"
#include "mem.h"
#include "search.h"
#include "unwind_table_private.h"

struct unwind_table {
	struct unwind_image *image;
	const struct unwind_arch *arch;
	const struct unwind_segment *segment;
	const uint32_t *address;
	const uint16_t *rule;
	const uint32_t *rule_at, *pool;
	const uint32_t *expr_at;
	const uint8_t *expr;
	/* Rows of addresses [i << shift, (i + 1) << shift) are page[i] .. page[i + 1]. */
	uint32_t *page;
	uint32_t pages;
	unsigned shift;
	size_t image_size;
	bool mapped; /* the image, from a file */
	struct unwind_table_info info;
};

const struct unwind_arch unwind_arch_x86_64 = {
	.machine = 62, /* EM_X86_64 */
	.registers = UNWIND_X86_64_REGS,
	.sp = UNWIND_RSP,
	.fp = UNWIND_RBP,
	.ip = UNWIND_RIP,
	.red_zone = 128,
	.preserved = 1u << UNWIND_RBX | 1u << UNWIND_RBP | 1u << UNWIND_RSP | 1u << UNWIND_R12 |
		     1u << UNWIND_R13 | 1u << UNWIND_R14 | 1u << UNWIND_R15,
};

static size_t place(size_t *at, size_t count, size_t size)
{
	size_t here = *at;

	*at = (here + count * size + 7) & ~(size_t)7;
	return here;
}

struct unwind_layout unwind_layout(const struct unwind_image *im)
{
	struct unwind_layout l;
	size_t at = sizeof(*im);

	l.segment = place(&at, im->segments, sizeof(struct unwind_segment));
	l.address = place(&at, im->rows, sizeof(uint32_t));
	l.rule = place(&at, im->rows, sizeof(uint16_t));
	l.rule_at = place(&at, im->rules, sizeof(uint32_t));
	l.pool = place(&at, im->pool_words, sizeof(uint32_t));
	l.expr_at = place(&at, (size_t)im->exprs + 1, sizeof(uint32_t));
	l.expr = place(&at, im->expr_bytes, 1);
	l.size = at;
	return l;
}

uint64_t unwind_image_checksum(const struct unwind_image *im, size_t size)
{
	size_t from = offsetof(struct unwind_image, checksum) + sizeof(im->checksum);

	return hash_bytes((const char *)im + from, size - from);
}

/* Coarse enough that the index stays small beside the rows, whatever the addresses are. */
static void make_index(struct unwind_table *t)
{
	uint32_t rows = t->info.rows, row = 0;
	uint64_t span = rows ? (uint64_t)t->address[rows - 1] + 1 : 1;

	t->shift = 6;
	while (span >> t->shift > rows / 8)
		t->shift++;
	t->pages = (uint32_t)(span >> t->shift) + 1;
	t->page = xmalloc((t->pages + 1) * sizeof(*t->page));
	for (uint32_t i = 0; i <= t->pages; i++) {
		while (row < rows && (uint64_t)t->address[row] >> t->shift < i)
			row++;
		t->page[i] = row;
	}
}

/* Compilers describe all that they make, and leave some assembly out; half of it is another matter. */
static bool is_partial(const struct unwind_table *t)
{
	uint64_t code = 0, described = 0;

	for (uint32_t i = 0; i < t->image->segments; i++)
		code += t->segment[i].size;
	for (uint32_t i = 0; i + 1 < t->info.rows; i++)
		if (t->rule[i] != UNWIND_RULE_NONE)
			described += t->address[i + 1] - t->address[i];
	return described < code / 2;
}

static void set_image(struct unwind_table *t, struct unwind_image *im)
{
	struct unwind_layout l = unwind_layout(im);
	const char *base = (const char *)im;

	t->image = im;
	t->image_size = l.size;
	t->segment = (const void *)(base + l.segment);
	t->address = (const void *)(base + l.address);
	t->rule = (const void *)(base + l.rule);
	t->rule_at = (const void *)(base + l.rule_at);
	t->pool = (const void *)(base + l.pool);
	t->expr_at = (const void *)(base + l.expr_at);
	t->expr = (const void *)(base + l.expr);
}

struct unwind_table *unwind_table_adopt(struct unwind_image *im)
{
	struct unwind_table *t = xcalloc(1, sizeof(*t));

	set_image(t, im);
	t->arch = &unwind_arch_x86_64;
	t->info.rows = im->rows;
	t->info.rules = im->rules;
	make_index(t);
	for (uint32_t i = 0; i < im->rows; i++)
		t->info.unsupported += t->rule[i] == UNWIND_RULE_UNSUPPORTED;
	t->info.partial = is_partial(t);
	memcpy(t->info.build_id, im->build_id, sizeof(im->build_id));
	t->info.build_id_len = im->build_id_len;
	t->info.bytes = t->info.own_bytes = t->image_size + sizeof(*t) + (t->pages + 1) * sizeof(*t->page);
	return t;
}

static void drop_image(struct unwind_image *im, size_t len, bool mapped)
{
	if (mapped)
		munmap(im, len);
	else
		free(im);
}

void unwind_table_free(struct unwind_table *t)
{
	if (!t)
		return;
	drop_image(t->image, t->image_size, t->mapped);
	free(t->page);
	free(t);
}

static void set_mapped(struct unwind_table *t)
{
	t->mapped = true;
	t->info.own_bytes = t->info.bytes - t->image_size;
	unwind_table_release_pages(t);
}

void unwind_table_move(struct unwind_table *t, void *mapped)
{
	drop_image(t->image, t->image_size, t->mapped);
	mprotect(mapped, t->image_size, PROT_READ);
	set_image(t, mapped);
	set_mapped(t);
}

void unwind_table_release_pages(const struct unwind_table *t)
{
	if (t->mapped)
		madvise(t->image, t->image_size, MADV_DONTNEED);
}

const struct unwind_table_info *unwind_table_info(const struct unwind_table *t)
{
	return &t->info;
}

bool unwind_table_bias(const struct unwind_table *t, uint64_t start, uint64_t file_offset,
		       uint64_t *ret_bias)
{
	/* A mapping begins on a page, its segment perhaps a little later. */
	const uint64_t page_slack = 65535;

	for (uint32_t i = 0; i < t->image->segments; i++) {
		const struct unwind_segment *s = &t->segment[i];

		if (file_offset + page_slack < s->offset || file_offset >= s->offset + s->size)
			continue;
		*ret_bias = start - (s->address + (file_offset - s->offset));
		return true;
	}
	return false;
}

const struct unwind_rule *unwind_table_find(const struct unwind_table *t, uint64_t address)
{
	uint64_t at = address - t->image->base;
	uint32_t first, end, count;

	if (at >> t->shift >= t->pages)
		first = end = t->info.rows; /* behind the last row, or below the first */
	else
		first = t->page[at >> t->shift], end = t->page[(at >> t->shift) + 1];
	if (at > UINT32_MAX)
		return NULL;
	count = first + COUNT_UP_TO(t->address + first, end - first, , at);
	if (!count || t->rule[count - 1] == UNWIND_RULE_NONE)
		return NULL;
	return (const void *)(t->pool + t->rule_at[t->rule[count - 1]]);
}

const uint8_t *unwind_table_expr(const struct unwind_table *t, int32_t number, size_t *ret_len)
{
	*ret_len = 0;
	if (number < 0 || (uint32_t)number >= t->image->exprs)
		return NULL;
	*ret_len = t->expr_at[number + 1] - t->expr_at[number];
	return t->expr + t->expr_at[number];
}

const void *unwind_table_image(const struct unwind_table *t, size_t *ret_len)
{
	*ret_len = t->image_size;
	return t->image;
}

static bool header_valid(const struct unwind_image *im, size_t len)
{
	return !memcmp(im->magic, UNWIND_IMAGE_MAGIC, sizeof(im->magic)) &&
	       im->version == UNWIND_IMAGE_VERSION && im->machine == unwind_arch_x86_64.machine &&
	       im->segments <= UNWIND_SEGMENTS_MAX && im->rows <= UNWIND_ROWS_MAX &&
	       im->rules > UNWIND_RULE_UNSUPPORTED && im->rules <= UINT16_MAX + 1 &&
	       im->pool_words <= len / 4 && im->exprs <= len / 4 && im->expr_bytes <= len &&
	       im->build_id_len <= sizeof(im->build_id) && unwind_layout(im).size == len;
}

static bool exprs_valid(const struct unwind_table *t)
{
	const struct unwind_image *im = t->image;
	uint32_t at = 0;

	for (uint32_t i = 0; i <= im->exprs; i++) {
		if (t->expr_at[i] < at || t->expr_at[i] > im->expr_bytes)
			return false;
		at = t->expr_at[i];
	}
	return true;
}

static bool rule_valid(const struct unwind_table *t, uint32_t at)
{
	const struct unwind_rule *rule = (const void *)(t->pool + at);
	uint32_t words = t->image->pool_words, header = sizeof(*rule) / 4;

	if (at > words || words - at < header || words - at - header < rule->saves ||
	    rule->cfa >= UNWIND_CFA_KINDS || rule->cfa_reg >= t->arch->registers)
		return false;
	for (unsigned i = 0; i < rule->saves; i++) {
		const struct unwind_save *s = &rule->save[i];

		if (s->reg >= t->arch->registers || s->how >= UNWIND_HOW_KINDS ||
		    (s->how == UNWIND_HOW_REGISTER &&
		     (s->value < 0 || s->value >= t->arch->registers)))
			return false;
	}
	return true;
}

static bool content_valid(const struct unwind_table *t)
{
	const struct unwind_image *im = t->image;

	for (uint32_t i = 0; i < im->rules; i++)
		if (!rule_valid(t, t->rule_at[i]))
			return false;
	for (uint32_t i = 0; i < im->rows; i++)
		if (t->rule[i] >= im->rules || (i && t->address[i] <= t->address[i - 1]))
			return false;
	return exprs_valid(t);
}

/* Takes the image over in any case. */
static int check_image(struct unwind_image *im, size_t len, bool mapped, struct unwind_table **ret_table)
{
	_cleanup_(unwind_table_freep) struct unwind_table *t = NULL;

	if (!header_valid(im, len)) {
		drop_image(im, len, mapped);
		return failx(-EBADMSG, "unwind table: not one, or of another version or machine");
	}
	if (unwind_image_checksum(im, len) != im->checksum) {
		drop_image(im, len, mapped);
		return failx(-EBADMSG, "unwind table: wrong checksum");
	}
	t = unwind_table_adopt(im);
	t->mapped = mapped;
	if (!content_valid(t))
		return failx(-EBADMSG, "unwind table: impossible contents");
	*ret_table = t;
	t = NULL;
	return 0;
}

static int too_short(size_t len)
{
	return failx(-EBADMSG, "unwind table: %zu bytes are too short", len);
}

int unwind_table_load(const void *image, size_t len, struct unwind_table **ret_table)
{
	struct unwind_image *im;

	if (len < sizeof(*im))
		return too_short(len);
	im = xmalloc(len);
	memcpy(im, image, len);
	return check_image(im, len, false, ret_table);
}

int unwind_table_map(int fd, size_t len, struct unwind_table **ret_table)
{
	void *im;
	int r;

	if (len < sizeof(struct unwind_image))
		return too_short(len);
	im = mmap(NULL, len, PROT_READ, MAP_SHARED, fd, 0);
	if (im == MAP_FAILED)
		return fail(-errno, "map an unwind table");
	r = check_image(im, len, true, ret_table);
	if (r >= 0)
		set_mapped(*ret_table);
	return r;
}
