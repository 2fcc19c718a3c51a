// SPDX-License-Identifier: BSD-2-Clause
#include "doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "cleanup.h"
#include "frames.h"
#include "io.h"

DEFINE_CLEANUP(struct doctor_report *, doctor_report_free)

static struct doctor_result result(const char *group, const char *name, enum doctor_status status,
				   bool required, const char *detail, const char *mend)
{
	struct doctor_result r = {
		.group = group,
		.name = name,
		.purpose = "a purpose",
		.fallback = "a crutch",
		.cost = "a price",
		.status = status,
		.required = required,
		.detail = BUF_INIT,
		.mend = BUF_INIT,
	};

	buf_addstr(&r.detail, detail);
	buf_addstr(&r.mend, mend);
	return r;
}

static unsigned longest_line(const char *text)
{
	unsigned longest = 0;

	for (; *text; text += strcspn(text, "\n"), text += *text == '\n')
		if (strcspn(text, "\n") > longest)
			longest = (unsigned)strcspn(text, "\n");
	return longest;
}

static void test_text(void)
{
	struct doctor_result results[] = {
		result("kernel", "one", DOCTOR_WORKS, true, "", ""),
		result("kernel", "two", DOCTOR_WORKS, true, "", ""),
		result("map", "three", DOCTOR_FALLBACK, true,
		       "words that have to be wrapped because there are too many", ""),
		result("hook", "four", DOCTOR_MISSING, false, "evil \033[31m name", "mend \xff it"),
	};
	struct doctor_report report = {
		.can_record = true, .counts = { 2, 1, 1 }, .results = results, .count = 4
	};
	struct doctor_style style = { .width = 60 };
	_cleanup_(buf_done) struct buf b = BUF_INIT;

	doctor_text(&report, &style, &b);
	CHECK(!strncmp(b.data, "perfscope can record here: 2 work, 1 fall back, 1 missing", 57));
	CHECK(strstr(b.data, "  works       one, two\n"));
	CHECK(strstr(b.data, "  falls back  three                     words that have to\n"
			     "                                        be wrapped because\n"));
	CHECK(strstr(b.data, "instead: a crutch"));
	CHECK(strstr(b.data, "costs: a price"));
	CHECK(strstr(b.data, "\\x1b[31m name"));
	CHECK(strstr(b.data, "mend \xef\xbf\xbd it"));
	CHECK(!strchr(b.data, '\033'));
	CHECK(longest_line(b.data) <= 62); /* columns: U+FFFD has three bytes in one */
	buf_reset(&b);
	style.color = style.all = true;
	doctor_text(&report, &style, &b);
	CHECK(strstr(b.data, "\033[33mfalls back\033[0m"));
	CHECK(strstr(b.data, "a purpose"));
	CHECK(!strstr(b.data, "one, two"));
	for (size_t i = 0; i < 4; i++) {
		buf_done(&results[i].detail);
		buf_done(&results[i].mend);
	}
}

static void test_blocked(void)
{
	struct doctor_result results[] = {
		result("program", "optional", DOCTOR_MISSING, false, "no such thing", "nothing"),
		result("program", "first", DOCTOR_UNTRIED, true, "could not be tried",
		       "run as root"),
		result("program", "second", DOCTOR_UNTRIED, true, "could not be tried",
		       "run as root"),
		result("program", "crutch", DOCTOR_FALLBACK, true, "replaced", ""),
	};
	struct doctor_report report = { .counts = { 0, 1, 1, 2 }, .results = results, .count = 4 };
	struct doctor_style style = { .width = 100 };
	_cleanup_(buf_done) struct buf b = BUF_INIT;

	CHECK(doctor_blocker(&report) == &results[1]);
	CHECK(!doctor_blocks(&results[0]) && doctor_blocks(&results[2]) &&
	      !doctor_blocks(&results[3]));
	doctor_text(&report, &style, &b);
	CHECK(strstr(b.data, "\n  first: could not be tried; to mend: run as root\n\n"));
	for (size_t i = 0; i < 4; i++) {
		buf_done(&results[i].detail);
		buf_done(&results[i].mend);
	}
}

static bool is_text_or_null(const json_t *value)
{
	return json_is_string(value) || json_is_null(value);
}

static bool check_is_sound(const json_t *check)
{
	static const char *const always[] = { "group", "name", "purpose", "status" };
	static const char *const maybe[] = { "errno", "detail", "fallback", "cost", "mend" };
	const char *status = json_string_value(json_object_get(check, "status"));

	for (size_t i = 0; i < 4; i++)
		if (!json_is_string(json_object_get(check, always[i])))
			return false;
	for (size_t i = 0; i < 5; i++)
		if (!is_text_or_null(json_object_get(check, maybe[i])))
			return false;
	if (json_object_size(check) != 10 || !json_is_boolean(json_object_get(check, "required")))
		return false;
	/* What does not work says why; what falls back says to what. */
	bool lacks = !strcmp(status, "missing") || !strcmp(status, "fallback") ||
		     !strcmp(status, "untried");

	return (!lacks || json_is_string(json_object_get(check, "detail"))) &&
	       (strcmp(status, "fallback") || json_is_string(json_object_get(check, "fallback")));
}

