// SPDX-License-Identifier: BSD-2-Clause
#include "doctor.h"

#include <jansson.h>
#include <stdlib.h>

#include "cleanup.h"
#include "clock.h"
#include "json_text.h"

static json_t *text_or_null(const char *text)
{
	return json_text(text && *text ? text : NULL);
}

static json_t *pack_check(const struct doctor_result *r)
{
	return json_pack("{so so so ss sb so so so so so}", "group", text_or_null(r->group), "name",
			 text_or_null(r->name), "purpose", text_or_null(r->purpose), "status",
			 doctor_status_name(r->status), "required", r->required, "errno",
			 text_or_null(r->error ? strerrorname_np(r->error) : NULL), "detail",
			 text_or_null(r->detail.data), "fallback",
			 text_or_null(r->status == DOCTOR_FALLBACK ? r->fallback : NULL), "cost",
			 text_or_null(r->status == DOCTOR_WORKS || r->status == DOCTOR_INFO
					      ? NULL
					      : r->cost),
			 "mend", text_or_null(r->mend.data));
}

static json_t *pack_counts(const struct doctor_report *report)
{
	json_t *counts = json_object();

	for (int i = 0; i < DOCTOR_STATUSES; i++)
		json_object_set_new(counts, doctor_status_name(i),
				    json_integer((json_int_t)report->counts[i]));
	return counts;
}

void doctor_json(const struct doctor_report *report, struct buf *b)
{
	json_t *checks = json_array();
	char when[21];

	clock_format_utc(report->wall_ns, when);
	for (size_t i = 0; i < report->count; i++)
		json_array_append_new(checks, pack_check(&report->results[i]));
	json_t *root = json_pack(
		"{ss so so so ss sI sf sb so so}", "schema", "perfscope.doctor/1", "host",
		text_or_null(report->uts.nodename), "kernel", text_or_null(report->uts.release),
		"machine", text_or_null(report->uts.machine), "time", when, "uid", (json_int_t)report->uid,
		"duration_s", (double)report->took_ns / NS_PER_S, "can_record", report->can_record,
		"counts", pack_counts(report), "checks", checks);
	char *text = json_dumps(root, JSON_INDENT(2) | JSON_REAL_PRECISION(6));

	buf_addf(b, "%s\n", text);
	free(text);
	json_decref(root);
}
