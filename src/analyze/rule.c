// SPDX-License-Identifier: BSD-2-Clause
#include "rule.h"

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "arena.h"
#include "buf.h"
#include "fail.h"
#include "io.h"
#include "mem.h"
#include "objective.h"
#include "parse.h"
#include "rules.h"
#include "text.h"

enum { MOST_BYTES = 256 << 10, MOST_RULES = 1000, MOST_ITEMS = 32 };

struct rules {
	struct arena *strings;
	struct rule *items;
	size_t count, capacity;
	const char **errors;
	size_t error_count, error_capacity;
	json_t *objectives;
	char *objectives_text;
};

struct reader {
	struct rules *rules;
	struct rule *rule;
	unsigned line;
	bool failed;
};

/* A header line's key, and where its value goes. */
struct field {
	const char *key;
	size_t offset;                                             /* of a text in struct rule, */
	void (*add)(struct reader *rd, const struct field *field,
		    const char *value); /* or a list */
};

static const char *copy(struct rules *rules, const char *text)
{
	return arena_strndup(rules->strings, text, strlen(text));
}

static void add_error(struct rules *rules, const char *path, unsigned line, const char *reason)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT;

	buf_addf(&text, "%s:", path);
	if (line)
		buf_addf(&text, "%u:", line);
	buf_addf(&text, " %s", reason);
	GROW(rules->errors, rules->error_count, rules->error_capacity);
	rules->errors[rules->error_count++] = copy(rules, text.data);
}

static void reject(struct reader *rd, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void reject(struct reader *rd, const char *format, ...)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT;
	va_list args;

	if (rd->failed)
		return;
	rd->failed = true;
	va_start(args, format);
	buf_addv(&text, format, args);
	va_end(args);
	add_error(rd->rules, rd->rule->path, rd->line, text.data);
}

static void set_text(struct reader *rd, const struct field *field, const char *value)
{
	const char **text = (const char **)((char *)rd->rule + field->offset);

	if (*text)
		reject(rd, "a second '%s'", field->key);
	*text = copy(rd->rules, value);
}

static void add_action(struct reader *rd, const struct field *field, const char *value)
{
	struct rule *rule = rd->rule;

	if (!rule->actions)
		rule->actions =
			arena_alloc(rd->rules->strings, MOST_ITEMS * sizeof(*rule->actions));
	if (rule->action_count == MOST_ITEMS)
		reject(rd, "too many actions");
	else
		rule->actions[rule->action_count++] = copy(rd->rules, value);
}

static bool is_name(const char *text)
{
	return *text && !text[strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_")];
}

/* "name = 0.3: the reason" */
static void add_threshold(struct reader *rd, const struct field *field, const char *value)
{
	struct rule *rule = rd->rule;
	char name[64], number[32];
	struct rule_threshold t = {0};
	int reason = 0;

	if (sscanf(value, "%63[^ =] = %31[^: ]: %n", name, number, &reason) != 2 || !reason ||
	    !is_name(name) || parse_double(number, -1e18, 1e18, &t.value) < 0) {
		reject(rd, "a threshold is written 'NAME = VALUE: REASON'");
		return;
	}
	if (!rule->thresholds)
		rule->thresholds =
			arena_alloc(rd->rules->strings, MOST_ITEMS * sizeof(*rule->thresholds));
	if (rule->threshold_count == MOST_ITEMS) {
		reject(rd, "too many thresholds");
		return;
	}
	t.name = copy(rd->rules, name);
	t.reason = copy(rd->rules, value + reason);
	rule->thresholds[rule->threshold_count++] = t;
}

static const struct field fields[] = {
	{"title", offsetof(struct rule, title), set_text},
	{"summary", offsetof(struct rule, summary), set_text},
	{"explain", offsetof(struct rule, explain), set_text},
	{"runbook", offsetof(struct rule, runbook), set_text},
	{"kind", offsetof(struct rule, kind), set_text},
	{"action", 0, add_action},
	{"threshold", 0, add_threshold},
};

/* "key: value", or "key value" for a threshold: what is no known key is a comment. */
static const struct field *field_of(const char *text, const char **ret_value)
{
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		size_t length = strlen(fields[i].key);

		if (strncmp(text, fields[i].key, length) ||
		    text[length] != (fields[i].add == add_threshold ? ' ' : ':'))
			continue;
		*ret_value = text + length + 1 + strspn(text + length + 1, " ");
		return &fields[i];
	}
	return NULL;
}

