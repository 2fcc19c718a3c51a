// SPDX-License-Identifier: BSD-2-Clause
#include "journal_writes.h"

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "buf.h"
#include "mem.h"

enum {
	FRAME_HEAD = 24,     /* https://sqlite.org/fileformat2.html#the_write_ahead_log */
	FRAME_COMMITS = 4,   /* where it says, with the size of the database, that the transaction ends; else 0 */
	MOST_BYTES = 100 << 10, /* SQLite's own write() takes less than 128 KiB */
};

struct journal_writes {
	sqlite3_vfs vfs; /* the system's own, but for how files are opened */
	sqlite3_vfs *system;
	char name[40];
};

struct journal {
	sqlite3_file file; /* first: as SQLite sees it */
	struct buf gathered;
	sqlite3_int64 start; /* of what has been gathered, in the file */
	sqlite3_int64 end;   /* of what has been written since the log began anew */
	bool commits;        /* the frame that is being written ends a transaction */
	sqlite3_file *real;  /* behind this struct */
};

static int flush(struct journal *j)
{
	int r = j->gathered.len ? j->real->pMethods->xWrite(j->real, j->gathered.data, (int)j->gathered.len, j->start) : SQLITE_OK;

	buf_reset(&j->gathered);
	return r;
}

static int journal_close(sqlite3_file *f)
{
	struct journal *j = (struct journal *)f;
	int flushed = flush(j), r = j->real->pMethods->xClose(j->real);

	buf_done(&j->gathered);
	return r ? r : flushed;
}

static int journal_read(sqlite3_file *f, void *bytes, int count, sqlite3_int64 at)
{
	struct journal *j = (struct journal *)f;
	int r = flush(j);

	return r ? r : j->real->pMethods->xRead(j->real, bytes, count, at);
}

/* A transaction that outgrew SQLite's cache may write a page of its own anew. Then it ends with the heads from there on, alone and
 * with new checksums, the last of them that of the frame that commits. */
static int journal_write(sqlite3_file *f, const void *bytes, int count, sqlite3_int64 at)
{
	static const uint8_t none[4];
	struct journal *j = (struct journal *)f;
	bool goes_on = at == j->start + (sqlite3_int64)j->gathered.len, head = count == FRAME_HEAD;
	bool again = at && at < j->end;
	int r = goes_on && j->gathered.len + (size_t)count <= MOST_BYTES ? SQLITE_OK : flush(j);

	if (r)
		return r;
	if (!j->gathered.len)
		j->start = at;
	buf_add(&j->gathered, bytes, (size_t)count);
	if (!again)
		j->end = at + count;
	if (head)
		j->commits = memcmp((const uint8_t *)bytes + FRAME_COMMITS, none, sizeof(none));
	return again || (!head && j->commits) ? flush(j) : SQLITE_OK;
}

static int journal_truncate(sqlite3_file *f, sqlite3_int64 size)
{
	struct journal *j = (struct journal *)f;
	int r = flush(j);

	return r ? r : j->real->pMethods->xTruncate(j->real, size);
}

static int journal_sync(sqlite3_file *f, int flags)
{
	struct journal *j = (struct journal *)f;
	int r = flush(j);

	return r ? r : j->real->pMethods->xSync(j->real, flags);
}

static int journal_size(sqlite3_file *f, sqlite3_int64 *ret_size)
{
	struct journal *j = (struct journal *)f;
	int r = flush(j);

	return r ? r : j->real->pMethods->xFileSize(j->real, ret_size);
}

static int journal_lock(sqlite3_file *f, int level)
{
	struct journal *j = (struct journal *)f;

	return j->real->pMethods->xLock(j->real, level);
}

static int journal_unlock(sqlite3_file *f, int level)
{
	struct journal *j = (struct journal *)f;

	return j->real->pMethods->xUnlock(j->real, level);
}

static int journal_reserved(sqlite3_file *f, int *ret_reserved)
{
	struct journal *j = (struct journal *)f;

	return j->real->pMethods->xCheckReservedLock(j->real, ret_reserved);
}

static int journal_control(sqlite3_file *f, int what, void *arg)
{
	struct journal *j = (struct journal *)f;

	return j->real->pMethods->xFileControl(j->real, what, arg);
}

static int journal_sector(sqlite3_file *f)
{
	struct journal *j = (struct journal *)f;

	return j->real->pMethods->xSectorSize(j->real);
}

static int journal_device(sqlite3_file *f)
{
	struct journal *j = (struct journal *)f;

	return j->real->pMethods->xDeviceCharacteristics(j->real);
}

static const sqlite3_io_methods methods = {
	.iVersion = 1,
	.xClose = journal_close, .xRead = journal_read, .xWrite = journal_write, .xTruncate = journal_truncate,
	.xSync = journal_sync, .xFileSize = journal_size, .xLock = journal_lock, .xUnlock = journal_unlock,
	.xCheckReservedLock = journal_reserved, .xFileControl = journal_control, .xSectorSize = journal_sector,
	.xDeviceCharacteristics = journal_device,
};

static int open_file(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *ret_flags)
{
	sqlite3_vfs *system = ((struct journal_writes *)vfs)->system;
	struct journal *j = (struct journal *)f;

	if (!(flags & SQLITE_OPEN_WAL))
		return system->xOpen(system, name, f, flags, ret_flags);
	*j = (struct journal){.gathered = BUF_INIT, .real = (sqlite3_file *)(j + 1)};
	j->real->pMethods = NULL;
	int r = system->xOpen(system, name, j->real, flags, ret_flags);
	if (j->real->pMethods) /* SQLite closes what has methods, even where it could not be opened */
		f->pMethods = &methods;
	return r;
}

struct journal_writes *journal_writes_new(void)
{
	sqlite3_vfs *system = sqlite3_vfs_find(NULL);

	if (!system)
		return NULL;
	struct journal_writes *j = xcalloc(1, sizeof(*j));
	*j = (struct journal_writes){.vfs = *system, .system = system};
	snprintf(j->name, sizeof(j->name), "journal-writes-%p", (void *)j);
	j->vfs.pNext = NULL;
	j->vfs.zName = j->name;
	j->vfs.szOsFile = (int)sizeof(struct journal) + system->szOsFile;
	j->vfs.xOpen = open_file;
	sqlite3_vfs_register(&j->vfs, 0);
	return j;
}

void journal_writes_free(struct journal_writes *j)
{
	if (!j)
		return;
	sqlite3_vfs_unregister(&j->vfs);
	free(j);
}

const char *journal_writes_vfs(const struct journal_writes *j)
{
	return j ? j->name : NULL;
}
