// SPDX-License-Identifier: BSD-2-Clause
#include "recorded.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "arena.h"
#include "chains.h"
#include "fail.h"
#include "frame_of.h"
#include "hash.h"
#include "mem.h"
#include "stack_view.h"
#include "stack_weight.h"
#include "store_query.h"

const char *const profile_names[PROFILES + 1] = {
	[PROFILE_CPU] = "cpu", [PROFILE_OFFCPU] = "offcpu", [PROFILE_WAKEUP] = "wakeup", [PROFILE_LOCK] = "lock",
	[PROFILE_DISK] = "disk", [PROFILE_NET] = "net", [PROFILE_FAULT] = "fault", [PROFILE_MEMORY] = "memory",
	[PROFILE_PAUSE] = "pause", [PROFILES] = NULL,
};

static const struct {
	const char *metric, *probe, *title;
} profiles[PROFILES] = {
	[PROFILE_CPU] = {"cpu.time", "oncpu", "CPU time"},
	[PROFILE_OFFCPU] = {"wait.*", "offcpu", "Time off CPU"},
	[PROFILE_WAKEUP] = {"wait.*", "offcpu", "Waits, and who ended them"},
	[PROFILE_LOCK] = {"wait.*lock", "offcpu", "Time waiting for locks"},
	[PROFILE_DISK] = {"wait.disk", "offcpu", "Time waiting for disks"},
	[PROFILE_NET] = {"wait.net", "offcpu", "Time waiting for the network"},
	[PROFILE_FAULT] = {"fault.*", "fault", "Page faults"},
	[PROFILE_MEMORY] = {"memory.growth", "memory", "Growth of memory"},
	[PROFILE_PAUSE] = {"pause.*", "pause", "Pauses"},
};

const char *profile_title(enum profile profile)
{
	return profiles[profile].title;
}

const char *profile_metric(enum profile profile)
{
	return profiles[profile].metric;
}

/* Exact totals of a metric may be there without a single stack. */
static int has_stacks(struct store *s, const char *metric)
{
	_cleanup_(query_freep) struct query *q = NULL;
	int r = query_new(s, "SELECT 1 FROM main.sample WHERE stack IS NOT NULL AND metric IN "
			     "(SELECT id FROM metric WHERE name GLOB :metric) LIMIT 1", &q);

	if (r < 0)
		return r;
	query_bind_text(q, ":metric", metric);
	return query_next(q);
}

/* The probe was there, though it may have met nothing. */
static int has_metric(struct store *s, const char *metric)
{
	_cleanup_(query_freep) struct query *q = NULL;
	int r = query_new(s, "SELECT 1 FROM metric WHERE name GLOB :metric LIMIT 1", &q);

	if (r < 0)
		return r;
	query_bind_text(q, ":metric", metric);
	return query_next(q);
}

static int nothing(struct store *s, enum profile profile)
{
	const char *probe = profiles[profile].probe, *name = profile_names[profile];
	_cleanup_(query_freep) struct query *q = NULL;
	int r = has_stacks(s, profiles[profile].metric);

	if (r < 0)
		return r;
	if (r > 0)
		return failx(-ENODATA, "%s: there is no %s sample in this part of it", store_path(s), name);
	if ((r = query_new(s, "SELECT reason FROM unavailable WHERE probe = :probe", &q)) < 0)
		return r;
	query_bind_text(q, ":probe", probe);
	if (query_next(q) > 0)
		return failx(-ENODATA, "%s: this recording has no %s stacks: the probe %s was not available (%s)",
			     store_path(s), name, probe, query_text(q, 0));
	if ((r = has_metric(s, profiles[profile].metric)) < 0)
		return r;
	if (r > 0)
		return failx(-ENODATA, "%s: this recording has no %s stacks: there was nothing of the kind", store_path(s), name);
	return failx(-ENODATA, "%s: this recording has no %s stacks (recorded without probe %s)", store_path(s),
		     name, probe);
}

