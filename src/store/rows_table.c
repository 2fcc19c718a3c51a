// SPDX-License-Identifier: BSD-2-Clause
#include "rows_table.h"

#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "hash.h"
#include "mem.h"

enum { NOWHERE = UINT32_MAX };

/* Rows with the same value, one after the other. */
struct rows_index {
	struct map *first; /* value -> row */
	uint32_t *next;    /* by row; NOWHERE at the end */
};

struct rows_table *rows_table_new(const char *columns, unsigned keys, unsigned real)
{
	struct rows_table *t = xcalloc(1, sizeof(*t));

	t->columns = columns;
	t->keys = keys;
	t->real = real;
	t->width = 1;
	for (const char *p = columns; (p = strchr(p, ',')); p++)
		t->width++;
	return t;
}

void rows_table_free(struct rows_table *t)
{
	if (!t)
		return;
	for (unsigned i = 0; i < t->width; i++) {
		if (!t->index[i])
			continue;
		map_free(t->index[i]->first);
		free(t->index[i]->next);
		free(t->index[i]);
	}
	free(t->cells);
	free(t->places);
	free(t);
}

int64_t *rows_table_add(struct rows_table *t)
{
	size_t bytes = t->width * sizeof(*t->cells);

	if (t->count == t->capacity) {
		t->capacity = t->capacity ? 2 * t->capacity : 64;
		t->cells = xrealloc(t->cells, t->capacity * bytes);
	}
	return memset(rows_table_row(t, t->count++), 0, bytes);
}

static uint32_t *place_of(const struct rows_table *t, const int64_t *keys)
{
	size_t bytes = t->keys * sizeof(*keys), mask = t->place_count - 1, i = hash_bytes(keys, bytes) & mask;

	while (t->places[i] && memcmp(rows_table_row(t, t->places[i] - 1), keys, bytes))
		i = (i + 1) & mask;
	return &t->places[i];
}

static void enlarge(struct rows_table *t)
{
	free(t->places);
	t->place_count = t->place_count ? 2 * t->place_count : 256;
	t->places = xcalloc(t->place_count, sizeof(*t->places));
	for (size_t row = 0; row < t->count; row++)
		*place_of(t, rows_table_row(t, row)) = (uint32_t)row + 1;
}

/* Every slice names the same things in much the same order: the next one is guessed before it is looked up. */
int64_t *rows_table_place(struct rows_table *t, const int64_t *keys)
{
	size_t bytes = t->keys * sizeof(*keys), guess = t->last + 1;

	if (guess < t->count && !memcmp(rows_table_row(t, guess), keys, bytes))
		return rows_table_row(t, t->last = guess);
	if (2 * (t->count + 1) > t->place_count)
		enlarge(t);
	uint32_t *place = place_of(t, keys);
	if (!*place) {
		memcpy(rows_table_add(t), keys, bytes);
		*place = (uint32_t)t->count;
	}
	t->last = *place - 1;
	return rows_table_row(t, t->last);
}

