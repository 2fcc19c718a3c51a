// SPDX-License-Identifier: BSD-2-Clause
/* Locks: who waits, who holds, and in which code. */
#include <math.h>
#include <string.h>

#include "answers.h"
#include "clock.h"
#include "hash.h"
#include "mem.h"
#include "places.h"
#include "profile.h"
#include "table_screen.h"
#include "text.h"
#include "window.h"

enum { TIME, COUNT, WAITERS, PID };
enum { LOCK_NAME, KIND, HOLDER, PROCESS };
enum { MOST_SHOWN = 4, MOST_HOLDERS = 64, STACK_FRAMES = 12 };

static const struct column columns[] = {
	{"WAIT%", "time waited for it; 100 is one thread that always waits", .width = 7, .field = TIME, .unit = UNIT_PERCENT,
	 .warning = 20, .critical = 100},
	{"WAITS/S", "waits a second", .width = 7, .from = 90, .field = COUNT},
	{"THR", "threads that waited", .width = 4, .from = 40, .field = WAITERS},
	{"KIND", "lock, condition variable, semaphore; or the kernel's", .width = 9, .from = 66, .kind = COLUMN_TEXT, .field = KIND,
	 .ascending = true},
	{"PID", "process", .width = 7, .field = PID, .unit = UNIT_ID, .ascending = true},
	{"PROCESS", "whose threads wait", .width = 15, .from = 50, .kind = COLUMN_TEXT, .field = PROCESS, .ascending = true},
	{"LOCK", "its variable or address, or the function that takes it", .width = 16, .wide = 40, .from = 100, .kind = COLUMN_TEXT,
	 .field = LOCK_NAME, .ascending = true},
	{"HELD BY", "the thread that gave it back after most of the waits and waited little itself, and in which function", .kind = COLUMN_TEXT, .field = HOLDER,
	 .ascending = true},
	{0},
};

struct locks {
	const struct screen_context *context;
	struct table *table;
	struct places *places;
	struct map *waiters; /* lock and thread */
	struct map *contenders;
	bool idle;
};

/* A lock of a process is its address; one of the kernel has none: the function that waits stands for it. */
static uint64_t key_of(const struct ledger_row *row, uint32_t process, const struct stack_frame *place)
{
	return hash_u64((uint64_t)process << 32 | (row->key[BY_RESOURCE] ? row->key[BY_RESOURCE] :
						   (1u << 31 | (place ? place->function : 0)))) | 1;
}

static const char *kind_of(struct locks *s, const struct ledger_row *row, const struct place *place)
{
	const struct window *w = s->context->window;

	if (strcmp(window_metric_name(w, row->key[BY_METRIC]), "wait.lock"))
		return "kernel";
	if (strcmp(window_resource(w, row->key[BY_RESOURCE])->kind, "futex") && row->key[BY_RESOURCE])
		return window_resource(w, row->key[BY_RESOURCE])->kind;
	return lock_kind_names[place->lock_kind];
}

/* Locks of Python are semaphores, those of java.util.concurrent conditions: of whom a finding says that they wait for a lock, they do. */
static struct map *find_contenders(const struct screen_context *c)
{
	const json_t *all = shown_findings(c);
	struct map *tids = map_new();

	for (size_t i = 0; i < json_array_size(all); i++) {
		const json_t *finding = json_array_get(all, i), *affected = json_object_get(finding, "affected");
		enum finding_age age = finding_age(c, finding);

		if (!starts_with(answer_text(finding, "id"), "lock.") || (age != FINDING_LASTS && age != FINDING_RESOLVED))
			continue;
		for (size_t k = 0; k < json_array_size(affected); k++)
			map_put(tids, (uint64_t)json_integer_value(json_object_get(json_array_get(affected, k), "tid")), 1);
	}
	return tids;
}

