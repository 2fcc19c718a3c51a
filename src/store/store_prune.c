// SPDX-License-Identifier: BSD-2-Clause
/* A live store keeps the last minutes: older rows go, then the names that no row is about any more. */
#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "store_internal.h"
#include "store_query.h"
#include "store_write.h"

/* Stacks up to this one are written no more after this slice. */
struct ended_stacks {
	uint32_t last, slice;
};

struct pruned {
	struct ended_stacks *ended; /* not forgotten yet, oldest first */
	size_t ended_count, ended_capacity;
	uint32_t last_stack;        /* up to which they are forgotten; 0: none are */
	uint32_t resources;         /* how often some were forgotten */
	bool any;
};

static struct pruned *pruned_of(struct store *s)
{
	if (!s->pruned)
		s->pruned = xcalloc(1, sizeof(*s->pruned));
	return s->pruned;
}

void store_free_pruned(struct store *s)
{
	if (s->pruned)
		free(s->pruned->ended);
	free(s->pruned);
}

void store_end_stacks(struct store *s, uint32_t last)
{
	struct pruned *p = pruned_of(s);

	GROW(p->ended, p->ended_count, p->ended_capacity);
	p->ended[p->ended_count++] = (struct ended_stacks){last, s->newest_slice};
}

uint32_t store_forgotten_stacks(const struct store *s)
{
	return s->pruned ? s->pruned->last_stack : 0;
}

uint32_t store_forgotten_resources(const struct store *s)
{
	return s->pruned ? s->pruned->resources : 0;
}

bool store_is_pruned(const struct store *s)
{
	return s->pruned && s->pruned->any;
}

/* Rows are written slice by slice, so that the old ones come first: what is kept need not be looked at. */
static int prune_rows(struct store *s, const char *table, uint32_t first_slice)
{
	_cleanup_free_ char *sql = xasprintf(
		"DELETE FROM %s WHERE rowid < ifnull((SELECT rowid FROM %s WHERE slice >= %u ORDER BY rowid LIMIT 1), "
		"1 + (SELECT max(rowid) FROM %s))", table, table, first_slice, table);

	return store_execute(s, sql);
}

/* A wait that goes on may have begun long ago, and who waits at one place again and again had the stack of it looked up once. */
static int prune_stacks(struct store *s, uint32_t first_slice)
{
	struct pruned *p = pruned_of(s);
	_cleanup_free_ char *sql = NULL;
	size_t over = 0;
	uint32_t last = 0;

	while (over < p->ended_count && p->ended[over].slice < first_slice)
		last = p->ended[over++].last;
	if (!over)
		return 0;
	sql = xasprintf("DELETE FROM main.stack WHERE id <= %u AND id NOT IN (WITH RECURSIVE used(id) AS ("
			"SELECT stack FROM main.sample WHERE stack <= %u UNION SELECT stack FROM main.span WHERE stack <= %u UNION "
			"SELECT stack FROM main.edge WHERE stack <= %u UNION SELECT other_stack FROM main.edge WHERE other_stack <= %u "
			"UNION SELECT k.parent FROM used JOIN main.stack k ON k.id = used.id WHERE k.parent IS NOT NULL) "
			"SELECT id FROM used)", last, last, last, last, last);
	p->ended_count -= over;
	memmove(p->ended, p->ended + over, p->ended_count * sizeof(*p->ended));
	p->last_stack = last;
	return store_execute(s, sql);
}

void store_prune(struct store *s, uint32_t first_slice)
{
	static const char *const by_slice[] = {"sample", "edge", "histogram", "gauge"};
	/* Who ended before has no rows any more; a stop may last, and its event says who stopped; the slice goes last, because it says
	 * when it began. */
	static const char *const others[] = {
		"span WHERE last <", "task WHERE end_ns < (SELECT start_ns FROM slice WHERE id =",
		"process WHERE end_ns < (SELECT start_ns FROM slice WHERE id =",
		"event WHERE kind <> 'process.stop' AND time_ns < (SELECT start_ns FROM slice WHERE id =", "slice WHERE id <",
	};

	for (size_t i = 0; i < ARRAY_SIZE(by_slice) && !s->error; i++)
		s->error = prune_rows(s, by_slice[i], first_slice);
	for (size_t i = 0; i < ARRAY_SIZE(others) && !s->error; i++) {
		const char *end = strchr(others[i], '(') ? ")" : "";
		_cleanup_free_ char *sql = xasprintf("DELETE FROM %s %u%s", others[i], first_slice, end);

		s->error = store_execute(s, sql);
	}
	if (!s->error)
		s->error = store_execute(s, "DELETE FROM mapping WHERE process NOT IN (SELECT id FROM process)");
	if (!s->error)
		s->error = prune_stacks(s, first_slice);
	pruned_of(s)->any = true;
}

static int list_resources(struct store *s, const uint32_t *ids, size_t count)
{
	_cleanup_(query_freep) struct query *q = NULL;
	int r = store_execute(s, "CREATE TEMP TABLE IF NOT EXISTS unused(id INTEGER PRIMARY KEY); DELETE FROM temp.unused");

	if (r < 0 || (r = query_new(s, "INSERT INTO temp.unused VALUES(:id)", &q)) < 0)
		return r;
	for (size_t i = 0; i < count && r >= 0; i++) {
		query_bind_int(q, ":id", ids[i]);
		r = query_next(q);
		query_reset(q);
	}
	return r;
}

static int keep_used_resources(struct store *s)
{
	static const char *const tables[] = {"sample", "edge", "histogram", "gauge", "event", "span"};
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(tables) && r >= 0; i++) {
		_cleanup_free_ char *sql = xasprintf("DELETE FROM temp.unused WHERE id IN (SELECT resource FROM main.%s "
						     "WHERE resource IN (SELECT id FROM temp.unused))", tables[i]);

		r = store_execute(s, sql);
	}
	return r;
}

size_t store_forget_resources(struct store *s, uint32_t *ids, size_t count)
{
	_cleanup_(query_freep) struct query *q = NULL;
	size_t forgotten = 0;

	if (s->error || (s->error = list_resources(s, ids, count)) < 0 || (s->error = keep_used_resources(s)) < 0 ||
	    (s->error = store_execute(s, "DELETE FROM main.resource WHERE id IN (SELECT id FROM temp.unused)")) < 0 ||
	    (s->error = query_new(s, "SELECT id FROM temp.unused ORDER BY id", &q)) < 0)
		return 0;
	while (forgotten < count && (s->error = query_next(q)) > 0)
		ids[forgotten++] = (uint32_t)query_int(q, 0);
	s->error = s->error < 0 ? s->error : 0;
	pruned_of(s)->resources++;
	return forgotten;
}
