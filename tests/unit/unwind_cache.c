// SPDX-License-Identifier: BSD-2-Clause
/* Unwind tables on disk and in their budget of memory, and that nothing is left of copied stacks.
 */
#include "check.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "buf.h"
#include "io.h"
#include "stack_ring.h"
#include "table_cache.h"
#include "unwind_bench.h"

static void directory_of(struct bench *b, const char *name)
{
	snprintf(b->cache, sizeof(b->cache), "/tmp/unwind-cache-%d%s", (int)getpid(), name);
}

static void remove_directory(const struct bench *b)
{
	char command[96];

	snprintf(command, sizeof(command), "rm -rf '%s'", b->cache);
	CHECK(system(command) == 0);
}

/* Every table that is there; the count. */
static unsigned each_table(const struct bench *b,
			   void (*f)(int dir, const char *name, const void *arg), const void *arg)
{
	DIR *dir = opendir(b->cache);
	const struct dirent *d;
	unsigned count = 0;

	while (dir && (d = readdir(dir))) {
		if (d->d_name[0] == '.')
			continue;
		count++;
		if (f)
			f(dirfd(dir), d->d_name, arg);
	}
	if (dir)
		closedir(dir);
	return count;
}

/* A fresh start: one stack, which must be right whatever the cache holds. */
static struct symbolizer_stats one_run(struct bench *b, const struct subject *x)
{
	bench_open(b);
	CHECK(define_space(b, x, 1) == 0 && ask(b, x, 1, 1) == 0);
	symbolizer_flush(b->s, PATIENCE);
	CHECK(b->seen.answers == 1 && b->seen.wrong == 0 && as_expected(b, x));
	struct symbolizer_stats stats = *symbolizer_stats(b->s);
	CHECK(stats.unwind_restarts == 0);
	bench_close(b);
	return stats;
}

static void check_private(int dir, const char *name, const void *arg)
{
	struct stat st;

	CHECK(fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0);
	CHECK(S_ISREG(st.st_mode) && (st.st_mode & 07777) == 0600 && st.st_size > 65536);
	CHECK(!strcmp(name + strlen(name) - 6, ".table"));
}

struct damage {
	off_t at; /* of a byte that changes; negative: from the end */
	off_t length; /* the file's new length; negative: as it is */
};

static void do_damage(int dir, const char *name, const void *arg)
{
	const struct damage *damage = arg;
	_cleanup_close_ int fd = openat(dir, name, O_RDWR);
	off_t at = damage->at < 0 ? lseek(fd, 0, SEEK_END) + damage->at : damage->at;
	char byte = 0;

	CHECK(fd >= 0 && pread(fd, &byte, 1, at) == 1);
	byte ^= 0x41;
	CHECK(pwrite(fd, &byte, 1, at) == 1);
	if (damage->length >= 0)
		CHECK(ftruncate(fd, damage->length) == 0);
}

static void make_link(int dir, const char *name, const void *arg)
{
	CHECK(unlinkat(dir, name, 0) == 0 && symlinkat("/etc/passwd", dir, name) == 0);
}

static void make_fifo(int dir, const char *name, const void *arg)
{
	CHECK(unlinkat(dir, name, 0) == 0 && mkfifoat(dir, name, 0600) == 0);
}

/* A sound table, but not of this file. */
static void make_other(int dir, const char *name, const void *arg)
{
	struct unwind_table *table;
	size_t len;
	_cleanup_close_ int self = open("/proc/self/exe", O_RDONLY),
			    fd = openat(dir, name, O_WRONLY | O_TRUNC);

	CHECK(self >= 0 && fd >= 0 && unwind_table_build(self, NULL, &table) == 0);
	const void *image = unwind_table_image(table, &len);
	CHECK(write_all(fd, image, len) == 0);
	unwind_table_free(table);
}