static int load_names(struct store *s, struct arena *strings, struct map *names)
{
	_cleanup_(query_freep) struct query *q = NULL;
	int r = query_new(s, "SELECT id, comm FROM main.process", &q);

	while (r >= 0 && (r = query_next(q)) > 0) {
		const char *comm = query_text(q, 1);

		map_put(names, (uint64_t)query_int(q, 0),
			(uint64_t)(uintptr_t)arena_strndup(strings, comm, strlen(comm)));
	}
	return r;
}

struct adding {
	struct flame *flame;
	enum flame_side side;
	struct stack_view *view;
	struct map *names;
	struct flame_frame *frames;
	size_t capacity;
};

static void add_stack(struct adding *a, const struct stack_weight *w)
{
	size_t depth, count = 0;
	const struct stack_frame *const *walk = stack_view_walk(a->view, w->stack, &depth);
	uint64_t name;

	if (a->capacity < depth + 2) {
		a->capacity = depth + 64;
		a->frames = xrealloc(a->frames, a->capacity * sizeof(*a->frames));
	}
	if (!map_get(a->names, w->process, &name) || !*(const char *)(uintptr_t)name)
		name = (uint64_t)(uintptr_t)"[unknown process]";
	a->frames[count++] = (struct flame_frame){.name = (const char *)(uintptr_t)name, .kind = FLAME_TASK};
	if (!depth)
		a->frames[count++] = (struct flame_frame){.name = "[stack not readable]", .kind = FLAME_UNKNOWN};
	for (size_t i = 0; i < depth; i++)
		a->frames[count++] = (struct flame_frame){.name = walk[i]->name, .kind = flame_kind_of(walk[i])};
	flame_add(a->flame, a->side, a->frames, count, (double)w->value);
}

static int read_unit(struct store *s, enum profile profile, char *unit, size_t size)
{
	_cleanup_(query_freep) struct query *q = NULL;
	int r = query_new(s, "SELECT unit FROM metric WHERE name GLOB :metric", &q);

	if (r < 0)
		return r;
	query_bind_text(q, ":metric", profiles[profile].metric);
	r = query_next(q);
	snprintf(unit, size, "%s", r > 0 ? query_text(q, 0) : "");
	return r;
}

static int add_weights(struct flame *f, enum flame_side side, struct store *s, enum profile profile, bool idle,
		       struct recorded *ret_recorded)
{
	_cleanup_(stack_view_freep) struct stack_view *view = NULL;
	_cleanup_(arena_freep) struct arena *strings = arena_new();
	_cleanup_(map_freep) struct map *names = map_new();
	_cleanup_free_ struct stack_weight *weights = NULL;
	struct adding adding = {.flame = f, .side = side, .names = names};
	size_t count, used = 0;
	bool stacks = profile == PROFILE_CPU;
	int r;

	if ((r = stack_weights(s, &(struct stack_filter){.metric = profiles[profile].metric, .by_process = true,
						       .held_up = !idle}, &weights, &count)) < 0 ||
	    (r = load_names(s, strings, names)) < 0 || (r = stack_view_new(s, &view)) < 0)
		return r;
	adding.view = view;
	/* Heaviest first: what shrank or is nothing stands at the end. */
	for (; used < count && weights[used].value > 0; used++) {
		stacks |= weights[used].stack != 0;
		add_stack(&adding, &weights[used]);
		ret_recorded->samples += weights[used].count > 0 ? (uint64_t)weights[used].count : 0;
	}
	free(adding.frames);
	return used && stacks;
}

int flame_add_recording(struct flame *f, enum flame_side side, struct store *s, enum profile profile,
			bool idle, struct recorded *ret_recorded)
{
	int r;

	*ret_recorded = (struct recorded){0};
	if ((r = read_unit(s, profile, ret_recorded->unit, sizeof(ret_recorded->unit))) < 0)
		return r;
	r = profile == PROFILE_WAKEUP ? flame_add_chains(f, side, s, idle, ret_recorded) :
					add_weights(f, side, s, profile, idle, ret_recorded);
	return r ? r < 0 ? r : 0 : nothing(s, profile);
}
