// SPDX-License-Identifier: BSD-2-Clause
#include "rows_table.h"

#include <stdlib.h>
#include <string.h>

#include "hash.h"
#include "mem.h"
#include "text.h"

enum { NOWHERE = UINT32_MAX };

/* row: + 1, 0: it is free. */
struct rows_place {
	uint32_t row, hash;
};

/* Rows with the same value, one after the other. Ids are dense, and need no hash. */
struct rows_index {
	uint32_t *dense;   /* value -> row, NOWHERE: none; NULL: it is the map */
	size_t end;        /* of the dense ones */
	struct map *first; /* value -> row */
	uint32_t *next;    /* by row; NOWHERE at the end */
	size_t different;  /* values */
};

static const char *const type_names[] = {[ROWS_INTEGER] = "INTEGER", [ROWS_REAL] = "REAL", [ROWS_TEXT] = "TEXT"};

struct rows_table *rows_table_new(const char *columns, unsigned keys)
{
	struct rows_table *t = xcalloc(1, sizeof(*t));

	t->columns = columns;
	t->keys = keys;
	for (const char *p = columns, *end; *p; p = end + (*end == ',')) {
		size_t name = strcspn(p, " ,");

		end = strchrnul(p, ',');
		for (size_t i = 0; p[name] == ' ' && i < ARRAY_SIZE(type_names); i++)
			if (starts_with(p + name + 1, type_names[i]))
				t->type[t->width] = (enum rows_type)i;
		t->width++;
	}
	return t;
}

void rows_table_add_names(const struct rows_table *t, struct buf *text)
{
	for (const char *p = t->columns; *p; p += strcspn(p, ","), p += *p == ',')
		buf_addf(text, "%s%.*s", p == t->columns ? "" : ",", (int)strcspn(p, " ,"), p);
}

static void free_index(struct rows_index *index)
{
	if (!index)
		return;
	map_free(index->first);
	free(index->dense);
	free(index->next);
	free(index);
}

