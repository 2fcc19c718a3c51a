/* SPDX-License-Identifier: BSD-2-Clause */
/* What the pmu probe's two sides share. */
#pragma once
#include "wire.h"

enum { MOST_PMU_EVENTS = 6 }; /* programs count_0 .. count_5; few CPUs count more at once */

/* So many events of a kind have happened since the last record, and this is what ran as the last of them did. */
struct count_record {
	struct record head;
	char comm[COMM_LENGTH];
	u64 count;
	u32 event; /* in the order asked for */
	u32 unused;
	struct stack_capture stack; /* last, and cut behind what it holds */
};
