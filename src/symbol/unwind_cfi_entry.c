// SPDX-License-Identifier: BSD-2-Clause
#include "unwind_cfi_entry.h"

#include <dwarf.h>
#include <errno.h>

#include "fail.h"
#include "hash.h"
#include "mem.h"

#define CIES_MAX 65536
#define FDES_MAX (8u << 20)
#define CIE_CODE_MAX 4096 /* bounds the work for CIEs that overlap each other */

#define EH_PE_FORMAT 0x0f
#define EH_PE_BASE 0x70

bool cfi_pointer(struct bytes *in, const struct cfi_section *s, uint8_t encoding, uint64_t *ret)
{
	uint64_t here = s->address + (uint64_t)(in->at - s->data), value;

	if (encoding == DW_EH_PE_omit)
		return false;
	if ((encoding & EH_PE_BASE) == DW_EH_PE_aligned) {
		bytes_skip(in, -here & 7);
		*ret = bytes_unsigned(in, 8);
		return !in->bad;
	}
	switch (encoding & EH_PE_FORMAT) {
	case DW_EH_PE_absptr: value = bytes_unsigned(in, 8); break;
	case DW_EH_PE_uleb128: value = bytes_uleb(in); break;
	case DW_EH_PE_udata2: value = bytes_unsigned(in, 2); break;
	case DW_EH_PE_udata4: value = bytes_unsigned(in, 4); break;
	case DW_EH_PE_udata8: value = bytes_unsigned(in, 8); break;
	case DW_EH_PE_sleb128: value = (uint64_t)bytes_sleb(in); break;
	case DW_EH_PE_sdata2: value = (uint64_t)bytes_signed(in, 2); break;
	case DW_EH_PE_sdata4: value = (uint64_t)bytes_signed(in, 4); break;
	case DW_EH_PE_sdata8: value = (uint64_t)bytes_signed(in, 8); break;
	default: return false;
	}
	if (in->bad || (encoding & DW_EH_PE_indirect))
		return false;
	switch (encoding & EH_PE_BASE) {
	case 0: *ret = value; return true;
	case DW_EH_PE_pcrel: *ret = here + value; return true;
	default: return false; /* text, data and function bases are not used by x86-64 or arm64 */
	}
}

/* Passes over a pointer whose value does not matter (the personality routine's). */
static void skip_pointer(struct bytes *in, const struct cfi_section *s, uint8_t encoding)
{
	bool aligned = (encoding & EH_PE_BASE) == DW_EH_PE_aligned;
	uint64_t unused;

	if (encoding != DW_EH_PE_omit &&
	    !cfi_pointer(in, s, aligned ? DW_EH_PE_aligned : encoding & EH_PE_FORMAT, &unused))
		in->bad = true;
}

/* What the augmentation string says about the FDEs. */
static bool read_augmentation(struct bytes *in, const struct cfi_section *s, const char *names,
			      struct cie *c)
{
	struct bytes data;

	if (!*names)
		return true;
	if (*names != 'z')
		return false;
	c->augmented = true;
	data = bytes_take(in, bytes_uleb(in));
	for (names++; *names && !data.bad; names++) {
		switch (*names) {
		case 'R': c->pointer = bytes_u8(&data); break;
		case 'L': bytes_u8(&data); break;
		case 'P': skip_pointer(&data, s, bytes_u8(&data)); break;
		case 'S': c->signal = true; break;
		case 'B': break; /* arm64: return addresses are signed with the B key */
		default: return true; /* its data is passed over by its length */
		}
	}
	return !data.bad && !in->bad;
}

static bool read_cie(struct bytes in, const struct cfi_section *s, struct cie *c)
{
	uint8_t version = bytes_u8(&in);
	const char *names = (const char *)in.at;
	const uint8_t *end = memchr(in.at, 0, bytes_left(&in));

	if (!end || (version != 1 && version != 3 && version != 4))
		return false;
	bytes_skip(&in, (uint64_t)(end - in.at) + 1);
	c->pointer = DW_EH_PE_absptr;
	c->address_size = 8;
	if (version == 4) {
		c->address_size = bytes_u8(&in);
		if (bytes_u8(&in)) /* segment selectors */
			return false;
	}
	c->code_align = bytes_uleb(&in);
	c->data_align = bytes_sleb(&in);
	if (version == 1)
		bytes_u8(&in); /* return address column: each arch has one */
	else
		bytes_uleb(&in);
	if (!read_augmentation(&in, s, names, c) || in.bad || c->address_size != 8)
		return false;
	c->code = in;
	return bytes_left(&in) <= CIE_CODE_MAX;
}