/* Who waits on a condition waits for work, unless it is known better. */
static bool is_idle(const struct locks *s, const char *kind, const struct window_thread *t)
{
	uint64_t known;

	return (!strcmp(kind, "condition") || !strcmp(kind, "semaphore") || !strcmp(kind, "other")) &&
	       !(t && map_get(s->contenders, t->tid, &known));
}

/* "inventory_lock" of "0x7f12 (inventory_lock+0x0)". What is in no variable has nothing but its address to tell it from others. */
static const char *short_name(struct table *t, const char *name)
{
	const char *variable = strstr(name, " (");
	size_t len = variable ? strlen(variable + 2) : 0;

	if (len < 2 || variable[2] == '[' || variable[1 + len] != ')' || !starts_with(name, "0x"))
		return name;
	len--;
	if (len > 4 && !memcmp(variable + 2 + len - 4, "+0x0", 4))
		len -= 4;
	return table_text(t, "%.*s", (int)len, variable + 2);
}

static void add_row(void *arg, const struct ledger_row *row)
{
	struct locks *s = arg;
	const struct window *w = s->context->window;
	const struct window_thread *t = window_find(w, row->key[BY_TASK]);
	const struct window_process *p = t ? window_process(w, t->process) : NULL;
	const struct place *found = places_of(s->places, row->key[BY_STACK]);
	const struct stack_frame *place = found->speaker;
	const char *kind = kind_of(s, row, found);
	uint64_t key = key_of(row, p ? p->id : 0, place), seen;
	struct record *r;

	if (!s->idle && is_idle(s, kind, t))
		return;
	r = table_get(s->table, key);
	r->number[TIME] += (double)row->value;
	r->number[COUNT] += (double)row->count;
	if (!map_get(s->waiters, key ^ row->key[BY_TASK], &seen)) {
		map_put(s->waiters, key ^ row->key[BY_TASK], 1);
		r->number[WAITERS]++;
	}
	if (r->heaviest && row->value <= r->heaviest)
		return;
	r->heaviest = row->value;
	r->number[PID] = p ? p->pid : NAN;
	r->process = p ? p->id : 0;
	r->task = row->key[BY_TASK];
	r->stack = row->key[BY_STACK];
	r->resource = row->key[BY_RESOURCE];
	r->text[LOCK_NAME] = r->resource ? short_name(s->table, window_resource(w, r->resource)->name) : place ? place->name : "?";
	r->text[KIND] = kind;
	r->text[PROCESS] = p ? p->comm : "";
}

/* In a queue each wait is as long as all that the threads before it held the lock; a wait's end tells only the last of them. Who waited
 * for locks itself most of the time can have held little of it. */
static uint64_t blame(const struct window *w, uint32_t task, uint64_t ns)
{
	const struct window_thread *t = window_find(w, task);
	double waited = t ? (double)t->times.ns[LOCK] / (double)window_ns(w) : 0;

	return (uint64_t)((double)ns * (waited < 0.99 ? 1 - waited : 0.01));
}

/* Who gives the lock back held it: threads that ended waits for it, those to blame most first. `value` is how long others
 * waited, `count` the longest wait, whose end the stack is of. Returns how many. */
static unsigned find_holders(const struct screen_context *c, const struct record *r, struct ledger_row holders[MOST_HOLDERS])
{
	const struct window *w = c->window;
	const struct ledger_row *row;
	uint32_t cursor = 0, metric = window_metric_id(w, "waker");
	unsigned count = 0, at;

	while ((row = window_next_edge(w, metric, &cursor))) {
		const struct window_thread *waiter;

		if (!row->key[BY_OTHER_TASK] || row->key[BY_TASK] == row->key[BY_OTHER_TASK] ||
		    (r->resource ? row->key[BY_RESOURCE] != r->resource : row->key[BY_STACK] != r->stack))
			continue;
		waiter = window_find(w, row->key[BY_TASK]);
		if (!waiter || window_process(w, waiter->process)->id != r->process)
			continue;
		for (at = 0; at < count; at++)
			if (holders[at].key[BY_OTHER_TASK] == row->key[BY_OTHER_TASK])
				break;
		if (at == count && count < MOST_HOLDERS)
			holders[count++] = (struct ledger_row){0};
		if (at == count)
			continue;
		if (row->value > holders[at].count) {
			memcpy(holders[at].key, row->key, sizeof(row->key));
			holders[at].count = row->value;
		}
		holders[at].value += row->value;
	}
	for (unsigned i = 1; i < count; i++)
		for (at = i; at && blame(w, holders[at - 1].key[BY_OTHER_TASK], holders[at - 1].value) <
				   blame(w, holders[at].key[BY_OTHER_TASK], holders[at].value); at--) {
			struct ledger_row other = holders[at];

			holders[at] = holders[at - 1];
			holders[at - 1] = other;
		}
	return count;
}

