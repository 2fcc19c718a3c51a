// SPDX-License-Identifier: BSD-2-Clause
#include "gauges.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "cleanup.h"
#include "intern.h"
#include "kept_files.h"
#include "mem.h"

#define MOST_BYTES (1 << 20)
#define MOST_SETS 4096       /* resources of one kind */
#define AGAIN_AFTER 30       /* slices: a reader that looks at a part of the recording finds it */
#define NOTICEABLE (1.0 / 512)

static void add(struct gauge_values *v, const struct gauge_key *k, double value)
{
	v->sum[k->metric] += value * (k->factor ? k->factor : 1);
	v->present |= 1ull << k->metric;
	if (k->level)
		v->levels |= 1ull << k->metric;
}

void gauge_take(struct gauge_values *v, const struct gauge_key *keys, const char *name, double value)
{
	for (const struct gauge_key *k = keys; k->name; k++)
		if (!strcmp(k->name, name))
			add(v, k, value);
}

/* Most words of most files are none that is wanted: their numbers are not looked at. */
static void take_text(struct gauge_values *v, const struct gauge_key *keys, const char *group, const char *name, const char *value)
{
	size_t n = strlen(group);

	for (const struct gauge_key *k = keys; k->name; k++)
		if (!strncmp(k->name, group, n) && !strcmp(k->name + n, name))
			add(v, k, strtod(value, NULL));
}

void gauge_level(struct capture *c, struct gauge_set *s, uint32_t first_metric, unsigned i, double value)
{
	bool known = s->known >> i & 1;

	if (known && fabs(value - s->last[i]) <= fabs(s->last[i]) * NOTICEABLE && c->slice - s->slice[i] < AGAIN_AFTER)
		return;
	capture_gauge(c, first_metric + i, s->resource, value);
	s->known |= 1ull << i;
	s->last[i] = value;
	s->slice[i] = c->slice;
}

double gauge_growth(struct gauge_set *s, unsigned i, double now)
{
	double growth = s->known >> i & 1 && now > s->last[i] ? now - s->last[i] : 0;

	s->known |= 1ull << i;
	s->last[i] = now;
	return growth;
}

void gauge_remember(struct gauge_set *s, const struct gauge_values *v)
{
	for (unsigned i = 0; i < GAUGES_MOST; i++)
		if (v->present & ~v->levels & 1ull << i)
			gauge_growth(s, i, v->sum[i]);
}

void gauge_write(struct capture *c, struct gauge_set *s, uint32_t first_metric, const struct gauge_values *v)
{
	for (unsigned i = 0; i < GAUGES_MOST; i++) {
		if (!(v->present >> i & 1))
			continue;
		if (v->levels >> i & 1) {
			gauge_level(c, s, first_metric, i, v->sum[i]);
			continue;
		}
		double growth = gauge_growth(s, i, v->sum[i]);
		if (growth > 0)
			capture_gauge(c, first_metric + i, s->resource, growth);
	}
}

void gauge_take_lines(char *text, const struct gauge_key *keys, struct gauge_values *v)
{
	for (char *line; (line = strsep(&text, "\n"));) {
		char *end = line + strcspn(line, ": \t");

		if (!*end)
			continue;
		*end++ = 0;
		take_text(v, keys, "", line, end + strspn(end, ": \t"));
	}
}

void gauge_read_lines(const struct capture *c, const char *path, const struct gauge_key *keys, struct gauge_values *v)
{
	_cleanup_(buf_done) struct buf b = BUF_INIT;

	if (kept_files_read(c->files, path, MOST_BYTES, &b) >= 0)
		gauge_take_lines(b.data, keys, v);
}

/* "Tcp: Name Name" above "Tcp: 1 2". */
static void take_pair(char *names, char *values, const struct gauge_key *keys, struct gauge_values *v)
{
	char *group = names, *colon = strchr(names, ':'), *name, *value;

	if (!colon || colon[1] != ' ' || !(values = strstr(values, ": ")))
		return;
	strcpy(colon, ".");
	names = colon + 2;
	values += 2;
	while ((name = strsep(&names, " ")) && (value = strsep(&values, " ")))
		take_text(v, keys, group, name, value);
}

void gauge_read_pairs(const struct capture *c, const char *path, const struct gauge_key *keys, struct gauge_values *v)
{
	_cleanup_(buf_done) struct buf b = BUF_INIT;
	char *rest, *names, *values;

	if (kept_files_read(c->files, path, MOST_BYTES, &b) < 0)
		return;
	rest = b.data;
	while ((names = strsep(&rest, "\n")) && (values = strsep(&rest, "\n")))
		take_pair(names, values, keys, v);
}

struct gauge_set *gauge_sets_get(struct gauge_sets *sets, const char *name, bool *ret_new)
{
	uint32_t id;

	*ret_new = false;
	if (!sets->names)
		sets->names = intern_new();
	if (sets->count >= MOST_SETS && !intern_find(sets->names, name, strlen(name), &id))
		return NULL;
	id = intern_id(sets->names, name, strlen(name), ret_new);
	if (*ret_new) {
		GROW(sets->items, sets->count, sets->capacity);
		sets->items[sets->count++] = xcalloc(1, sizeof(struct gauge_set));
	}
	return sets->items[id];
}

void gauge_sets_done(struct gauge_sets *sets)
{
	for (uint32_t i = 0; i < sets->count; i++)
		free(sets->items[i]);
	free(sets->items);
	intern_free(sets->names);
	*sets = (struct gauge_sets){0};
}
