// SPDX-License-Identifier: BSD-2-Clause
#include "check.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "arena.h"
#include "buf.h"
#include "clock.h"
#include "escape.h"
#include "fail.h"
#include "hash.h"
#include "intern.h"
#include "io.h"
#include "kept_files.h"
#include "keys.h"
#include "mem.h"
#include "pagemap.h"
#include "parse.h"
#include "proc_status.h"
#include "recent.h"

static void test_parse(void)
{
	uint64_t value, set[2] = {0};
	double number;

	CHECK(parse_duration("500ms", &value) == 0 && value == 500 * NS_PER_MS);
	CHECK(parse_duration("10s", &value) == 0 && value == 10 * NS_PER_S);
	CHECK(parse_duration("1.5m", &value) == 0 && value == 90 * NS_PER_S);
	CHECK(parse_duration("3", &value) == 0 && value == 3 * NS_PER_S);
	CHECK(parse_duration("", &value) == -EINVAL);
	CHECK(parse_duration("-3s", &value) == -EINVAL);
	CHECK(parse_duration("0s", &value) == -EINVAL);
	CHECK(parse_duration("nan", &value) == -EINVAL);
	CHECK(parse_duration("0x10s", &value) == -EINVAL);
	CHECK(parse_duration("9999999999d", &value) == -ERANGE);
	CHECK(parse_size("64K", &value) == 0 && value == 65536);
	CHECK(parse_size("64X", &value) == -EINVAL);
	CHECK(parse_u64("99", 1, 1000, &value) == 0 && value == 99);
	CHECK(parse_u64("99x", 1, 1000, &value) == -EINVAL);
	CHECK(parse_u64("-1", 0, UINT64_MAX, &value) == -EINVAL);
	CHECK(parse_u64("2000", 1, 1000, &value) == -ERANGE);
	CHECK(parse_double("0.5", 0, 1, &number) == 0 && number == 0.5);
	CHECK(parse_cpu_list("0-2,65\n", set, 128) == 0 && set[0] == 7 && set[1] == 2);
	CHECK(parse_cpu_list("3-1", set, 128) == -EINVAL);
	CHECK(parse_cpu_list("1,", set, 128) == -EINVAL);
	CHECK(parse_cpu_list("128", set, 128) == -ERANGE);
}