static void test_damaged(struct bench *b, const struct subject *x, unsigned tables)
{
	static const struct damage damages[] = {
		{0, -1},  {8, -1},  {12, -1},  {16, -1},     {33, -1}, {36, -1},
		{57, -1}, {60, -1}, {100, -1}, {5000, -1},   {-1, -1}, {-3000, -1},
		{0, 0},	  {40, 1},  {40, 100}, {200, 65536},
	};

	for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
		CHECK(each_table(b, do_damage, &damages[i]) == tables);
		CHECK(one_run(b, x).tables_loaded == 0);
		CHECK(one_run(b, x).tables_loaded == tables);
	}
	each_table(b, make_link, NULL);
	CHECK(one_run(b, x).tables_loaded == 0);
	each_table(b, make_fifo, NULL);
	CHECK(one_run(b, x).tables_loaded == 0);
	CHECK(one_run(b, x).tables_loaded == tables);
	each_table(b, check_private, NULL);
}

static void test_round_trip(void)
{
	static struct subject x;
	struct bench b = {0};
	struct stat st;

	directory_of(&b, "/below");
	char parent[64];
	snprintf(parent, sizeof(parent), "/tmp/unwind-cache-%d", (int)getpid());
	CHECK(subject_start(&x, "nofp", "callback", "0")); /* through the C library */
	struct symbolizer_stats first = one_run(&b, &x);
	CHECK(first.tables_built >= 2 && first.tables_loaded == 0);
	unsigned tables = each_table(&b, check_private, NULL);
	CHECK(tables >= 1);
	CHECK(stat(b.cache, &st) == 0 && (st.st_mode & 07777) == 0700 && st.st_uid == geteuid());
	struct symbolizer_stats second = one_run(&b, &x);
	CHECK(second.tables_loaded == tables && second.tables_built == first.tables_built - tables);
	CHECK(second.tables == first.tables && second.table_bytes == first.table_bytes);
	test_damaged(&b, &x, tables);
	chmod(b.cache, 0777); /* ours, but open to others: closed again */
	CHECK(one_run(&b, &x).tables_loaded == tables);
	CHECK(stat(b.cache, &st) == 0 && (st.st_mode & 07777) == 0700);
	if (geteuid() == 0) {
		CHECK(chown(b.cache, 65534, 65534) == 0); /* somebody else's */
		CHECK(one_run(&b, &x).tables_loaded == 0);
	}
	snprintf(b.cache, sizeof(b.cache), "/proc/self/nothing");
	CHECK(one_run(&b, &x).tables_built == first.tables_built);
	snprintf(b.cache, sizeof(b.cache), "%s", parent);
	remove_directory(&b);
	subject_end(&x);
}

/* A table of another file under this one's name has another build id, where the kernel said which
 * is right. */
static void test_other_table(void)
{
	static struct subject x;
	struct bench b = {0};

	directory_of(&b, "");
	CHECK(subject_start(&x, "nofp", "callback", "0"));
	b.with_build_ids = true;
	CHECK(one_run(&b, &x).tables_built >= 2);
	unsigned tables = each_table(&b, make_other, NULL);
	CHECK(tables >= 1);
	CHECK(one_run(&b, &x).tables_loaded == 0);
	CHECK(one_run(&b, &x).tables_loaded == tables);
	remove_directory(&b);
	subject_end(&x);
}

static void make_table(const struct bench *b, unsigned number, time_t when, off_t size)
{
	struct timespec times[2] = {{.tv_sec = when}, {.tv_sec = when}};
	char path[128];

	snprintf(path, sizeof(path), "%s/1-%x-2-3.table", b->cache, number);
	_cleanup_close_ int fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
	CHECK(fd >= 0 && ftruncate(fd, size) == 0 && futimens(fd, times) == 0);
}

