// SPDX-License-Identifier: BSD-2-Clause
#include "python_text.h"

#include <string.h>

static void add_character(struct buf *b, uint32_t c)
{
	if (!c || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		c = 0xfffd;
	if (c < 0x80) {
		buf_addch(b, (char)c);
		return;
	}
	int tail = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
	static const uint8_t marks[] = {0, 0xc0, 0xe0, 0xf0};

	buf_addch(b, (char)(marks[tail] | c >> (6 * tail)));
	while (tail--)
		buf_addch(b, (char)(0x80 | (c >> (6 * tail) & 0x3f)));
}

uint32_t python_text_add(struct buf *b, const struct python_text *t)
{
	uint32_t bytes = t->bytes < PYTHON_TEXT_BYTES ? t->bytes : 0;
	size_t start = b->len;

	for (uint32_t i = 0; t->width && i + t->width <= bytes; i += t->width) {
		uint32_t c = 0;

		memcpy(&c, t->text + i, t->width < sizeof(c) ? t->width : sizeof(c));
		add_character(b, c);
	}
	buf_addch(b, 0);
	return (uint32_t)(b->len - start);
}
