// SPDX-License-Identifier: BSD-2-Clause
/* The static program loads no code at run time: it would need the very libc that it was built with,
 * and it runs with privileges. SQLite (extensions) and libdw (debuginfod) ask, and are told no. The
 * linker replaces dlopen() by this. */
#include <stddef.h>

void *__wrap_dlopen(const char *path, int flags);

void *__wrap_dlopen(const char *path, int flags)
{
	return NULL;
}