static void test_json_of(const struct doctor_report *report)
{
	_cleanup_(buf_done) struct buf b = BUF_INIT;
	json_int_t total = 0;
	json_t *value;
	size_t i;

	doctor_json(report, &b);
	json_t *root = json_loads(b.data, JSON_REJECT_DUPLICATES, NULL),
	       *checks = json_object_get(root, "checks");
	const char *key;

	CHECK(root);
	CHECK_STR(json_string_value(json_object_get(root, "schema")), "perfscope.doctor/1");
	CHECK(json_is_string(json_object_get(root, "host")) &&
	      json_is_string(json_object_get(root, "time")));
	CHECK_STR(json_string_value(json_object_get(root, "kernel")), report->uts.release);
	CHECK(json_is_true(json_object_get(root, "can_record")) == report->can_record);
	CHECK(json_array_size(checks) == report->count);
	json_array_foreach (checks, i, value)
		CHECK(check_is_sound(value));
	json_object_foreach (json_object_get(root, "counts"), key, value)
		total += json_integer_value(value);
	CHECK((size_t)total == report->count);
	json_decref(root);
}

static void test_hostile_json(void)
{
	struct doctor_result results[] = { result("symbol", "x", DOCTOR_MISSING, false,
						  "\xff\xc0\x80\"\\\x01", "") };
	struct doctor_report report = { .counts = { 0, 0, 1 }, .results = results, .count = 1 };

	strcpy(report.uts.nodename, "h\xe9");
	strcpy(report.uts.release, "r");
	test_json_of(&report);
	buf_done(&results[0].detail);
	buf_done(&results[0].mend);
}

static bool names_are_unique(const struct doctor_report *report)
{
	for (size_t i = 0; i < report->count; i++)
		for (size_t k = 0; k < i; k++)
			if (!strcmp(report->results[i].name, report->results[k].name) &&
			    !strcmp(report->results[i].group, report->results[k].group))
				return false;
	return true;
}

static bool open_fds_are(int want)
{
	int count = 0;

	for (int fd = 0; fd < 256; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count == want;
}

static void test_run(void)
{
	int fds = 0;

	for (int fd = 0; fd < 256; fd++)
		fds += fcntl(fd, F_GETFD) >= 0;
	_cleanup_(doctor_report_freep) struct doctor_report *report = doctor_run();

	CHECK(open_fds_are(fds));
	CHECK(names_are_unique(report));
	CHECK(report->can_record == !doctor_blocker(report));
	test_json_of(report);
}

/* A user without any capability: what needs one is not called broken, and the way out is named. */
static void check_powerless(void)
{
	_cleanup_(doctor_report_freep) struct doctor_report *report = doctor_run();
	const struct doctor_result *blocker = doctor_blocker(report);

	CHECK(!report->can_record && blocker);
	CHECK(blocker && blocker->status == DOCTOR_UNTRIED &&
	      strstr(blocker->mend.data, "sudo perfscope doctor"));
	for (size_t i = 0; i < report->count; i++) {
		const struct doctor_result *r = &report->results[i];

		if (!strcmp(r->group, "program") || !strcmp(r->group, "hook"))
			CHECK(r->status == DOCTOR_UNTRIED && strstr(r->detail.data, "CAP_BPF"));
		if (!strcmp(r->name, "CAP_BPF"))
			CHECK(r->status == DOCTOR_MISSING);
		if (!strcmp(r->name, "CPUs"))
			CHECK(r->status == DOCTOR_INFO);
	}
	test_json_of(report);
}

static void test_powerless(void)
{
	int status = -1;
	pid_t child = fork();

	if (child == 0) {
		check_passed = check_failed = 0;
		if (geteuid() == 0 &&
		    (setresgid(65534, 65534, 65534) < 0 || setresuid(65534, 65534, 65534) < 0))
			_exit(2);
		check_powerless();
		_exit(check_failed || !check_passed);
	}
	CHECK(child > 0 && waitpid(child, &status, 0) == child);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void test_frames(const char *with, const char *without)
{
	struct frame_share share;

	CHECK(frame_share_read(with, &share) == 0);
	CHECK(share.functions == 4 && share.with_frame == 4);
	CHECK(frame_share_read(without, &share) == 0);
	CHECK(share.functions == 4 && share.with_frame == 0);
	CHECK(frame_share_read("/nonexistent", &share) == -ENOENT);
	CHECK(frame_share_read("/dev/null", &share) == -ENOEXEC);
	CHECK(frame_share_read("/etc/passwd", &share) == -ENOEXEC);
}

/* Every prefix of a library, and one with each byte of its headers spoilt, gets an answer. */
static void test_broken_frames(const char *path)
{
	_cleanup_(buf_done) struct buf image = BUF_INIT;
	char copy[] = "/tmp/perfscope-frames-XXXXXX";
	_cleanup_close_ int fd = mkstemp(copy);
	struct frame_share share;
	bool sane = fd >= 0 && read_file(path, 4 << 20, &image) == 0;

	for (size_t length = 0; sane && length < image.len; length += 97) {
		sane = ftruncate(fd, 0) == 0 &&
		       pwrite(fd, image.data, length, 0) == (ssize_t)length;
		int r = frame_share_read(copy, &share);

		sane = sane && (r == 0 || r == -ENOEXEC) && share.with_frame <= share.functions;
	}
	for (size_t at = 16; sane && at < 1024 && at < image.len; at++) {
		image.data[at] = (char)~image.data[at];
		sane = pwrite(fd, image.data, image.len, 0) == (ssize_t)image.len;
		int r = frame_share_read(copy, &share);

		sane = sane && (r == 0 || r == -ENOEXEC) && share.with_frame <= share.functions;
		image.data[at] = (char)~image.data[at];
	}
	CHECK(sane);
	unlink(copy);
}

int main(int argc, char **argv)
{
	if (argc != 3) {
		fprintf(stderr, "usage: %s LIBRARY-WITH-FRAME-POINTERS LIBRARY-WITHOUT\n", argv[0]);
		return 2;
	}
	test_text();
	test_blocked();
	test_hostile_json();
	test_run();
	test_powerless();
	test_frames(argv[1], argv[2]);
	test_broken_frames(argv[1]);
	return check_done("doctor");
}
