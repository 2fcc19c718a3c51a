// SPDX-License-Identifier: BSD-2-Clause
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <sys/mman.h>
#include <unistd.h>

#include "amount.h"
#include "buf.h"
#include "fail.h"
#include "flame.h"
#include "folded.h"
#include "io.h"
#include "mem.h"
#include "palette.h"
#include "svg.h"
#include "view.h"

static int memory_file(const char *data, size_t len)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	if (fd < 0 || write_all(fd, data, len) < 0 || lseek(fd, 0, SEEK_SET) < 0) {
		perror("memfd");
		exit(2);
	}
	return fd;
}

static int read_bytes(struct flame *f, enum flame_side side, const char *data, size_t len,
		      struct folded_result *ret_result)
{
	_cleanup_close_ int fd = memory_file(data, len);

	return flame_read_folded(f, side, fd, "test", ret_result);
}

static int read_text(struct flame *f, enum flame_side side, const char *text,
		     struct folded_result *ret_result)
{
	return read_bytes(f, side, text, strlen(text), ret_result);
}

static struct flame_view *view_all(const struct flame *f)
{
	return flame_view_new(f, &(struct flame_limits){0});
}

/* "all 6/0;a 3/1;..." in preorder: name, value/self. */
static char *dump(const struct flame_view *v)
{
	struct buf b = BUF_INIT;

	for (uint32_t i = 0; i < v->count; i++)
		buf_addf(&b, "%s%.*s %g/%g", i ? ";" : "", (int)v->nodes[i].name_len,
			 v->nodes[i].name, v->nodes[i].value, v->nodes[i].self);
	return buf_steal(&b);
}

static void check_tree(const char *folded, const char *want)
{
	_cleanup_(flame_freep) struct flame *f = flame_new();
	struct folded_result result;

	CHECK(read_text(f, FLAME_NEW, folded, &result) == 0);
	_cleanup_(flame_view_freep) struct flame_view *v = view_all(f);
	_cleanup_free_ char *got = dump(v);
	CHECK_STR(got, want);
}

static void test_tree(void)
{
	check_tree("a;b 1\n", "all 1/0;a 1/0;b 1/1");
	check_tree("a;b;c;d 1\na;b;x 2\n", "all 3/0;a 3/0;b 3/0;c 1/0;d 1/1;x 2/2");
	check_tree("a;b;c 1\na 2\na;b 4\n", "all 7/0;a 7/2;b 5/4;c 1/1");
	check_tree("a;bc 1\na;b 2\na;bcd;e 3\n", "all 6/0;a 6/0;b 2/2;bc 1/1;bcd 3/0;e 3/3");
	check_tree("z 1\nb 2\na;a;a 3\na;a 4", "all 10/0;a 7/0;a 7/4;a 3/3;b 2/2;z 1/1");
	check_tree("a;;b 1\n;a 2\na; 3\n", "all 6/0; 2/0;a 2/2;a 4/0; 4/3;b 1/1");
}

/* Every stack over the letters of a number, in an order that is all over the place: sums are
 * known, and each node is reached by splits, by new leaves and by repetition. */
static void test_many(void)
{
	_cleanup_(flame_freep) struct flame *f = flame_new();
	char text[64];

	for (unsigned round = 0; round < 2; round++)
		for (unsigned i = 0; i < 4096; i++) {
			unsigned n = i * 2731 % 4096;
			int len = snprintf(text, sizeof(text), "r;common;%u;%u;%u;%u", n >> 9,
					   n >> 6 & 7, n >> 3 & 7, n & 7);

			flame_add_text(f, FLAME_NEW, text, (size_t)len, 1);
		}
	_cleanup_(flame_view_freep) struct flame_view *v = view_all(f);
	bool sums = true, order = true;
	static const double at_depth[] = {8192, 8192, 8192, 1024, 128, 16, 2};

	for (uint32_t i = 0; i < v->count; i++) {
		const struct flame_node *n = &v->nodes[i];

		sums = sums && n->value == at_depth[n->depth] && n->self == (n->depth == 6 ? 2 : 0);
		if (i + 1 < n->end && v->nodes[i + 1].end < n->end)
			order = order &&
				v->nodes[i + 1].name[0] < v->nodes[v->nodes[i + 1].end].name[0];
	}
	CHECK(v->count == 3 + 8 + 64 + 512 + 4096);
	CHECK(v->depth == 6 && v->total == 8192 && !v->cut);
	CHECK(sums);
	CHECK(order);
}

