// SPDX-License-Identifier: BSD-2-Clause
#include "store_write.h"

#include <string.h>

#include "escape.h"
#include "mem.h"
#include "redact.h"
#include "store_internal.h"

enum statement {
	SET_META, ADD_SLICE, ADD_METRIC, ADD_CGROUP, PUT_PROCESS, PUT_TASK, PUT_MODULE, ADD_MAPPING, ADD_SYMBOL,
	ADD_FRAME, NAME_FRAME, ADD_INLINED, ADD_WAIT_LOOP, ADD_CODE, ADD_STACK, ADD_RESOURCE, ADD_SAMPLE, ADD_SPAN, END_SPAN,
	ADD_EDGE, ADD_HISTOGRAM, ADD_GAUGE, ADD_EVENT, ADD_UNAVAILABLE, STATEMENT_COUNT
};

_Static_assert((int)STATEMENT_COUNT <= STORE_STATEMENTS, "room for every statement");

static const char *const statements[] = {
	[SET_META] = "INSERT OR REPLACE INTO meta VALUES(?,?)",
	[ADD_SLICE] = "INSERT OR REPLACE INTO slice VALUES(?,?,?)",
	[ADD_METRIC] = "INSERT INTO metric VALUES(?,?,?,?)",
	[ADD_CGROUP] = "INSERT INTO cgroup VALUES(?,?)",
	[PUT_PROCESS] = "INSERT OR REPLACE INTO process VALUES(?,?,?,?,?,?,?,?,?,?,?)",
	[PUT_TASK] = "INSERT OR REPLACE INTO task VALUES(?,?,?,?,?,?)",
	[PUT_MODULE] = "INSERT OR REPLACE INTO module VALUES(?,?,?,?)",
	[ADD_MAPPING] = "INSERT INTO mapping VALUES(?,?,?,?,?,?)",
	[ADD_SYMBOL] = "INSERT INTO symbol VALUES(?,?,?,?,?,?)",
	[ADD_FRAME] = "INSERT INTO frame VALUES(?,?,?,NULL,NULL)",
	[NAME_FRAME] = "UPDATE frame SET symbol = ?2, line = ?3 WHERE id = ?1",
	[ADD_INLINED] = "INSERT INTO inlined VALUES(?,?,?,?)",
	[ADD_WAIT_LOOP] = "INSERT INTO wait_loop VALUES(?,?,?,?)",
	[ADD_CODE] = "INSERT OR REPLACE INTO code VALUES(?,?,?)",
	[ADD_STACK] = "INSERT INTO stack VALUES(?,?,?)",
	[ADD_RESOURCE] = "INSERT OR REPLACE INTO resource VALUES(?,?,?)",
	[ADD_SAMPLE] = "INSERT INTO sample VALUES(?,?,?,?,?,?,?)",
	[ADD_SPAN] = "INSERT INTO span VALUES(?,?,?,?,?,?,?)",
	[END_SPAN] = "UPDATE span SET last = ?2 WHERE id = ?1",
	[ADD_EDGE] = "INSERT INTO edge VALUES(?,?,?,?,?,?,?,?,?)",
	[ADD_HISTOGRAM] = "INSERT INTO histogram VALUES(?,?,?,?,?)",
	[ADD_GAUGE] = "INSERT INTO gauge VALUES(?,?,?,?)",
	[ADD_EVENT] = "INSERT INTO event VALUES(?,?,?,?,?,?)",
	[ADD_UNAVAILABLE] = "INSERT INTO unavailable VALUES(?,?)",
};

/* The statement, ready for new values; NULL once something has failed: the slice is lost then. */
static sqlite3_stmt *prepare(struct store *s, enum statement which)
{
	if (s->error)
		return NULL;
	if (!s->insert[which] &&
	    sqlite3_prepare_v3(s->db, statements[which], -1, SQLITE_PREPARE_PERSISTENT, &s->insert[which],
			       NULL) != SQLITE_OK) {
		s->error = store_error(s, "write");
		return NULL;
	}
	return s->insert[which];
}

static void run(struct store *s, sqlite3_stmt *q)
{
	if (sqlite3_step(q) != SQLITE_DONE)
		s->error = store_error(s, "write");
	sqlite3_reset(q);
}

static void bind_int(sqlite3_stmt *q, int column, uint64_t value)
{
	sqlite3_bind_int64(q, column, value > INT64_MAX ? INT64_MAX : (int64_t)value);
}

