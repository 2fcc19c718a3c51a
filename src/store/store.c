// SPDX-License-Identifier: BSD-2-Clause
#include "store.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "buf.h"
#include "fail.h"
#include "io.h"
#include "journal_writes.h"
#include "mem.h"
#include "redact.h"
#include "store_internal.h"
#include "store_query.h"

#define APPLICATION_ID 0x70736370 /* "pscp", in the file's header */

/* A slice's commit writes the last page of each table again: small pages halve what goes to the disk. */
#define PAGE_BYTES 1024

/* Foreign text may be long, but no recording of ours has a value beyond this; a report repeats it in each of its rows. */
#define LONGEST_VALUE (1 << 20)

static int to_errno(int code)
{
	switch (code & 0xff) {
	case SQLITE_FULL: return -ENOSPC;
	case SQLITE_IOERR: return -EIO;
	case SQLITE_READONLY:
	case SQLITE_PERM:
	case SQLITE_AUTH: return -EACCES;
	case SQLITE_CANTOPEN: return -ENOENT;
	case SQLITE_BUSY:
	case SQLITE_LOCKED: return -EBUSY;
	case SQLITE_NOTADB:
	case SQLITE_CORRUPT: return -EBADMSG;
	case SQLITE_INTERRUPT: return -ETIME;
	default: return -EINVAL;
	}
}

int store_error(const struct store *s, const char *doing)
{
	int code = sqlite3_extended_errcode(s->db), r = to_errno(code), error = sqlite3_system_errno(s->db);

	/* A full disk under a WAL, or a file as large as it may be, is reported as a failed write; SQLite's words say no more. */
	if ((code == SQLITE_IOERR_WRITE && (error == ENOSPC || error == EFBIG)) ||
	    ((code & 0xff) == SQLITE_CANTOPEN && (error == EMFILE || error == ENFILE)))
		r = -error;
	if (r == -ENOSPC || r == -EIO || r == -EFBIG || r == -EMFILE || r == -ENFILE)
		return failx(r, "%s: %s: %s", s->path, doing, strerror(-r));
	return failx(r, "%s: %s: %s", s->path, doing, sqlite3_errmsg(s->db));
}

int store_execute(struct store *s, const char *sql)
{
	if (sqlite3_exec(s->db, sql, NULL, NULL, NULL) != SQLITE_OK)
		return store_error(s, s->writable ? "write" : "read");
	return 0;
}

const char *store_path(const struct store *s)
{
	return s->path;
}

void store_free(struct store *s)
{
	if (!s)
		return;
	for (int i = 0; i < STORE_STATEMENTS; i++)
		sqlite3_finalize(s->insert[i]);
	sqlite3_close_v2(s->db);
	journal_writes_free(s->journal);
	if (s->lock >= 0) /* not before: that would take SQLite's own locks away */
		close(s->lock);
	store_free_totals(s);
	store_free_pruned(s);
	redact_free(s->redact);
	free(s->path);
	free(s);
}

static int connect_to(const char *path, int flags, struct store **ret_store)
{
	_cleanup_(store_freep) struct store *s = xcalloc(1, sizeof(*s));

	s->lock = -1;
	s->path = xstrdup(path);
	s->writable = flags & SQLITE_OPEN_READWRITE;
	/* Nobody asks how much it has taken, and counting is a lock at each allocation: a sixth of a rule's time. Refused, and not
	 * needed, once there is a connection. */
	sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
	if (flags == SQLITE_OPEN_READWRITE) /* a recording */
		s->journal = journal_writes_new();
	if (sqlite3_open_v2(path, &s->db, flags | SQLITE_OPEN_NOMUTEX, journal_writes_vfs(s->journal)) != SQLITE_OK) {
		int r = sqlite3_system_errno(s->db);

		return r ? fail(-r, "%s", path) : store_error(s, "open");
	}
	sqlite3_extended_result_codes(s->db, 1);
	sqlite3_busy_timeout(s->db, 2000);
	/* Processes that are forked to ask have intermediate results of their own. */
	sqlite3_exec(s->db, "PRAGMA temp_store = MEMORY", NULL, NULL, NULL);
	*ret_store = s;
	s = NULL;
	return 0;
}