struct sample {
	char text[64];
	double value;
};

/* Frames that are prefixes of each other, and empty ones, in all combinations. */
static struct sample random_sample(uint64_t *seed)
{
	static const char *const names[] = {"", "a", "b", "ab", "abababababab"};
	struct sample s = {.text = ""};
	size_t len = 0;

	*seed = *seed * 6364136223846793005ull + 1442695040888963407ull;
	uint64_t random = *seed >> 20;
	for (uint64_t frames = 1 + random % 4, i = 0; i < frames; i++, random /= 5)
		len += (size_t)snprintf(s.text + len, sizeof(s.text) - len, "%s%s", i ? ";" : "",
					names[random % 5]);
	s.value = 1 + (double)(*seed >> 60);
	return s;
}

static double naive_sum(const struct sample *samples, size_t count, const char *path)
{
	size_t len = strlen(path);
	double sum = 0;

	for (size_t i = 0; i < count; i++)
		if (!strncmp(samples[i].text, path, len) &&
		    (!samples[i].text[len] || samples[i].text[len] == ';'))
			sum += samples[i].value;
	return sum;
}

/* Every node's value against a plain sum over all stacks below its path. */
static bool agrees(const struct flame_view *v, const struct sample *samples, size_t count)
{
	_cleanup_free_ char **paths = xcalloc(v->count, sizeof(*paths));
	bool same = true;

	for (uint32_t i = 1; i < v->count; i++) {
		const struct flame_node *n = &v->nodes[i];

		paths[i] = n->depth == 1 ? xasprintf("%.*s", (int)n->name_len, n->name) :
			xasprintf("%s;%.*s", paths[n->parent], (int)n->name_len, n->name);
		same = same && n->value == naive_sum(samples, count, paths[i]);
	}
	for (uint32_t i = 0; i < v->count; i++)
		free(paths[i]);
	return same;
}

static void test_against_plain_sums(void)
{
	enum { COUNT = 300 };
	_cleanup_free_ struct sample *samples = xcalloc(COUNT, sizeof(*samples));
	struct flame_stack stacks[COUNT];
	uint64_t seed = 1;
	int right = 0;

	for (int round = 0; round < 200; round++) {
		_cleanup_(flame_freep) struct flame *f = flame_new();

		for (int i = 0; i < COUNT; i++) {
			samples[i] = random_sample(&seed);
			stacks[i] = (struct flame_stack){samples[i].text, strlen(samples[i].text),
							 FLAME_NEW, samples[i].value};
		}
		size_t batched = seed % COUNT;
		flame_add_stacks(f, stacks, batched);
		for (size_t i = batched; i < COUNT; i++)
			flame_add_text(f, FLAME_NEW, stacks[i].text, stacks[i].len,
				       stacks[i].value);
		_cleanup_(flame_view_freep) struct flame_view *v = view_all(f);
		right += agrees(v, samples, COUNT);
	}
	CHECK(right == 200);
}

static void check_skipped(const char *line, const char *reason)
{
	_cleanup_(flame_freep) struct flame *f = flame_new(), *alone = flame_new();
	_cleanup_(buf_done) struct buf text = BUF_INIT;
	struct folded_result result;

	buf_addf(&text, "good;line 2\n%s\nmore;lines 1\n", line);
	CHECK(read_text(f, FLAME_NEW, text.data, &result) == 0);
	CHECK(result.lines == 3 && result.skipped == 1 && result.first_skipped == 2);
	CHECK_STR(result.reason ? result.reason : "", reason);
	CHECK(flame_total(f, FLAME_NEW) == 3);
	CHECK(read_text(alone, FLAME_NEW, line, &result) == -EINVAL);
	CHECK(!strncmp(fail_message(), "test:1: ", 8) && strstr(fail_message(), reason));
}

