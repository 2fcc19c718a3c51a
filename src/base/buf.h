/* SPDX-License-Identifier: BSD-2-Clause */
/* A growing byte string. `data` is always a valid NUL-terminated string, also when empty. */
#pragma once
#include <stdarg.h>
#include <stddef.h>

struct buf {
	char *data;
	size_t len;
	size_t cap;
};

extern char buf_empty[1]; /* shared by all empty bufs, never written but with NUL */
#define BUF_INIT { .data = buf_empty }

void buf_done(struct buf *b); /* frees, leaves an empty buf; also the _cleanup_(buf_done) function */
void buf_reset(struct buf *b);
void buf_grow(struct buf *b, size_t extra); /* room for `extra` bytes and the NUL */
void buf_add(struct buf *b, const void *data, size_t len);
void buf_addstr(struct buf *b, const char *text);
void buf_addch(struct buf *b, char c);
void buf_addf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_addv(struct buf *b, const char *format, va_list args) __attribute__((format(printf, 2, 0)));
char *buf_steal(struct buf *b); /* the string, owned by the caller; the buf is empty afterwards */