static void test_escape(void)
{
	_cleanup_(buf_done) struct buf b = BUF_INIT;

	escape_terminal(&b, "a\033[31mb\n\xff\xe2\x80\xae" "c", 13);
	CHECK_STR(b.data, "a\\x1b[31mb\\x0a\xef\xbf\xbd\\u{202e}c");
	buf_reset(&b);
	escape_xml(&b, "<a & 'b'>\x01\"", 11);
	CHECK_STR(b.data, "&lt;a &amp; &#39;b&#39;&gt;\xef\xbf\xbd&quot;");
	buf_reset(&b);
	escape_utf8(&b, "\xc0\x80\xed\xa0\x80\xf0\x9f\x98\x80", 9);
	CHECK_STR(b.data, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xf0\x9f\x98\x80");
}

static void test_intern(void)
{
	_cleanup_(intern_freep) struct intern *in = intern_new();
	bool is_new;
	char key[16];

	for (int round = 0; round < 2; round++)
		for (uint32_t i = 0; i < 10000; i++) {
			int len = snprintf(key, sizeof(key), "key %u", i);

			if (intern_id(in, key, (size_t)len, &is_new) != i || is_new != !round) {
				CHECK(!"ids are dense and stable");
				return;
			}
		}
	CHECK(intern_count(in) == 10000);
	CHECK_STR(intern_key(in, 77, NULL), "key 77");
}

static void test_keys(void)
{
	_cleanup_(keys_freep) struct keys *k = keys_new(sizeof(uint32_t[3]));
	bool is_new, right = true;
	uint32_t id;

	for (int round = 0; round < 3; round++) {
		for (uint32_t i = 0; i < 10000; i++) {
			uint32_t key[3] = {i % 7, i, ~i};

			right &= keys_find(k, key, &id) == (round == 1) && keys_id(k, key, &is_new) == i && is_new == (round != 1) &&
				 keys_find(k, key, &id) && id == i && !memcmp(keys_get(k, i), key, sizeof(key));
		}
		CHECK(right && keys_count(k) == 10000);
		if (round == 1)
			keys_clear(k);
	}
}

/* The 100 last ones are known, and at most 200. */
static void test_recent(void)
{
	_cleanup_(recent_freep) struct recent *r = recent_new(sizeof(uint64_t), sizeof(uint32_t), 100);
	uint64_t hot = UINT64_MAX, key;
	bool right = true;
	uint32_t known = 0;

	CHECK(!recent_find(r, &hot));
	*(uint32_t *)recent_add(r, &hot) = 7;
	for (uint32_t i = 1; i <= 10000; i++) {
		uint32_t *value = recent_add(r, &(uint64_t){i});

		right &= !*value;
		*value = i;
		key = i > 40 ? i - 40 : 1; /* 80 others were added and found meanwhile */
		value = recent_find(r, &key);
		right &= value && *value == key;
		if (i % 40)
			continue;
		value = recent_find(r, &hot);
		right &= value && *value == 7;
	}
	CHECK(right);
	for (key = 10000; key; key--)
		known += recent_find(r, &key) != NULL;
	CHECK(known >= 100 - 1 && known < 200); /* the hot one is among them */
}

static void test_map(void)
{
	_cleanup_(map_freep) struct map *m = map_new();
	uint64_t value = 0, key, sum = 0;
	size_t cursor = 0;

	CHECK(!map_get(m, 1, &value));
	for (uint64_t i = 0; i < 100000; i++) {
		map_put(m, i, i * 2);
		if (i >= 100)
			map_remove(m, i - 100);
	}
	CHECK(map_count(m) == 100);
	CHECK(map_get(m, 99950, &value) && value == 199900);
	CHECK(!map_get(m, 5, &value));
	while (map_next(m, &cursor, &key, &value))
		sum += key;
	CHECK(sum == 100 * (99900 + 99999) / 2);
}

static void test_fail(void)
{
	CHECK(failx(-EINVAL, "bad %d", 3) == -EINVAL);
	CHECK(fail_in(-EINVAL, "line %d", 7) == -EINVAL);
	CHECK_STR(fail_message(), "line 7: bad 3");
	fail(-ENOENT, "open x");
	CHECK_STR(fail_message(), "open x: No such file or directory");
}

static void test_arena(void)
{
	_cleanup_(arena_freep) struct arena *a = arena_new();
	char *first = arena_strndup(a, "first", 5);

	for (int i = 0; i < 1000; i++)
		memset(arena_alloc(a, (size_t)i * 37), 0x55, (size_t)i * 37);
	CHECK_STR(first, "first");
	CHECK((uintptr_t)arena_alloc(a, 3) % 16 == 0);
}

static void write_text(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	CHECK(f && fputs(text, f) >= 0);
	if (f)
		fclose(f);
}

static void check_kept(struct kept_files *k, const char *path, const char *text)
{
	_cleanup_(buf_done) struct buf b = BUF_INIT;

	CHECK(kept_files_read(k, path, 1 << 20, &b) == 0);
	CHECK_STR(b.data, text);
}

static void test_kept_files(void)
{
	struct kept_files *k = kept_files_new();
	char path[] = "/tmp/perfscope-base-XXXXXX", other[] = "/tmp/perfscope-base-XXXXXX";
	_cleanup_(buf_done) struct buf lines = BUF_INIT, b = BUF_INIT;
	uint64_t number, now = clock_mono_ns();

	close(mkstemp(path));
	close(mkstemp(other));
	write_text(path, "17\n");
	check_kept(k, path, "17\n");
	write_text(path, "18\n");
	CHECK(kept_files_read_u64(k, path, &number) == 0 && number == 18);
	for (int i = 0; i < 3000; i++)
		buf_addf(&lines, "line %d\n", i);
	write_text(path, lines.data);
	check_kept(k, path, lines.data);
	CHECK(kept_files_read(k, path, 1000, &b) == -EFBIG);
	/* It is still open when another has its name, and not when nobody has read it for long. */
	write_text(other, "new");
	CHECK(rename(other, path) == 0);
	check_kept(k, path, lines.data);
	kept_files_tick(k, now + 8 * NS_PER_S);
	check_kept(k, path, lines.data);
	kept_files_tick(k, now + 68 * NS_PER_S); /* one long slice */
	check_kept(k, path, "new");
	unlink(path);
	kept_files_tick(k, now + 80 * NS_PER_S);
	CHECK(kept_files_read(k, path, 1000, &b) == -ENOENT);
	kept_files_free(k);
}

/* A process's file, whose number may be another process's later. */
static void test_kept_process(void)
{
	struct kept_files *k = kept_files_new();
	_cleanup_(buf_done) struct buf b = BUF_INIT;
	_cleanup_free_ char *path = NULL;
	pid_t pid = fork();

	if (!pid) {
		pause();
		_exit(0);
	}
	path = xasprintf("/proc/%d/statm", pid);
	CHECK(kept_files_read(k, path, 1000, &b) == 0 && b.len);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	CHECK(kept_files_read(k, path, 1000, &b) == -ENOENT);
	kept_files_free(k);
}

static void test_pagemap(void)
{
	enum { PAGE = 4096, PAGES = 70 };
	char *area = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t start = (uintptr_t)area;
	struct pagemap m;

	madvise(area, PAGES * PAGE, MADV_NOHUGEPAGE);
	area[0] = area[2 * PAGE] = area[66 * PAGE] = area[67 * PAGE] = 1;
	pagemap_open(&m, getpid());
	CHECK(pagemap_ready(&m, start, 4) == 5 && pagemap_ready(&m, start + 66 * PAGE + 8, 2) == 3);
	CHECK(pagemap_was_ready(&m, start, PAGE) && !pagemap_was_ready(&m, start, PAGE + 1) && !pagemap_was_ready(&m, start + PAGE, 1));
	CHECK(pagemap_was_ready(&m, start + 67 * PAGE - 1, 2) && !pagemap_was_ready(&m, UINT64_MAX - 1, 8));
	pagemap_close(&m);
	pagemap_open(&m, getpid());
	CHECK(pagemap_was_ready(&m, start + 66 * PAGE, 2 * PAGE));
	pagemap_close(&m);
	CHECK(!pagemap_ready(&m, start, 1));
	munmap(area, PAGES * PAGE);
}

static void test_proc_status(void)
{
	uint64_t value;

	CHECK(proc_status((uint32_t)getpid(), "Tgid", 10, &value) && value == (uint64_t)getpid());
	CHECK(proc_status((uint32_t)getpid(), "PPid", 10, &value) && value == (uint64_t)getppid());
	signal(SIGUSR2, SIG_IGN);
	CHECK(proc_status((uint32_t)getpid(), "SigIgn", 16, &value) && value & 1 << (SIGUSR2 - 1));
	CHECK(!proc_status((uint32_t)getpid(), "Nothing", 10, &value) && !proc_status((uint32_t)getpid(), "Name", 10, &value));
	CHECK(proc_status(0, "Tgid", 10, &value) && value == (uint64_t)getpid());
	CHECK(!proc_status(UINT32_MAX, "Tgid", 10, &value));
}

int main(void)
{
	char text[21];

	test_parse();
	test_escape();
	test_intern();
	test_keys();
	test_recent();
	test_map();
	test_fail();
	test_arena();
	test_kept_files();
	test_kept_process();
	test_pagemap();
	test_proc_status();
	clock_format_utc(1767225600 * NS_PER_S, text);
	CHECK_STR(text, "2026-01-01T00:00:00Z");
	return check_done("base");
}