void rows_table_free(struct rows_table *t)
{
	if (!t)
		return;
	for (unsigned i = 0; i < t->width; i++)
		free_index(t->index[i]);
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

static bool has_keys(const struct rows_table *t, uint32_t row, const int64_t *keys)
{
	const int64_t *cells = rows_table_row(t, row);

	for (unsigned i = 0; i < t->keys; i++)
		if (cells[i] != keys[i])
			return false;
	return true;
}

/* Rows lie all over memory: one is looked at only if its hash is right. */
static struct rows_place *place_of(const struct rows_table *t, const int64_t *keys, uint32_t hash)
{
	size_t mask = t->place_count - 1, i = hash & mask;

	while (t->places[i].row && (t->places[i].hash != hash || !has_keys(t, t->places[i].row - 1, keys)))
		i = (i + 1) & mask;
	return &t->places[i];
}

static void enlarge(struct rows_table *t)
{
	_cleanup_free_ struct rows_place *old = t->places;
	size_t count = t->place_count, mask;

	t->place_count = count ? 2 * count : 256;
	t->places = xcalloc(t->place_count, sizeof(*t->places));
	mask = t->place_count - 1;
	for (size_t k = 0; k < count; k++) {
		size_t i = old[k].hash & mask;

		if (!old[k].row)
			continue;
		while (t->places[i].row)
			i = (i + 1) & mask;
		t->places[i] = old[k];
	}
}

/* Every slice names the same things in much the same order: the next one is guessed before it is looked up. */
int64_t *rows_table_place(struct rows_table *t, const int64_t *keys)
{
	size_t guess = t->last + 1;

	if (guess < t->count && has_keys(t, (uint32_t)guess, keys))
		return rows_table_row(t, t->last = guess);
	if (2 * (t->count + 1) > t->place_count)
		enlarge(t);
	uint32_t hash = (uint32_t)hash_bytes(keys, t->keys * sizeof(*keys));
	struct rows_place *place = place_of(t, keys, hash);
	if (!place->row) {
		memcpy(rows_table_add(t), keys, t->keys * sizeof(*keys));
		*place = (struct rows_place){(uint32_t)t->count, hash};
	}
	t->last = place->row - 1;
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

/* Where the dense part has to end so that all values are in it; 0: they are not dense. NULL equals nothing, and needs no place. */
static size_t dense_end(const struct rows_table *t, unsigned column)
{
	int64_t most = 4 * (int64_t)t->count + 1024, end = 0;

	for (size_t row = 0; row < t->count; row++) {
		int64_t value = rows_table_row(t, row)[column];

		if (value != ROWS_NULL && (value < 0 || value >= most))
			return 0;
		if (value >= end)
			end = value + 1;
	}
	return (size_t)end;
}

static uint32_t first_row(const struct rows_index *index, int64_t value)
{
	uint64_t row = NOWHERE;

	if (index->dense)
		return value >= 0 && (uint64_t)value < index->end ? index->dense[value] : NOWHERE;
	map_get(index->first, (uint64_t)value, &row);
	return (uint32_t)row;
}

static struct rows_index *index_of(struct rows_table *t, unsigned column)
{
	struct rows_index *index = t->index[column];

	if (index)
		return index;
	index = t->index[column] = xcalloc(1, sizeof(*index));
	index->next = xmalloc((t->count + 1) * sizeof(*index->next));
	index->end = dense_end(t, column);
	if (index->end) {
		index->dense = xmalloc(index->end * sizeof(*index->dense));
		memset(index->dense, 0xff, index->end * sizeof(*index->dense));
	} else {
		index->first = map_new();
	}
	for (size_t row = t->count; row-- > 0;) {
		int64_t value = rows_table_row(t, row)[column];

		if (value == ROWS_NULL)
			continue;
		index->next[row] = first_row(index, value);
		index->different += index->next[row] == NOWHERE;
		if (index->dense)
			index->dense[value] = (uint32_t)row;
		else
			map_put(index->first, (uint64_t)value, row);
	}
	return index;
}

int64_t *rows_table_find(struct rows_table *t, unsigned column, int64_t value)
{
	uint32_t row = value == ROWS_NULL ? NOWHERE : first_row(index_of(t, column), value);

	return row == NOWHERE ? NULL : rows_table_row(t, row);
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
	unsigned column = 0;

	if (!t)
		return SQLITE_ERROR;
	buf_addstr(&sql, "CREATE TABLE x(");
	for (const char *p = t->columns; *p; p += strcspn(p, ","), p += *p == ',', column++)
		buf_addf(&sql, "%s%.*s %s", column ? "," : "", (int)strcspn(p, " ,"), p, type_names[t->type[column]]);
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

static bool is_sorted(struct rows_table *t)
{
	for (size_t row = 1; row < t->count && !t->order; row++)
		if (rows_table_row(t, row - 1)[0] > rows_table_row(t, row)[0])
			t->order = ROWS_UNSORTED;
	if (!t->order)
		t->order = ROWS_SORTED;
	return t->order == ROWS_SORTED && t->type[0] == ROWS_INTEGER;
}

/* By the column that leaves the fewest rows. */
static int best_index(sqlite3_vtab *vtab, sqlite3_index_info *info)
{
	struct rows_table *t = ((struct shown *)vtab)->table;
	double rows = (double)t->count + 1;
	bool unique = false;
	int best = -1;

	for (int i = 0; i < info->nConstraint; i++) {
		const struct sqlite3_index_constraint *c = &info->aConstraint[i];

		if (!c->usable || c->op != SQLITE_INDEX_CONSTRAINT_EQ || c->iColumn < 0 || (unsigned)c->iColumn >= t->keys ||
		    t->type[c->iColumn] != ROWS_INTEGER)
			continue;
		const struct rows_index *index = index_of(t, (unsigned)c->iColumn);
		double mean = (double)t->count / (double)(index->different + 1);
		if (best < 0 || mean < rows) {
			rows = mean;
			best = i;
			unique = index->different == t->count;
		}
	}
	if (best >= 0) {
		info->aConstraintUsage[best].argvIndex = 1;
		info->idxNum = info->aConstraint[best].iColumn + 1;
		info->idxFlags = unique ? SQLITE_INDEX_SCAN_UNIQUE : 0;
	}
	info->orderByConsumed = info->nOrderBy == 1 && info->aOrderBy[0].iColumn == 0 && !info->aOrderBy[0].desc && is_sorted(t);
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

	c->index = NULL;
	c->row = column && sqlite3_value_type(values[0]) == SQLITE_NULL ? NOWHERE : 0;
	if (column && sqlite3_value_type(values[0]) == SQLITE_INTEGER) {
		c->index = c->table->index[column - 1];
		c->row = first_row(c->index, sqlite3_value_int64(values[0]));
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

	double real;

	switch (c->table->type[column]) {
	case ROWS_INTEGER:
		if (value != ROWS_NULL)
			sqlite3_result_int64(context, value);
		break;
	case ROWS_REAL:
		memcpy(&real, &value, sizeof(real));
		sqlite3_result_double(context, real);
		break;
	case ROWS_TEXT:
		if (value)
			sqlite3_result_text(context, (const char *)(intptr_t)value, -1, SQLITE_STATIC);
		break;
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
