// SPDX-License-Identifier: BSD-2-Clause
/* Reading runbooks. */
#include "runbook.h"

#include <errno.h>
#include <string.h>
#include <yaml.h>

#include "arena.h"
#include "buf.h"
#include "clock.h"
#include "fail.h"
#include "io.h"
#include "mem.h"
#include "parse.h"
#include "recorded.h"
#include "rule.h"
#include "runbooks.h"
#include "store_guard.h"

enum { MOST_BYTES = 256 << 10, MOST_ITEMS = 64 };

struct reader {
	const char *path;
	const struct rules *rules;
	struct runbook *runbook;
	yaml_document_t document;
};

/* Reads a value into `to`, which is a struct runbook, a step or a solution. */
struct key {
	const char *name;
	int (*read)(struct reader *rd, const yaml_node_t *value, void *to);
};

#define fail_at(rd, at, ...) fail_place((rd)->path, (at).line + 1, (at).column + 1, __VA_ARGS__)

static const yaml_node_t *node(struct reader *rd, int index)
{
	return yaml_document_get_node(&rd->document, index);
}

static int read_text(struct reader *rd, const yaml_node_t *value, const char **ret_text)
{
	const char *text = (const char *)value->data.scalar.value;

	if (value->type != YAML_SCALAR_NODE)
		return fail_at(rd, value->start_mark, "a text is wanted here");
	if (!*text || strlen(text) != value->data.scalar.length)
		return fail_at(rd, value->start_mark, "an empty text, or one with a NUL");
	*ret_text = arena_strndup(rd->runbook->strings, text, strlen(text));
	return 0;
}

/* Calls `each` for each item of a list. */
static int read_list(struct reader *rd, const yaml_node_t *value,
		     int (*each)(struct reader *rd, const yaml_node_t *item))
{
	int r = 0;

	if (value->type != YAML_SEQUENCE_NODE)
		return fail_at(rd, value->start_mark, "a list is wanted here");
	if (value->data.sequence.items.top - value->data.sequence.items.start > MOST_ITEMS)
		return fail_at(rd, value->start_mark, "more than %d items", MOST_ITEMS);
	for (yaml_node_item_t *i = value->data.sequence.items.start;
	     !r && i < value->data.sequence.items.top; i++)
		r = each(rd, node(rd, *i));
	return r;
}

static int read_pair(struct reader *rd, const struct key *keys, size_t count,
		     const yaml_node_t *key, const yaml_node_t *value, void *to, uint64_t *seen)
{
	for (size_t i = 0; i < count; i++) {
		if (key->type != YAML_SCALAR_NODE ||
		    strcmp((const char *)key->data.scalar.value, keys[i].name))
			continue;
		if (*seen & 1ull << i)
			return fail_at(rd, key->start_mark, "a second '%s'", keys[i].name);
		*seen |= 1ull << i;
		return keys[i].read(rd, value, to);
	}
	return fail_at(rd, key->start_mark, "'%s' means nothing here",
		       key->type == YAML_SCALAR_NODE ? (const char *)key->data.scalar.value : "?");
}

static int read_mapping(struct reader *rd, const yaml_node_t *mapping, const struct key *keys,
			size_t count, void *to)
{
	uint64_t seen = 0;
	int r = 0;

	if (mapping->type != YAML_MAPPING_NODE)
		return fail_at(rd, mapping->start_mark, "'key: value' lines are wanted here");
	for (yaml_node_pair_t *p = mapping->data.mapping.pairs.start;
	     !r && p < mapping->data.mapping.pairs.top; p++)
		r = read_pair(rd, keys, count, node(rd, p->key), node(rd, p->value), to, &seen);
	return r;
}

static int check_rule(struct reader *rd, const yaml_node_t *at, const char *id)
{
	return rules_find(rd->rules, id) ? 0
					 : fail_at(rd, at->start_mark, "there is no rule '%s'", id);
}

/* A rule's id: when it found something; "nothing": when nothing of weight was found. */
static int read_when(struct reader *rd, const yaml_node_t *value, const char **ret_when)
{
	int r = read_text(rd, value, ret_when);

	return r < 0 || !strcmp(*ret_when, "nothing") ? r : check_rule(rd, value, *ret_when);
}

static int read_step_name(struct reader *rd, const yaml_node_t *value, void *to)
{
	return read_text(rd, value, &((struct runbook_step *)to)->name);
}

static int read_step_note(struct reader *rd, const yaml_node_t *value, void *to)
{
	return read_text(rd, value, &((struct runbook_step *)to)->note);
}

static int read_step_when(struct reader *rd, const yaml_node_t *value, void *to)
{
	return read_when(rd, value, &((struct runbook_step *)to)->when);
}

static int set_action(struct reader *rd, const yaml_node_t *at, struct runbook_step *step, enum runbook_action action)
{
	if (step->action != RUNBOOK_ACTIONS)
		return fail_at(rd, at->start_mark, "a step does one thing");
	step->action = action;
	return 0;
}