static void bind_slice(struct store *s, sqlite3_stmt *q, uint32_t slice)
{
	bind_int(q, 1, slice);
	s->unordered |= slice < s->newest_slice;
	s->newest_slice = slice;
}

static void bind_id(sqlite3_stmt *q, int column, uint32_t id)
{
	if (id)
		sqlite3_bind_int64(q, column, id);
	else
		sqlite3_bind_null(q, column);
}

/* Addresses keep their 64 bits: the kernel's read as negative numbers. */
static void bind_address(sqlite3_stmt *q, int column, uint64_t address)
{
	sqlite3_bind_int64(q, column, (int64_t)address);
}

static void bind_end(sqlite3_stmt *q, int column, uint64_t ns)
{
	if (ns == UINT64_MAX)
		sqlite3_bind_null(q, column);
	else
		bind_int(q, column, ns);
}

/* Text from other processes may be anything; a recording holds valid UTF-8. */
static void bind_text(sqlite3_stmt *q, int column, const char *text)
{
	struct buf clean = BUF_INIT;

	if (!text) {
		sqlite3_bind_null(q, column);
		return;
	}
	escape_utf8(&clean, text, strlen(text));
	sqlite3_bind_text(q, column, clean.data, (int)clean.len, SQLITE_TRANSIENT);
	buf_done(&clean);
}

/* Text in which other people's paths and addresses may be; `kind` is a resource's, or NULL. */
static void bind_personal(struct store *s, sqlite3_stmt *q, int column, const char *kind, const char *text)
{
	struct buf redacted = BUF_INIT;

	if (s->redact && text)
		redact_add(s->redact, kind, text, &redacted);
	bind_text(q, column, s->redact && text ? redacted.data : text);
	buf_done(&redacted);
}

void store_redact(struct store *s)
{
	if (!s->redact)
		s->redact = redact_new();
	store_set_int(s, "redacted", 1);
}

int store_begin(struct store *s)
{
	s->error = 0;
	return store_execute(s, "BEGIN IMMEDIATE");
}

int store_commit(struct store *s)
{
	int r = s->error;

	s->error = 0;
	if (r < 0) {
		/* Its message is the one to show: a failed rollback has nothing to add. */
		sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
		return r;
	}
	r = store_execute(s, "COMMIT");
	if (r < 0)
		sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
	else if (s->newest_slice && !s->committed) {
		s->committed = true;
		store_keep_new(s);
	}
	return r;
}

void store_set_text(struct store *s, const char *key, const char *value)
{
	sqlite3_stmt *q = prepare(s, SET_META);

	if (!q)
		return;
	bind_text(q, 1, key);
	bind_text(q, 2, value);
	run(s, q);
}

void store_set_int(struct store *s, const char *key, int64_t value)
{
	sqlite3_stmt *q = prepare(s, SET_META);

	if (!q)
		return;
	bind_text(q, 1, key);
	sqlite3_bind_int64(q, 2, value);
	run(s, q);
}

void store_add_slice(struct store *s, uint32_t id, uint64_t start_ns, uint64_t end_ns)
{
	sqlite3_stmt *q = prepare(s, ADD_SLICE);

	if (!q)
		return;
	bind_int(q, 1, id);
	bind_int(q, 2, start_ns);
	bind_int(q, 3, end_ns);
	run(s, q);
}

void store_add_metric(struct store *s, uint32_t id, const char *name, const char *unit, const char *help)
{
	sqlite3_stmt *q = prepare(s, ADD_METRIC);

	if (!q)
		return;
	bind_int(q, 1, id);
	bind_text(q, 2, name);
	bind_text(q, 3, unit);
	bind_text(q, 4, help);
	run(s, q);
}

void store_add_cgroup(struct store *s, uint32_t id, const char *path)
{
	sqlite3_stmt *q = prepare(s, ADD_CGROUP);

	if (!q)
		return;
	bind_int(q, 1, id);
	bind_text(q, 2, path);
	run(s, q);
}