/* What was used longest ago makes room. */
static void test_bounded(void)
{
	struct bench b = {0};
	char path[128];

	directory_of(&b, "");
	CHECK(mkdir(b.cache, 0700) == 0);
	for (unsigned i = 0; i < 10; i++)
		make_table(&b, i, 1000000 + (time_t)(i * 7 % 10), 25 << 20);
	snprintf(path, sizeof(path), "%s/notes", b.cache); /* not ours to remove */
	CHECK(close(open(path, O_CREAT | O_WRONLY, 0600)) == 0);
	struct table_cache *c = table_cache_new(b.cache);
	int used = table_cache_open(c, "1-0-2-3.table"); /* the oldest, but now used */
	CHECK(used >= 0 && close(used) == 0);
	int fd = table_cache_create(c, "1-77-2-3.table", 25 << 20);
	CHECK(fd >= 0 && ftruncate(fd, 100) == 0 && close(fd) == 0);
	table_cache_keep(c);
	CHECK(each_table(&b, NULL, NULL) == 6 + 1 + 1); /* 250 + 25 MB are too much, 175 are not */
	CHECK((used = table_cache_open(c, "1-0-2-3.table")) >= 0 && close(used) == 0);
	CHECK(table_cache_open(c, "1-3-2-3.table") ==
	      -ENOENT); /* 3 * 7 % 10 = 1: the next oldest */
	CHECK(access(path, F_OK) == 0);
	CHECK(table_cache_create(c, "1-78-2-3.table", TABLE_FILE_MAX + 1) < 0);
	CHECK(table_cache_create(c, "1-79-2-3.table", 0) < 0);
	fd = table_cache_create(c, "1-80-2-3.table", 4096); /* and not kept */
	CHECK(fd >= 0 && close(fd) == 0);
	table_cache_free(c);
	CHECK(each_table(&b, NULL, NULL) == 6 + 1 + 1);
	remove_directory(&b);
}

/* Little memory for tables: what is there stays within it, and answers are right or say what is
 * missing. */
static void test_budget(void)
{
	static const char *const variants[] = {"nofp",	 "static",	"fp",
					       "static", "debug-frame", "static"};
	static struct subject x[6];
	struct bench b = {.table_memory = 200000};

	bench_open(&b);
	for (uint32_t i = 0; i < 6; i++) {
		CHECK(subject_start(&x[i], variants[i], "callback", "0"));
		CHECK(define_space(&b, &x[i], i) == 0);
		if (i == 3)
			usleep(1100000); /* what was evicted may come again after a second */
		CHECK(ask(&b, &x[i], i, i) == 0);
		symbolizer_flush(b.s, PATIENCE);
		CHECK(as_expected(&b, &x[i]) || b.seen.reason[UNWIND_REASON_NO_TABLE]);
		CHECK(symbolizer_stats(b.s)->table_bytes < b.table_memory ||
		      symbolizer_stats(b.s)->tables == 1);
	}
	CHECK(b.seen.answers == 6 && b.seen.status[UNWIND_COMPLETE] >= 4);
	CHECK(symbolizer_stats(b.s)->tables_evicted >= 2);
	for (uint32_t i = 0; i < 6; i++)
		subject_end(&x[i]);
	bench_close(&b);
}

/* Tables that are not needed for a while go, and are made again. */
static void test_unused(void)
{
	static struct subject x[2];
	struct bench b = {.unused_ns = 1};

	bench_open(&b);
	for (uint32_t i = 0; i < 2; i++)
		CHECK(subject_start(&x[i], i ? "static" : "nofp", "callback", "0") && define_space(&b, &x[i], i) == 0);
	for (uint32_t i = 0; i < 6; i++) {
		CHECK(ask(&b, &x[i % 2], i % 2, i) == 0);
		symbolizer_flush(b.s, PATIENCE);
		CHECK(as_expected(&b, &x[i % 2]));
	}
	CHECK(symbolizer_stats(b.s)->tables_unused >= 3 && !symbolizer_stats(b.s)->tables_evicted);
	for (uint32_t i = 0; i < 2; i++)
		subject_end(&x[i]);
	bench_close(&b);
}

static int module_of(struct bench *b, const struct subject *x, const char *path)
{
	struct stat st;

	CHECK(stat(path, &st) == 0);
	return symbolizer_elf(b->s, &(struct symbol_mapping){.pid = x->pid, .path = path, .inode = st.st_ino,
							     .dev_major = major(st.st_dev), .dev_minor = minor(st.st_dev)});
}