/* What the file says of itself in its header, without opening it as a database. */
static int is_recording(const char *path)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	unsigned char header[72];
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode))
		return fail(-EISDIR, "%s", path);
	if (!S_ISREG(st.st_mode))
		return failx(-EINVAL, "%s: not a regular file", path);
	ssize_t n = pread(fd, header, sizeof(header), 0);
	if (n < 0)
		return fail(-errno, "%s", path);
	if (n == 0)
		return failx(-ENODATA, "%s: not a perfscope recording: the file is empty", path);
	if ((size_t)n < sizeof(header) || memcmp(header, "SQLite format 3", 16))
		return failx(-EBADMSG, "%s: not a perfscope recording", path);
	unsigned id = (unsigned)header[68] << 24 | header[69] << 16 | header[70] << 8 | header[71];
	if (id != APPLICATION_ID)
		return failx(-EBADMSG, "%s: an SQLite database, but not a perfscope recording", path);
	return 0;
}

/* Of what SQLite keeps beside a recording that was cut off, its journal belongs to it. */
static const char *const parts[] = {"", "-wal", "-shm"};

static int remove_parts(const char *path)
{
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		_cleanup_free_ char *part = xasprintf("%s%s", path, parts[i]);

		if (unlink(part) < 0 && errno != ENOENT)
			return -errno;
	}
	return 0;
}

static int move_parts(const char *path, const char *old)
{
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		_cleanup_free_ char *from = xasprintf("%s%s", path, parts[i]);
		_cleanup_free_ char *to = xasprintf("%s%s", old, parts[i]);

		if (rename(from, to) < 0 && errno != ENOENT)
			return -errno;
	}
	return 0;
}

/* Who writes a recording holds a lock of it, from before it has its name until it is closed: see place(). */
static bool is_in_use(const char *path)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK;
}

/* What cannot be asked may have some. */
static bool may_have_slices(const char *path)
{
	_cleanup_(store_freep) struct store *s = NULL;
	int64_t slices = 0;

	return store_open(path, &s) < 0 || query_one_int(s, "SELECT count(*) FROM slice", 0, &slices) < 0 || slices;
}

/* 1: a recording, 0: no file or nothing in it, so that nothing is lost with it; else it is refused. */
static int may_go(const char *path)
{
	struct stat st;
	int r = is_recording(path);

	if (r == -ENOENT && lstat(path, &st) == 0)
		return failx(-EEXIST, "not overwritten: %s: a symbolic link to nothing", path);
	if (r == -ENOENT || r == -ENODATA)
		return 0;
	if (r == -EBADMSG || r == -EINVAL || r == -EISDIR)
		return fail_in(-EEXIST, "not overwritten");
	if (r < 0)
		return fail(r, "%s", path);
	/* SQLite finds what belongs to it by its name: it cannot be moved either. */
	return is_in_use(path) ? failx(-EBUSY, "not overwritten: %s: another perfscope is recording into it", path) : may_have_slices(path);
}

static int make_room(const char *path)
{
	int r = may_go(path);

	if (r < 0)
		return r;
	r = remove_parts(path);
	return r < 0 ? fail(r, "remove %s", path) : 0;
}

/* Without a message: what led here has one. */
static void put_back(const char *path)
{
	_cleanup_free_ char *old = xasprintf("%s.old", path), *older = xasprintf("%s.older", path);

	if (remove_parts(path) == 0 && move_parts(old, path) == 0)
		move_parts(older, old);
}

/* 1: there was one. What was PATH.old is PATH.older until the new one has a slice. */
static int put_aside(const char *path)
{
	_cleanup_free_ char *old = xasprintf("%s.old", path), *older = xasprintf("%s.older", path);
	int r = may_go(path);

	if (r <= 0)
		return r < 0 ? r : make_room(path);
	if ((r = may_go(old)) < 0)
		return r;
	r = r ? move_parts(old, older) : remove_parts(old);
	if (r < 0)
		return fail(r, "rename %s", old);
	if ((r = move_parts(path, old)) == 0)
		return 1;
	move_parts(old, path);
	move_parts(older, old);
	return fail(r, "rename %s", path);
}

