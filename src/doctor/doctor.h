/* SPDX-License-Identifier: BSD-2-Clause */
/* What this kernel and this user allow: each thing that perfscope needs is tried for real, undone
 * again, and reported with the reason and the price of its absence. Nothing stays attached. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/utsname.h>

#include "buf.h"

enum doctor_status {
	DOCTOR_WORKS,
	DOCTOR_FALLBACK, /* something else takes its place */
	DOCTOR_MISSING,
	DOCTOR_UNTRIED, /* this user may not even try */
	DOCTOR_INFO,    /* a plain fact */
	DOCTOR_STATUSES,
};

/* The constant strings live as long as the program. */
struct doctor_result {
	const char *group, *name;
	const char *purpose;  /* what perfscope uses it for */
	const char *fallback; /* what takes its place, NULL: nothing does */
	const char *cost;     /* what the user loses without it, NULL: nothing */
	enum doctor_status status;
	int error;         /* errno of the failure, or 0 */
	bool required;     /* no recording without it */
	struct buf detail; /* what was found, or why it failed; may hold hostile names */
	struct buf mend;   /* what the user can do about it, may be empty */
};

struct doctor_group {
	const char *name, *title;
};

struct doctor_report {
	struct utsname uts;
	unsigned uid;
	uint64_t wall_ns, took_ns;
	bool can_record;
	size_t counts[DOCTOR_STATUSES];
	struct doctor_result *results; /* in the order of their groups */
	size_t count;
};

struct doctor_style {
	unsigned width; /* columns to wrap at, at least 60 */
	bool color;
	bool all; /* each hook on a line of its own, and what each thing is for */
};

struct doctor_report *doctor_run(void); /* well under two seconds */
void doctor_report_free(struct doctor_report *report);
bool doctor_blocks(const struct doctor_result *r); /* required, and neither there nor replaced */
const struct doctor_result *
doctor_blocker(const struct doctor_report *report); /* the first, or NULL */

extern const struct doctor_group doctor_groups[]; /* ends with a NULL name */
const char *doctor_status_name(enum doctor_status status);

void doctor_text(const struct doctor_report *report, const struct doctor_style *style,
		 struct buf *b);
void doctor_json(const struct doctor_report *report,
		 struct buf *b); /* perfscope.doctor/1, see docs/doctor.md */
