// SPDX-License-Identifier: BSD-2-Clause
#include "wrap.h"

#include <stdbool.h>
#include <string.h>

unsigned wrap_columns(const char *text, size_t len)
{
	unsigned n = 0;

	for (size_t i = 0; i < len; i++)
		n += ((unsigned char)text[i] & 0xc0) != 0x80;
	return n;
}

void wrap_text(struct buf *b, const char *text, unsigned at, unsigned indent, unsigned width)
{
	bool first = true;

	for (const char *p = text + strspn(text, " "); *p; first = false) {
		size_t length = strcspn(p, " ");
		unsigned room = wrap_columns(p, length);

		if (!first && at + 1 + room > width) {
			buf_addf(b, "\n%*s", (int)indent, "");
			at = indent;
		} else if (!first) {
			buf_addch(b, ' ');
			at++;
		}
		buf_add(b, p, length);
		at += room;
		p += length;
		p += strspn(p, " ");
	}
	buf_addch(b, '\n');
}