void store_put_process(struct store *s, const struct process_row *row)
{
	sqlite3_stmt *q = prepare(s, PUT_PROCESS);

	if (!q)
		return;
	bind_int(q, 1, row->id);
	bind_int(q, 2, row->pid);
	bind_id(q, 3, row->ppid);
	bind_text(q, 4, row->comm);
	bind_text(q, 5, s->redact ? NULL : row->command);
	bind_personal(s, q, 6, NULL, row->exe);
	bind_id(q, 7, row->cgroup);
	bind_int(q, 8, row->start_ns);
	bind_end(q, 9, row->end_ns);
	if (row->exit_status < 0)
		sqlite3_bind_null(q, 10);
	else
		sqlite3_bind_int(q, 10, row->exit_status);
	bind_int(q, 11, row->flags);
	run(s, q);
}

void store_put_task(struct store *s, const struct task_row *row)
{
	sqlite3_stmt *q = prepare(s, PUT_TASK);

	if (!q)
		return;
	bind_int(q, 1, row->id);
	bind_int(q, 2, row->process);
	bind_int(q, 3, row->tid);
	bind_text(q, 4, row->comm);
	bind_int(q, 5, row->start_ns);
	bind_end(q, 6, row->end_ns);
	run(s, q);
}

void store_put_module(struct store *s, uint32_t id, const char *kind, const char *path,
		      const uint8_t *build_id, size_t build_id_len)
{
	sqlite3_stmt *q = prepare(s, PUT_MODULE);

	if (!q)
		return;
	bind_int(q, 1, id);
	bind_text(q, 2, kind);
	bind_personal(s, q, 3, NULL, path);
	if (build_id_len)
		sqlite3_bind_blob(q, 4, build_id, (int)build_id_len, SQLITE_TRANSIENT);
	else
		sqlite3_bind_null(q, 4);
	run(s, q);
}

void store_add_mapping(struct store *s, uint32_t process, uint64_t start, uint64_t end, uint64_t offset,
		       uint32_t module, uint64_t since_ns)
{
	sqlite3_stmt *q = prepare(s, ADD_MAPPING);

	if (!q)
		return;
	bind_int(q, 1, process);
	bind_address(q, 2, start);
	bind_address(q, 3, end);
	bind_address(q, 4, offset);
	bind_int(q, 5, module);
	bind_int(q, 6, since_ns);
	run(s, q);
}

void store_add_symbol(struct store *s, uint32_t id, uint32_t module, const char *name, const char *file,
		      uint64_t start, uint64_t size)
{
	sqlite3_stmt *q = prepare(s, ADD_SYMBOL);

	if (!q)
		return;
	bind_int(q, 1, id);
	bind_int(q, 2, module);
	bind_personal(s, q, 3, NULL, name);
	bind_personal(s, q, 4, NULL, file);
	bind_address(q, 5, start);
	bind_int(q, 6, size);
	run(s, q);
}

void store_add_frame(struct store *s, uint32_t id, uint32_t module, uint64_t address)
{
	sqlite3_stmt *q = prepare(s, ADD_FRAME);

	if (!q)
		return;
	bind_int(q, 1, id);
	bind_int(q, 2, module);
	bind_address(q, 3, address);
	run(s, q);
}

void store_name_frame(struct store *s, uint32_t frame, uint32_t symbol, uint32_t line)
{
	sqlite3_stmt *q = prepare(s, NAME_FRAME);

	if (!q)
		return;
	bind_int(q, 1, frame);
	bind_id(q, 2, symbol);
	bind_id(q, 3, line);
	run(s, q);
}

void store_add_inlined(struct store *s, uint32_t frame, uint32_t depth, uint32_t symbol, uint32_t line)
{
	sqlite3_stmt *q = prepare(s, ADD_INLINED);

	if (!q)
		return;
	bind_int(q, 1, frame);
	bind_int(q, 2, depth);
	bind_int(q, 3, symbol);
	bind_id(q, 4, line);
	run(s, q);
}

void store_add_code(struct store *s, uint32_t symbol, uint64_t address, const void *bytes, size_t len)
{
	sqlite3_stmt *q = prepare(s, ADD_CODE);

	if (!q)
		return;
	bind_int(q, 1, symbol);
	bind_address(q, 2, address);
	sqlite3_bind_blob64(q, 3, bytes, len, SQLITE_TRANSIENT);
	run(s, q);
}

void store_add_wait_loop(struct store *s, uint32_t symbol, uint64_t start, uint64_t end, const char *kind)
{
	sqlite3_stmt *q = prepare(s, ADD_WAIT_LOOP);

	if (!q)
		return;
	bind_int(q, 1, symbol);
	bind_address(q, 2, start);
	bind_address(q, 3, end);
	bind_text(q, 4, kind);
	run(s, q);
}

