// SPDX-License-Identifier: BSD-2-Clause
#include "settings.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <yaml.h>

#include "arena.h"
#include "cleanup.h"
#include "fail.h"
#include "io.h"
#include "log.h"
#include "mem.h"
#include "suggest.h"

#define MAX_BYTES (256 << 10)

struct reader {
	const char *path;
	const struct command *const *commands;
	struct arena *strings;
	unsigned place;
	yaml_document_t document;
};

#define fail_at(rd, at, ...) fail_place((rd)->path, (at).line + 1, (at).column + 1, __VA_ARGS__)

static yaml_node_t *node(struct reader *rd, int index)
{
	return yaml_document_get_node(&rd->document, index);
}

/* Scalars only; NUL bytes would cut names short. */
static const char *scalar(const yaml_node_t *n)
{
	const char *text;

	if (n->type != YAML_SCALAR_NODE)
		return NULL;
	text = (const char *)n->data.scalar.value;
	return strlen(text) == n->data.scalar.length ? text : NULL;
}

static int set_scalar(struct reader *rd, const struct option *o, void *field,
		      const yaml_node_t *value)
{
	const char *text = scalar(value);
	int r;

	if (!text)
		return fail_at(rd, value->start_mark, "%s wants one value", o->name);
	text = arena_strndup(rd->strings, text, strlen(text)); /* it must outlive the document */
	r = o->type->parse(o, text, field, rd->place);
	return r < 0 ? fail_at(rd, value->start_mark, "%s: %s", o->name, fail_message()) : 0;
}

static int set_option(struct reader *rd, const struct option *o, void *field,
		      const yaml_node_t *value)
{
	int r = 0;

	if (value->type != YAML_SEQUENCE_NODE || o->type != &option_strings)
		return set_scalar(rd, o, field, value);
	for (yaml_node_item_t *i = value->data.sequence.items.start;
	     !r && i < value->data.sequence.items.top; i++)
		r = set_scalar(rd, o, field, node(rd, *i));
	return r;
}

static int unknown_name(struct reader *rd, const yaml_node_t *key, struct suggestion *s,
			const char *what)
{
	if (s->best)
		return fail_at(rd, key->start_mark, "there is no %s '%s', did you mean '%s'?", what,
			       s->wanted, s->best);
	return fail_at(rd, key->start_mark, "there is no %s '%s'", what, s->wanted);
}

static void offer_options(struct suggestion *s, const struct command_options *co)
{
	struct option_cursor c = {0};
	const struct option *o;

	while ((o = option_next(co->sets, &c, NULL)))
		if (!o->no_setting)
			suggestion_offer(s, o->name);
}

/* One `option: value` for one command; *ret_known says whether the command has such an option. */
static int apply(struct reader *rd, struct command_options *co, const char *name,
		 const yaml_node_t *value, bool *ret_known)
{
	void *field;
	const struct option *o = option_find(co->sets, name, strlen(name), &field);

	if (!o || o->no_setting)
		return 0;
	*ret_known = true;
	return set_option(rd, o, field, value);
}

/* A section is for one command, or, named `all`, for every command that has the option. Values for
 * other commands than the one that runs are checked and thrown away. */
static int apply_to_commands(struct reader *rd, const char *section, const struct command *running,
			     struct command_options *co, const yaml_node_t *key,
			     const yaml_node_t *value)
{
	struct suggestion s = {.wanted = scalar(key)};
	bool all = !strcmp(section, "all"), known = false;

	if (!s.wanted)
		return fail_at(rd, key->start_mark, "the name of an option is wanted here");
	s.length = strlen(s.wanted);
	for (const struct command *const *c = rd->commands; *c; c++) {
		_cleanup_(command_options_done) struct command_options scratch = {0};
		int r;

		if ((*c)->no_settings || (!all && strcmp((*c)->name, section)))
			continue;
		command_options_init(&scratch, *c);
		r = apply(rd, *c == running ? co : &scratch, s.wanted, value, &known);
		if (r < 0)
			return r;
		offer_options(&s, &scratch);
	}
	return known ? 0 : unknown_name(rd, key, &s, "option");
}

static int check_unique(struct reader *rd, const yaml_node_t *map, const yaml_node_pair_t *pair)
{
	const char *name = scalar(node(rd, pair->key));

	for (yaml_node_pair_t *p = map->data.mapping.pairs.start; name && p < pair; p++) {
		const char *earlier = scalar(node(rd, p->key));

		if (earlier && !strcmp(earlier, name))
			return fail_at(rd, node(rd, pair->key)->start_mark, "'%s' is here twice",
				       name);
	}
	return 0;
}

static bool is_empty(const yaml_node_t *n)
{
	return n->type == YAML_SCALAR_NODE && !n->data.scalar.length;
}

