// SPDX-License-Identifier: BSD-2-Clause
#include "answers.h"

#include <math.h>
#include <string.h>

#include "clock.h"
#include "ui.h"

#define FADING_NS (60 * NS_PER_S) /* one that is over is told for so long */

const char *answer_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

double answer_number(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	return json_is_number(value) ? json_number_value(value) : NAN;
}

enum finding_age finding_age(const struct screen_context *c, const json_t *finding)
{
	uint64_t end = window_end_ns(c->window);
	uint64_t since = (uint64_t)json_integer_value(json_object_get(finding, "since_ns"));
	uint64_t until = (uint64_t)json_integer_value(json_object_get(finding, "until_ns"));

	if (since > end)
		return FINDING_FUTURE;
	if (!until || until >= end)
		return FINDING_LASTS;
	return until + FADING_NS < end ? FINDING_PAST : FINDING_RESOLVED;
}

uint64_t finding_since_ns(const struct screen_context *c, const json_t *finding)
{
	uint64_t since = (uint64_t)json_integer_value(json_object_get(finding, "since_ns")), end = window_end_ns(c->window);

	return since < end ? end - since : 0;
}

static int rank_of(const json_t *finding)
{
	const char *severity = answer_text(finding, "severity");

	return !strcmp(severity, "critical") ? 2 : !strcmp(severity, "warning");
}

enum style finding_style(const struct screen_context *c, const json_t *finding)
{
	static const enum style styles[] = {STYLE_GOOD, STYLE_WARNING, STYLE_CRITICAL};

	return finding_age(c, finding) == FINDING_LASTS ? styles[rank_of(finding)] : STYLE_DIM;
}

const json_t *shown_findings(const struct screen_context *c)
{
	return c->options->findings ? c->options->findings(c->options->arg) : NULL;
}

const json_t *worst_finding(const struct screen_context *c, int rank)
{
	const json_t *all = shown_findings(c);

	for (size_t i = 0; i < json_array_size(all); i++)
		if (rank_of(json_array_get(all, i)) >= rank && finding_age(c, json_array_get(all, i)) == FINDING_LASTS)
			return json_array_get(all, i);
	return NULL;
}

uint32_t finding_process(const struct screen_context *c, const json_t *finding)
{
	const json_t *affected = json_object_get(finding, "affected");
	json_int_t pid = json_integer_value(json_object_get(json_array_get(affected, 0), "pid"));

	for (uint32_t i = 0; i < window_process_count(c->window); i++)
		if (window_process(c->window, i)->pid == pid)
			return window_process(c->window, i)->id;
	return 0;
}
