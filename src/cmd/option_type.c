// SPDX-License-Identifier: BSD-2-Clause
/* The types of option values: text to field, and field to the text of a default. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "cleanup.h"
#include "clock.h"
#include "fail.h"
#include "mem.h"
#include "option.h"
#include "parse.h"

static int parse_flag(const struct option *o, const char *text, void *field, unsigned place)
{
	static const char *const words[] = {"false", "true", "no", "yes", "off", "on"};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (!strcmp(text, words[i])) {
			*(bool *)field = i % 2;
			return 0;
		}
	return failx(-EINVAL, "'%s' is neither true nor false", text);
}

static void show_nothing(const struct option *o, const void *field, struct buf *text)
{
}

static int parse_string(const struct option *o, const char *text, void *field, unsigned place)
{
	if (!*text)
		return failx(-EINVAL, "must not be empty");
	*(const char **)field = text;
	return 0;
}

static void show_string(const struct option *o, const void *field, struct buf *text)
{
	const char *value = *(const char *const *)field;

	if (value)
		buf_addstr(text, value);
}

static int parse_number(const struct option *o, const char *text, void *field, unsigned place)
{
	return parse_u64(text, o->min, o->max ? o->max : UINT64_MAX, field);
}

static void show_number(const struct option *o, const void *field, struct buf *text)
{
	uint64_t value = *(const uint64_t *)field;

	if (value)
		buf_addf(text, "%" PRIu64, value);
}

static int parse_ns(const struct option *o, const char *text, void *field, unsigned place)
{
	return parse_duration(text, field);
}

static int parse_percent(const struct option *o, const char *text, void *field, unsigned place)
{
	size_t length = strlen(text);
	_cleanup_free_ char *number = xstrndup(text, length && text[length - 1] == '%' ? length - 1 : length);

	return parse_double(number, 0.1, 100, field);
}

static void show_percent(const struct option *o, const void *field, struct buf *text)
{
	double value = *(const double *)field;

	if (value > 0)
		buf_addf(text, "%g", value);
}

static void show_units(uint64_t value, const char *const names[], const uint64_t sizes[],
		       struct buf *text)
{
	size_t i = 0;

	while (sizes[i] > 1 && value % sizes[i])
		i++;
	if (value)
		buf_addf(text, "%" PRIu64 "%s", value / sizes[i], names[i]);
}

static void show_ns(const struct option *o, const void *field, struct buf *text)
{
	static const char *const names[] = {"h", "m", "s", "ms", "us", "ns"};
	static const uint64_t sizes[] = {
		3600 * NS_PER_S, 60 * NS_PER_S, NS_PER_S, NS_PER_MS, 1000, 1,
	};

	show_units(*(const uint64_t *)field, names, sizes, text);
}

static void show_bytes(const struct option *o, const void *field, struct buf *text)
{
	static const char *const names[] = {"T", "G", "M", "K", ""};
	static const uint64_t sizes[] = {1ull << 40, 1 << 30, 1 << 20, 1 << 10, 1};

	show_units(*(const uint64_t *)field, names, sizes, text);
}

static int parse_bytes(const struct option *o, const char *text, void *field, unsigned place)
{
	uint64_t bytes;
	int r = parse_size(text, &bytes);

	if (r < 0)
		return r;
	if (bytes < o->min || (o->max && bytes > o->max)) {
		_cleanup_(buf_done) struct buf range = BUF_INIT;

		show_bytes(o, &o->min, &range);
		buf_addstr(&range, " and ");
		show_bytes(o, &o->max, &range);
		return failx(-EINVAL, "%s is not between %s", text, range.data);
	}
	*(uint64_t *)field = bytes;
	return 0;
}

static int parse_choice(const struct option *o, const char *text, void *field, unsigned place)
{
	_cleanup_(buf_done) struct buf all = BUF_INIT;

	for (unsigned i = 0; o->choices[i]; i++) {
		if (!strcmp(text, o->choices[i])) {
			*(unsigned *)field = i;
			return 0;
		}
		buf_addf(&all, "%s%s", i ? ", " : "", o->choices[i]);
	}
	return failx(-EINVAL, "'%s' is not one of %s", text, all.data);
}

static void show_choice(const struct option *o, const void *field, struct buf *text)
{
	buf_addstr(text, o->choices[*(const unsigned *)field]);
}

void option_list_done(struct option_list *list)
{
	free(list->items);
	*list = (struct option_list){0};
}

static int parse_strings(const struct option *o, const char *text, void *field, unsigned place)
{
	struct option_list *list = field;

	if (!*text)
		return failx(-EINVAL, "must not be empty");
	if (list->place != place)
		list->count = 0;
	list->place = place;
	GROW(list->items, list->count, list->capacity);
	list->items[list->count++] = text;
	return 0;
}

/* 2026-01-01T12:30:00, local time, or UTC when a Z follows. */
static int parse_wall(const char *text, uint64_t *ret_ns)
{
	struct tm tm = {.tm_isdst = -1};
	const char *end = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
	time_t seconds;

	if (!end || (*end && strcmp(end, "Z")))
		return -EINVAL;
	seconds = *end ? timegm(&tm) : mktime(&tm);
	if (seconds < 0 || (uint64_t)seconds > UINT64_MAX / NS_PER_S)
		return -ERANGE;
	*ret_ns = (uint64_t)seconds * NS_PER_S;
	return 0;
}

static int parse_time(const struct option *o, const char *text, void *field, unsigned place)
{
	bool from_end = *text == '-';
	struct option_time t = {.kind = from_end ? TIME_BEFORE_END : TIME_AFTER_START};

	if (parse_wall(text, &t.ns) == 0)
		t.kind = TIME_WALL;
	else if (strcmp(text, "0") && strcmp(text, "0s") &&
		 parse_duration(text + from_end, &t.ns) < 0)
		return failx(-EINVAL, "'%s' is not a time (such as 10s after the start, "
			     "-10s before the end, or 2026-01-01T12:30:00)", text);
	*(struct option_time *)field = t;
	return 0;
}

static uint64_t within(uint64_t ns, uint64_t length)
{
	return ns < length ? ns : length;
}

uint64_t option_time_in(const struct option_time *t, uint64_t start, uint64_t end, uint64_t unset)
{
	uint64_t length = end > start ? end - start : 0;

	switch (t->kind) {
	case TIME_AFTER_START:
		return within(t->ns, length);
	case TIME_BEFORE_END:
		return length - within(t->ns, length);
	case TIME_WALL:
		return t->ns > start ? within(t->ns - start, length) : 0;
	default:
		return unset;
	}
}

const struct option_type option_flag = {parse_flag, show_nothing, .is_flag = true};
const struct option_type option_string = {parse_string, show_string};
const struct option_type option_u64 = {parse_number, show_number};
const struct option_type option_duration = {parse_ns, show_ns};
const struct option_type option_percent = {parse_percent, show_percent};
const struct option_type option_size = {parse_bytes, show_bytes};
const struct option_type option_choice = {parse_choice, show_choice};
const struct option_type option_strings = {parse_strings, show_nothing};
const struct option_type option_time = {parse_time, show_nothing};