static int apply_section(struct reader *rd, const char *section, const yaml_node_t *map,
			 const struct command *running, struct command_options *co)
{
	int r = 0;

	if (is_empty(map))
		return 0;
	if (map->type != YAML_MAPPING_NODE)
		return fail_at(rd, map->start_mark,
			       "options and their values are wanted below '%s'", section);
	for (yaml_node_pair_t *p = map->data.mapping.pairs.start;
	     !r && p < map->data.mapping.pairs.top; p++) {
		r = check_unique(rd, map, p);
		if (r == 0)
			r = apply_to_commands(rd, section, running, co, node(rd, p->key),
					      node(rd, p->value));
	}
	return r;
}

static int check_section_name(struct reader *rd, const yaml_node_t *key)
{
	struct suggestion s = {.wanted = scalar(key)};

	if (!s.wanted)
		return fail_at(rd, key->start_mark, "the name of a command is wanted here");
	s.length = strlen(s.wanted);
	if (!strcmp(s.wanted, "all"))
		return 0;
	for (const struct command *const *c = rd->commands; *c; c++) {
		if ((*c)->no_settings)
			continue;
		if (!strcmp((*c)->name, s.wanted))
			return 0;
		suggestion_offer(&s, (*c)->name);
	}
	return unknown_name(rd, key, &s, "command");
}

/* `all` first, wherever it stands: what is said for one command is meant for it. */
static int apply_document(struct reader *rd, const struct command *running,
			  struct command_options *co)
{
	yaml_node_t *root = yaml_document_get_root_node(&rd->document);
	int r = 0;

	if (!root || is_empty(root))
		return 0;
	if (root->type != YAML_MAPPING_NODE)
		return fail_at(rd, root->start_mark, "commands with their options are wanted here");
	for (int round = 0; round < 2; round++)
		for (yaml_node_pair_t *p = root->data.mapping.pairs.start;
		     !r && p < root->data.mapping.pairs.top; p++) {
			yaml_node_t *key = node(rd, p->key);

			r = check_unique(rd, root, p);
			if (r == 0)
				r = check_section_name(rd, key);
			if (r == 0 && !strcmp(scalar(key), "all") == !round)
				r = apply_section(rd, scalar(key), node(rd, p->value), running, co);
		}
	return r;
}

static int fail_yaml(const struct reader *rd, const yaml_parser_t *parser)
{
	const char *problem = parser->problem ? parser->problem : "not YAML";

	if (parser->error == YAML_READER_ERROR)
		return failx(-EINVAL, "%s: %s at byte %zu", rd->path, problem,
			     parser->problem_offset);
	return fail_at(rd, parser->problem_mark, "%s", problem);
}

/* One document, and nothing behind it. */
static int parse_text(struct reader *rd, const struct buf *text, const struct command *running,
		      struct command_options *co)
{
	_cleanup_(yaml_parser_delete) yaml_parser_t parser;
	yaml_document_t second;
	int r;

	if (!yaml_parser_initialize(&parser))
		return failx(-ENOMEM, "out of memory");
	yaml_parser_set_input_string(&parser, (const unsigned char *)text->data, text->len);
	if (!yaml_parser_load(&parser, &rd->document))
		return fail_yaml(rd, &parser);
	r = apply_document(rd, running, co);
	yaml_document_delete(&rd->document);
	if (r < 0)
		return r;
	if (!yaml_parser_load(&parser, &second))
		return fail_yaml(rd, &parser);
	if (yaml_document_get_root_node(&second))
		r = fail_at(rd, second.start_mark, "only one YAML document is wanted");
	yaml_document_delete(&second);
	return r;
}

static bool is_trusted(int fd, const char *path, const char **ret_reason)
{
	struct stat st;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		*ret_reason = "it is not a regular file";
	else if (st.st_uid != 0 && st.st_uid != geteuid())
		*ret_reason = "it belongs to another user";
	else if (st.st_mode & (S_IWGRP | S_IWOTH))
		*ret_reason = "other users can write it";
	else
		return true;
	return false;
}

int settings_load_file(const char *path, const struct command *const *commands,
		       const struct command *command, struct command_options *co,
		       struct arena *strings, unsigned place)
{
	struct reader rd = {.path = path, .commands = commands, .strings = strings, .place = place};
	_cleanup_(buf_done) struct buf text = BUF_INIT;
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	const char *reason;
	int r;

	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	if (fd < 0 && errno == EACCES) {
		log_warning("%s is left out: no permission to read it", path);
		return 0;
	}
	if (fd < 0)
		return fail(-errno, "open %s", path);
	if (!is_trusted(fd, path, &reason)) {
		log_warning("%s is left out: %s", path, reason);
		return 0;
	}
	r = read_fd(fd, MAX_BYTES, &text);
	return r < 0 ? fail(r, "read %s", path) : parse_text(&rd, &text, command, co);
}

int settings_load(const struct command *const *commands, const struct command *command,
		  struct command_options *co, struct arena *strings)
{
	const char *home = getenv("HOME");
	_cleanup_free_ char *own = NULL;
	int r = settings_load_file("/etc/perfscope/perfscope.yaml", commands, command, co, strings,
				   1);

	if (r < 0 || !home || *home != '/')
		return r;
	own = xasprintf("%s/.config/perfscope/perfscope.yaml", home);
	return settings_load_file(own, commands, command, co, strings, 2);
}
