/* SPDX-License-Identifier: BSD-2-Clause */
/* Shared by the report's own files only. */
#pragma once
#include "report.h"

const char *report_keep(struct report *r, const char *text); /* a copy that lives as long as the report */

int report_add_tasks(struct report *r, struct store *s);
int report_add_functions(struct report *r, struct store *s);
int report_add_cpus(struct report *r, struct store *s);
