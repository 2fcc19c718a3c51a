// SPDX-License-Identifier: BSD-2-Clause
#include "saturation.h"

#include <string.h>

#include "arena.h"
#include "mem.h"
#include "store_query.h"

extern const char saturation_sql[];

/* Columns of saturation.sql. */
enum {
	KIND, NAME, UTILISATION, SATURATION, SATURATION_UNIT, ERRORS, ERRORS_UNIT,
	P50, P90, P99, MAX, PID, COMM, NOTE, MISSING,
};

static const char *keep(struct saturation *t, struct query *q, int column)
{
	const char *text = query_text(q, column);

	return arena_strndup(t->memory, text, strlen(text));
}

static struct saturation_figure figure(struct query *q, int column, const char *unit)
{
	return (struct saturation_figure){.known = !query_is_null(q, column), .value = query_real(q, column), .unit = unit};
}

static uint64_t ns(struct query *q, int column)
{
	int64_t value = query_int(q, column);

	return value > 0 ? (uint64_t)value : 0;
}

int saturation_new(struct store *s, struct saturation **ret_saturation)
{
	_cleanup_(saturation_freep) struct saturation *t = xcalloc(1, sizeof(*t));
	_cleanup_(query_freep) struct query *q = NULL;
	size_t capacity = 0;
	int r = query_new(s, saturation_sql, &q);

	t->memory = arena_new();
	while (r >= 0 && (r = query_next(q)) > 0) {
		GROW(t->rows, t->count, capacity);
		t->rows[t->count++] = (struct saturation_row){
			.kind = keep(t, q, KIND), .name = keep(t, q, NAME), .utilisation = figure(q, UTILISATION, "%"),
			.saturation = figure(q, SATURATION, keep(t, q, SATURATION_UNIT)),
			.errors = figure(q, ERRORS, keep(t, q, ERRORS_UNIT)), .has_latency = !query_is_null(q, P50),
			.p50 = ns(q, P50), .p90 = ns(q, P90), .p99 = ns(q, P99), .max = ns(q, MAX),
			.pid = (uint32_t)query_int(q, PID), .comm = keep(t, q, COMM), .note = keep(t, q, NOTE),
			.missing = keep(t, q, MISSING)};
	}
	if (r < 0)
		return r;
	*ret_saturation = t;
	t = NULL;
	return 0;
}

void saturation_free(struct saturation *t)
{
	if (!t)
		return;
	free(t->rows);
	arena_free(t->memory);
	free(t);
}

bool saturation_is_high(const struct saturation_row *row)
{
	return row->utilisation.known && row->utilisation.value >= SATURATION_HIGH;
}