static void test_bad_lines(void)
{
	struct folded_result result;
	_cleanup_(flame_freep) struct flame *f = flame_new();

	check_skipped("main;run", "no count at its end");
	check_skipped("main;run ", "no count at its end");
	check_skipped("main;run 12x", "no count at its end");
	check_skipped("main;run 1e5", "no count at its end");
	check_skipped("main;run 0x10", "no count at its end");
	check_skipped("main;run nan", "no count at its end");
	check_skipped("main;run inf", "no count at its end");
	check_skipped("main;run 1.2.3", "no count at its end");
	check_skipped("main;run .", "no count at its end");
	check_skipped("main;run -5", "the count is negative");
	check_skipped("main;run 99999999999999999999999999", "the count is above 2^53");
	check_skipped("main;run 9007199254740994", "the count is above 2^53");
	check_skipped("17", "a count without a stack");
	CHECK(read_text(f, FLAME_NEW, "", &result) == -EINVAL && strstr(fail_message(), "empty"));
	CHECK(read_text(f, FLAME_NEW, "\n \r\n\n", &result) == -EINVAL &&
	      strstr(fail_message(), "empty"));
	CHECK(read_text(f, FLAME_NEW, "a;b 0\n", &result) == -EINVAL &&
	      strstr(fail_message(), "all counts are 0"));
	CHECK(flame_read_folded(f, FLAME_NEW, -1, "nowhere", &result) == -EBADF &&
	      strstr(fail_message(), "nowhere"));
}

static void test_odd_lines(void)
{
	check_tree("a;b 1\r\na;b 2\r\n", "all 3/0;a 3/0;b 3/3");
	check_tree("a;b\t1 \na;b   2", "all 3/0;a 3/0;b 3/3");
	check_tree("a;b 0.5\na;b 1.25\na .25\n", "all 2/0;a 2/0.25;b 1.75/1.75");
	check_tree("with spaces 3;in names 4 5\nx 1\n",
		   "all 6/0;with spaces 3 5/0;in names 4 5/5;x 1/1");
	check_tree("<&>\"'\x1b[31m 1\n", "all 1/0;<&>\"'\x1b[31m 1/1");
	check_tree("a 9007199254740992\n", "all 9.0072e+15/0;a 9.0072e+15/9.0072e+15");

	_cleanup_(flame_freep) struct flame *f = flame_new();
	struct folded_result result;

	CHECK(read_bytes(f, FLAME_NEW, "a\0b;c 1\na;c 2\n", 14, &result) == 0);
	_cleanup_(flame_view_freep) struct flame_view *v = view_all(f);
	CHECK(v->count == 5 && v->nodes[3].name_len == 3 && !memcmp(v->nodes[3].name, "a\0b", 3));
}

/* Lines across the reader's blocks: long, deep, longer than allowed. */
static void test_long_lines(void)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT;
	_cleanup_(flame_freep) struct flame *f = flame_new();
	struct folded_result result;

	buf_addstr(&text, "first 1\n");
	buf_grow(&text, 3 << 20);
	memset(text.data + text.len, 'x', 3 << 20);
	text.len += 3 << 20;
	buf_addstr(&text, ";y 2\n");
	for (int i = 0; i < 600000; i++)
		buf_addstr(&text, "f;");
	buf_addstr(&text, "end 4\n");
	buf_grow(&text, 40 << 20);
	memset(text.data + text.len, 'z', 40 << 20);
	text.len += 40 << 20;
	buf_addstr(&text, " 8\nlast 16\n");
	CHECK(read_bytes(f, FLAME_NEW, text.data, text.len, &result) == 0);
	CHECK(result.lines == 5 && result.skipped == 1 && result.first_skipped == 4);
	CHECK(flame_total(f, FLAME_NEW) == 23);
	CHECK(flame_bytes(f) < 16 << 20);

	_cleanup_(flame_view_freep) struct flame_view *v = view_all(f);
	CHECK(v->depth == 600001 && v->count == 600001 + 1 + 4 && !v->cut);
	_cleanup_(flame_view_freep) struct flame_view *low =
		flame_view_new(f, &(struct flame_limits){.max_depth = 100});
	CHECK(low->depth == 100 && low->count == 100 + 1 + 4 && low->cut);
	CHECK(low->nodes[0].value == 23);
}

static void test_limits(void)
{
	_cleanup_(flame_freep) struct flame *f = flame_new();
	struct folded_result result;

	CHECK(read_text(f, FLAME_NEW, "a;b;c 50\na;d 30\na;e;f 15\nb 4\nc 1\n", &result) == 0);
	_cleanup_(flame_view_freep) struct flame_view *share =
		flame_view_new(f, &(struct flame_limits){.min_share = 0.04});
	_cleanup_free_ char *shares = dump(share);
	CHECK_STR(shares, "all 100/0;a 95/0;b 50/0;c 50/50;d 30/30;e 15/0;f 15/15;b 4/4");
	CHECK(!share->cut);
	_cleanup_(flame_view_freep) struct flame_view *few =
		flame_view_new(f, &(struct flame_limits){.max_frames = 5});
	_cleanup_free_ char *fews = dump(few);
	CHECK_STR(fews, "all 100/0;a 95/0;b 50/0;c 50/50;d 30/30;e 15/0");
	CHECK(few->cut);
}

