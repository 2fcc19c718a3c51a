/* SPDX-License-Identifier: BSD-2-Clause */
/* Names come from other processes and are hostile: one escaping function for each kind of output.
 * Each appends to `b`. Invalid UTF-8 becomes U+FFFD everywhere, so that outputs are valid UTF-8. */
#pragma once
#include <stddef.h>

#include "buf.h"

void escape_utf8(struct buf *b, const char *text, size_t len);     /* only the UTF-8 repair */
void escape_terminal(struct buf *b, const char *text, size_t len); /* controls, bidi marks -> \xHH or \u{...} */
void escape_xml(struct buf *b, const char *text, size_t len);      /* text and attributes of SVG and HTML */

/* Decodes one character at text[0..len): its length in bytes (>= 1) and code point; an invalid
 * sequence is one byte long and reads as U+FFFD. */
size_t utf8_decode(const char *text, size_t len, unsigned *ret_code);