struct pending {
	const struct field *field;
	struct buf value;
	unsigned line;
};

static void flush(struct reader *rd, struct pending *p)
{
	if (p->field) {
		rd->line = p->line;
		p->field->add(rd, p->field, p->value.data);
	}
	p->field = NULL;
	buf_reset(&p->value);
}

/* Comments from the top to the first line of SQL; a value goes on where a comment is indented. */
static void read_header(struct reader *rd, const char *text)
{
	struct pending p = {.value = BUF_INIT};
	unsigned line = 0;

	for (const char *next; *text && (starts_with(text, "--") || *text == '\n'); text = next) {
		const char *end = strchrnul(text, '\n'), *value;
		_cleanup_free_ char *comment = xstrndup(text, (size_t)(end - text));
		const char *words = comment + strspn(comment, "-");

		line++;
		next = *end ? end + 1 : end;
		if (p.field && starts_with(words, "   ")) {
			buf_addf(&p.value, " %s", words + strspn(words, " "));
			continue;
		}
		flush(rd, &p);
		p.field = field_of(words + strspn(words, " "), &value);
		p.line = line;
		if (p.field)
			buf_addstr(&p.value, value);
	}
	flush(rd, &p);
	buf_done(&p.value);
}

static bool is_id(const char *text)
{
	return *text && !text[strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789.-")];
}

static void insert(struct rules *rules, const struct rule *rule)
{
	size_t at = 0;

	while (at < rules->count && strcmp(rules->items[at].id, rule->id) < 0)
		at++;
	if (at < rules->count && !strcmp(rules->items[at].id, rule->id)) {
		rules->items[at] = *rule;
		return;
	}
	GROW(rules->items, rules->count, rules->capacity);
	memmove(&rules->items[at + 1], &rules->items[at],
		(rules->count - at) * sizeof(*rules->items));
	rules->items[at] = *rule;
	rules->count++;
}

void rules_add(struct rules *rules, const char *path, const char *text, bool builtin)
{
	struct rule rule = {
		.path = copy(rules, path), .builtin = builtin, .sql = copy(rules, text)};
	struct reader rd = {.rules = rules, .rule = &rule};
	const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
	size_t length = strlen(name);

	if (length > 4 && !strcmp(name + length - 4, ".sql"))
		length -= 4;
	rule.id = arena_strndup(rules->strings, name, length);
	if (!is_id(rule.id))
		reject(&rd, "a rule's name has lower-case letters, digits, dots and dashes only");
	read_header(&rd, rule.sql);
	rd.line = 0;
	if (!rule.title || !rule.summary)
		reject(&rd, "there is no '-- %s:' line", rule.title ? "summary" : "title");
	if (rule.kind && strcmp(rule.kind, "wait"))
		reject(&rd, "the only kind is 'wait'");
	if (rules->count >= MOST_RULES)
		reject(&rd, "more than %d rules", MOST_RULES);
	if (!rule.explain)
		rule.explain = "";
	if (!rd.failed)
		insert(rules, &rule);
}

static int is_rule_file(const struct dirent *entry)
{
	size_t length = strlen(entry->d_name);

	return entry->d_name[0] != '.' && length > 4 && !strcmp(entry->d_name + length - 4, ".sql");
}

static void add_folder(struct rules *rules, const char *folder)
{
	struct dirent **entries;
	int n = scandir(folder, &entries, is_rule_file, alphasort);

	if (n < 0) {
		if (errno != ENOENT && errno != ENOTDIR)
			add_error(rules, folder, 0, strerror(errno));
		return;
	}
	for (int i = 0; i < n; i++) {
		_cleanup_(buf_done) struct buf text = BUF_INIT;
		_cleanup_free_ char *path = xasprintf("%s/%s", folder, entries[i]->d_name);
		int r = read_file(path, MOST_BYTES, &text);

		if (r < 0)
			add_error(rules, path, 0, strerror(-r));
		else if (strlen(text.data) != text.len)
			add_error(rules, path, 0, "not a text file");
		else
			rules_add(rules, path, text.data, false);
		free(entries[i]);
	}
	free(entries);
}

#define X(id, name) extern const char rule_##name[];
RULES
#undef X

struct rules *rules_new(const char *const *folders)
{
	static const struct {
		const char *path, *text;
	} builtin[] = {
#define X(id, name) {"rules/" id ".sql", rule_##name},
		RULES
#undef X
	};
	struct rules *rules = xcalloc(1, sizeof(*rules));

	rules->strings = arena_new();
	for (size_t i = 0; i < ARRAY_SIZE(builtin); i++)
		rules_add(rules, builtin[i].path, builtin[i].text, true);
	for (; folders && *folders; folders++)
		add_folder(rules, *folders);
	return rules;
}

void rules_free(struct rules *rules)
{
	if (!rules)
		return;
	arena_free(rules->strings);
	free(rules->items);
	free(rules->errors);
	json_decref(rules->objectives);
	free(rules->objectives_text);
	free(rules);
}

size_t rules_count(const struct rules *rules)
{
	return rules->count;
}

const struct rule *rules_get(const struct rules *rules, size_t index)
{
	return &rules->items[index];
}

const struct rule *rules_find(const struct rules *rules, const char *id)
{
	for (size_t i = 0; i < rules->count; i++)
		if (!strcmp(rules->items[i].id, id))
			return &rules->items[i];
	return NULL;
}

const char *rules_error(const struct rules *rules, size_t index)
{
	return index < rules->error_count ? rules->errors[index] : NULL;
}

int rules_add_objective(struct rules *rules, const char *text)
{
	int r;

	if (!rules->objectives)
		rules->objectives = json_array();
	r = objective_parse(text, rules->objectives);
	free(rules->objectives_text);
	rules->objectives_text = json_dumps(rules->objectives, JSON_COMPACT);
	return r;
}

const char *rules_objectives(const struct rules *rules)
{
	return rules->objectives_text ? rules->objectives_text : "[]";
}

int rules_set_threshold(struct rules *rules, const char *setting)
{
	const char *equals = strchr(setting, '='),
		   *dot = equals ? memrchr(setting, '.', (size_t)(equals - setting)) : NULL;
	double value;
	int r;

	if (!dot)
		return failx(-EINVAL, "'%s' is not written ID.NAME=VALUE", setting);
	if ((r = parse_double(equals + 1, -1e18, 1e18, &value)) < 0)
		return fail_in(r, "%.*s", (int)(equals - setting), setting);
	for (size_t i = 0; i < rules->count; i++) {
		struct rule *rule = &rules->items[i];

		if (strlen(rule->id) != (size_t)(dot - setting) ||
		    strncmp(rule->id, setting, strlen(rule->id)))
			continue;
		for (size_t t = 0; t < rule->threshold_count; t++) {
			const char *name = rule->thresholds[t].name;

			if (strlen(name) != (size_t)(equals - dot - 1) ||
			    strncmp(name, dot + 1, strlen(name)))
				continue;
			rule->thresholds[t].value = value;
			rule->thresholds[t].set = true;
			return 0;
		}
	}
	return failx(-EINVAL, "there is no threshold %.*s; diagnose --explain ID shows a rule's",
		     (int)(equals - setting), setting);
}