static void test_frames(void)
{
	static const struct flame_frame stack[] = {
		{"redis;server", FLAME_TASK}, {"main", FLAME_USER}, {"Lambda;run\n", FLAME_JIT},
		{"inner", FLAME_INLINED}, {"read", FLAME_KERNEL}, {"[unknown]", FLAME_UNKNOWN},
		{"[libc.so.6+0x1f]", FLAME_UNKNOWN}};
	_cleanup_(flame_freep) struct flame *f = flame_new();

	flame_add(f, FLAME_NEW, stack, ARRAY_SIZE(stack), 2.5);
	flame_add(f, FLAME_NEW, stack, 2, 1);
	flame_add(f, FLAME_NEW, stack, 0, 4);
	_cleanup_(flame_view_freep) struct flame_view *v = view_all(f);
	CHECK(v->count == 1 + ARRAY_SIZE(stack) && v->total == 7.5 && v->nodes[0].self == 4);
	for (uint32_t i = 1; i < v->count; i++) {
		CHECK(v->nodes[i].kind == stack[i - 1].kind);
		CHECK(v->nodes[i].name_len == strlen(stack[i - 1].name) &&
		      !memcmp(v->nodes[i].name, stack[i - 1].name, v->nodes[i].name_len));
	}

	_cleanup_close_ int fd = memory_file("", 0);
	_cleanup_(buf_done) struct buf text = BUF_INIT;
	CHECK(flame_write_folded(f, FLAME_NEW, fd) == 0 && lseek(fd, 0, SEEK_SET) == 0);
	CHECK(read_fd(fd, 1 << 20, &text) == 0);
	CHECK(strstr(text.data, "redis:server;main;Lambda:run?_[j];inner_[i];read_[k];[unknown];["
				"libc.so.6+0x1f] 2.5\n"));
	CHECK(strstr(text.data, "redis:server;main 1\n"));
	CHECK(flame_write_folded(f, FLAME_NEW, -1) == -EBADF);
}

/* A tree that is told node by node is the same as one of whole stacks, whatever comes between. */
static void test_nodes(void)
{
	const struct flame_frame stack[] = {{"main", FLAME_USER}, {"a;b", FLAME_USER}, {"read", FLAME_KERNEL}};
	_cleanup_(flame_freep) struct flame *f = flame_new();
	_cleanup_(flame_view_freep) struct flame_view *v = NULL;
	uint32_t whole, upper;

	whole = flame_node(f, 0, stack, 3);
	upper = flame_node(f, 0, stack, 1);
	flame_add_to(f, FLAME_NEW, whole, 1);
	flame_add_to(f, FLAME_NEW, flame_node(f, upper, stack + 1, 2), 2);
	flame_add_to(f, FLAME_NEW, upper, 4);
	flame_add(f, FLAME_NEW, stack, 3, 8);
	v = flame_view_new(f, &(struct flame_limits){0});
	CHECK(v->count == 4 && v->total == 15);
	CHECK(v->nodes[1].self == 4 && v->nodes[3].self == 11 && v->nodes[3].kind == FLAME_KERNEL);
	CHECK(v->nodes[2].name_len == 3 && !memcmp(v->nodes[2].name, "a;b", 3));
}

static void test_round_trip(void)
{
	static const char input[] = "a;b_[k];c 3\na;b_[k] 0.125\nx y;z_[j] 7\nm;n;o;p 1\nm;n;q 1\n";
	_cleanup_(flame_freep) struct flame *f = flame_new(), *again = flame_new();
	_cleanup_close_ int fd = memory_file("", 0);
	struct folded_result result;

	CHECK(read_text(f, FLAME_NEW, input, &result) == 0);
	CHECK(flame_write_folded(f, FLAME_NEW, fd) == 0 && lseek(fd, 0, SEEK_SET) == 0);
	CHECK(flame_read_folded(again, FLAME_NEW, fd, "again", &result) == 0 && !result.skipped);
	_cleanup_(flame_view_freep) struct flame_view *v = view_all(f), *w = view_all(again);
	_cleanup_free_ char *a = dump(v), *b = dump(w);
	CHECK_STR(b, a);
}