static int read_span(struct reader *rd, const yaml_node_t *value, struct runbook_step *step, enum runbook_action action)
{
	const char *text;
	int r = set_action(rd, value, step, action);

	if (r < 0 || (r = read_text(rd, value, &text)) < 0)
		return r;
	if (parse_duration(text, &step->ns) < 0 || !step->ns || step->ns > 3600 * NS_PER_S)
		return fail_at(rd, value->start_mark,
			       "'%s' is no duration of up to an hour, such as 10s", text);
	return 0;
}

static int read_collect(struct reader *rd, const yaml_node_t *value, void *to)
{
	return read_span(rd, value, to, RUNBOOK_COLLECT);
}

static int read_wait(struct reader *rd, const yaml_node_t *value, void *to)
{
	return read_span(rd, value, to, RUNBOOK_WAIT);
}

static int read_word(struct reader *rd, const yaml_node_t *value, struct runbook_step *step, enum runbook_action action)
{
	int r = set_action(rd, value, step, action);

	return r < 0 ? r : read_text(rd, value, &step->text);
}

/* The one process that a runbook can know of. */
static int read_threads(struct reader *rd, const yaml_node_t *value, void *to)
{
	struct runbook_step *step = to;
	int r = read_word(rd, value, step, RUNBOOK_THREADS);

	return r < 0 || !strcmp(step->text, "culprit") ? r :
		fail_at(rd, value->start_mark, "threads of whom? 'culprit' is all that a runbook knows");
}

static int read_flamegraph(struct reader *rd, const yaml_node_t *value, void *to)
{
	struct runbook_step *step = to;
	int r = read_word(rd, value, step, RUNBOOK_FLAMEGRAPH);

	for (const char *const *name = profile_names; r == 0; name++)
		if (!*name)
			return fail_at(rd, value->start_mark, "there is no kind of flame graph '%s'", step->text);
		else if (!strcmp(*name, step->text))
			break;
	return r;
}

static int read_exec(struct reader *rd, const yaml_node_t *value, void *to)
{
	return read_word(rd, value, to, RUNBOOK_EXEC);
}

static int read_rules(struct reader *rd, const yaml_node_t *value, void *to)
{
	struct runbook_step *step = to;
	size_t count = 0;
	int r = set_action(rd, value, step, RUNBOOK_RULES);

	if (r < 0)
		return r;
	if (value->type != YAML_SEQUENCE_NODE ||
	    value->data.sequence.items.top == value->data.sequence.items.start)
		return fail_at(rd, value->start_mark, "a list of rules is wanted here");
	step->rules = arena_alloc(rd->runbook->strings, (MOST_ITEMS + 1) * sizeof(*step->rules));
	for (yaml_node_item_t *i = value->data.sequence.items.start;
	     !r && i < value->data.sequence.items.top; i++) {
		if (count == MOST_ITEMS)
			return fail_at(rd, value->start_mark, "more than %d items", MOST_ITEMS);
		r = read_text(rd, node(rd, *i), &step->rules[count]);
		if (r == 0)
			r = check_rule(rd, node(rd, *i), step->rules[count++]);
	}
	return r;
}

/* Tried on an empty recording, so that a wrong column is met when the runbook is checked. */
static int read_query(struct reader *rd, const yaml_node_t *value, void *to)
{
	struct runbook_step *step = to;
	_cleanup_(store_freep) struct store *empty = NULL;
	_cleanup_(query_freep) struct query *q = NULL;
	int offset, r = read_word(rd, value, step, RUNBOOK_QUERY);

	if (r < 0 || (r = store_create(":memory:", &empty)) < 0)
		return r;
	r = query_new_guarded(empty, step->text, NS_PER_S, &q, &offset);
	return r < 0 ? fail_at(rd, value->start_mark, "query: %s", fail_message()) : 0;
}

static const struct key step_keys[] = {
	{"name", read_step_name}, {"note", read_step_note}, {"when", read_step_when},
	{"collect", read_collect}, {"wait", read_wait}, {"rules", read_rules}, {"query", read_query},
	{"threads", read_threads}, {"flamegraph", read_flamegraph}, {"exec", read_exec},
};

static int read_step(struct reader *rd, const yaml_node_t *item)
{
	struct runbook *rb = rd->runbook;
	struct runbook_step *step = &rb->steps[rb->step_count];
	int r;

	step->action = RUNBOOK_ACTIONS;
	r = read_mapping(rd, item, step_keys, ARRAY_SIZE(step_keys), step);
	if (r < 0)
		return r;
	if (!step->name)
		return fail_at(rd, item->start_mark, "a step wants a name");
	if (step->action == RUNBOOK_ACTIONS)
		return fail_at(rd, item->start_mark,
			       "a step has one of collect, wait, rules, query, threads, flamegraph and exec");
	if (!rb->step_count && step->when)
		return fail_at(rd, item->start_mark, "the first step is always taken");
	rb->step_count++;
	return 0;
}

static int read_solution_when(struct reader *rd, const yaml_node_t *value, void *to)
{
	return read_when(rd, value, &((struct runbook_solution *)to)->when);
}

static int read_solution_do(struct reader *rd, const yaml_node_t *value, void *to)
{
	return read_text(rd, value, &((struct runbook_solution *)to)->text);
}

