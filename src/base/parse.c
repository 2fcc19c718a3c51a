// SPDX-License-Identifier: BSD-2-Clause
#include "parse.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "fail.h"
#include "mem.h"

struct unit {
	const char *suffix;
	double factor;
};

int parse_u64(const char *text, uint64_t min, uint64_t max, uint64_t *ret_value)
{
	char *end;

	errno = 0;
	uint64_t value = strtoull(text, &end, 10);
	if (!isdigit((unsigned char)*text) || *end || errno)
		return failx(-EINVAL, "'%s' is not a whole number", text);
	if (value < min || value > max)
		return failx(-ERANGE, "%s is not between %llu and %llu", text,
			     (unsigned long long)min, (unsigned long long)max);
	*ret_value = value;
	return 0;
}

/* strtod also takes hex, "inf" and "nan": only plain decimal numbers pass. */
static int decimal(const char *text, double *ret_value, char **ret_end)
{
	size_t digits = strspn(text, "0123456789.");

	if (!digits || text[digits] == 'x' || text[digits] == 'X')
		return -EINVAL;
	errno = 0;
	*ret_value = strtod(text, ret_end);
	return errno || *ret_end == text ? -EINVAL : 0;
}

int parse_double(const char *text, double min, double max, double *ret_value)
{
	char *end;
	double value;

	if (decimal(text, &value, &end) < 0 || *end)
		return failx(-EINVAL, "'%s' is not a number", text);
	if (value < min || value > max)
		return failx(-ERANGE, "%s is not between %g and %g", text, min, max);
	*ret_value = value;
	return 0;
}

static int with_unit(const char *text, const struct unit *units, size_t count, double *ret_value)
{
	char *end;
	double value;

	if (decimal(text, &value, &end) < 0)
		return -EINVAL;
	for (size_t i = 0; i < count; i++) {
		if (strcmp(end, units[i].suffix))
			continue;
		value *= units[i].factor;
		if (!(value < 9e18))
			return -ERANGE;
		*ret_value = value;
		return 0;
	}
	return -EINVAL;
}

int parse_duration(const char *text, uint64_t *ret_ns)
{
	static const struct unit units[] = {
		{"", 1e9}, {"s", 1e9}, {"ms", 1e6}, {"us", 1e3}, {"ns", 1}, {"m", 60e9},
		{"min", 60e9}, {"h", 3600e9}, {"d", 86400e9},
	};
	double ns;
	int r = with_unit(text, units, ARRAY_SIZE(units), &ns);

	if (r < 0 || ns < 1)
		return failx(r < 0 ? r : -EINVAL,
			     "'%s' is not a duration (such as 500ms, 10s or 5m)", text);
	*ret_ns = (uint64_t)llround(ns);
	return 0;
}

int parse_size(const char *text, uint64_t *ret_bytes)
{
	static const struct unit units[] = {
		{"", 1}, {"K", 1024}, {"M", 1048576}, {"G", 1073741824}, {"T", 1099511627776},
	};
	double bytes;
	int r = with_unit(text, units, ARRAY_SIZE(units), &bytes);

	if (r < 0)
		return failx(r, "'%s' is not a size (such as 4096, 64K or 16M)", text);
	*ret_bytes = (uint64_t)bytes;
	return 0;
}

static int cpu_range(const char **text, uint64_t *ret_first, uint64_t *ret_last)
{
	char *end;

	if (!isdigit((unsigned char)**text))
		return -EINVAL;
	*ret_first = *ret_last = strtoull(*text, &end, 10);
	if (*end == '-') {
		if (!isdigit((unsigned char)end[1]))
			return -EINVAL;
		*ret_last = strtoull(end + 1, &end, 10);
	}
	*text = end;
	return *ret_last < *ret_first ? -EINVAL : 0;
}

int parse_cpu_list(const char *text, uint64_t *set, unsigned bits)
{
	const char *p = text;
	uint64_t first, last;

	for (;;) {
		if (cpu_range(&p, &first, &last) < 0)
			return failx(-EINVAL, "'%s' is not a list of CPUs (such as 0-3,8)", text);
		if (last >= bits)
			return failx(-ERANGE, "CPU %llu in '%s' is not below %u",
				     (unsigned long long)last, text, bits);
		for (uint64_t cpu = first; cpu <= last; cpu++)
			set[cpu / 64] |= 1ull << cpu % 64;
		if (*p == '\n' && !p[1])
			p++;
		if (!*p)
			return 0;
		if (*p++ != ',')
			return failx(-EINVAL, "'%s' is not a list of CPUs (such as 0-3,8)", text);
	}
}
