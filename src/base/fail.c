// SPDX-License-Identifier: BSD-2-Clause
#include "fail.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static _Thread_local char message[1024] = "unknown error";

/* Put the new words in front of `tail`; too long a chain loses its end, never its beginning. */
static int compose(int r, const char *tail, const char *format, va_list args)
{
	char text[sizeof(message)];
	int n = vsnprintf(text, sizeof(text), format, args);

	if (n >= 0 && (size_t)n < sizeof(text) && tail)
		snprintf(text + n, sizeof(text) - (size_t)n, ": %s", tail);
	memcpy(message, text, sizeof(message));
	return r;
}

int fail(int r, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	compose(r, strerror(-r), format, args);
	va_end(args);
	return r;
}

int failx(int r, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	compose(r, NULL, format, args);
	va_end(args);
	return r;
}

int fail_in(int r, const char *format, ...)
{
	char previous[sizeof(message)];
	va_list args;

	memcpy(previous, message, sizeof(message));
	va_start(args, format);
	compose(r, previous, format, args);
	va_end(args);
	return r;
}

int fail_place(const char *path, size_t line, size_t column, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	compose(-EINVAL, NULL, format, args);
	va_end(args);
	return fail_in(-EINVAL, "%s:%zu:%zu", path, line, column);
}

const char *fail_message(void)
{
	return message;
}