/* One pass over all wakes: who is to blame most for the waits for each lock. */
struct holding {
	uint64_t ns, longest;
	uint32_t task, stack;
};

static void add_wake(struct locks *s, const struct ledger_row *row, struct map *sums, struct holding *best)
{
	const struct window *w = s->context->window;
	const struct window_thread *waiter = window_find(w, row->key[BY_TASK]);
	const struct stack_frame *place;
	uint64_t key, pair, ns = 0, index;

	if (!waiter || !row->key[BY_OTHER_TASK] || row->key[BY_TASK] == row->key[BY_OTHER_TASK])
		return;
	place = row->key[BY_RESOURCE] ? NULL : places_of(s->places, row->key[BY_STACK])->speaker;
	key = key_of(row, window_process(w, waiter->process)->id, place);
	if (!map_get(s->table->by_key, key, &index))
		return;
	pair = hash_u64(key ^ row->key[BY_OTHER_TASK]);
	map_get(sums, pair, &ns);
	ns += blame(w, row->key[BY_OTHER_TASK], row->value);
	map_put(sums, pair, ns);
	if (ns > best[index].ns) {
		if (best[index].task != row->key[BY_OTHER_TASK])
			best[index].longest = 0;
		best[index].ns = ns;
		best[index].task = row->key[BY_OTHER_TASK];
	}
	if (best[index].task == row->key[BY_OTHER_TASK] && row->value > best[index].longest) {
		best[index].longest = row->value;
		best[index].stack = row->key[BY_OTHER_STACK];
	}
}

static void name_holders(struct locks *s)
{
	const struct window *w = s->context->window;
	struct holding *best = table_alloc(s->table, (s->table->count + 1) * sizeof(*best));
	_cleanup_(map_freep) struct map *sums = map_new();
	uint32_t cursor = 0, metric = window_metric_id(w, "waker");
	const struct ledger_row *row;

	while ((row = window_next_edge(w, metric, &cursor)))
		add_wake(s, row, sums, best);
	for (uint32_t i = 0; i < s->table->count; i++) {
		const struct window_thread *t = window_find(w, best[i].task);
		const struct window_process *p = t ? window_process(w, t->process) : NULL;
		const struct stack_frame *place = stack_speaker(window_stacks(w), best[i].stack);
		struct record *r = &s->table->records[i];
		const char *in = place ? " in " : "", *function = place ? place->name : "";

		/* Whose it is is there already where it is the same process's. */
		if (p && p->id == r->process && !strcmp(t->comm, r->text[PROCESS]))
			r->text[HOLDER] = table_text(s->table, "thread %u%s%s", t->tid, in, function);
		else if (best[i].task)
			r->text[HOLDER] = table_text(s->table, "%s (%u)%s%s", t ? t->comm : "?", t ? t->tid : 0, in, function);
		else
			r->text[HOLDER] = "";
	}
}