/* What cannot be opened a second time, as the file of a container whose process is gone, is not built a second time either. */
static void test_last(void)
{
	static struct subject gone, other;
	struct bench b = {.unused_ns = 1};
	char path[4096] = {0};
	_cleanup_(buf_done) struct buf copy = BUF_INIT;

	CHECK(readlink("/proc/self/exe", path, sizeof(path) - 64) > 0);
	for (int i = 0; i < 2; i++) /* build/tests/unit/x -> build/tests */
		*strrchr(path, '/') = 0;
	strcat(path, "/unwind/workload-gone");
	buf_addf(&copy, "cp '%.*s-static' '%s'", (int)(strrchr(path, '-') - path), path, path);
	CHECK(system(copy.data) == 0);
	bench_open(&b);
	CHECK(subject_start(&gone, "gone", "callback", "0") && define_space(&b, &gone, 0) == 0);
	CHECK(subject_start(&other, "nofp", "callback", "0") && define_space(&b, &other, 1) == 0);
	CHECK(symbolizer_request(b.s, module_of(&b, &gone, path), 0, 0) == 0); /* takes the file that was open */
	for (uint32_t i = 0; i < 5; i++) {
		CHECK(ask(&b, i % 4 ? &other : &gone, i % 4 != 0, i) == 0);
		symbolizer_flush(b.s, PATIENCE);
		CHECK(as_expected(&b, i % 4 ? &other : &gone));
		unlink(path);
		kill(gone.pid, SIGKILL);
	}
	subject_end(&gone);
	subject_end(&other);
	bench_close(&b);
}

/* Pieces of any size, taken and given back in turn, never share a byte. */
static void test_ring(void)
{
	enum { SIZE = 1 << 16, PIECES = 100000 };
	static struct {
		size_t at, len;
	} piece[PIECES];
	_cleanup_free_ unsigned char *owned = calloc(SIZE, 1);
	struct stack_ring ring;
	unsigned oldest = 0, next = 0, shared = 0, full = 0;

	CHECK(stack_ring_init(&ring, SIZE) == 0 && stack_ring_take(&ring, SIZE + 1) == SIZE_MAX);
	srand(1);
	while (next < PIECES) {
		size_t len = (size_t)rand() % (rand() % 8 ? 2000 : SIZE);
		size_t at = rand() % 5 ? stack_ring_take(&ring, len) : SIZE_MAX;

		if (at == SIZE_MAX && oldest < next) {
			full++;
			memset(owned + piece[oldest].at, 0, piece[oldest].len);
			stack_ring_give_back(&ring, piece[oldest].at, piece[oldest].len);
			oldest++;
		} else if (at != SIZE_MAX) {
			shared += at > SIZE || len > SIZE - at || memchr(owned + at, 1, len);
			memset(owned + at, 1, len);
			piece[next].at = at;
			piece[next++].len = len;
		}
	}
	CHECK(shared == 0 && full > PIECES / 10);
	for (; oldest < next; oldest++)
		stack_ring_give_back(&ring, piece[oldest].at, piece[oldest].len);
	CHECK(ring.pieces == 0 && stack_ring_take(&ring, SIZE) == 0);
	stack_ring_done(&ring);
}

#ifndef __SANITIZE_ADDRESS__
/* Traces. The mark exists in memory only where the test puts it: elsewhere it is known inverted. */

enum { MARK = 24 };
static const volatile unsigned char inverted[MARK] = "what nobody else may see";

static void put_mark(unsigned char *to)
{
	for (unsigned i = 0; i < MARK; i++)
		to[i] = (unsigned char)~inverted[i];
}

static unsigned marks_in(const unsigned char *bytes, size_t len)
{
	unsigned found = 0, same;

	for (size_t at = 0; at + MARK <= len; at++) {
		for (same = 0; same < MARK && (bytes[at + same] ^ inverted[same]) == 255; same++)
			;
		found += same == MARK;
	}
	return found;
}

