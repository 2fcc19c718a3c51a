// SPDX-License-Identifier: BSD-2-Clause
#include "annotate_json.h"

#include "annotate.h"
#include "clock.h"
#include "json_text.h"
#include "store_query.h"

double annotation_percent(uint64_t part, uint64_t whole)
{
	return whole ? 100.0 * (double)part / (double)whole : 0;
}

static json_t *pack_target(const struct annotated_target *t)
{
	return t->known ? json_pack("{sI so sb}", "address", (json_int_t)t->address, "name", json_text(t->name), "inside",
				    t->inside) : json_null();
}

static json_t *pack_row(const struct annotation *a, const struct annotated *row)
{
	_cleanup_(buf_done) struct buf hex = BUF_INIT;

	for (uint32_t i = 0; i < row->size; i++)
		buf_addf(&hex, "%02x", row->bytes[i]);
	return json_pack("{sI sI ss so so sI sf sf so so sb so}", "address", (json_int_t)row->address, "offset",
			 (json_int_t)(row->address - a->address), "bytes", hex.data, "mnemonic", json_text(row->mnemonic),
			 "operands", json_text(row->operands), "samples", (json_int_t)row->samples, "ms",
			 (double)row->ns / 1e6, "percent", annotation_percent(row->samples, a->samples), "file", json_text(row->file), "line",
			 row->line ? json_integer(row->line) : json_null(), "jumped_to", row->jumped_to, "target",
			 pack_target(&row->target));
}

json_t *annotation_json(struct store *s, const struct annotation *a)
{
	char host[256], kernel[256], when[21];
	int64_t start = 0, ns = 0;
	json_t *instructions = json_array();

	query_one_int(s, "SELECT start_ns FROM period", 0, &start);
	query_one_int(s, "SELECT ns FROM period", 0, &ns);
	clock_format_utc((uint64_t)store_meta_int(s, "start_wall_ns") + (uint64_t)start, when);
	for (size_t i = 0; i < a->count; i++)
		json_array_append_new(instructions, pack_row(a, &a->rows[i]));
	return json_pack(
		"{ss so so ss sf so so so so sI sI sI sf sf sI so}", "schema", "perfscope.annotate/1", "host",
		json_text(store_meta_text(s, "host", host, sizeof(host))), "kernel",
		json_text(store_meta_text(s, "kernel", kernel, sizeof(kernel))), "start", when, "duration_s", (double)ns / 1e9,
		"function", json_text(a->name), "module", json_text(a->module), "file", json_text(a->file), "machine", json_text(a->machine),
		"address", (json_int_t)a->address, "size", (json_int_t)a->size, "samples", (json_int_t)a->samples, "ms",
		(double)a->ns / 1e6, "percent", annotation_percent(a->ns, a->all_ns), "all_samples", (json_int_t)a->all_samples,
		"instructions", instructions);
}
