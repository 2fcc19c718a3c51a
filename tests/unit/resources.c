// SPDX-License-Identifier: BSD-2-Clause
/* Ids of what is measured and waited for, in a store that keeps the last minutes. */
#include "resources.h"

#include "check.h"
#include "clock.h"
#include "mem.h"
#include "store_query.h"
#include "store_write.h"

enum { KEPT = 100, FILES_A_SLICE = 100, SLICES = 1000 };

static int64_t ask(struct store *s, const char *sql, uint32_t id)
{
	_cleanup_free_ char *text = xasprintf(sql, id);
	int64_t value = -1;

	return query_one_int(s, text, -2, &value) < 0 ? -3 : value;
}

static uint32_t file(struct resources *r, uint32_t number, uint32_t slice)
{
	_cleanup_free_ char *name = xasprintf("/tmp/file-%u", number);

	return resources_id(r, "file", name, name, slice);
}

static void use(struct store *s, uint32_t slice, uint32_t resource)
{
	store_add_sample(s, &(struct sample_row){.slice = slice, .metric = 1, .resource = resource, .count = 1, .value = 1});
}

/* One file is used all the time, a lock is held by who keeps its id, a disk is looked up once and for all. */
static void test_long_run(void)
{
	_cleanup_(store_freep) struct store *s = NULL;
	_cleanup_(resources_freep) struct resources *r = NULL;
	uint32_t disk, lock, always, most = 0, number = 0, id = 0;

	CHECK(store_create(":memory:", &s) == 0 && store_begin(s) == 0);
	r = resources_new(s);
	disk = resources_id(r, "disk", "sda", "sda", 1);
	lock = resources_id(r, "futex", "7 1000", "0x1000", 1);
	always = resources_id(r, "file", "/log", "/log", 1);
	for (uint32_t slice = 1; slice <= SLICES; slice++) {
		store_add_slice(s, slice, (slice - 1) * NS_PER_S, slice * NS_PER_S);
		for (uint32_t i = 0; i < FILES_A_SLICE; i++) {
			id = file(r, number++, slice);
			use(s, slice, id);
			most = id > most ? id : most;
		}
		CHECK(resources_id(r, "file", "/log", "/log", slice) == always);
		resources_use(r, lock, slice);
		resources_end_slice(r, slice);
		if (slice > KEPT && slice % 10 == 0)
			store_prune(s, slice - KEPT);
	}
	CHECK(resources_forgotten(r) > 2);
	CHECK(most < 4 * KEPT * FILES_A_SLICE); /* of ten times as many */
	CHECK(ask(s, "SELECT count(*) FROM resource WHERE id <> %u", 0) <= most);
	CHECK(resources_id(r, "disk", "sda", "sda", SLICES) == disk && resources_id(r, "futex", "7 1000", "", SLICES) == lock);
	CHECK(ask(s, "SELECT name = '/log' FROM resource WHERE id = %u", always) == 1);
	CHECK(ask(s, "SELECT name = 'sda' FROM resource WHERE id = %u", disk) == 1);
	/* What rows are about is as it was, what is gone is another one if it comes again. */
	CHECK(file(r, number - 1, SLICES) == id && file(r, number - KEPT * FILES_A_SLICE / 2, SLICES) <= most);
	CHECK(ask(s, "SELECT count(*) FROM sample WHERE resource NOT IN (SELECT id FROM resource) OR %u", 0) == 0);
	id = file(r, 1, SLICES);
	CHECK(ask(s, "SELECT name = '/tmp/file-1' FROM resource WHERE id = %u", id) == 1);
	CHECK(store_commit(s) == 0);
}

/* A recording keeps all. */
static void test_recording(void)
{
	_cleanup_(store_freep) struct store *s = NULL;
	_cleanup_(resources_freep) struct resources *r = NULL;
	uint32_t id = 0;

	CHECK(store_create(":memory:", &s) == 0 && store_begin(s) == 0);
	r = resources_new(s);
	for (uint32_t slice = 1; slice <= 200; slice++) {
		for (uint32_t i = 0; i < FILES_A_SLICE; i++)
			id = file(r, slice * FILES_A_SLICE + i, slice);
		resources_end_slice(r, slice);
	}
	CHECK(id == 200 * FILES_A_SLICE && resources_forgotten(r) == 0 && store_commit(s) == 0);
}

int main(void)
{
	test_long_run();
	test_recording();
	return check_done("resources");
}