/* The length and the id that every record begins with; *ret_body is the rest. */
static bool read_head(struct bytes *in, struct bytes *ret_body, uint64_t *ret_id, bool *ret_wide)
{
	uint64_t length = bytes_unsigned(in, 4);

	*ret_wide = length == UINT32_MAX;
	if (*ret_wide)
		length = bytes_unsigned(in, 8);
	if (!length || in->bad)
		return false;
	*ret_body = bytes_take(in, length);
	*ret_id = bytes_unsigned(ret_body, *ret_wide ? 8 : 4);
	return !ret_body->bad;
}

static bool is_cie(const struct cfi_section *s, uint64_t id, bool wide)
{
	return id == (s->eh ? 0 : wide ? UINT64_MAX : UINT32_MAX);
}

struct reading {
	struct cfi_entries *e;
	const struct cfi_section *s;
	uint8_t section; /* its number */
	struct map *cies; /* offset in this section -> number + 1; 0: malformed */
};

/* The number of the CIE at an offset of the section; negative when there is no usable one. */
static int find_cie(struct reading *rd, uint64_t offset)
{
	const struct cfi_section *s = rd->s;
	struct cfi_entries *e = rd->e;
	struct bytes in = {.at = s->data, .end = s->data + s->size}, body;
	struct cie c = {.offset = offset, .section = rd->section};
	uint64_t known, id;
	bool wide;

	if (map_get(rd->cies, offset, &known))
		return (int)known - 1;
	if (map_count(rd->cies) >= CIES_MAX)
		return failx(-EFBIG, "more than %u common records of call frame information", CIES_MAX);
	bytes_skip(&in, offset);
	if (in.bad || !read_head(&in, &body, &id, &wide) || !is_cie(s, id, wide) ||
	    !read_cie(body, s, &c)) {
		map_put(rd->cies, offset, 0);
		return -1;
	}
	GROW(e->cies, e->cie_count, e->cie_capacity);
	e->cies[e->cie_count++] = c;
	map_put(rd->cies, offset, e->cie_count);
	return (int)e->cie_count - 1;
}

static bool read_fde(struct bytes in, const struct cfi_section *s, const struct cie *c,
		     const struct unwind_builder *b, struct fde *f)
{
	uint64_t size, limit;

	if (!cfi_pointer(&in, s, c->pointer, &f->start) ||
	    !cfi_pointer(&in, s, c->pointer & EH_PE_FORMAT, &size))
		return false;
	if (c->augmented)
		bytes_skip(&in, bytes_uleb(&in));
	if (in.bad)
		return false;
	f->code = in;
	limit = unwind_builder_segment_end(b, f->start);
	f->end = size < limit - f->start ? f->start + size : limit;
	if (!limit)
		f->end = f->start; /* of a function that the linker threw away */
	return true;
}

static int add_fde(struct reading *rd, struct bytes body, uint64_t cie_offset,
		   const struct unwind_builder *b)
{
	struct cfi_entries *e = rd->e;
	struct fde f = {.section = rd->section};
	int cie = find_cie(rd, cie_offset);

	if (cie == -EFBIG)
		return cie;
	if (cie < 0 || !read_fde(body, rd->s, &e->cies[cie], b, &f)) {
		e->malformed++;
		return 0;
	}
	if (f.start >= f.end)
		return 0;
	if (e->fde_count >= FDES_MAX)
		return failx(-EFBIG, "call frame information of more than %u functions", FDES_MAX);
	f.cie = (uint32_t)cie;
	GROW(e->fdes, e->fde_count, e->fde_capacity);
	e->fdes[e->fde_count++] = f;
	return 0;
}

int cfi_entries_read(struct cfi_entries *e, const struct cfi_section *sections, uint8_t number,
		     const struct unwind_builder *b)
{
	_cleanup_(map_freep) struct map *cies = map_new();
	const struct cfi_section *s = &sections[number];
	struct reading rd = {.e = e, .s = s, .section = number, .cies = cies};
	struct bytes in = {.at = s->data, .end = s->data + s->size}, body;
	uint64_t id;
	bool wide;
	int r;

	while (bytes_left(&in)) {
		if (!read_head(&in, &body, &id, &wide)) {
			if (in.bad) {
				e->malformed++;
				break;
			}
			if (s->open_ended)
				break;
			continue; /* a terminator; some linkers leave them in the middle */
		}
		if (is_cie(s, id, wide))
			continue;
		/* .eh_frame counts back from the field itself, .debug_frame from the beginning. */
		if (s->eh)
			id = (uint64_t)(body.at - s->data) - (wide ? 8 : 4) - id;
		r = add_fde(&rd, body, id, b);
		if (r < 0)
			return r;
	}
	return 0;
}

void cfi_entries_done(struct cfi_entries *e)
{
	free(e->cies);
	free(e->fdes);
}
