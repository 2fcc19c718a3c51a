// SPDX-License-Identifier: BSD-2-Clause
/* Asks a rule, and packs its answer. */
#include <errno.h>
#include <string.h>

#include "clock.h"
#include "fail.h"
#include "findings_internal.h"
#include "log.h"
#include "mem.h"
#include "rule.h"
#include "rule_answer.h"
#include "rule_steps.h"
#include "store_guard.h"

#define MOST_NS (10 * NS_PER_S)

struct asking {
	struct store *store;
	const struct rule *rule;
	const char *objectives;
	uint64_t start_ns;
	struct buf complaint, rows;
	size_t columns, count;
};

static void asking_done(struct asking *a)
{
	buf_done(&a->complaint);
	buf_done(&a->rows);
}

static void complain(struct asking *a, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void complain(struct asking *a, const char *format, ...)
{
	va_list args;

	buf_addf(&a->complaint, "%s", a->rule->path);
	va_start(args, format);
	buf_addv(&a->complaint, format, args);
	va_end(args);
}

static void bind(struct query *q, const struct asking *a)
{
	for (size_t i = 0; i < a->rule->threshold_count; i++) {
		_cleanup_free_ char *name = xasprintf(":%s", a->rule->thresholds[i].name);

		query_bind_real(q, name, a->rule->thresholds[i].value);
	}
	query_bind_text(q, ":objectives", a->objectives);
}

static unsigned line_of(const char *text, int offset)
{
	unsigned line = 1;

	for (int i = 0; i < offset && text[i]; i++)
		line += text[i] == '\n';
	return line;
}

/* Failures of the machine are the caller's; a rule's own are told and forgotten. */
static bool is_rules_fault(int r)
{
	return r != -EIO && r != -EBADMSG && r != -ENOMEM;
}

static uint64_t time_left(const struct asking *a)
{
	uint64_t end = a->start_ns + MOST_NS, now = clock_mono_ns();

	return now < end ? end - now : 0;
}

static int keep_steps(struct asking *a, const struct rule_steps *steps)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < steps->count; i++) {
		_cleanup_(query_freep) struct query *q = NULL;

		r = query_keep_guarded(a->store, steps->items[i].table, steps->items[i].sql, time_left(a), &q);
		if (r >= 0) {
			bind(q, a);
			r = query_next(q);
		}
	}
	return r;
}

static int prepare(struct asking *a, const struct rule_steps *steps, struct query **ret_query)
{
	int offset, r = keep_steps(a, steps);

	if (r >= 0)
		r = query_new_guarded(a->store, steps->rest.data, time_left(a), ret_query, &offset);
	/* Its errors are told where whoever wrote it finds them. */
	if (r < 0 && steps->count)
		r = query_new_guarded(a->store, a->rule->sql, time_left(a), ret_query, &offset);
	if (r >= 0 || !is_rules_fault(r))
		return r;
	if (offset >= 0)
		complain(a, ":%u: %s", line_of(a->rule->sql, offset), fail_message());
	else
		complain(a, ": %s", fail_message());
	return 0;
}

static void pack_text(struct buf *b, const char *text)
{
	buf_addch(b, text ? 1 : 0);
	if (text)
		buf_add(b, text, strlen(text) + 1);
}

static void pack_row(struct asking *a, struct query *q)
{
	for (int i = 0; i < (int)a->columns; i++) {
		bool null = query_is_null(q, i);
		double real = query_real(q, i);

		buf_add(&a->rows, &real, sizeof(real));
		pack_text(&a->rows, null ? NULL : query_text(q, i));
	}
	a->count++;
}

static int read_rows(struct asking *a, struct query *q)
{
	int r;

	a->columns = (size_t)query_columns(q);
	for (size_t i = 0; i < a->columns; i++)
		pack_text(&a->rows, query_column_name(q, (int)i));
	while ((r = query_next(q)) > 0) {
		if (a->count == MOST_FINDINGS) {
			complain(a, ": more than %d rows; only these are shown", MOST_FINDINGS);
			return 0;
		}
		pack_row(a, q);
	}
	if (r == -ETIME)
		complain(a, ": took longer than %llu s", (unsigned long long)(MOST_NS / NS_PER_S));
	else if (r < 0 && is_rules_fault(r))
		complain(a, ": %s", fail_message());
	else if (r < 0)
		return r;
	return 0;
}

static int ask(struct asking *a, const struct rule_steps *steps)
{
	_cleanup_(query_freep) struct query *q = NULL;
	int r = prepare(a, steps, &q);

	if (r < 0 || !q)
		return r;
	bind(q, a);
	return read_rows(a, q);
}

struct head {
	int error;
	size_t columns, rows;
};

void rule_ask(struct store *s, const struct rule *rule, const char *objectives, struct buf *bytes)
{
	_cleanup_(asking_done) struct asking a = {
		.store = s, .rule = rule, .objectives = objectives, .start_ns = clock_mono_ns(), .complaint = BUF_INIT, .rows = BUF_INIT};
	_cleanup_(rule_steps_done) struct rule_steps steps;

	rule_steps_init(&steps, rule->sql);
	int r = ask(&a, &steps);
	for (size_t i = 0; i < steps.count; i++)
		query_drop_kept(s, steps.items[i].table);
	log_debug("%s: asked in %.1f ms", rule->path, (double)(clock_mono_ns() - a.start_ns) / 1e6);
	const struct head head = {.error = r < 0 ? r : 0, .columns = a.columns, .rows = a.count};
	buf_add(bytes, &head, sizeof(head));
	pack_text(bytes, r < 0 ? fail_message() : a.complaint.data);
	buf_add(bytes, a.rows.data, a.rows.len);
}

struct unpacking {
	const char *at, *end;
	bool broken;
};

static void unpack(struct unpacking *u, void *to, size_t size)
{
	if ((size_t)(u->end - u->at) < size) {
		u->broken = true;
		memset(to, 0, size);
		return;
	}
	memcpy(to, u->at, size);
	u->at += size;
}

static const char *unpack_text(struct unpacking *u)
{
	const char *text = u->at + 1;

	if (u->at == u->end || (*u->at && !memchr(text, 0, (size_t)(u->end - text)))) {
		u->broken = true;
		return NULL;
	}
	u->at = *u->at ? text + strlen(text) + 1 : text;
	return u->at == text ? NULL : text;
}

bool rule_answer_read(const struct buf *bytes, struct rule_answer *ret_answer)
{
	struct unpacking u = {.at = bytes->data, .end = bytes->data + bytes->len};
	struct rule_answer *a = ret_answer;
	struct head head;

	*a = (struct rule_answer){0};
	unpack(&u, &head, sizeof(head));
	if (u.broken || head.columns > bytes->len || head.rows > MOST_FINDINGS)
		return false;
	a->error = head.error;
	a->complaint = unpack_text(&u);
	a->columns = head.columns;
	a->rows = head.rows;
	a->names = xcalloc(a->columns + 1, sizeof(*a->names));
	a->cells = xcalloc(a->columns * a->rows + 1, sizeof(*a->cells));
	for (size_t i = 0; !u.broken && i < a->columns; i++)
		a->names[i] = unpack_text(&u);
	for (size_t i = 0; !u.broken && i < a->columns * a->rows; i++) {
		unpack(&u, &a->cells[i].real, sizeof(a->cells[i].real));
		a->cells[i].text = unpack_text(&u);
	}
	return !u.broken;
}

void rule_answer_done(struct rule_answer *a)
{
	free(a->names);
	free(a->cells);
}
