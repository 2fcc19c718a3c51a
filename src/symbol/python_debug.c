// SPDX-License-Identifier: BSD-2-Clause
#include "python_debug.h"

#include <errno.h>
#include <string.h>
#include <sys/uio.h>

#include "mem.h"

enum {
	DEBUG_VERSION = 8, /* as PY_VERSION_HEX */
	DEBUG_FREE_THREADED = 16,
	DEBUG_BYTES = 584, /* of 3.13's */
};

#define COOKIE "xdebugpy"
#define VERSION_3_13 0x030dull

#define FIELD(field) offsetof(struct python_layout, field)

/* Where it says what, and which field of ours that is. */
static const struct {
	uint16_t at, field;
} told[] = {
	{40, FIELD(interpreters)},        {64, FIELD(interpreter_next)},
	{72, FIELD(interpreter_threads)}, {184, FIELD(thread_frame)},
	{192, FIELD(thread_id)},          {232, FIELD(frame_back)},
	{240, FIELD(frame_code)},         {248, FIELD(frame_instruction)},
	{264, FIELD(frame_entry)},        {280, FIELD(code_names)},
	{312, FIELD(code_first_line)},    {344, FIELD(code_bytes)},
	{560, FIELD(text_ascii)},
};

/* What is taken for granted elsewhere; names by their distance from the file name. */
static const struct {
	uint16_t at, less, value;
} granted[] = {
	{160, DEBUG_FREE_THREADED, PYTHON_THREAD_PREVIOUS},
	{168, DEBUG_FREE_THREADED, PYTHON_THREAD_NEXT},
	{176, DEBUG_FREE_THREADED, PYTHON_THREAD_INTERPRETER},
	{288, 280, 8},
	{296, 280, 16},
	{304, 280, 24},
};

static uint64_t word(const unsigned char *bytes, size_t at)
{
	uint64_t value;

	memcpy(&value, bytes + at, sizeof(value));
	return value;
}

int python_debug_layout(pid_t pid, uint64_t runtime, struct python_layout *layout)
{
	unsigned char bytes[DEBUG_BYTES];
	struct iovec to = {bytes, sizeof(bytes)},
		     from = {(void *)(uintptr_t)runtime, sizeof(bytes)};
	struct python_layout corrected = *layout;

	if (process_vm_readv(pid, &to, 1, &from, 1, 0) != (ssize_t)sizeof(bytes) ||
	    memcmp(bytes, COOKIE, 8) || word(bytes, DEBUG_VERSION) >> 16 != VERSION_3_13)
		return -ENOENT;
	if (word(bytes, DEBUG_FREE_THREADED))
		return -ENOTSUP;
	for (size_t i = 0; i < ARRAY_SIZE(granted); i++)
		if (word(bytes, granted[i].at) - word(bytes, granted[i].less) != granted[i].value)
			return -ENOTSUP;
	for (size_t i = 0; i < ARRAY_SIZE(told); i++) {
		uint64_t value = word(bytes, told[i].at);

		if (value >= PYTHON_DIRECT)
			return -ENOTSUP;
		memcpy((char *)&corrected + told[i].field, &(uint16_t){(uint16_t)value},
		       sizeof(uint16_t));
	}
	*layout = corrected;
	return 0;
}
