// SPDX-License-Identifier: BSD-2-Clause
#include "elf_image.h"

#include <errno.h>
#include <lzma.h>

#include "buf.h"

#define UNPACKED_MAX (64u << 20)
#define DECODER_MEMORY (128u << 20)
#define STEP (256u << 10)

static int unpack(const void *packed, size_t size, struct buf *out)
{
	_cleanup_(lzma_end) lzma_stream stream = LZMA_STREAM_INIT;
	lzma_ret r = lzma_stream_decoder(&stream, DECODER_MEMORY, 0);

	stream.next_in = packed;
	stream.avail_in = size;
	while (r == LZMA_OK && out->len < UNPACKED_MAX) {
		buf_grow(out, STEP);
		stream.next_out = (uint8_t *)out->data + out->len;
		stream.avail_out = STEP;
		r = lzma_code(&stream, LZMA_FINISH);
		out->len += STEP - stream.avail_out;
	}
	return r == LZMA_STREAM_END ? 0 : -EBADMSG;
}

int elf_debugdata_open(const struct elf_image *image, struct elf_image **ret)
{
	_cleanup_(buf_done) struct buf out = BUF_INIT;
	GElf_Shdr header;
	Elf_Scn *section = elf_image_section(image, ".gnu_debugdata", &header);
	size_t size;
	const void *packed = section ? elf_image_bytes(section, &size) : NULL;

	if (!packed)
		return -ENOENT;
	int r = unpack(packed, size, &out);
	if (r < 0)
		return r;
	size = out.len;
	return elf_image_from_memory(buf_steal(&out), size, ret);
}
