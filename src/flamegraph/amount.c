// SPDX-License-Identifier: BSD-2-Clause
#include "amount.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "escape.h"
#include "mem.h"

struct scale {
	double factor; /* one of this unit, in the smallest one */
	const char *suffix;
};

static const struct scale times[] = {
	{1e9, "s"}, {1e6, "ms"}, {1e3, "us"}, {1, "ns"}, {0},
};
static const struct scale sizes[] = {
	{1099511627776, "TiB"}, {1073741824, "GiB"}, {1048576, "MiB"}, {1024, "KiB"}, {1, "B"}, {0},
};

static const struct unit {
	const char *name;
	const struct scale *scales;
	double factor; /* to the scales' smallest unit */
} units[] = {
	{"ns", times, 1},  {"us", times, 1e3},  {"ms", times, 1e6},
	{"s", times, 1e9}, {"bytes", sizes, 1},
};

static const struct unit *find_unit(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(units); i++)
		if (!strcmp(units[i].name, name))
			return &units[i];
	return NULL;
}

/* 1,234,567 or 1,234.5 */
static void add_grouped(struct buf *b, double value)
{
	char text[64];
	int len = snprintf(text, sizeof(text), value == floor(value) ? "%.0f" : "%.2f", value);
	int whole = (int)strcspn(text, ".");

	for (int i = 0; i < len; i++) {
		if (i && i < whole && (whole - i) % 3 == 0)
			buf_addch(b, ',');
		buf_addch(b, text[i]);
	}
}

void amount_add(struct buf *b, double value, const char *unit)
{
	const struct unit *u = find_unit(unit);

	if (!u || value == 0) {
		add_grouped(b, value);
		buf_addch(b, ' ');
		escape_utf8(b, unit, strlen(unit));
		return;
	}
	const struct scale *s = u->scales;
	value *= u->factor;
	while (s[1].factor > 0 && value < s->factor)
		s++;
	value /= s->factor;
	buf_addf(b, "%.*f %s", value == floor(value) ? 0 : value < 10 ? 2 : 1, value, s->suffix);
}

void amount_add_scales(struct buf *b, const char *unit)
{
	const struct unit *u = find_unit(unit);

	if (!u) {
		buf_addstr(b, "0 ");
		buf_addstr(b, unit);
		return;
	}
	for (const struct scale *s = u->scales; s->factor > 0; s++)
		buf_addf(b, "%s%.17g %s", s == u->scales ? "" : "|", s->factor / u->factor,
			 s->suffix);
}
