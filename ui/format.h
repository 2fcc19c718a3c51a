/* SPDX-License-Identifier: BSD-2-Clause */
/* Numbers as a table's cells show them: short, and with their unit. */
#pragma once
#include "buf.h"

enum unit {
	UNIT_NUMBER,  /* "12", "3.4k" */
	UNIT_PERCENT, /* "12.3" */
	UNIT_BYTES,   /* "12.3M" */
	UNIT_NS,      /* "850 ns", "3.4 ms" */
	UNIT_ID,      /* all digits */
	UNIT_CPU_TIME, /* ns as "3:25.40", "12h03:25", "4d07h" */
};

void format_number(struct buf *text, enum unit unit, double value); /* NAN: "-" */
const char *format_ns(double ns, char text[16]);
const char *format_bytes(double bytes, char text[16]);
