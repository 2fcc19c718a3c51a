/* SPDX-License-Identifier: BSD-2-Clause */
/* One message for the user out of the context that each level knows.
 *
 * The level that meets an error calls fail() (or failx() when errno's words add nothing); levels
 * above it add what they were doing with fail_in(). The command prints fail_message() once.
 * All return r, a negative errno, so that `return fail(r, ...)` is one line. */
#pragma once
#include <stddef.h>

int fail(int r, const char *format, ...) __attribute__((format(printf, 2, 3)));  /* "...: strerror(-r)" */
int failx(int r, const char *format, ...) __attribute__((format(printf, 2, 3))); /* "..." */
int fail_place(const char *path, size_t line, size_t column, const char *format, ...)
	__attribute__((format(printf, 4, 5))); /* -EINVAL, "PATH:LINE:COLUMN: ...", both from 1 */
int fail_in(int r, const char *format, ...) __attribute__((format(printf, 2, 3))); /* "...: previous" */

const char *fail_message(void); /* valid until the next fail*(); never NULL */
