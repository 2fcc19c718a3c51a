// SPDX-License-Identifier: BSD-2-Clause
#include "suggest.h"

#include <string.h>

#define LONGEST 48

static size_t least(size_t a, size_t b, size_t c)
{
	size_t m = a < b ? a : b;

	return m < c ? m : c;
}

/* Edits (insert, delete, replace, swap of neighbours) that turn one word into the other. */
static size_t distance(const char *a, size_t a_length, const char *b, size_t b_length)
{
	size_t rows[3][LONGEST + 1];

	for (size_t j = 0; j <= b_length; j++)
		rows[0][j] = j;
	for (size_t i = 1; i <= a_length; i++) {
		size_t *now = rows[i % 3];
		const size_t *before = rows[(i + 2) % 3], *earlier = rows[(i + 1) % 3];

		now[0] = i;
		for (size_t j = 1; j <= b_length; j++) {
			now[j] = least(before[j] + 1, now[j - 1] + 1,
				       before[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    earlier[j - 2] + 1 < now[j])
				now[j] = earlier[j - 2] + 1;
		}
	}
	return rows[a_length % 3][b_length];
}

void suggestion_offer(struct suggestion *s, const char *name)
{
	size_t length = strlen(name), d;

	if (s->length > LONGEST || length > LONGEST || !s->length)
		return;
	d = distance(s->wanted, s->length, name, length);
	if (s->length >= 3 && s->length < length && !strncmp(s->wanted, name, s->length))
		d = 1; /* an abbreviation */
	if (d > 1 + s->length / 4 || d >= length || (s->best && d >= s->distance))
		return;
	s->best = name;
	s->distance = d;
}
