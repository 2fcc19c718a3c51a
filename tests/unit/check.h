/* SPDX-License-Identifier: BSD-2-Clause */
/* Unit tests without a framework: CHECK() states a fact and counts; main() ends with check_done(),
 * which prints "NAME: N passed, N failed". */
#pragma once
#include <stdio.h>
#include <string.h>

static int check_passed, check_failed;

#define CHECK(fact)                                                                                \
	do {                                                                                       \
		if (fact) {                                                                        \
			check_passed++;                                                            \
		} else {                                                                           \
			check_failed++;                                                            \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #fact);         \
		}                                                                                  \
	} while (0)

#define CHECK_STR(got, want)                                                                       \
	do {                                                                                       \
		const char *got_ = (got), *want_ = (want);                                         \
		if (!strcmp(got_, want_)) {                                                        \
			check_passed++;                                                            \
		} else {                                                                           \
			check_failed++;                                                            \
			fprintf(stderr, "%s:%d: %s\n  got:  %s\n  want: %s\n", __FILE__, __LINE__,  \
				#got, got_, want_);                                                \
		}                                                                                  \
	} while (0)

static inline int check_done(const char *name)
{
	printf("%s: %d passed, %d failed\n", name, check_passed, check_failed);
	return check_failed != 0;
}