static const struct key solution_keys[] = {{"when", read_solution_when}, {"do", read_solution_do}};

static int read_solution(struct reader *rd, const yaml_node_t *item)
{
	struct runbook_solution *solution = &rd->runbook->solutions[rd->runbook->solution_count];
	int r = read_mapping(rd, item, solution_keys, ARRAY_SIZE(solution_keys), solution);

	if (r < 0)
		return r;
	if (!solution->text)
		return fail_at(rd, item->start_mark, "a solution wants a 'do'");
	rd->runbook->solution_count++;
	return 0;
}

static int read_cause(struct reader *rd, const yaml_node_t *item)
{
	int r = read_text(rd, item, &rd->runbook->causes[rd->runbook->cause_count]);

	rd->runbook->cause_count += r == 0;
	return r;
}

static int read_issue(struct reader *rd, const yaml_node_t *value, void *to)
{
	return read_text(rd, value, &rd->runbook->issue);
}

static int read_causes(struct reader *rd, const yaml_node_t *value, void *to)
{
	return read_list(rd, value, read_cause);
}

static int read_steps(struct reader *rd, const yaml_node_t *value, void *to)
{
	return read_list(rd, value, read_step);
}

static int read_solutions(struct reader *rd, const yaml_node_t *value, void *to)
{
	return read_list(rd, value, read_solution);
}

static const struct key runbook_keys[] = {
	{"issue", read_issue}, {"causes", read_causes}, {"steps", read_steps}, {"solutions", read_solutions},
};

static int read_document(struct reader *rd)
{
	const yaml_node_t *root = yaml_document_get_root_node(&rd->document);
	struct runbook *rb = rd->runbook;
	int r;

	if (!root)
		return failx(-EINVAL, "%s:1:1: the runbook is empty", rd->path);
	r = read_mapping(rd, root, runbook_keys, ARRAY_SIZE(runbook_keys), rb);
	if (r < 0)
		return r;
	if (!rb->issue || !rb->cause_count || !rb->step_count || !rb->solution_count)
		return fail_at(rd, root->start_mark,
			       "a runbook has an issue, causes, steps and solutions");
	return 0;
}

static struct runbook *empty_runbook(const char *path)
{
	struct runbook *rb = xcalloc(1, sizeof(*rb));
	const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path,
		   *dot = strrchr(name, '.');

	rb->strings = arena_new();
	rb->name = arena_strndup(rb->strings, name,
				 dot && dot > name ? (size_t)(dot - name) : strlen(name));
	rb->causes = arena_alloc(rb->strings, MOST_ITEMS * sizeof(*rb->causes));
	rb->steps = arena_alloc(rb->strings, MOST_ITEMS * sizeof(*rb->steps));
	rb->solutions = arena_alloc(rb->strings, MOST_ITEMS * sizeof(*rb->solutions));
	return rb;
}

int runbook_parse(const char *path, const char *text, size_t length, const struct rules *rules,
		  struct runbook **ret_runbook)
{
	_cleanup_(runbook_freep) struct runbook *rb = empty_runbook(path);
	struct reader rd = {.path = path, .rules = rules, .runbook = rb};
	yaml_parser_t parser;
	int r;

	if (!yaml_parser_initialize(&parser))
		return fail(-ENOMEM, "%s", path);
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, length);
	if (yaml_parser_load(&parser, &rd.document)) {
		r = read_document(&rd);
		yaml_document_delete(&rd.document);
	} else {
		r = fail_at(&rd, parser.problem_mark, "%s",
			    parser.problem ? parser.problem : "not YAML");
	}
	yaml_parser_delete(&parser);
	if (r < 0)
		return r;
	*ret_runbook = rb;
	rb = NULL;
	return 0;
}

void runbook_free(struct runbook *rb)
{
	if (!rb)
		return;
	arena_free(rb->strings);
	free(rb);
}

#define X(name, symbol) extern const char runbook_##symbol[];
RUNBOOKS
#undef X

static const struct {
	const char *name, *text;
} builtin[] = {
#define X(name, symbol) {name, runbook_##symbol},
	RUNBOOKS
#undef X
};

const char *runbook_name(size_t index)
{
	return index < ARRAY_SIZE(builtin) ? builtin[index].name : NULL;
}

int runbook_open(const char *name, const struct rules *rules, struct runbook **ret_runbook)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT;
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(builtin); i++)
		if (!strcmp(builtin[i].name, name))
			return runbook_parse(name, builtin[i].text, strlen(builtin[i].text), rules,
					     ret_runbook);
	if (!strpbrk(name, "/."))
		return failx(-ENOENT, "there is no runbook '%s'; perfscope runbook list names them",
			     name);
	r = read_file(name, MOST_BYTES, &text);
	if (r < 0)
		return fail(r, "%s", name);
	return runbook_parse(name, text.data, text.len, rules, ret_runbook);
}

uint64_t runbook_collect_ns(const struct runbook *rb)
{
	return rb->steps[0].action == RUNBOOK_COLLECT ? rb->steps[0].ns : 0;
}