static const struct flame_node *find(const struct flame_view *v, const char *name)
{
	for (uint32_t i = 0; i < v->count; i++)
		if (v->nodes[i].name_len == strlen(name) &&
		    !memcmp(v->nodes[i].name, name, v->nodes[i].name_len))
			return &v->nodes[i];
	return NULL;
}

static void test_diff(void)
{
	_cleanup_(flame_freep) struct flame *f = flame_new();
	struct folded_result result;

	CHECK(read_text(f, FLAME_NEW, "m;a 30\nm;b 10\nm;new 40\n", &result) == 0);
	CHECK(read_text(f, FLAME_BASE, "m;a 10\nm;b 20\nm;gone;deep 10\n", &result) == 0);
	_cleanup_(flame_view_freep) struct flame_view *v = view_all(f);
	CHECK(v->total == 80 && v->base_total == 40);
	CHECK(find(v, "m")->value == 80 && find(v, "m")->base == 80);
	CHECK(find(v, "a")->value == 30 && find(v, "a")->base == 20);
	CHECK(find(v, "b")->value == 10 && find(v, "b")->base == 40);
	CHECK(find(v, "new")->value == 40 && find(v, "new")->base == 0);
	CHECK(find(v, "gone")->value == 0 && find(v, "deep")->base == 20);

	_cleanup_(flame_freep) struct flame *two = flame_new();
	CHECK(read_text(two, FLAME_NEW, "m;a 10 30\nm;b 20 10\nm;new 0 40\nm;gone;deep 10 0\n",
			&result) == 0);
	_cleanup_(flame_view_freep) struct flame_view *w = view_all(two);
	_cleanup_free_ char *a = dump(v), *b = dump(w);
	CHECK_STR(b, a);
	CHECK(find(w, "b")->base == 40);
}

static void draw(const struct flame *f, const struct flame_svg_options *o, struct buf *svg)
{
	_cleanup_close_ int fd = memory_file("", 0);

	CHECK(flame_write_svg(f, o, fd) == 0 && lseek(fd, 0, SEEK_SET) == 0);
	CHECK(read_fd(fd, 256 << 20, svg) == 0);
}

static size_t occurrences(const struct buf *b, const char *what)
{
	size_t n = 0;

	for (const char *p = b->data; (p = strstr(p, what)); p++)
		n++;
	return n;
}

/* Whatever is in names and titles, no markup and no control character gets out. */
static void test_svg_escapes(void)
{
	static const char evil[] = "</title><script>alert(1)</script>;]]>&amp;\"' onload='x "
				   "\x01\x02\x07\x1b[0m\x7f\xff\xfe;\xed\xa0\x80 7\n";
	_cleanup_(flame_freep) struct flame *f = flame_new();
	_cleanup_(buf_done) struct buf svg = BUF_INIT;
	struct folded_result result;
	bool controls = false;

	CHECK(read_bytes(f, FLAME_NEW, evil, sizeof(evil) - 1, &result) == 0);
	draw(f,
	     &(struct flame_svg_options){
		     .title = "<b>\x1b]]>", .subtitle = "\"&\n", .unit = "<i>", .search = "\"><x>"},
	     &svg);
	for (size_t i = 0; i < svg.len; i++)
		controls = controls ||
			   ((unsigned char)svg.data[i] < 0x20 && !strchr("\n\t", svg.data[i])) ||
			   !svg.data[i];
	CHECK(!controls);
	CHECK(occurrences(&svg, "<script>") == 1 && occurrences(&svg, "</script>") == 1);
	CHECK(occurrences(&svg, "]]>") == 2);
	CHECK(!strstr(svg.data, "<b>") && !strstr(svg.data, "<i>") && !strstr(svg.data, "<x>"));
	CHECK(strstr(svg.data, "&lt;/title&gt;&lt;script&gt;alert(1)&lt;/script&gt;"));
}

