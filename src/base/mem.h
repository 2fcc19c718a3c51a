/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory that cannot fail: on exhaustion the process ends with a message. Sizes that come from
 * foreign bytes must be bounded by the caller before they get here. */
#pragma once
#include <stddef.h>
#include <string.h>

void *xmalloc(size_t size);
void *xcalloc(size_t count, size_t size); /* zeroed; overflow of count * size is exhaustion */
void *xrealloc(void *old, size_t size);
char *xstrdup(const char *text);
char *xstrndup(const char *text, size_t length);
char *xasprintf(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Make room for one more element in a growing array: GROW(items, count, capacity). */
#define GROW(items, count, capacity)                                                               \
	do {                                                                                       \
		if ((count) >= (capacity)) {                                                       \
			(capacity) = (capacity) ? (capacity) * 2 : 16;                             \
			(items) = xrealloc((items), (size_t)(capacity) * sizeof(*(items)));        \
		}                                                                                  \
	} while (0)

/* Make a growing array at least so long; what is new is zero: GROW_ZEROED(items, count, wanted). */
#define GROW_ZEROED(items, count, wanted)                                                          \
	do {                                                                                       \
		while ((count) < (wanted)) {                                                       \
			size_t before_ = (count);                                                  \
			(count) = before_ ? before_ * 2 : 256;                                     \
			(items) = xrealloc((items), (size_t)(count) * sizeof(*(items)));           \
			memset(&(items)[before_], 0, ((count) - before_) * sizeof(*(items)));      \
		}                                                                                  \
	} while (0)

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
