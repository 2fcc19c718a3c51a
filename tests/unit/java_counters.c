// SPDX-License-Identifier: BSD-2-Clause
/* Reading what a Java virtual machine tells of its heap: a file made here, whole and broken. */
#include "java_counters.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

enum { ENTRY = 72, FIRST = 32, ENTRIES = 11 };

static const char *const names[ENTRIES] = {
	"sun.rt.threads",
	"sun.gc.collector.0.invocations",
	"sun.gc.collector.1.invocations",
	"sun.gc.collector.2.invocations",
	"sun.gc.generation.0.space.0.capacity",
	"sun.gc.generation.0.space.1.used",
	"sun.gc.generation.0.space.2.used",
	"sun.gc.generation.1.space.0.used",
	"sun.gc.generation.1.maxCapacity",
	"sun.gc.generation.0.capacity",
	"sun.gc.generation.1.capacity",
};

struct file {
	uint8_t bytes[FIRST + ENTRIES * ENTRY];
};

static void put(struct file *f, size_t at, const void *value, size_t size)
{
	memcpy(f->bytes + at, value, size);
}

static void put_int(struct file *f, size_t at, int32_t value)
{
	put(f, at, &value, sizeof(value));
}

/* Each counter's value is its place, in the bytes after its name. */
static struct file whole(void)
{
	struct file f = {.bytes = {0xca, 0xfe, 0xc0, 0xc0, __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, 2, 0, 1}};

	put_int(&f, 24, FIRST);
	put_int(&f, 28, ENTRIES);
	for (size_t i = 0; i < ENTRIES; i++) {
		size_t at = FIRST + i * ENTRY;
		int64_t value = (int64_t)(1 << i);

		put_int(&f, at, ENTRY);
		put_int(&f, at + 4, 20);
		f.bytes[at + 12] = 'J';
		put_int(&f, at + 16, ENTRY - 8);
		put(&f, at + 20, names[i], strlen(names[i]) + 1);
		put(&f, at + ENTRY - 8, &value, sizeof(value));
	}
	return f;
}

static int parse(const struct file *f, size_t len, struct java_counters *ret_counters)
{
	char *copy = malloc(len + !len); /* so that a sanitizer sees what is read beyond its end */

	memcpy(copy, f->bytes, len);
	int r = java_counters_parse(copy, len, ret_counters);
	free(copy);
	return r;
}

static void whole_file(void)
{
	struct file f = whole();
	struct java_counters c;

	CHECK(parse(&f, sizeof(f.bytes), &c) == 0);
	CHECK(c.collections == 2 + 4 && c.kept_bytes == 32 + 64 + 128 && c.limit_bytes == 256);
	CHECK(c.old_collections == 4 + 8 && c.eden_bytes == 16 && c.capacity_bytes == 512 + 1024);
}

static void without_cycles(void)
{
	struct file f = whole();
	struct java_counters c;

	f.bytes[FIRST + 3 * ENTRY + 20] = 'x';
	CHECK(parse(&f, sizeof(f.bytes), &c) == 0 && c.old_collections == 4);
	f.bytes[FIRST + 4 * ENTRY + 20] = 'x';
	CHECK(parse(&f, sizeof(f.bytes), &c) == -ENODATA);
}

static void cut_short(void)
{
	struct file f = whole();
	struct java_counters c;

	for (size_t len = 0; len < sizeof(f.bytes); len++)
		CHECK(parse(&f, len, &c) < 0);
}

static void broken(void)
{
	static const int32_t wrong[] = {INT32_MIN, -1, 0, 19, ENTRY - 7, ENTRY + 1, INT32_MAX};
	struct java_counters c;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		for (size_t field = 0; field <= 16; field += 4) {
			struct file f = whole();

			if (field == 12)
				continue; /* single bytes */
			put_int(&f, FIRST + 4 * ENTRY + field, wrong[i]);
			int r = parse(&f, sizeof(f.bytes), &c);
			CHECK(r < 0 || (field == 8 && !wrong[i]) || (field == 16 && wrong[i] >= 0));
		}
	struct file f = whole();
	f.bytes[0] = 0;
	CHECK(parse(&f, sizeof(f.bytes), &c) == -EINVAL);
	f = whole();
	put_int(&f, 24, INT32_MAX);
	CHECK(parse(&f, sizeof(f.bytes), &c) < 0);
}

int main(void)
{
	whole_file();
	without_cycles();
	cut_short();
	broken();
	return check_done("java_counters");
}