static void test_svg_size(void)
{
	_cleanup_(flame_freep) struct flame *f = flame_new();
	_cleanup_(buf_done) struct buf svg = BUF_INIT, narrow = BUF_INIT;
	char text[64];

	/* 300,000 leaves that are each far below a tenth of a pixel, and one that is not. */
	for (int i = 0; i < 300000; i++)
		flame_add_text(f, FLAME_NEW, text,
			       (size_t)snprintf(text, sizeof(text), "main;tiny%d", i), 1);
	flame_add_text(f, FLAME_NEW, "main;wide", 9, 300000);
	draw(f, &(struct flame_svg_options){0}, &svg);
	CHECK(occurrences(&svg, "<title>") == 3);
	CHECK(strstr(svg.data, "600,000 samples, 100.00 % of all"));
	CHECK(strstr(svg.data, "wide\n300,000 samples, 50.00 % of all, 50.00 % of caller"));
	CHECK(strstr(svg.data,
		     " data-v=\"600000\" data-s=\"0\"")); /* merged callees are not main's own */
	draw(f, &(struct flame_svg_options){.max_frames = 1}, &narrow);
	CHECK(occurrences(&narrow, "<title>") == 2 && strstr(narrow.data, "too much to draw"));
	CHECK(flame_write_svg(f, &(struct flame_svg_options){0}, -1) == -EBADF);
	_cleanup_(flame_freep) struct flame *empty = flame_new();
	CHECK(flame_write_svg(empty, &(struct flame_svg_options){0}, -1) == -EINVAL);
}

/* Many deep stacks of the same weight: bounded, and callers before callees. */
static void test_svg_bounded(void)
{
	_cleanup_(flame_freep) struct flame *f = flame_new();
	_cleanup_(buf_done) struct buf stack = BUF_INIT, svg = BUF_INIT;

	for (int i = 0; i < 400; i++) {
		buf_reset(&stack);
		buf_addf(&stack, "top%d", i);
		for (int depth = 0; depth < 3000; depth++)
			buf_addstr(&stack, ";f");
		flame_add_text(f, FLAME_NEW, stack.data, stack.len, 1);
	}
	draw(f, &(struct flame_svg_options){0}, &svg);
	CHECK(occurrences(&svg, "<title>") == 40001);
	CHECK(strstr(svg.data, ">top399\n") && strstr(svg.data, ">top0\n"));
}

static double luminance(struct rgb c)
{
	double parts[] = {c.r / 255.0, c.g / 255.0, c.b / 255.0};

	for (int i = 0; i < 3; i++)
		parts[i] = parts[i] <= 0.04045 ? parts[i] / 12.92
					       : pow((parts[i] + 0.055) / 1.055, 2.4);
	return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
}

/* WCAG AA wants 4.5:1 for text. */
static void test_contrast(void)
{
	double worst = 21;

	for (int dark = 0; dark < 2; dark++)
		for (enum flame_kind kind = 0; kind < FLAME_KINDS; kind++)
			for (unsigned shade = 0; shade < PALETTE_SHADES; shade++) {
				double a = luminance(palette_fill(kind, shade, dark)),
				       b = luminance(palette_text(dark));
				double contrast = (fmax(a, b) + 0.05) / (fmin(a, b) + 0.05);

				worst = fmin(worst, contrast);
				if (contrast < 4.5)
					fprintf(stderr, "kind %d shade %u dark %d: %.2f\n", kind,
						shade, dark, contrast);
			}
	CHECK(worst >= 4.5);
}

static void check_amount(double value, const char *unit, const char *want)
{
	_cleanup_(buf_done) struct buf b = BUF_INIT;

	amount_add(&b, value, unit);
	CHECK_STR(b.data, want);
}

static void test_amounts(void)
{
	check_amount(0, "ns", "0 ns");
	check_amount(1, "samples", "1 samples");
	check_amount(1234567, "samples", "1,234,567 samples");
	check_amount(1234.5, "samples", "1,234.50 samples");
	check_amount(999, "ns", "999 ns");
	check_amount(1500, "ns", "1.50 us");
	check_amount(2500, "ms", "2.50 s");
	check_amount(12345, "us", "12.3 ms");
	check_amount(3 * 1048576, "bytes", "3 MiB");
	check_amount(1536, "bytes", "1.50 KiB");
}

int main(void)
{
	test_tree();
	test_many();
	test_against_plain_sums();
	test_bad_lines();
	test_odd_lines();
	test_long_lines();
	test_limits();
	test_frames();
	test_nodes();
	test_round_trip();
	test_diff();
	test_svg_escapes();
	test_svg_size();
	test_svg_bounded();
	test_contrast();
	test_amounts();
	return check_done("flamegraph");
}