static int by_first(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

void rows_table_sort(struct rows_table *t)
{
	free(t->places);
	t->places = NULL;
	t->place_count = 0;
	if (t->count)
		qsort(t->cells, t->count, t->width * sizeof(*t->cells), by_first);
}

static struct rows_index *index_of(struct rows_table *t, unsigned column)
{
	struct rows_index *index = t->index[column];

	if (index)
		return index;
	index = t->index[column] = xcalloc(1, sizeof(*index));
	index->first = map_new();
	index->next = xcalloc(t->count + 1, sizeof(*index->next));
	for (size_t row = t->count; row-- > 0;) {
		uint64_t value = (uint64_t)rows_table_row(t, row)[column], next = NOWHERE;

		map_get(index->first, value, &next);
		index->next[row] = (uint32_t)next;
		map_put(index->first, value, row);
	}
	return index;
}

/* What SQLite knows of such a table, and of a walk over it. */
struct shown {
	sqlite3_vtab base;
	struct rows_table *table;
};

struct cursor {
	sqlite3_vtab_cursor base;
	const struct rows_table *table;
	const struct rows_index *index; /* NULL: row after row */
	size_t row;                     /* NOWHERE or beyond the last: at the end */
};

static int connect_table(sqlite3 *db, void *aux, int argc, const char *const *argv, sqlite3_vtab **ret_vtab, char **error)
{
	const struct rows_source *source = aux;
	struct rows_table *t = source->find(source->arg, argv[2]);
	_cleanup_(buf_done) struct buf sql = BUF_INIT;
	const char *p, *end;
	unsigned column = 0;

	if (!t)
		return SQLITE_ERROR;
	buf_addstr(&sql, "CREATE TABLE x(");
	for (p = t->columns; *p; p = end + (*end == ',')) {
		end = strchrnul(p, ',');
		buf_addf(&sql, "%s%.*s %s", column ? "," : "", (int)(end - p), p, column && column == t->real ? "REAL" : "INTEGER");
		column++;
	}
	buf_addstr(&sql, ")");
	int r = sqlite3_declare_vtab(db, sql.data);
	if (r != SQLITE_OK)
		return r;
	sqlite3_vtab_config(db, SQLITE_VTAB_INNOCUOUS);
	struct shown *shown = xcalloc(1, sizeof(*shown));
	shown->table = t;
	*ret_vtab = &shown->base;
	return SQLITE_OK;
}

static int disconnect_table(sqlite3_vtab *vtab)
{
	free(vtab);
	return SQLITE_OK;
}

/* By the column that leaves the fewest rows. */
static int best_index(sqlite3_vtab *vtab, sqlite3_index_info *info)
{
	struct rows_table *t = ((struct shown *)vtab)->table;
	double rows = (double)t->count + 1;
	int best = -1;

	for (int i = 0; i < info->nConstraint; i++) {
		const struct sqlite3_index_constraint *c = &info->aConstraint[i];

		if (!c->usable || c->op != SQLITE_INDEX_CONSTRAINT_EQ || c->iColumn < 0 || (unsigned)c->iColumn >= t->keys)
			continue;
		double mean = (double)t->count / (double)(map_count(index_of(t, (unsigned)c->iColumn)->first) + 1);
		if (best < 0 || mean < rows) {
			rows = mean;
			best = i;
		}
	}
	if (best >= 0) {
		info->aConstraintUsage[best].argvIndex = 1;
		info->idxNum = info->aConstraint[best].iColumn + 1;
	}
	info->estimatedRows = (sqlite3_int64)rows + 1;
	info->estimatedCost = rows + 1;
	return SQLITE_OK;
}

static int open_cursor(sqlite3_vtab *vtab, sqlite3_vtab_cursor **ret_cursor)
{
	struct cursor *c = xcalloc(1, sizeof(*c));

	c->table = ((struct shown *)vtab)->table;
	*ret_cursor = &c->base;
	return SQLITE_OK;
}

static int close_cursor(sqlite3_vtab_cursor *cursor)
{
	free(cursor);
	return SQLITE_OK;
}

/* `column` counts from 1; 0 is none. SQLite compares once more, so that a text may find too much. NULL equals nothing. */
static int filter(sqlite3_vtab_cursor *cursor, int column, const char *text, int argc, sqlite3_value **values)
{
	struct cursor *c = (struct cursor *)cursor;
	uint64_t row = NOWHERE;

	c->index = NULL;
	c->row = column && sqlite3_value_type(values[0]) == SQLITE_NULL ? NOWHERE : 0;
	if (column && sqlite3_value_type(values[0]) == SQLITE_INTEGER) {
		c->index = c->table->index[column - 1];
		map_get(c->index->first, (uint64_t)sqlite3_value_int64(values[0]), &row);
		c->row = row;
	}
	return SQLITE_OK;
}

static int next(sqlite3_vtab_cursor *cursor)
{
	struct cursor *c = (struct cursor *)cursor;

	c->row = c->index ? c->index->next[c->row] : c->row + 1;
	return SQLITE_OK;
}

static int at_end(sqlite3_vtab_cursor *cursor)
{
	const struct cursor *c = (struct cursor *)cursor;

	return c->row >= c->table->count;
}

static int column_value(sqlite3_vtab_cursor *cursor, sqlite3_context *context, int column)
{
	const struct cursor *c = (struct cursor *)cursor;
	int64_t value = rows_table_row(c->table, c->row)[column];

	if (column && (unsigned)column == c->table->real) {
		double real;

		memcpy(&real, &value, sizeof(real));
		sqlite3_result_double(context, real);
	} else if (value != ROWS_NULL) {
		sqlite3_result_int64(context, value);
	}
	return SQLITE_OK;
}

static int row_id(sqlite3_vtab_cursor *cursor, sqlite3_int64 *ret_id)
{
	*ret_id = (sqlite3_int64)((struct cursor *)cursor)->row;
	return SQLITE_OK;
}

int rows_table_register(sqlite3 *db, struct rows_source *source)
{
	static const sqlite3_module module = {
		.iVersion = 1, .xCreate = connect_table, .xConnect = connect_table, .xBestIndex = best_index,
		.xDisconnect = disconnect_table, .xDestroy = disconnect_table, .xOpen = open_cursor, .xClose = close_cursor,
		.xFilter = filter, .xNext = next, .xEof = at_end, .xColumn = column_value, .xRowid = row_id,
	};

	return sqlite3_create_module(db, "rows", &module, source);
}