void store_keep_new(struct store *s)
{
	_cleanup_free_ char *older = s->aside ? xasprintf("%s.older", s->path) : NULL;

	if (older)
		remove_parts(older);
}

/* An empty recording as the bytes of its file; the caller frees them with sqlite3_free(). */
static int blank(unsigned char **ret_bytes, size_t *ret_len)
{
	_cleanup_(store_freep) struct store *s = NULL;
	_cleanup_free_ char *header = xasprintf("PRAGMA page_size = %d; PRAGMA application_id = %d;"
						"PRAGMA user_version = %d; BEGIN;",
						PAGE_BYTES, APPLICATION_ID, STORE_SCHEMA_VERSION);
	sqlite3_int64 len = 0;
	int r = connect_to(":memory:", SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, &s);

	if (r < 0 || (r = store_execute(s, header)) < 0 || (r = store_execute(s, store_schema_sql)) < 0 ||
	    (r = store_execute(s, store_views_sql)) < 0 || (r = store_execute(s, "COMMIT")) < 0)
		return r;
	*ret_bytes = sqlite3_serialize(s->db, "main", &len, 0);
	*ret_len = (size_t)len;
	return *ret_bytes ? 0 : failx(-ENOMEM, "make an empty recording: out of memory");
}

/* The file appears with all its tables or not at all, whenever the process may be killed. */
static int place(const char *path, const unsigned char *bytes, size_t len, int *ret_lock)
{
	_cleanup_free_ char *copy = xstrdup(path);
	_cleanup_close_ int fd = open(dirname(copy), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	char link[64];
	int r;

	if (fd >= 0) {
		snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
		r = write_all(fd, bytes, len);
		flock(fd, LOCK_SH);
		if (r == 0 && linkat(AT_FDCWD, link, AT_FDCWD, path, AT_SYMLINK_FOLLOW) == 0) {
			*ret_lock = fd;
			fd = -1;
			return 0;
		}
		if (r < 0)
			return fail(r, "create %s", path);
		close(fd);
	}
	/* Not every file system knows nameless files. */
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd >= 0)
		flock(fd, LOCK_SH);
	r = fd < 0 ? -errno : write_all(fd, bytes, len);
	if (fd >= 0 && r < 0)
		unlink(path);
	if (r < 0)
		return fail(r, "create %s", path);
	*ret_lock = fd;
	fd = -1;
	return 0;
}

static int create_file(const char *path, bool *ret_aside, int *ret_lock)
{
	unsigned char *bytes = NULL;
	size_t len;
	int r = blank(&bytes, &len);

	if (r >= 0 && (r = put_aside(path)) >= 0) {
		*ret_aside = r > 0;
		r = place(path, bytes, len, ret_lock);
		if (r < 0 && *ret_aside)
			put_back(path);
	}
	sqlite3_free(bytes);
	return r;
}

static int create_in_memory(const char *path, struct store **ret_store)
{
	_cleanup_(store_freep) struct store *s = NULL;
	int r = connect_to(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_URI, &s);

	if (r < 0 || (r = store_execute(s, store_schema_sql)) < 0 || (r = store_execute(s, store_views_sql)) < 0)
		return r;
	*ret_store = s;
	s = NULL;
	return 0;
}

static void take_back(const char *path, bool aside)
{
	if (aside)
		put_back(path);
	else
		remove_parts(path);
}

int store_create(const char *path, struct store **ret_store)
{
	struct store *s = NULL;
	bool aside = false;
	int r, lock = -1;

	if (!strcmp(path, ":memory:"))
		return create_in_memory(path, ret_store);
	if ((r = create_file(path, &aside, &lock)) < 0)
		return r;
	if ((r = connect_to(path, SQLITE_OPEN_READWRITE, &s)) < 0 ||
	    (r = store_execute(s, "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL")) < 0) {
		store_free(s);
		close(lock);
		take_back(path, aside);
		return r;
	}
	s->lock = lock;
	s->aside = aside;
	*ret_store = s;
	return 0;
}

