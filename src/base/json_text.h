/* SPDX-License-Identifier: BSD-2-Clause */
/* Text as a JSON string, for floors that link jansson: names of processes, files and functions need not be UTF-8, JSON must be. */
#pragma once
#include <jansson.h>
#include <string.h>

#include "buf.h"
#include "cleanup.h"
#include "escape.h"

/* NULL is null. */
static inline json_t *json_text(const char *text)
{
	_cleanup_(buf_done) struct buf valid = BUF_INIT;

	if (!text)
		return json_null();
	escape_utf8(&valid, text, strlen(text));
	return json_stringn(valid.data, valid.len);
}