/* How often the mark is in a process's memory; -1: it may not be read. */
static int marks_of(pid_t pid)
{
	enum { PART = 1 << 20 };
	unsigned char *bytes = malloc(PART);
	char path[64], line[4096];
	uint64_t start, end;
	int found = 0;

	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	_cleanup_close_ int memory = open(path, O_RDONLY | O_CLOEXEC);
	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	_cleanup_fclose_ FILE *maps = fopen(path, "re");
	while (maps && memory >= 0 && fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%lx-%lx", &start, &end) != 2 || strstr(line, "[v"))
			continue;
		for (uint64_t at = start; at < end; at += PART - MARK) {
			size_t want = end - at < PART ? end - at : PART;
			ssize_t n;

			if ((uintptr_t)bytes >= at &&
			    (uintptr_t)bytes < at + want) /* its own reading */
				continue;
			n = pread(memory, bytes, want, (off_t)at);
			if (n > 0)
				found += (int)marks_in(bytes, (size_t)n);
		}
	}
	explicit_bzero(bytes, PART);
	free(bytes);
	return memory < 0 || !maps ? -1 : found;
}

/* A stack full of marks, queued. */
static void ask_marked(struct bench *b, const struct subject *x, uint64_t cookie)
{
	const struct unwind_stack *s = &x->capture->stacks[0];
	unsigned char *bytes = malloc(s->len);
	const struct stack_copy copy = {.start = s->start, .bytes = bytes, .len = s->len};
	struct unwind_regs regs = x->capture->input.regs;
	uint64_t word;

	memcpy(bytes, s->bytes, s->len);
	for (size_t at = 0; at + 32 <= 120; at += 32) /* the red zone: no frame is disturbed */
		put_mark(bytes + at);
	memcpy(&word, bytes, 8);
	unwind_regs_set(&regs, UNWIND_R11, word); /* and in a register */
	memcpy(&word, bytes + 8, 8);
	unwind_regs_set(&regs, UNWIND_R12, word);
	memcpy(&word, bytes + 16, 8);
	unwind_regs_set(&regs, UNWIND_R13, word);
	CHECK(symbolizer_unwind(b->s, 1, &regs, &copy, cookie) == 0);
	explicit_bzero(bytes, s->len);
	explicit_bzero(&regs, sizeof(regs));
	explicit_bzero(&word, sizeof(word));
	free(bytes);
}

static void test_cleared(void)
{
	static struct subject x;
	struct bench b = {0};

	CHECK(subject_start(&x, "nofp", "small", "50"));
	bench_open(&b);
	CHECK(define_space(&b, &x, 1) == 0 && ask(&b, &x, 1, 1) == 0);
	symbolizer_flush(b.s, PATIENCE);
	pid_t child = symbolizer_stats(b.s)->unwind_pid;
	kill(child, SIGSTOP);
	for (uint64_t i = 0; i < 20; i++)
		ask_marked(&b, &x, 2 + i);
	symbolizer_dispatch(b.s);
	CHECK(marks_of(getpid()) >= 20); /* so they would be found */
	if (geteuid() == 0)
		CHECK(marks_of(child) >= 20);
	kill(child, SIGCONT);
	symbolizer_flush(b.s, PATIENCE);
	CHECK(b.seen.answers == 21 && as_expected(&b, &x));
	CHECK(marks_of(getpid()) == 0);
	if (geteuid() == 0)
		CHECK(marks_of(child) == 0);
	/* The same when the child dies over them. */
	kill(child, SIGSTOP);
	ask_marked(&b, &x, 30);
	symbolizer_dispatch(b.s);
	ask_marked(&b, &x, 31); /* and not sent yet */
	CHECK(marks_of(getpid()) >= 2);
	kill(child, SIGKILL);
	symbolizer_flush(b.s, PATIENCE);
	CHECK(b.seen.answers == 23 && b.seen.status[UNWIND_LOST] == 2);
	CHECK(marks_of(getpid()) == 0);
	/* And at the end. */
	ask_marked(&b, &x, 32);
	CHECK(marks_of(getpid()) >= 1);
	bench_close(&b);
	CHECK(marks_of(getpid()) == 0);
	subject_end(&x);
}

#endif

int main(void)
{
	test_round_trip();
	test_other_table();
	test_bounded();
	test_budget();
	test_unused();
	test_last();
	test_ring();
#ifndef __SANITIZE_ADDRESS__ /* it has terabytes to look through, and keeps what is freed */
	test_cleared();
#endif
	return check_done("unwind_cache");
}
