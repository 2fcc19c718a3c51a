/* SPDX-License-Identifier: BSD-2-Clause */
/* Shared by the store's own files only. */
#pragma once
#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "store.h"

enum { STORE_STATEMENTS = 24 };

struct store {
	sqlite3 *db;
	char *path;
	bool writable;
	bool selected;                          /* temporary views hide the tables */
	int error;                              /* first error of store_add_*(), told by store_commit() */
	sqlite3_stmt *insert[STORE_STATEMENTS]; /* prepared at first use, see store_write.c */
};

struct query {
	struct store *store;
	sqlite3_stmt *statement;
	bool guarded; /* the connection's time limit is this query's */
	uint64_t deadline_ns;
};

extern const char store_schema_sql[], store_views_sql[];

int store_error(const struct store *s, const char *doing); /* sqlite's last error as errno + message */
int store_execute(struct store *s, const char *sql);