static void fill(const struct screen_context *c, struct table *t, unsigned flags)
{
	_cleanup_(places_freep) struct places *places = places_new(window_stacks(c->window));
	_cleanup_(map_freep) struct map *waiters = map_new(), *contenders = find_contenders(c);
	struct locks s = {.context = c, .table = t, .places = places, .waiters = waiters, .contenders = contenders,
			  .idle = flags & SHOW_IDLE};
	double ns = (double)window_ns(c->window);

	profile_each(c, PROFILE_LOCK, true, add_row, &s);
	/* Who looks at one process wants to see what there is of it. */
	if (!t->count && !s.idle && !focus_is_any(&c->focus)) {
		s.idle = true;
		profile_each(c, PROFILE_LOCK, true, add_row, &s);
	}
	for (uint32_t i = 0; i < t->count; i++) {
		t->records[i].number[TIME] *= 100 / ns;
		t->records[i].number[COUNT] *= NS_PER_S / ns;
	}
	name_holders(&s);
}

static void detail(const struct screen_context *c, const struct record *r, unsigned width, struct lines *l)
{
	struct ledger_row holders[MOST_HOLDERS];
	unsigned count = find_holders(c, r, holders);
	const struct window_thread *waiter = window_find(c->window, r->task);

	if (r->resource)
		lines_add(l, STYLE_NORMAL, 0, "%s %s", r->text[KIND], window_resource(c->window, r->resource)->name);
	for (unsigned i = 0; i < count && i < MOST_SHOWN; i++) {
		const struct window_thread *t = window_find(c->window, holders[i].key[BY_OTHER_TASK]);

		const struct stack_frame *place = stack_speaker(window_stacks(c->window), holders[i].key[BY_OTHER_STACK]);

		lines_add(l, STYLE_STRONG, 0, "Holder %s (%u)%s%s: others waited %.0f ms", t ? t->comm : "?",
			  t ? t->tid : 0, place ? " in " : "", place ? place->name : "", (double)holders[i].value / NS_PER_MS);
		lines_add_wait(l, window_stacks(c->window), holders[i].key[BY_OTHER_STACK], 2, i ? 3 : STACK_FRAMES);
	}
	lines_add(l, STYLE_STRONG, 0, "Waiter %s (%u), innermost first", waiter ? waiter->comm : "?", waiter ? waiter->tid : 0);
	lines_add_wait(l, window_stacks(c->window), r->stack, 2, STACK_FRAMES);
}

static bool was_sampled(const struct window *w, uint32_t task)
{
	uint32_t cursor = 0, metric = window_metric_id(w, "cpu.time");
	const struct ledger_row *row;

	while ((row = window_next_sample(w, metric, &cursor)))
		if (row->key[BY_TASK] == task)
			return true;
	return false;
}

/* What the holder does while it holds it; the whole process, where a thread ran too little for that, as Go's do. */
static bool enter(const struct screen_context *c, const struct record *r, struct target *target)
{
	struct ledger_row holders[MOST_HOLDERS];

	target->focus.process = r->process;
	if (find_holders(c, r, holders) && was_sampled(c->window, holders[0].key[BY_OTHER_TASK]))
		target->focus.task = holders[0].key[BY_OTHER_TASK];
	target->screen = "functions";
	return true;
}

static const struct table_view views[] = {
	{.name = "locks", .columns = columns, .fill = fill, .detail = detail, .enter = enter,
	 .empty = "No thread that fits waited for a lock; i shows condition variables and the like, too."},
	{0},
};

static const struct table_toggle toggles[] = {{'i', 0, .flag = SHOW_IDLE}, {0}};
static const struct table_screen table = {.views = views, .toggles = toggles};

static const struct key_help keys[] = {
	{"i", "Idle", "condition variables, semaphores and joins, too: there threads wait for work"},
	SCROLL_KEY,
	TABLE_KEYS,
	{0},
};

const struct screen screen_locks = {
	.name = "locks",
	.label = "Lock",
	.key = '6',
	.help = "locks: who waits, who holds them, and in which code; Enter shows what the holder does",
	.keys = keys,
	.profile = PROFILE_LOCK,
	TABLE_SCREEN(&table),
};
