// SPDX-License-Identifier: BSD-2-Clause
#include "check.h"

#include <string.h>

#include "listing.h"

static const struct listing_column columns[] = {
	{"calls"}, {"mean"}, {"longest"}, {"process", .left = true, .most = 8, .repeats = true}, {"pid", .repeats = true},
	{"file", .left = true, .takes_rest = true, .least = 6, .repeats = true}, {0}};

static bool prints_of(const struct listing_column *chosen, unsigned width, const char *expected)
{
	_cleanup_(listing_freep) struct listing *t = listing_new(chosen);
	_cleanup_(buf_done) struct buf out = BUF_INIT;
	static const char *const cells[] = {"1", "2 ms", "3 ms", "postgres", "42", "/var/lib/x", "10", "20 ms", "30 ms", "a\033longer", "7", "/a"};

	for (size_t i = 0; i < sizeof(cells) / sizeof(cells[0]); i++)
		listing_add(t, cells[i]);
	listing_print(t, width, false, &out);
	if (strcmp(out.data, expected))
		fprintf(stderr, "at %u:\n%s", width, out.data);
	return !strcmp(out.data, expected);
}

static bool prints(unsigned width, const char *expected)
{
	return prints_of(columns, width, expected);
}

static void test_spare(void)
{
	static const struct listing_column some[] = {
		{"calls"}, {"", .spare = 2}, {"longest", .spare = 1}, {"process", .left = true}, {"pid", .spare = 2},
		{"file", .left = true, .takes_rest = true, .least = 8}, {0}};

	CHECK(prints_of(some, 54, "  calls         longest  process      pid  file\n"
				  "      1   2 ms     3 ms  postgres      42  /var/lib/x\n"
				  "     10  20 ms    30 ms  a\\x1blonger    7  /a\n"));
	CHECK(prints_of(some, 46, "  calls  longest  process      pid  file\n"
				  "      1     3 ms  postgres      42  /var/lib/x\n"
				  "     10    30 ms  a\\x1blonger    7  /a\n"));
	CHECK(prints_of(some, 40, "  calls  longest  process      file\n"
				  "      1     3 ms  postgres     /var/lib…\n"
				  "     10    30 ms  a\\x1blonger  /a\n"));
	/* None is left to be spared. */
	CHECK(prints_of(some, 20, "  calls  process      file\n"
				  "      1  postgres     /var/li…\n"
				  "     10  a\\x1blonger  /a\n"));
}

static void test_wrap(void)
{
	static const struct listing_column some[] = {{"id"}, {"what", .left = true, .takes_rest = true, .wraps = true}, {0}};
	_cleanup_(listing_freep) struct listing *t = listing_new(some);
	_cleanup_(buf_done) struct buf out = BUF_INIT;

	listing_add(t, "1");
	listing_add(t, "redis waits for a CPU");
	listing_add(t, "2");
	listing_add(t, "fio runs");
	listing_print(t, 20, false, &out);
	CHECK_STR(out.data, "  id  what\n"
			    "   1  redis waits\n"
			    "      for a CPU\n"
			    "   2  fio runs\n");
}

int main(void)
{
	CHECK(prints(80, "  calls   mean  longest  process   pid  file\n"
			 "      1   2 ms     3 ms  postgres   42  /var/lib/x\n"
			 "     10  20 ms    30 ms  a\\x1blo…    7  /a\n"));
	/* The last column is cut before the table is. */
	CHECK(prints(48, "  calls   mean  longest  process   pid  file\n"
			 "      1   2 ms     3 ms  postgres   42  /var/li…\n"
			 "     10  20 ms    30 ms  a\\x1blo…    7  /a\n"));
	CHECK(prints(46, "  calls   mean  longest  process   pid  file\n"
			 "      1   2 ms     3 ms  postgres   42  /var/…\n"
			 "     10  20 ms    30 ms  a\\x1blo…    7  /a\n"));
	CHECK(prints(44, "  calls   mean  process   pid  file\n"
			 "      1   2 ms  postgres   42  /var/lib/x\n"
			 "     10  20 ms  a\\x1blo…    7  /a\n"
			 "  longest  process   pid  file\n"
			 "     3 ms  postgres   42  /var/lib/x\n"
			 "    30 ms  a\\x1blo…    7  /a\n"));
	/* Others are to have room, too. */
	CHECK(prints(34, "  calls   mean  pid  file\n"
			 "      1   2 ms   42  /var/lib/x\n"
			 "     10  20 ms    7  /a\n"
			 "  longest  process   pid  file\n"
			 "     3 ms  postgres   42  /var/li…\n"
			 "    30 ms  a\\x1blo…    7  /a\n"));
	CHECK(prints(10, "  calls  file\n"
			 "      1  /var/…\n"
			 "     10  /a\n"
			 "   mean  file\n"
			 "   2 ms  /var/…\n"
			 "  20 ms  /a\n"
			 "  longest  file\n"
			 "     3 ms  /var/…\n"
			 "    30 ms  /a\n"
			 "  process   file\n"
			 "  postgres  /var/…\n"
			 "  a\\x1blo…  /a\n"
			 "  pid  file\n"
			 "   42  /var/…\n"
			 "    7  /a\n"));
	test_spare();
	test_wrap();
	return check_done("listing");
}
