// SPDX-License-Identifier: BSD-2-Clause
/* Off CPU: who waits, where, for what, and who ended the waits. */
#include <math.h>
#include <string.h>

#include "clock.h"
#include "hash.h"
#include "heaviest.h"
#include "mem.h"
#include "places.h"
#include "profile.h"
#include "table_screen.h"
#include "window.h"

enum { TIME, COUNT, MEAN_TIME, PID };
enum { PLACE, CAUSE, PROCESS, OBJECT };
enum { MOST_WAKERS = 4, STACK_FRAMES = 24, MOST_ROWS = 2000 };

static const struct column columns[] = {
	{"WAIT%", "time waited; 100 is one thread that always waits", .width = 7, .field = TIME, .unit = UNIT_PERCENT},
	{"WAITS/S", "waits a second", .width = 7, .from = 60, .field = COUNT},
	{"MEAN", "length of a wait", .width = 8, .from = 70, .field = MEAN_TIME, .unit = UNIT_NS},
	{"FOR", "what for", .width = 11, .kind = COLUMN_TEXT, .field = CAUSE, .ascending = true},
	{"PID", "process", .width = 7, .from = 50, .field = PID, .unit = UNIT_ID, .ascending = true},
	{"PROCESS", "whose thread waits", .width = 15, .from = 40, .kind = COLUMN_TEXT, .field = PROCESS, .ascending = true},
	{"ON", "lock, file or socket", .width = 28, .from = 120, .kind = COLUMN_TEXT, .field = OBJECT, .ascending = true},
	{"IN", "the innermost function of the program's own", .kind = COLUMN_TEXT, .field = PLACE, .ascending = true},
	{0},
};

/* Waits of a process at a place for one cause: there may be many more of them than anybody reads. */
struct wait {
	uint64_t key, ns, count;
	const struct ledger_row *heaviest;
};

struct waits {
	const struct screen_context *context;
	struct table *table;
	struct places *places;
	struct map *index;
	struct wait *items;
	uint32_t count, capacity;
	bool idle;
};

/* Who waits on a condition variable or a semaphore waits for work, as far as can be told. */
static bool is_for_work(const struct window *w, const struct ledger_row *row, const struct place *place)
{
	return (place->lock_kind == LOCK_CONDITION || place->lock_kind == LOCK_SEMAPHORE) &&
	       !strcmp(window_metric_name(w, row->key[BY_METRIC]), "wait.lock");
}

static void add_row(void *arg, const struct ledger_row *row)
{
	struct waits *s = arg;
	const struct window *w = s->context->window;
	const struct window_thread *t = window_find(w, row->key[BY_TASK]);
	const struct place *found = places_of(s->places, row->key[BY_STACK]);
	const struct stack_frame *place = found->speaker;
	uint64_t process = t ? window_process(w, t->process)->id : 0;
	uint64_t key = hash_u64(process << 32 | (place ? place->function + 1 : 0)) + row->key[BY_METRIC];
	uint64_t index = s->count;
	struct wait *wait;

	if (!s->idle && is_for_work(w, row, found))
		return;
	if (!map_get(s->index, key, &index)) {
		map_put(s->index, key, index);
		GROW(s->items, s->count, s->capacity);
		s->items[s->count++] = (struct wait){.key = key, .heaviest = row};
	}
	wait = &s->items[index];
	wait->ns += row->value;
	wait->count += row->count;
	if (row->value > wait->heaviest->value)
		wait->heaviest = row;
}

static void add_record(struct waits *s, const struct wait *wait)
{
	const struct window *w = s->context->window;
	const struct ledger_row *row = wait->heaviest;
	const struct window_thread *t = window_find(w, row->key[BY_TASK]);
	const struct window_process *p = t ? window_process(w, t->process) : NULL;
	const struct stack_frame *place = places_of(s->places, row->key[BY_STACK])->speaker;
	double ns = (double)window_ns(w);
	struct record *r = table_append(s->table);

	r->key = wait->key;
	r->number[TIME] = 100 * (double)wait->ns / ns;
	r->number[COUNT] = (double)wait->count * NS_PER_S / ns;
	r->number[MEAN_TIME] = wait->count ? (double)wait->ns / (double)wait->count : NAN;
	r->number[PID] = p ? p->pid : NAN;
	r->process = p ? p->id : 0;
	r->task = row->key[BY_TASK];
	r->stack = row->key[BY_STACK];
	r->resource = row->key[BY_RESOURCE];
	r->text[PLACE] = place ? place->name : "[stack not readable]";
	r->text[CAUSE] = window_metric_name(w, row->key[BY_METRIC]) + strlen("wait.");
	r->text[PROCESS] = p ? p->comm : "";
	r->text[OBJECT] = window_resource(w, r->resource)->name;
	r->dim = p && (p->kernel || p->own);
}

