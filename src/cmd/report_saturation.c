// SPDX-License-Identifier: BSD-2-Clause
#include "report_saturation.h"

#include <math.h>
#include <string.h>

#include "amount.h"
#include "json_text.h"
#include "listing.h"
#include "mem.h"
#include "report_print.h"

static void add_figure(struct listing *t, const struct saturation_row *row, const struct saturation_figure *f)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT;

	if (!f->known)
		listing_add(t, *row->missing && *f->unit ? "?" : "");
	else if (f->value <= 0)
		listing_add(t, "-");
	else if (!strcmp(f->unit, "bytes/s")) {
		amount_add(&text, f->value, "bytes");
		listing_addf(t, "%s/s", text.data);
	} else if (*f->unit == '%')
		listing_addf(t, "%.1f %s", f->value, f->unit);
	else
		listing_addf(t, f->value < 100 && f->value != floor(f->value) ? "%.2f %s" : "%.0f %s", f->value, f->unit);
}

static void add_latency(struct listing *t, bool known, uint64_t ns)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT;

	if (known)
		amount_add(&text, (double)ns, "ns");
	listing_add(t, known ? text.data : "");
}

/* Who has most of it, and what else there is to say. */
static void add_words(struct listing *t, const struct saturation_row *row)
{
	_cleanup_(buf_done) struct buf words = BUF_INIT;
	const char *const texts[] = {row->note, row->missing};

	if (row->pid)
		buf_addf(&words, "%s (%u)", row->comm, row->pid);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (*texts[i])
			buf_addf(&words, "%s%s", words.len ? ", " : "", texts[i]);
	listing_add(t, words.data);
}

static void add_row(struct listing *t, const struct saturation_row *row)
{
	listing_add(t, saturation_is_high(row) ? "!" : "");
	listing_addf(t, "%s%s%s", row->kind, *row->name ? " " : "", row->name);
	add_figure(t, row, &row->utilisation);
	add_figure(t, row, &row->saturation);
	add_figure(t, row, &row->errors);
	add_latency(t, row->has_latency, row->p50);
	add_latency(t, row->has_latency, row->p90);
	add_latency(t, row->has_latency, row->p99);
	add_latency(t, row->has_latency, row->max);
	add_words(t, row);
}

void saturation_text(const struct saturation *t, unsigned width, bool colour, struct buf *out)
{
	static const struct listing_column columns[] = {
		{"", .left = true}, {"resource", .left = true, .most = 24}, {"used"}, {"waiting"}, {"errors"}, {"p50", .spare = 2},
		{"p90", .spare = 3}, {"p99"}, {"longest", .spare = 1}, {"most by", .left = true, .takes_rest = true, .least = LEAST_REST, .wraps = true}, {0}};
	_cleanup_(listing_freep) struct listing *list = listing_new(columns);

	for (size_t i = 0; i < t->count; i++)
		add_row(list, &t->rows[i]);
	listing_print(list, width, colour, out);
	buf_addf(out, "  ! is used to %.0f %% or more; ? could not be measured; - is nothing\n", SATURATION_HIGH);
}

static json_t *text_or_null(const char *text)
{
	return json_text(text && *text ? text : NULL);
}

static json_t *number(const struct saturation_figure *f)
{
	return f->known ? json_real(f->value) : json_null();
}

static json_t *pack_latency(const struct saturation_row *row)
{
	if (!row->has_latency)
		return json_null();
	return json_pack("{sf sf sf sf}", "p50_us", (double)row->p50 / 1e3, "p90_us", (double)row->p90 / 1e3, "p99_us",
			 (double)row->p99 / 1e3, "max_us", (double)row->max / 1e3);
}

static json_t *pack_process(const struct saturation_row *row)
{
	return row->pid ? json_pack("{si so}", "pid", (int)row->pid, "comm", text_or_null(row->comm)) : json_null();
}

json_t *saturation_json(const struct saturation *t)
{
	json_t *rows = json_array();

	for (size_t i = 0; i < t->count; i++) {
		const struct saturation_row *row = &t->rows[i];

		json_array_append_new(rows, json_pack(
			"{so so so sb so so so so so so so so}", "kind", text_or_null(row->kind), "name", text_or_null(row->name),
			"utilisation_percent", number(&row->utilisation), "high", saturation_is_high(row),
			"saturation", number(&row->saturation), "saturation_unit", text_or_null(row->saturation.unit),
			"errors", number(&row->errors), "errors_unit", text_or_null(row->errors.unit), "latency", pack_latency(row),
			"most_by", pack_process(row), "note", text_or_null(row->note), "not_measured", text_or_null(row->missing)));
	}
	return rows;
}
