// SPDX-License-Identifier: BSD-2-Clause
/* Disks, who uses them, which files are waited for, and how full file systems are. */
#include <math.h>

#include "clock.h"
#include "measure.h"
#include "mem.h"
#include "places.h"
#include "profile.h"
#include "table_screen.h"
#include "window.h"

enum { NAME, PROCESS, PID };
enum { MOST_USERS = 16 };

enum { BUSY, QUEUE, READ, WRITTEN, READS, WRITES, READ_P99, WRITE_P99, FLUSH_P99, QUEUED_P99, ERRORS };
static const struct measure disk_measures[] = {
	[BUSY] = {"disk.busy", MEAN}, [QUEUE] = {"disk.queue", MEAN}, [READ] = {"disk.read", RATE},
	[WRITTEN] = {"disk.written", RATE}, [READS] = {"disk.reads", RATE}, [WRITES] = {"disk.writes", RATE},
	[READ_P99] = {"disk.device_time.read", QUANTILE, 0.99}, [WRITE_P99] = {"disk.device_time.write", QUANTILE, 0.99},
	[FLUSH_P99] = {"disk.device_time.flush", QUANTILE, 0.99}, [QUEUED_P99] = {"disk.queue_time.*", QUANTILE, 0.99},
	[ERRORS] = {"disk.errors", SUM}, {0},
};

/* Waiting begins well before a device is always busy; 10 ms is a disk's seek, 100 ms what people notice. */
#define SLOW .warning = 20e6, .critical = 100e6
static const struct column disk_columns[] = {
	{"BUSY%", "of the time, a request was in progress", .width = 6, .field = BUSY, .unit = UNIT_PERCENT, .warning = 80,
	 .critical = 95},
	{"QUEUE", "requests waiting or in progress, on average", .width = 6, .field = QUEUE},
	{"READ/S", "bytes read a second", .width = 7, .field = READ, .unit = UNIT_BYTES},
	{"WRITE/S", "bytes written a second", .width = 7, .field = WRITTEN, .unit = UNIT_BYTES},
	{"READS", "reads a second", .width = 6, .from = 60, .field = READS},
	{"WRITES", "writes a second", .width = 6, .from = 60, .field = WRITES},
	{"R p99", "99 % of reads take the device less", .width = 7, .from = 70, .field = READ_P99, .unit = UNIT_NS, SLOW},
	{"W p99", "of writes", .width = 7, .from = 78, .field = WRITE_P99, .unit = UNIT_NS, SLOW},
	{"F p99", "of flushes of the device's cache", .width = 7, .from = 90, .field = FLUSH_P99, .unit = UNIT_NS, SLOW},
	{"Q p99", "99 % wait less in the kernel before the device gets them", .width = 7, .from = 100, .field = QUEUED_P99,
	 .unit = UNIT_NS, SLOW},
	{"ERR", "requests that failed", .width = 4, .from = 74, .field = ERRORS, .critical = 1},
	{"DISK", "the device", .kind = COLUMN_TEXT, .field = NAME, .ascending = true},
	{0},
};

enum { USER_TIME, USER_READ, USER_WRITE, USER_READS, USER_WRITES, USER_FLUSHES, USER_DISCARD };
static const struct measure user_measures[] = {
	[USER_TIME] = {"io.time", VALUE_PERCENT}, [USER_READ] = {"io.read", VALUE_RATE}, [USER_WRITE] = {"io.write", VALUE_RATE},
	[USER_READS] = {"io.read", COUNT_RATE}, [USER_WRITES] = {"io.write", COUNT_RATE},
	[USER_FLUSHES] = {"io.flush", COUNT_RATE}, [USER_DISCARD] = {"io.discard", VALUE_RATE}, {0},
};

