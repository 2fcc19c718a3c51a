// SPDX-License-Identifier: BSD-2-Clause
#include "python_memory.h"

#include <string.h>
#include <sys/uio.h>

#include "clock.h"

enum {
	MOST_STATES = 1 << 16,
	MOST_INTERPRETERS = 1 << 12,
	BYTES_AT = 32, /* a bytes object's own */
};

bool python_memory_read(const struct python_memory *m, uint64_t address, void *to, size_t len)
{
	struct iovec local = {to, len}, remote = {(void *)(uintptr_t)address, len};

	if (m->pages && !pagemap_was_ready(m->pages, address, len))
		return false;
	return process_vm_readv(m->reader, &local, 1, &remote, 1, 0) == (ssize_t)len;
}

uint64_t python_memory_word(const struct python_memory *m, uint64_t address)
{
	uint64_t word = 0;

	return address && python_memory_read(m, address, &word, sizeof(word)) ? word : 0;
}

static bool in_time(const struct python_memory *m)
{
	return !m->until_ns || clock_mono_ns() < m->until_ns;
}

/* Its memory may hold anything: lists that never end, too. */
void python_memory_states(const struct python_memory *m, python_memory_state *each, void *arg)
{
	const struct python_layout *l = &m->process.layout;
	uint64_t interpreter = python_memory_word(m, m->process.runtime + l->interpreters);
	unsigned count = 0;

	for (unsigned i = 0; interpreter && i < MOST_INTERPRETERS; i++) {
		uint64_t state = python_memory_word(m, interpreter + l->interpreter_threads);

		for (; state && count < MOST_STATES && in_time(m); count++, state = python_memory_word(m, state + PYTHON_THREAD_NEXT))
			each(arg, state, python_memory_word(m, state + l->thread_id));
		interpreter = python_memory_word(m, interpreter + l->interpreter_next);
	}
}

uint64_t python_memory_first(const struct python_memory *m, uint64_t state)
{
	const struct python_layout *l = &m->process.layout;
	uint64_t frame = python_memory_word(m, state + l->thread_frame);

	return frame && l->indirect_frame != PYTHON_DIRECT ? python_memory_word(m, frame + l->indirect_frame) : frame;
}

static uint64_t field(const unsigned char *bytes, uint16_t at)
{
	uint64_t value = 0;

	if (at + sizeof(value) <= PYTHON_FRAME_BYTES)
		memcpy(&value, bytes + at, sizeof(value));
	return value;
}

/* Kept by its address, or in older versions by its number. */
static uint32_t unit_of(const struct python_layout *l, uint64_t code, uint64_t instruction)
{
	uint64_t unit = (l->code_bytes ? instruction - code - l->code_bytes : (uint32_t)instruction) >> l->index_shift;

	return unit < PYTHON_FRAME_NO_UNIT ? (uint32_t)unit : PYTHON_FRAME_NO_UNIT;
}

bool python_memory_frame(const struct python_memory *m, uint64_t *address, struct python_memory_frame *ret)
{
	const struct python_layout *l = &m->process.layout;
	unsigned char bytes[PYTHON_FRAME_BYTES], byte;

	if (!python_memory_read(m, *address, bytes, sizeof(bytes)))
		return false;
	byte = bytes[l->frame_entry % PYTHON_FRAME_BYTES];
	*address = field(bytes, l->frame_back);
	if (l->entry == PYTHON_ENTRY_SHIM && byte == PYTHON_OWNER_C_STACK) {
		*ret = (struct python_memory_frame){.entry = true};
		return true;
	}
	uint64_t code = field(bytes, l->frame_code);
	*ret = (struct python_memory_frame){
		.code = code, .instruction = unit_of(l, code, field(bytes, l->frame_instruction)),
		.entry = l->entry == PYTHON_ENTRY_EACH || (l->entry == PYTHON_ENTRY_FLAG && byte)};
	return code != 0;
}

bool python_memory_code(const struct python_memory *m, uint64_t code, struct python_memory_code *ret)
{
	const struct python_layout *l = &m->process.layout;
	uint64_t names[PYTHON_CODE_NAMES];

	if (python_memory_word(m, code + PYTHON_OBJECT_TYPE) != m->process.code_type ||
	    !python_memory_read(m, code + l->code_names, names, sizeof(names)) ||
	    !python_memory_read(m, code + l->code_first_line, &ret->first_line, sizeof(ret->first_line)))
		return false;
	ret->name = names[l->name % PYTHON_CODE_NAMES];
	ret->file = names[0];
	ret->lines = names[l->lines % PYTHON_CODE_NAMES];
	return true;
}

/* A str as CPython makes them: exactly that type, and its characters right behind it. */
bool python_memory_text(const struct python_memory *m, uint64_t address, struct python_text *ret)
{
	uint64_t head[5], most;

	if (!python_memory_read(m, address, head, sizeof(head)) || head[1] != m->process.unicode_type ||
	    !(head[4] & PYTHON_STATE_COMPACT))
		return false;
	ret->width = head[4] >> PYTHON_STATE_KIND_SHIFT & 7;
	if (ret->width != 1 && ret->width != 2 && ret->width != 4)
		return false;
	most = (PYTHON_TEXT_BYTES - 1) / ret->width;
	ret->bytes = (uint32_t)((head[2] < most ? head[2] : most) * ret->width);
	address += head[4] & PYTHON_STATE_ASCII ? m->process.layout.text_ascii : m->process.layout.text_other;
	return python_memory_read(m, address, ret->text, ret->bytes);
}

bool python_memory_bytes(const struct python_memory *m, uint64_t *address, uint64_t *ret_len)
{
	uint64_t head[3];

	if (!python_memory_read(m, *address, head, sizeof(head)) || head[1] != m->process.bytes_type)
		return false;
	*address += BYTES_AT;
	*ret_len = head[2];
	return true;
}
