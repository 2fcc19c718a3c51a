// SPDX-License-Identifier: BSD-2-Clause
/* libFuzzer target: hostile ELF files, hostile call frame information, hostile stacks and registers. */
#include <libelf.h>
#include <string.h>

#include "fuzz.h"
#include "unwind.h"
#include "unwind_cfi.h"
#include "unwind_table_private.h"

#define BASE 0x10000ull
#define STACK 0x7f0000000000ull

/* Walks a stack of the input's bytes through code that the table describes. */
static void walk(const struct unwind_table *table, const uint8_t *data, size_t size)
{
	static struct unwind_output out;
	const struct unwind_stack stacks[] = { /* the second far above the first */
		{.start = STACK, .bytes = data, .len = size},
		{.start = STACK + (1ull << 40), .bytes = data, .len = size},
	};
	const struct unwind_mapping code[] = {
		{.start = BASE, .end = BASE + 0x10000, .code = UNWIND_CODE_MODULE, .table = table},
		{.start = 2 * BASE, .end = 3 * BASE, .code = UNWIND_CODE_JIT},
		{.start = 3 * BASE, .end = 4 * BASE, .code = UNWIND_CODE_JIT_FP},
		{.start = STACK, .end = STACK + size / 2, .code = UNWIND_CODE_UNKNOWN},
	};
	struct unwind_input in = {.arch = &unwind_arch_x86_64, .stacks = stacks, .stack_count = 2,
				  .mappings = code, .mapping_count = 4};

	for (unsigned reg = 0; reg < UNWIND_X86_64_REGS && (reg + 1) * 2 <= size; reg++)
		unwind_regs_set(&in.regs, reg, stacks[data[2 * reg] & 1].start +
						       (uint64_t)(data[2 * reg] | data[2 * reg + 1] << 8));
	for (unsigned entry = 0; entry < 4 && size; entry++) {
		unwind_regs_set(&in.regs, UNWIND_RIP, BASE + entry * BASE + data[entry % size] * 4u);
		unwind_stack(&in, &out);
		if (out.count > UNWIND_FRAMES_MAX || (out.status == UNWIND_TRUNCATED && !out.reason))
			abort();
	}
}

static void fuzz_elf(const uint8_t *data, size_t size)
{
	_cleanup_(unwind_table_freep) struct unwind_table *t = NULL;

	if (unwind_table_build_memory(data, size, &t) == 0)
		walk(t, data, size);
}

/* The same file with itself as its debug file. */
static void fuzz_debug_file(const uint8_t *data, size_t size)
{
	_cleanup_(unwind_table_freep) struct unwind_table *t = NULL;
	_cleanup_close_ int fd = fuzz_file(data, size);
	_cleanup_free_ char *copy = xmalloc(size + 1);
	Elf *debug;

	memcpy(copy, data, size);
	elf_version(EV_CURRENT);
	debug = elf_memory(copy, size);
	if (unwind_table_build(fd, debug, &t) == 0)
		walk(t, data, size);
	elf_end(debug);
}

/* The bytes as .eh_frame or .debug_frame, loaded right behind the code. */
static void fuzz_cfi(const uint8_t *data, size_t size, bool eh)
{
	static const struct unwind_segment segment = {.address = BASE, .size = 0x10000};
	_cleanup_(unwind_builder_freep) struct unwind_builder *b = NULL;
	_cleanup_(unwind_table_freep) struct unwind_table *t = NULL, *again = NULL;
	struct cfi_section s = {.data = data, .size = size, .address = 2 * BASE, .eh = eh};
	const void *image;
	size_t len;

	if (unwind_builder_new(&unwind_arch_x86_64, &segment, 1, &b) < 0 ||
	    cfi_build(&unwind_arch_x86_64, &s, 1, b) < 0 || unwind_builder_finish(b, &t) < 0)
		return;
	for (uint64_t at = BASE - 16; at < 2 * BASE + 16; at += 7)
		unwind_table_find(t, at);
	image = unwind_table_image(t, &len);
	if (unwind_table_load(image, len, &again) < 0) /* what was made must be valid */
		abort();
	walk(again, data, size);
}

/* A damaged cache, with its checksum made to fit: only the contents' checks are left. */
static void fuzz_image(const uint8_t *data, size_t size)
{
	_cleanup_(unwind_table_freep) struct unwind_table *t = NULL;
	_cleanup_free_ struct unwind_image *im = malloc(size);

	if (size < sizeof(*im))
		return;
	memcpy(im, data, size);
	memcpy(im->magic, UNWIND_IMAGE_MAGIC, sizeof(im->magic));
	im->version = UNWIND_IMAGE_VERSION;
	im->machine = unwind_arch_x86_64.machine;
	im->checksum = unwind_image_checksum(im, size);
	if (unwind_table_load(im, size, &t) == 0)
		walk(t, data, size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size)
		return 0;
	switch (data[0] % 5) {
	case 0:
		fuzz_cfi(data + 1, size - 1, true);
		break;
	case 1:
		fuzz_cfi(data + 1, size - 1, false);
		break;
	case 2:
		fuzz_image(data + 1, size - 1);
		break;
	case 3:
		fuzz_debug_file(data + 1, size - 1);
		break;
	default:
		fuzz_elf(data + 1, size - 1);
		break;
	}
	return 0;
}
