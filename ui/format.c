// SPDX-License-Identifier: BSD-2-Clause
#include "format.h"

#include <math.h>
#include <stdio.h>

#include "mem.h"

const char *format_ns(double ns, char text[16])
{
	static const char *const units[] = {"ns", "µs", "ms", "s"};
	unsigned unit = 0;

	for (; ns >= 999.5 && unit + 1 < ARRAY_SIZE(units); unit++)
		ns /= 1000;
	snprintf(text, 16, ns < 9.95 && unit ? "%.1f %s" : "%.0f %s", ns, units[unit]);
	return text;
}

const char *format_bytes(double bytes, char text[16])
{
	static const char units[] = "BKMGTP";
	unsigned unit = 0;

	for (; fabs(bytes) >= 999.5 && units[unit + 1]; unit++)
		bytes /= 1024;
	snprintf(text, 16, unit && fabs(bytes) < 9.95 ? "%.1f%c" : "%.0f%c", bytes, units[unit]);
	return text;
}

static void add_count(struct buf *text, double value)
{
	if (value >= 999500)
		buf_addf(text, "%.1fM", value / 1e6);
	else if (value >= 99950)
		buf_addf(text, "%.0fk", value / 1e3);
	else
		buf_addf(text, value < 9.95 && fabs(value - round(value)) > 0.05 ? "%.1f" : "%.0f", value);
}

static void add_cpu_time(struct buf *text, double ns)
{
	unsigned long hundredths = (unsigned long)(ns / 1e7), s = hundredths / 100, hours = s / 3600;

	if (hours >= 100)
		buf_addf(text, "%lud%02luh", hours / 24, hours % 24);
	else if (hours)
		buf_addf(text, "%luh%02lu:%02lu", hours, s / 60 % 60, s % 60);
	else
		buf_addf(text, "%lu:%02lu.%02lu", s / 60, s % 60, hundredths % 100);
}

void format_number(struct buf *text, enum unit unit, double value)
{
	char number[16];

	if (isnan(value))
		buf_addstr(text, "-");
	else if (unit == UNIT_PERCENT)
		buf_addf(text, "%.1f", value);
	else if (unit == UNIT_BYTES)
		buf_addstr(text, format_bytes(value, number));
	else if (unit == UNIT_NS)
		buf_addstr(text, format_ns(value, number));
	else if (unit == UNIT_ID)
		buf_addf(text, "%.0f", value);
	else if (unit == UNIT_CPU_TIME)
		add_cpu_time(text, value);
	else
		add_count(text, value);
}