static const struct column user_columns[] = {
	{"IO TIME%", "time of its requests, waiting and in the device, added up", .width = 8, .field = USER_TIME,
	 .unit = UNIT_PERCENT},
	{"READ/S", "bytes read a second", .width = 7, .field = USER_READ, .unit = UNIT_BYTES},
	{"WRITE/S", "bytes written a second", .width = 7, .field = USER_WRITE, .unit = UNIT_BYTES},
	{"READS", "a second", .width = 6, .from = 60, .field = USER_READS},
	{"WRITES", "a second", .width = 6, .from = 60, .field = USER_WRITES},
	{"FLUSHES", "a second", .width = 7, .from = 70, .field = USER_FLUSHES},
	{"DISK", "the device", .width = 10, .from = 40, .kind = COLUMN_TEXT, .field = NAME, .ascending = true},
	{"PID", "process", .width = 7, .kind = COLUMN_TEXT, .field = PID, .ascending = true},
	{"PROCESS", "whose requests they are; what the page cache writes later is the kernel's", .kind = COLUMN_TEXT, .field = PROCESS,
	 .ascending = true},
	{0},
};

enum { FILE_TIME, FILE_COUNT, FILE_MEAN };
static const struct measure file_measures[] = {
	[FILE_TIME] = {"wait.disk", VALUE_PERCENT}, [FILE_COUNT] = {"wait.disk", COUNT_RATE}, [FILE_MEAN] = {"wait.disk", VALUE_MEAN},
	{0},
};

static const struct column file_columns[] = {
	{"WAIT%", "time waited for it; 100 is one thread that always waits", .width = 7, .field = FILE_TIME, .unit = UNIT_PERCENT,
	 .warning = 20, .critical = 80},
	{"WAITS/S", "waits a second", .width = 7, .field = FILE_COUNT},
	{"MEAN", "length of a wait", .width = 8, .field = FILE_MEAN, .unit = UNIT_NS, SLOW},
	{"PID", "process", .width = 7, .kind = COLUMN_TEXT, .field = PID, .ascending = true},
	{"PROCESS", "who waits", .width = 15, .kind = COLUMN_TEXT, .field = PROCESS, .ascending = true},
	{"FILE", "which file", .kind = COLUMN_TEXT, .field = NAME, .ascending = true},
	{0},
};

enum { FULL, SIZE, USED, FREE, GROWTH };
static const struct measure space_measures[] = {
	[FULL] = {"filesystem.used", LAST}, [SIZE] = {"filesystem.size", LAST}, [USED] = {"filesystem.used", LAST}, {0},
};

static const struct column space_columns[] = {
	{"FULL%", "space in use", .width = 6, .field = FULL, .unit = UNIT_PERCENT, .warning = 85, .critical = 95},
	{"SIZE", "space that there is", .width = 7, .field = SIZE, .unit = UNIT_BYTES},
	{"USED", "space in use", .width = 7, .field = USED, .unit = UNIT_BYTES},
	{"FREE", "space that is left", .width = 7, .field = FREE, .unit = UNIT_BYTES},
	{"GROWTH/S", "bytes more a second, over the last minutes", .width = 8, .field = GROWTH, .unit = UNIT_BYTES},
	{"", "", .width = 20, .from = 70, .kind = COLUMN_SHARE, .field = FULL},
	{"FILE SYSTEM", "where it is mounted", .kind = COLUMN_TEXT, .field = NAME, .ascending = true},
	{0},
};

static void fill_disks(const struct screen_context *c, struct table *t, unsigned flags)
{
	measure_resources(c, t, "disk", disk_measures);
}

static void fill_users(const struct screen_context *c, struct table *t, unsigned flags)
{
	measure_processes(c, t, "disk", user_measures);
}

static void fill_files(const struct screen_context *c, struct table *t, unsigned flags)
{
	measure_processes(c, t, "file", file_measures);
}

