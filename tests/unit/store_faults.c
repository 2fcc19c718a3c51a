// SPDX-License-Identifier: BSD-2-Clause
/* A disk that fails under a recording after so many writes and syncs: one clear error, and what was committed before is
 * there. */
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "clock.h"
#include "fail.h"
#include "mem.h"
#include "store_query.h"
#include "store_write.h"

enum { SLICES = 6, MOST_OPERATIONS = 400 };

static long left = -1; /* operations before the disk fails; below 0: it does not */
static sqlite3_vfs *real_vfs, faulty_vfs;

/* A file's methods, of which there are a few sets, by kind of file. */
static struct methods {
	sqlite3_io_methods faulty; /* first: what the file points at */
	const sqlite3_io_methods *real;
} sets[4];

static bool fails(void)
{
	if (left > 0)
		left--;
	return left == 0;
}

static const sqlite3_io_methods *real_of(const sqlite3_file *f)
{
	return ((const struct methods *)(const void *)f->pMethods)->real;
}

static int faulty_write(sqlite3_file *f, const void *bytes, int count, sqlite3_int64 at)
{
	return fails() ? SQLITE_IOERR_WRITE : real_of(f)->xWrite(f, bytes, count, at);
}

static int faulty_sync(sqlite3_file *f, int flags)
{
	return fails() ? SQLITE_IOERR_FSYNC : real_of(f)->xSync(f, flags);
}

static int faulty_truncate(sqlite3_file *f, sqlite3_int64 size)
{
	return fails() ? SQLITE_IOERR_TRUNCATE : real_of(f)->xTruncate(f, size);
}

static int faulty_open(sqlite3_vfs *unused, const char *path, sqlite3_file *f, int flags, int *ret_flags)
{
	int r = real_vfs->xOpen(real_vfs, path, f, flags, ret_flags);

	if (r != SQLITE_OK || !f->pMethods)
		return r;
	struct methods *m = sets;
	while (m->real && m->real != f->pMethods)
		m++;
	m->real = f->pMethods;
	m->faulty = *m->real;
	m->faulty.xWrite = faulty_write;
	m->faulty.xSync = faulty_sync;
	m->faulty.xTruncate = faulty_truncate;
	f->pMethods = &m->faulty;
	return r;
}

static void install(void)
{
	real_vfs = sqlite3_vfs_find(NULL);
	faulty_vfs = *real_vfs;
	faulty_vfs.zName = "faulty";
	faulty_vfs.pNext = NULL;
	faulty_vfs.xOpen = faulty_open;
	CHECK(sqlite3_vfs_register(&faulty_vfs, 1) == SQLITE_OK);
}

/* Slices that were said to be written; *ret_error: what the first failure was, 0 if none. */
static uint32_t record(struct store *s, int *ret_error)
{
	for (uint32_t i = 1; i <= SLICES; i++) {
		int r = store_begin(s);

		if (r == 0) {
			if (i == 1)
				store_add_metric(s, 1, "load", "threads", "");
			for (uint32_t n = 1; n < 200; n++)
				store_add_gauge(s, i, 1, n, n);
			store_add_slice(s, i, (i - 1) * NS_PER_S, i * NS_PER_S);
			r = store_commit(s);
		}
		if ((*ret_error = r) < 0)
			return i - 1;
	}
	*ret_error = store_finish(s);
	return SLICES;
}

static int64_t slices_in(const char *path)
{
	_cleanup_(store_freep) struct store *s = NULL;
	int64_t count = -1;

	if (store_open(path, &s) < 0 || query_one_int(s, "SELECT count(*) FROM slice", -1, &count) < 0)
		return -1;
	return count;
}

/* A disk that fails just as the recording is put into its one file leaves a journal behind, that only a writer may use. */
static void mend(const char *path)
{
	_cleanup_free_ char *journal = xasprintf("%s-journal", path);
	sqlite3 *db = NULL;

	if (access(journal, F_OK) < 0)
		return;
	CHECK(sqlite3_open(path, &db) == SQLITE_OK && sqlite3_exec(db, "SELECT * FROM meta", NULL, NULL, NULL) == SQLITE_OK);
	sqlite3_close(db);
}

/* Whether the recording went well in spite of it. */
static bool fail_after(const char *path, long operations)
{
	struct store *s = NULL;
	uint32_t written = 0;
	int error = 0;

	left = -1;
	CHECK(store_create(path, &s) == 0);
	left = operations;
	written = record(s, &error);
	if (error < 0)
		CHECK(strstr(fail_message(), path) && !strchr(fail_message(), '\n'));
	store_free(s);
	left = -1;
	mend(path);
	int64_t readable = slices_in(path);
	/* What could not be synced may be there all the same. */
	CHECK(readable == written || (error < 0 && readable == written + 1));
	return error == 0;
}

static void unlink_all(const char *path)
{
	static const char *const endings[] = {"", "-wal", "-shm", ".old", ".old-wal", ".old-shm"};

	for (size_t i = 0; i < ARRAY_SIZE(endings); i++) {
		_cleanup_free_ char *name = xasprintf("%s%s", path, endings[i]);

		unlink(name);
	}
}

int main(void)
{
	char directory[] = "/tmp/perfscope-faults-XXXXXX";
	bool went_well = false;
	long operations = 1;

	if (!mkdtemp(directory))
		return 1;
	_cleanup_free_ char *path = xasprintf("%s/x.db", directory);
	install();
	for (; !went_well && operations < MOST_OPERATIONS; operations++) {
		went_well = fail_after(path, operations);
		unlink_all(path);
	}
	CHECK(went_well && operations > SLICES);
	rmdir(directory);
	return check_done("store_faults");
}
