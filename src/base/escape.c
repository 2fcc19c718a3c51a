// SPDX-License-Identifier: BSD-2-Clause
#include "escape.h"

#include <stdbool.h>

#define REPLACEMENT 0xfffd
#define REPLACEMENT_UTF8 "\xef\xbf\xbd"

size_t utf8_decode(const char *text, size_t len, unsigned *ret_code)
{
	static const unsigned minimum[] = {0, 0, 0x80, 0x800, 0x10000};
	const unsigned char *s = (const unsigned char *)text;
	size_t n = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : s[0] < 0xf5 ? 4 : 0;

	*ret_code = REPLACEMENT;
	if (n == 1)
		*ret_code = s[0];
	if (n <= 1 || n > len)
		return 1;
	unsigned code = s[0] & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 1;
		code = code << 6 | (s[i] & 0x3f);
	}
	if (code < minimum[n] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
		return 1;
	*ret_code = code;
	return n;
}

static bool valid(unsigned code, size_t n)
{
	return code != REPLACEMENT || n == 3;
}

void escape_utf8(struct buf *b, const char *text, size_t len)
{
	unsigned code;

	for (size_t i = 0, n; i < len; i += n) {
		n = utf8_decode(text + i, len - i, &code);
		if (valid(code, n))
			buf_add(b, text + i, n);
		else
			buf_addstr(b, REPLACEMENT_UTF8);
	}
}

/* Characters that change how the ones around them are shown: C0/C1 controls, marks that turn the
 * writing direction, and invisible separators. */
static bool steers_terminal(unsigned code)
{
	return code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x61c ||
	       (code >= 0x200b && code <= 0x200f) || (code >= 0x2028 && code <= 0x202e) ||
	       (code >= 0x2066 && code <= 0x2069) || code == 0xfeff;
}

void escape_terminal(struct buf *b, const char *text, size_t len)
{
	unsigned code;

	for (size_t i = 0, n; i < len; i += n) {
		n = utf8_decode(text + i, len - i, &code);
		if (!valid(code, n))
			buf_addstr(b, REPLACEMENT_UTF8);
		else if (!steers_terminal(code))
			buf_add(b, text + i, n);
		else if (code < 0x100)
			buf_addf(b, "\\x%02x", code);
		else
			buf_addf(b, "\\u{%x}", code);
	}
}

void escape_xml(struct buf *b, const char *text, size_t len)
{
	unsigned code;

	for (size_t i = 0, n; i < len; i += n) {
		n = utf8_decode(text + i, len - i, &code);
		switch (code) {
		case '&': buf_addstr(b, "&amp;"); break;
		case '<': buf_addstr(b, "&lt;"); break;
		case '>': buf_addstr(b, "&gt;"); break;
		case '"': buf_addstr(b, "&quot;"); break;
		case '\'': buf_addstr(b, "&#39;"); break;
		default:
			/* XML 1.0 has no way to write most of these, and nothing shows the others. */
			if (!valid(code, n) || (code < 0x20 && code != '\t' && code != '\n') ||
			    (code >= 0x7f && code < 0xa0) || code == 0xfffe || code == 0xffff)
				buf_addstr(b, REPLACEMENT_UTF8);
			else
				buf_add(b, text + i, n);
		}
	}
}