void store_add_stack(struct store *s, uint32_t id, uint32_t parent, uint32_t frame)
{
	sqlite3_stmt *q = prepare(s, ADD_STACK);

	if (!q)
		return;
	bind_int(q, 1, id);
	bind_id(q, 2, parent);
	bind_int(q, 3, frame);
	run(s, q);
}

void store_add_resource(struct store *s, uint32_t id, const char *kind, const char *name)
{
	sqlite3_stmt *q = prepare(s, ADD_RESOURCE);

	if (!q)
		return;
	bind_int(q, 1, id);
	bind_text(q, 2, kind);
	bind_personal(s, q, 3, kind, name);
	run(s, q);
}

void store_add_sample(struct store *s, const struct sample_row *row)
{
	sqlite3_stmt *q = prepare(s, ADD_SAMPLE);

	if (!q)
		return;
	bind_slice(s, q, row->slice);
	bind_int(q, 2, row->metric);
	bind_id(q, 3, row->task);
	bind_id(q, 4, row->stack);
	bind_id(q, 5, row->resource);
	bind_int(q, 6, row->count);
	sqlite3_bind_int64(q, 7, row->value);
	run(s, q);
}

void store_add_span(struct store *s, uint32_t id, uint32_t first, uint32_t last, uint32_t metric,
		    uint32_t task, uint32_t stack, uint32_t resource)
{
	sqlite3_stmt *q = prepare(s, ADD_SPAN);

	if (!q)
		return;
	bind_int(q, 1, id);
	bind_int(q, 2, first);
	bind_id(q, 3, last);
	bind_int(q, 4, metric);
	bind_int(q, 5, task);
	bind_id(q, 6, stack);
	bind_id(q, 7, resource);
	run(s, q);
}

void store_end_span(struct store *s, uint32_t id, uint32_t last)
{
	sqlite3_stmt *q = prepare(s, END_SPAN);

	if (!q)
		return;
	bind_int(q, 1, id);
	bind_int(q, 2, last);
	run(s, q);
}

void store_add_edge(struct store *s, const struct edge_row *row)
{
	sqlite3_stmt *q = prepare(s, ADD_EDGE);

	if (!q)
		return;
	bind_slice(s, q, row->slice);
	bind_int(q, 2, row->kind);
	bind_id(q, 3, row->task);
	bind_id(q, 4, row->stack);
	bind_id(q, 5, row->resource);
	bind_id(q, 6, row->other_task);
	bind_id(q, 7, row->other_stack);
	bind_int(q, 8, row->count);
	bind_int(q, 9, row->ns);
	run(s, q);
}

void store_add_histogram(struct store *s, uint32_t slice, uint32_t metric, uint32_t resource,
			 uint32_t bucket, uint64_t count)
{
	sqlite3_stmt *q = prepare(s, ADD_HISTOGRAM);

	if (!q)
		return;
	bind_slice(s, q, slice);
	bind_int(q, 2, metric);
	bind_id(q, 3, resource);
	bind_int(q, 4, bucket);
	bind_int(q, 5, count);
	run(s, q);
}

void store_add_gauge(struct store *s, uint32_t slice, uint32_t metric, uint32_t resource, double value)
{
	sqlite3_stmt *q = prepare(s, ADD_GAUGE);

	if (!q)
		return;
	bind_slice(s, q, slice);
	bind_int(q, 2, metric);
	bind_id(q, 3, resource);
	sqlite3_bind_double(q, 4, value);
	run(s, q);
}

void store_add_event(struct store *s, uint64_t time_ns, const char *kind, uint32_t task, uint32_t resource,
		     int64_t value, const char *detail)
{
	sqlite3_stmt *q = prepare(s, ADD_EVENT);

	if (!q)
		return;
	bind_int(q, 1, time_ns);
	bind_text(q, 2, kind);
	bind_id(q, 3, task);
	bind_id(q, 4, resource);
	sqlite3_bind_int64(q, 5, value);
	bind_personal(s, q, 6, NULL, detail);
	run(s, q);
}

void store_add_unavailable(struct store *s, const char *probe, const char *reason)
{
	sqlite3_stmt *q = prepare(s, ADD_UNAVAILABLE);

	if (!q)
		return;
	bind_text(q, 1, probe);
	bind_text(q, 2, reason);
	run(s, q);
}
