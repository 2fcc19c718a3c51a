// SPDX-License-Identifier: BSD-2-Clause
#include "check.h"

#include "buf.h"
#include "rule_steps.h"
#include "store_guard.h"

#define ROW "SELECT 1 AS n"

static void test_simple(void)
{
	static const char *const texts[] = {
		ROW, "WITH a AS (" ROW ") SELECT * FROM a", "WITH a AS (" ROW, "WITH", "", "-- a comment alone",
		"WITH a AS NOT MATERIALIZED (" ROW ") SELECT * FROM a", "WITH \"a\" AS (" ROW ") SELECT * FROM \"a\"", "WITH a(n AS (SELECT ')",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		struct rule_steps steps;

		rule_steps_init(&steps, texts[i]);
		CHECK(steps.count == 0);
		CHECK_STR(steps.rest.data, texts[i]);
		rule_steps_done(&steps);
	}
}

/* Each expression names the one before twice: 2^12 to plan, and as many rows. */
static void add_doubling(struct buf *sql)
{
	buf_addstr(sql, "-- title: WITH (\nWITH RECURSIVE e0(n) AS (VALUES(1)), /* ) */ lazy AS (SELECT ')' AS n)");
	for (int i = 1; i <= 12; i++)
		buf_addf(sql, ",\ne%d AS MATERIALIZED (SELECT n FROM e%d UNION ALL SELECT n FROM E%d) /* it's ( */", i, i - 1, i - 1);
	buf_addstr(sql, "\nSELECT sum(n) FROM e12 WHERE n NOT IN (SELECT n FROM lazy)");
}

static void test_kept(void)
{
	struct buf sql = BUF_INIT;
	struct rule_steps steps;
	struct store *s;
	struct query *q;
	int offset;

	add_doubling(&sql);
	rule_steps_init(&steps, sql.data);
	CHECK(steps.count > 6 && steps.count < 12);
	CHECK(store_create(":memory:", &s) == 0);
	for (size_t i = 0; i < steps.count; i++) {
		CHECK(strcmp(steps.items[i].table, "step_lazy") != 0);
		CHECK(query_keep_guarded(s, steps.items[i].table, steps.items[i].sql, 1000000000, &q) == 0);
		CHECK(query_next(q) == 0);
		query_free(q);
	}
	CHECK(query_new_guarded(s, steps.rest.data, 1000000000, &q, &offset) == 0);
	CHECK(query_next(q) == 1 && query_int(q, 0) == 1 << 12);
	query_free(q);
	for (size_t i = 0; i < steps.count; i++)
		query_drop_kept(s, steps.items[i].table);
	CHECK(query_new_guarded(s, steps.rest.data, 1000000000, &q, &offset) < 0);
	store_free(s);
	rule_steps_done(&steps);
	buf_done(&sql);
}

/* Who may keep rows may do nothing else. */
static void test_guard(void)
{
	static const char *const texts[] = {
		ROW "; DELETE FROM meta", "SELECT load_extension('x')", "DELETE FROM meta", ROW " INTO meta",
	};
	struct store *s;
	struct query *q;

	CHECK(store_create(":memory:", &s) == 0);
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		CHECK(query_keep_guarded(s, "step_a", texts[i], 1000000000, &q) < 0);
	CHECK(query_keep_guarded(s, "main.step_a", ROW, 1000000000, &q) < 0);
	store_free(s);
}

int main(void)
{
	test_simple();
	test_kept();
	test_guard();
	return check_done("rule_steps");
}