/* SQLite's temporary files are in memory then, too: whom a full disk holds up is found all the same. */
int store_create_for_forks(struct store **ret_store)
{
	int r = create_in_memory("file:memory?vfs=memdb", ret_store);

	if (r < 0)
		return r;
	free((*ret_store)->path);
	(*ret_store)->path = xstrdup("live recording"); /* what messages call it */
	return 0;
}

bool store_has_slices(const struct store *s)
{
	return s->committed;
}

void store_withdraw(struct store *s)
{
	_cleanup_free_ char *path = xstrdup(s->path);
	bool aside = s->aside;
	struct stat there, own;
	bool ours = stat(path, &there) == 0 && fstat(s->lock, &own) == 0 && there.st_dev == own.st_dev && there.st_ino == own.st_ino;

	store_free(s);
	if (ours) /* not another recorder's that has come meanwhile */
		take_back(path, aside);
}

int store_finish(struct store *s)
{
	int r;

	for (int i = 0; i < STORE_STATEMENTS; i++) {
		sqlite3_finalize(s->insert[i]);
		s->insert[i] = NULL;
	}
	r = store_execute(s, "INSERT OR REPLACE INTO meta VALUES('complete', 1)");
	/* A reader that is looking at it right now keeps the journal; the recording is whole all the same. */
	int code = r ? SQLITE_OK : sqlite3_exec(s->db, "PRAGMA journal_mode = DELETE", NULL, NULL, NULL) & 0xff;
	return code == SQLITE_FULL || code == SQLITE_IOERR ? store_error(s, "finish") : r;
}

/* As SQLite is told to open a real file, wherever the connection's own database lies. */
static void add_file_uri(struct buf *uri, const char *path)
{
	buf_addstr(uri, *path == '/' ? "file://" : "file:"); /* what follows two slashes is a host: "//tmp/a" would name one */
	for (; *path; path++)
		if (isalnum((unsigned char)*path) || strchr("/._-", *path))
			buf_addch(uri, *path);
		else
			buf_addf(uri, "%%%02X", (unsigned char)*path);
	buf_addstr(uri, "?vfs=unix");
}

int store_save(struct store *s, const char *path)
{
	_cleanup_(buf_done) struct buf uri = BUF_INIT;
	char *sql;
	int r;

	if (access(path, F_OK) == 0)
		return fail(-EEXIST, "%s", path);
	for (int i = 0; i < STORE_STATEMENTS; i++)
		sqlite3_reset(s->insert[i]);
	if (!sqlite3_get_autocommit(s->db) && (r = store_execute(s, "ROLLBACK")) < 0)
		return r;
	umask(077);
	r = store_execute(s, "INSERT OR REPLACE INTO meta VALUES('complete', 1), "
			     "('duration_ns', (SELECT max(end_ns) - min(start_ns) FROM slice))");
	if (r < 0)
		return r;
	/* One in memory has no need of a header. */
	add_file_uri(&uri, path);
	sql = sqlite3_mprintf("PRAGMA application_id = %d; PRAGMA user_version = %d; VACUUM INTO %Q", APPLICATION_ID,
			      STORE_SCHEMA_VERSION, uri.data);
	r = store_execute(s, sql);
	sqlite3_free(sql);
	return r;
}

/* A part of the schema as sqlite itself writes it down. */
static int schema_text(struct store *s, bool views, struct buf *text)
{
	sqlite3_stmt *q = NULL;
	int code = sqlite3_prepare_v2(s->db,
		"SELECT type || ' ' || name || ' ' || tbl_name || ' ' || ifnull(sql, '') FROM sqlite_schema "
		"WHERE name <> 'sqlite_stat1' AND (type = 'view') = ? ORDER BY 1", -1, &q, NULL);

	if (code == SQLITE_OK)
		sqlite3_bind_int(q, 1, views);
	while (code == SQLITE_OK || code == SQLITE_ROW) {
		code = sqlite3_step(q);
		if (code == SQLITE_ROW)
			buf_addf(text, "%s\n", (const char *)sqlite3_column_text(q, 0));
	}
	sqlite3_finalize(q);
	return code == SQLITE_DONE ? 0 : store_error(s, "read");
}

