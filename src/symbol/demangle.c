// SPDX-License-Identifier: BSD-2-Clause
#include "demangle.h"

#include <libiberty/demangle.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "protocol.h"

struct output {
	struct buf *b;
	size_t limit; /* of the buffer's length */
	jmp_buf full;
};

/* A short mangled name can stand for gigabytes of text; leaving at once is what bounds the time.
 * The demanglers keep nothing on the heap while they call back. */
static void collect(const char *text, size_t len, void *arg)
{
	struct output *o = arg;

	if (o->b->len + len > o->limit)
		longjmp(o->full, 1);
	buf_add(o->b, text, len);
}

static bool try_demangle(struct output *o, const char *name)
{
	if (setjmp(o->full)) {
		buf_addstr(o->b, "...");
		return true;
	}
	return rust_demangle_callback(name, DMGL_NO_OPTS, collect, o) ||
	       cplus_demangle_v3_callback(name, DMGL_NO_OPTS, collect, o);
}

void demangle(struct buf *b, const char *name, size_t len)
{
	size_t start = b->len;

	if (len > 2 && name[0] == '_' && (name[1] == 'Z' || name[1] == 'R')) {
		const char *at = memchr(name, '@', len); /* of name@plt */
		size_t mangled = at ? (size_t)(at - name) : len;
		_cleanup_(buf_done) struct buf text = BUF_INIT;
		struct output o = {.b = b, .limit = start + NAME_MAX_BYTES - 8};

		buf_add(&text, name, mangled);
		if (try_demangle(&o, text.data) && b->len > start) {
			buf_add(b, name + mangled, len - mangled < 4 ? len - mangled : 4);
			return;
		}
		b->len = start;
	}
	buf_add(b, name, len < NAME_MAX_BYTES ? len : NAME_MAX_BYTES);
}