static void fill_spaces(const struct screen_context *c, struct table *t, unsigned flags)
{
	enum { COURSE = 300 };
	double values[COURSE];

	measure_resources(c, t, "filesystem", space_measures);
	for (uint32_t i = 0; i < t->count; i++) {
		double *n = t->records[i].number;
		unsigned count = window_series(c->window, "filesystem.used", t->records[i].resource, values, COURSE);

		n[FREE] = n[SIZE] - n[USED];
		n[FULL] = n[SIZE] > 0 ? 100 * n[USED] / n[SIZE] : NAN;
		n[GROWTH] = count > 1 && values[0] > 0 ? (values[count - 1] - values[0]) / (count - 1) : NAN;
	}
}

/* The device's users, the one who keeps it busiest first. */
static void disk_detail(const struct screen_context *c, const struct record *r, unsigned width, struct lines *l)
{
	struct screen_context narrowed = *c;
	struct table users = {0};
	char read[16], written[16];

	narrowed.focus.resource = r->resource;
	table_begin(&users, user_columns);
	fill_users(&narrowed, &users, 0);
	table_end(&users);
	lines_add(l, STYLE_STRONG, 0, "Who uses %s: time of requests, bytes a second", r->text[NAME]);
	for (uint32_t i = 0; i < users.count && i < MOST_USERS; i++) {
		const struct record *u = &users.records[users.order[i]];

		lines_add(l, u->dim ? STYLE_DIM : STYLE_NORMAL, 2, "%6.1f%%  read %6s  written %6s  %s (%s)", u->number[USER_TIME],
			  format_bytes(u->number[USER_READ], read), format_bytes(u->number[USER_WRITE], written),
			  u->text[PROCESS], u->text[PID]);
	}
	if (!users.count)
		lines_add(l, STYLE_DIM, 2, "nobody in the window, or it could not be measured");
	table_done(&users);
}

/* Who waits for the disk in this process, and where in its code. */
static void user_detail(const struct screen_context *c, const struct record *r, unsigned width, struct lines *l)
{
	struct screen_context narrowed = *c;
	struct profile_stack stacks[2];
	size_t count;

	narrowed.focus.process = r->process;
	narrowed.focus.resource = 0;
	count = profile_heaviest(&narrowed, PROFILE_DISK, true, NULL, stacks, ARRAY_SIZE(stacks));
	for (size_t i = 0; i < count; i++) {
		lines_add(l, STYLE_STRONG, 0, "%s waited %.0f ms for the disk here, innermost first", r->text[PROCESS],
			  (double)stacks[i].value / NS_PER_MS);
		lines_add_wait(l, window_stacks(c->window), stacks[i].stack, 2, 16);
	}
}

static bool enter_disk(const struct screen_context *c, const struct record *r, struct target *target)
{
	target->focus.resource = 0;
	target->screen = "disk users";
	target->focus.resource = r->resource;
	return true;
}

static bool enter_user(const struct screen_context *c, const struct record *r, struct target *target)
{
	target->focus.resource = 0;
	target->focus.process = r->process;
	target->screen = "offcpu";
	return true;
}

static const struct table_view views[] = {
	{.name = "disks", .columns = disk_columns, .fill = fill_disks, .detail = disk_detail, .enter = enter_disk,
	 .empty = "There is no disk, or nothing is known about it."},
	{.name = "disk users", .columns = user_columns, .fill = fill_users, .detail = user_detail, .enter = enter_user,
	 .empty = "No process that fits used a disk in the window."},
	{.name = "files waited for", .columns = file_columns, .fill = fill_files, .detail = user_detail, .enter = enter_user,
	 .empty = "No thread that fits waited for a file."},
	{.name = "file systems", .columns = space_columns, .fill = fill_spaces, .empty = "No file system is known."},
	{0},
};

static const struct table_screen table = {.views = views};

const struct screen screen_disk = {
	.name = "disk",
	.label = "Disk",
	.key = '7',
	.help = "disks, who uses them, files that are waited for, how full file systems are",
	.keys = table_tabs_keys,
	.profile = PROFILE_DISK,
	TABLE_SCREEN(&table),
};