static int check_version(struct store *s)
{
	sqlite3_stmt *q = NULL;
	int version = -1;

	if (sqlite3_prepare_v2(s->db, "PRAGMA user_version", -1, &q, NULL) == SQLITE_OK &&
	    sqlite3_step(q) == SQLITE_ROW)
		version = sqlite3_column_int(q, 0);
	sqlite3_finalize(q);
	if (version < 0)
		return store_error(s, "read");
	if (version > STORE_SCHEMA_VERSION)
		return failx(-EPROTONOSUPPORT,
			     "%s: made by a newer perfscope (recording version %d, this one reads %d)",
			     s->path, version, STORE_SCHEMA_VERSION);
	return 0;
}

/* The tables must be ours to the letter. Of views, which are questions that we ask of them, another version may have other ones, and
 * whoever changed the file any: then ours hide them. */
static int check_schema(struct store *s)
{
	_cleanup_(store_freep) struct store *ours = NULL;
	_cleanup_(buf_done) struct buf theirs = BUF_INIT, wanted = BUF_INIT, views = BUF_INIT, our_views = BUF_INIT, sql = BUF_INIT;
	int r = store_create(":memory:", &ours);

	if (r < 0 || (r = schema_text(ours, false, &wanted)) < 0 || (r = schema_text(s, false, &theirs)) < 0 ||
	    (r = schema_text(ours, true, &our_views)) < 0 || (r = schema_text(s, true, &views)) < 0)
		return r;
	if (!theirs.len)
		return failx(-EBADMSG, "%s: the recording was cut off before its first slice", s->path);
	if (strcmp(wanted.data, theirs.data))
		return failx(-EBADMSG, "%s: not with the tables of this perfscope: another version made it, or it was changed",
			     s->path);
	s->foreign_views = strcmp(our_views.data, views.len ? views.data : "") != 0;
	if (s->foreign_views)
		store_add_views(&sql);
	return store_execute(s, sql.data);
}

static int harden(struct store *s)
{
	sqlite3_limit(s->db, SQLITE_LIMIT_LENGTH, LONGEST_VALUE);
	sqlite3_limit(s->db, SQLITE_LIMIT_ATTACHED, 1);
	sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(s->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	sqlite3_db_config(s->db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
	return store_execute(s, "PRAGMA cell_size_check = ON; "
				"PRAGMA cache_size = -16384; PRAGMA mmap_size = 0");
}

/* Nothing is written into one that is complete; a path may lead to another file since. */
static bool is_same(struct store *a, struct store *b)
{
	return store_meta_int(a, "complete") == 1 && store_meta_int(b, "complete") == 1 &&
	       store_meta_int(a, "start_wall_ns") == store_meta_int(b, "start_wall_ns") &&
	       store_meta_int(a, "duration_ns") == store_meta_int(b, "duration_ns");
}

struct store *store_open_beside(struct store *s)
{
	struct store *other = NULL;

	if (s->writable || s->selected || !sqlite3_threadsafe())
		return NULL;
	if (connect_to(s->path, SQLITE_OPEN_READONLY, &other) < 0 || harden(other) < 0 || store_execute(other, "BEGIN") < 0 ||
	    !is_same(s, other)) {
		store_free(other);
		return NULL;
	}
	return other;
}

int store_open(const char *path, struct store **ret_store)
{
	_cleanup_(store_freep) struct store *s = NULL;
	int r = is_recording(path);

	if (r == -ENOENT || r == -EACCES)
		return fail(r, "%s", path);
	if (r < 0)
		return r;
	r = connect_to(path, SQLITE_OPEN_READONLY, &s);
	/* One transaction: whatever is written meanwhile, all questions see the same recording. */
	if (r < 0 || (r = harden(s)) < 0 || (r = store_execute(s, "BEGIN")) < 0 || (r = check_version(s)) < 0 ||
	    (r = check_schema(s)) < 0)
		return r;
	*ret_store = s;
	s = NULL;
	return 0;
}