static void fill(const struct screen_context *c, struct table *t, unsigned flags)
{
	_cleanup_(places_freep) struct places *places = places_new(window_stacks(c->window));
	_cleanup_(map_freep) struct map *index = map_new();
	struct waits s = {.context = c, .table = t, .places = places, .index = index, .idle = flags & SHOW_IDLE};
	struct heaviest heaviest = {0};

	profile_each(c, PROFILE_OFFCPU, flags & SHOW_IDLE, add_row, &s);
	for (uint32_t i = 0; i < s.count; i++)
		heaviest_count(&heaviest, s.items[i].ns);
	heaviest_choose(&heaviest, MOST_ROWS);
	for (uint32_t i = 0; i < s.count; i++)
		if (heaviest_has(&heaviest, s.items[i].ns))
			add_record(&s, &s.items[i]);
	free(s.items);
}

static void add_waker(const struct window *w, const struct ledger_row *row, struct lines *l)
{
	const struct window_thread *t = window_find(w, row->key[BY_OTHER_TASK]);
	const struct stack_frame *place = stack_speaker(window_stacks(w), row->key[BY_OTHER_STACK]);
	double ms = (double)row->value / NS_PER_MS;

	if (!row->key[BY_OTHER_TASK])
		lines_add(l, STYLE_NORMAL, 2, "%.0f ms ended by an interrupt or a timer", ms);
	else
		lines_add(l, STYLE_NORMAL, 2, "%.0f ms ended by %s (%u)%s%s", ms, t ? t->comm : "a thread that is gone", t ? t->tid : 0,
			  place ? " in " : "", place ? place->name : "");
}

static void add_wakers(const struct screen_context *c, const struct record *r, struct lines *l)
{
	const struct window *w = c->window;
	const struct ledger_row *best[MOST_WAKERS], *row;
	uint32_t cursor = 0, metric = window_metric_id(w, "waker");
	unsigned count = 0;

	while ((row = window_next_edge(w, metric, &cursor))) {
		unsigned at;

		if (row->key[BY_STACK] != r->stack || !row->value)
			continue;
		if (count == MOST_WAKERS && row->value <= best[count - 1]->value)
			continue;
		at = count < MOST_WAKERS ? count++ : count - 1;
		for (; at && best[at - 1]->value < row->value; at--)
			best[at] = best[at - 1];
		best[at] = row;
	}
	for (unsigned i = 0; i < count; i++)
		add_waker(w, best[i], l);
}

static void detail(const struct screen_context *c, const struct record *r, unsigned width, struct lines *l)
{
	const struct window_thread *t = window_find(c->window, r->task);

	lines_add(l, STYLE_STRONG, 0, "Who ended these waits");
	add_wakers(c, r, l);
	if (l->count == 1)
		lines_add(l, STYLE_DIM, 2, "nobody yet, or it was not seen");
	lines_add(l, STYLE_STRONG, 0, "The heaviest stack%s%s, innermost first", t ? ", of thread " : "", t ? t->comm : "");
	lines_add_wait(l, window_stacks(c->window), r->stack, 2, STACK_FRAMES);
}

static bool enter(const struct screen_context *c, const struct record *r, struct target *target)
{
	target->focus.process = r->process;
	target->screen = strstr(r->text[CAUSE], "lock") ? "locks" : !strcmp(r->text[CAUSE], "disk") ? "disk" :
			 !strcmp(r->text[CAUSE], "net") ? "network" : "functions";
	return true;
}

static const struct table_view views[] = {
	{.name = "waits", .columns = columns, .fill = fill, .detail = detail, .enter = enter,
	 .empty = "Nothing that fits was held up; i shows waits for work, too."},
	{0},
};

static const struct table_toggle toggles[] = {{'i', 0, .flag = SHOW_IDLE}, {0}};
static const struct table_screen table = {.views = views, .toggles = toggles};

static const struct key_help keys[] = {
	{"i", "Idle", "waits for work, a time, a signal or a child, too; on condition variables and semaphores"},
	SCROLL_KEY,
	TABLE_KEYS,
	{0},
};

const struct screen screen_offcpu = {
	.name = "offcpu",
	.label = "Wait",
	.key = '5',
	.help = "off CPU: who waits, where, for what, and who ended the waits",
	.keys = keys,
	.profile = PROFILE_OFFCPU,
	TABLE_SCREEN(&table),
};
