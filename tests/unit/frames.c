// SPDX-License-Identifier: BSD-2-Clause
/* Frames and stacks of programs that have new ones for ever: old ones are forgotten, the recording keeps all. */
#include "frames.h"

#include "check.h"
#include "images.h"
#include "store_query.h"
#include "store_write.h"

enum { FUNCTIONS = 100000, RARELY = 1000 };

static uint32_t line_of(struct frames *f, const char *name, uint32_t line)
{
	return frames_interpreted(f, &(struct interpreted){.name = name, .file = "/srv/app.py", .id = line, .first_line = line}, line);
}

static int64_t ask(struct store *s, const char *sql)
{
	int64_t value = -1;

	return query_one_int(s, sql, -2, &value) < 0 ? -3 : value;
}

static void test_many_frames(void)
{
	_cleanup_(store_freep) struct store *s = NULL;
	uint32_t last = 0, hot = 0, other, changes = 0, wrong = 0;

	CHECK(store_create(":memory:", &s) == 0 && store_begin(s) == 0);
	struct frames *f = frames_new(s);
	for (uint32_t i = 1; i <= FUNCTIONS; i++) {
		uint32_t id = line_of(f, "step", i);

		wrong += id <= last || line_of(f, "step", i) != id;
		frames_sampled(f, frames_push(f, frames_push(f, 0, id), id));
		last = id;
		if (i % RARELY)
			continue;
		uint32_t now = line_of(f, "hot", FUNCTIONS + 1);
		changes += hot && now != hot;
		last = now > last ? now : last;
		hot = now;
	}
	CHECK(!wrong && !changes);
	other = frames_push(f, 0, 1); /* of a frame that is forgotten */
	frames_sampled(f, other);
	CHECK(store_commit(s) == 0);
	CHECK(ask(s, "SELECT count(*) FROM frame") == FUNCTIONS + 1);
	CHECK(ask(s, "SELECT count(*) FROM frame JOIN symbol ON symbol.id = symbol WHERE name IN ('step', 'hot')") == FUNCTIONS + 1);
	CHECK(ask(s, "SELECT count(*) FROM symbol WHERE name = 'hot'") == 1);
	CHECK(ask(s, "SELECT count(*) FROM symbol") == FUNCTIONS + 1);
	CHECK(line_of(f, "step", 1) > last); /* it had been forgotten */
	CHECK(ask(s, "SELECT count(*) FROM symbol WHERE name = 'step' AND start = 1") == 2);
	CHECK(ask(s, "SELECT count(*) FROM stack WHERE frame NOT IN (SELECT id FROM frame)") == 0);
	frames_free(f);
}

/* Files of programs that are gone are forgotten: not those that are mapped, nor those that were in use of late. */
static void test_many_images(void)
{
	_cleanup_(images_freep) struct images *m = images_new();
	struct image image = {.kind = IMAGE_ELF, .path = "/bin/x"};
	uint32_t first, mapped, last, forgotten = 0;

	first = images_id(m, &image);
	image.inode = 1;
	mapped = last = images_id(m, &image);
	for (image.inode = 2; image.inode < 20000; image.inode++) {
		last = images_id(m, &image);
		if (!images_many(m))
			continue;
		forgotten++;
		images_use(m, mapped);
		images_forget(m);
	}
	CHECK(forgotten >= 5 && forgotten < 100);
	CHECK(!images_has(m, first) && images_get(m, first).kind == IMAGE_UNKNOWN);
	CHECK(images_get(m, mapped).inode == 1 && images_get(m, last).inode == 19999);
	CHECK_STR(images_get(m, mapped).path, "/bin/x");
	image.inode = 1;
	CHECK(images_id(m, &image) == mapped);
	image.inode = 0;
	CHECK(images_id(m, &image) == last + 1);
}

int main(void)
{
	test_many_images();
	test_many_frames();
	return check_done("frames");
}
