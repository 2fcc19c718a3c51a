// SPDX-License-Identifier: BSD-2-Clause
#include "report_waits.h"

#include <string.h>

#include "amount.h"
#include "json_text.h"
#include "listing.h"

/* "backend of postgres (1234)", with the thread's name only where it has one of its own. */
static void add_group(struct buf *b, const struct explained_group *g)
{
	if (strcmp(g->comm, g->process_comm))
		buf_addf(b, "%s of ", g->comm);
	buf_addf(b, "%s (%u)", g->process_comm, g->pid);
}

/* The waiter's own process is not said again. */
static void add_other(struct buf *b, const struct explained *e, const struct explained_row *r, size_t hop)
{
	const struct explained_group *g = &e->groups[r->hops[hop]];

	if (g->process == e->groups[r->hops[0]].process)
		buf_addstr(b, g->comm);
	else
		add_group(b, g);
}

static const char *words_of(const struct explained_row *r)
{
	static const struct {
		const char *cause, *words;
	} causes[] = {
		{"disk", "waits for a disk"}, {"sleep", "sleeps"}, {"net", "waits for the network"}, {"lock", "waits for a lock"},
		{"ipc", "waits for a pipe or socket"}, {"kernel_lock", "waits for a lock of the kernel"},
		{"fault", "waits for a page"}, {"reclaim", "waits for memory"}, {"dirty", "waits to write"},
	};

	if (r->end == ENDS_RUNNING)
		return "runs";
	if (r->end == ENDS_QUEUED)
		return "waits for a CPU";
	for (size_t i = 0; i < sizeof(causes) / sizeof(causes[0]); i++)
		if (!strcmp(r->cause, causes[i].cause))
			return causes[i].words;
	return "waits";
}

static void add_doing(struct buf *b, const struct explained_row *r)
{
	buf_addstr(b, words_of(r));
	if (*r->function)
		buf_addf(b, " in %s", r->function);
}

static void add_end(struct buf *b, const struct explained *e, const struct explained_row *r)
{
	if (r->hop_count > 1) {
		add_other(b, e, r, r->hop_count - 1);
		buf_addch(b, ' ');
	}
	add_doing(b, r);
}

static void add_time(struct listing *t, double ns)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT;

	amount_add(&text, ns, "ns");
	listing_add(t, text.data);
}

static void add_waits(const struct explained *e, const struct report_style *style, struct buf *out)
{
	static const struct listing_column columns[] = {
		{"time"}, {"of its waits"}, {"held up", .left = true, .most = 32}, {"by way of", .left = true, .most = 32, .spare = 1},
		{"because", .left = true, .takes_rest = true, .least = LEAST_REST, .wraps = true}, {0}};
	_cleanup_(listing_freep) struct listing *t = listing_new(columns);

	for (size_t i = 0; i < e->row_count && i < style->limit; i++) {
		const struct explained_row *r = &e->rows[i];
		const struct explained_group *g = &e->groups[r->hops[0]];
		_cleanup_(buf_done) struct buf who = BUF_INIT, way = BUF_INIT, end = BUF_INIT;

		add_group(&who, g);
		for (size_t n = 1; n + 1 < r->hop_count; n++) {
			buf_addstr(&way, n > 1 ? " > " : "");
			add_other(&way, e, r, n);
		}
		add_end(&end, e, r);
		add_time(t, r->ns);
		listing_addf(t, "%.0f %%", g->own_ns > 0 ? 100 * r->ns / g->own_ns : 0);
		listing_add(t, who.data);
		listing_add(t, way.data ? way.data : "");
		listing_add(t, end.data);
	}
	listing_print(t, style->width, style->colour, out);
}

/* The row that tells most of why this group holds others up. */
static const struct explained_row *reason_of(const struct explained *e, uint32_t group)
{
	for (size_t i = 0; i < e->row_count; i++)
		if (e->rows[i].hop_count > 1 && e->rows[i].hops[e->rows[i].hop_count - 1] == group)
			return &e->rows[i];
	return NULL;
}

static void add_knots(const struct explained *e, const struct report_style *style, struct buf *out)
{
	static const struct listing_column columns[] = {
		{"others' time"}, {"waiters"}, {"who", .left = true, .most = 32}, {"mostly because it", .left = true, .takes_rest = true, .least = LEAST_REST, .wraps = true}, {0}};
	_cleanup_(listing_freep) struct listing *t = listing_new(columns);

	for (size_t i = 0; i < e->knot_count && i < style->limit; i++) {
		const struct explained_group *g = &e->groups[e->knots[i]];
		const struct explained_row *r = reason_of(e, e->knots[i]);
		_cleanup_(buf_done) struct buf who = BUF_INIT, end = BUF_INIT;

		add_group(&who, g);
		if (r)
			add_doing(&end, r);
		add_time(t, g->held_ns);
		listing_addf(t, "%u", g->waiters);
		listing_add(t, who.data);
		listing_add(t, end.data ? end.data : "");
	}
	listing_print(t, style->width, style->colour, out);
}

void waits_text(const struct explained *e, const struct report_style *style, struct buf *out)
{
	if (!e->row_count)
		return;
	report_heading(out, style, "Waits, and what they come from in the end (estimated from drawn waits)");
	add_waits(e, style, out);
	if (!e->knot_count)
		return;
	report_heading(out, style, "Knots: who holds others up");
	add_knots(e, style, out);
}

static json_t *pack_group(const struct explained_group *g)
{
	return json_pack("{si so so si}", "pid", (int)g->pid, "process", json_text(g->process_comm), "thread", json_text(g->comm),
			 "threads", (int)g->threads);
}

json_t *waits_json(const struct explained *e, size_t limit)
{
	static const char *const ends[] = {
		[ENDS_RUNNING] = "running", [ENDS_WAITING] = "waiting", [ENDS_QUEUED] = "queued"};
	json_t *array = json_array();

	for (size_t i = 0; i < e->row_count && i < limit; i++) {
		const struct explained_row *r = &e->rows[i];
		json_t *hops = json_array();

		for (size_t n = 0; n < r->hop_count; n++)
			json_array_append_new(hops, pack_group(&e->groups[r->hops[n]]));
		json_array_append_new(array, json_pack("{so ss ss so sf}", "hops", hops, "end",
			ends[r->end], "cause", r->cause, "function", json_text(r->function),
			"ms", r->ns / 1e6));
	}
	return array;
}

json_t *knots_json(const struct explained *e, size_t limit)
{
	json_t *array = json_array();

	for (size_t i = 0; i < e->knot_count && i < limit; i++) {
		const struct explained_group *g = &e->groups[e->knots[i]];
		json_t *knot = pack_group(g);

		json_object_set_new(knot, "held_up_ms", json_real(g->held_ns / 1e6));
		json_object_set_new(knot, "waiters", json_integer(g->waiters));
		json_array_append_new(array, knot);
	}
	return array;
}
