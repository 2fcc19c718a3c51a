// SPDX-License-Identifier: BSD-2-Clause
#include "option.h"

#include <errno.h>
#include <string.h>

#include "cleanup.h"
#include "fail.h"
#include "mem.h"
#include "suggest.h"
#include "text.h"

const struct option *option_next(const struct option_set *sets, struct option_cursor *c,
				 void **ret_field)
{
	for (; sets[c->set].rows; c->set++, c->row = 0) {
		const struct option *o = &sets[c->set].rows[c->row];

		if (!o->name)
			continue;
		c->row++;
		if (ret_field)
			*ret_field = sets[c->set].fields + o->offset;
		return o;
	}
	return NULL;
}

const struct option *option_find(const struct option_set *sets, const char *name, size_t length,
				 void **ret_field)
{
	struct option_cursor c = {0};
	const struct option *o;

	while ((o = option_next(sets, &c, ret_field)))
		if (!strncmp(o->name, name, length) && !o->name[length])
			return o;
	return NULL;
}

static const struct option *find_letter(const struct option_set *sets, char letter,
					void **ret_field)
{
	struct option_cursor c = {0};
	const struct option *o;

	while ((o = option_next(sets, &c, ret_field)))
		if (o->letter == letter)
			return o;
	return NULL;
}

/* The message names the option. */
static int set_value(const struct option *o, void *field, const char *text, unsigned place)
{
	int r = o->type->parse(o, text, field, place);

	return r < 0 ? fail_in(r, "--%s", o->name) : 0;
}

static int unknown(const struct option_set *sets, const char *name, size_t length)
{
	struct suggestion s = {.wanted = name, .length = length};
	struct option_cursor c = {0};
	const struct option *o;

	while ((o = option_next(sets, &c, NULL)))
		suggestion_offer(&s, o->name);
	if (s.best)
		return failx(-EINVAL, "unknown option --%.*s, did you mean --%s?", (int)length,
			     name, s.best);
	return failx(-EINVAL, "unknown option --%.*s (--help lists all)", (int)length, name);
}

static int lacks_value(const struct option *o)
{
	_cleanup_(buf_done) struct buf value = BUF_INIT;

	option_add_value_name(o, &value);
	return failx(-EINVAL, "--%s wants a value: %s", o->name, value.data);
}

struct parser {
	const struct option_set *sets;
	char *const *argv;
	int argc, at; /* `at` is the next argument */
	unsigned place;
};

/* argument is what follows the "--". */
static int parse_long(struct parser *p, const char *argument)
{
	size_t length = strcspn(argument, "=");
	const char *value = argument[length] ? argument + length + 1 : NULL;
	void *field;
	const struct option *o = option_find(p->sets, argument, length, &field);
	bool no = !o && length > 3 && starts_with(argument, "no-");

	if (no)
		o = option_find(p->sets, argument + 3, length - 3, &field);
	if (!o || (no && !o->type->is_flag))
		return unknown(p->sets, argument, length);
	if (o->type->is_flag) {
		if (value)
			return failx(-EINVAL, "--%.*s takes no value", (int)length, argument);
		return set_value(o, field, no ? "false" : "true", p->place);
	}
	if (!value && p->at >= p->argc)
		return lacks_value(o);
	return set_value(o, field, value ? value : p->argv[p->at++], p->place);
}

/* letters is what follows the "-": flags, then perhaps an option with its value. */
static int parse_short(struct parser *p, const char *letters)
{
	for (; *letters; letters++) {
		void *field;
		const struct option *o = find_letter(p->sets, *letters, &field);
		int r;

		if (!o)
			return failx(-EINVAL, "unknown option -%.1s (--help lists all)", letters);
		if (!o->type->is_flag) {
			if (!letters[1] && p->at >= p->argc)
				return lacks_value(o);
			return set_value(
				o, field, letters[1] ? letters + 1 : p->argv[p->at++], p->place);
		}
		r = set_value(o, field, "true", p->place);
		if (r < 0)
			return r;
	}
	return 0;
}

void operands_done(struct operands *operands)
{
	free(operands->items);
	*operands = (struct operands){0};
}

int option_parse(const struct option_set *sets, int argc, char *const *argv, bool stop,
		 unsigned place, struct operands *ret_operands)
{
	struct parser p = {.sets = sets, .argv = argv, .argc = argc, .place = place};
	_cleanup_(operands_done) struct operands operands = {
		xcalloc((size_t)argc + 1, sizeof(char *))};
	bool only_operands = false;

	while (p.at < argc) {
		char *argument = argv[p.at++];
		int r = 0;

		if (only_operands || argument[0] != '-' || !argument[1]) {
			operands.items[operands.count++] = argument;
			only_operands |= stop;
		} else if (!strcmp(argument, "--")) {
			only_operands = true;
		} else if (argument[1] == '-') {
			r = parse_long(&p, argument + 2);
		} else {
			r = parse_short(&p, argument + 1);
		}
		if (r < 0)
			return r;
	}
	*ret_operands = operands;
	operands = (struct operands){0};
	return 0;
}

void option_add_value_name(const struct option *o, struct buf *text)
{
	if (o->value) {
		buf_addstr(text, o->value);
		return;
	}
	for (size_t i = 0; o->choices && o->choices[i]; i++)
		buf_addf(text, "%s%s", i ? "|" : "", o->choices[i]);
}

void option_add_help(const struct option *o, const void *field, struct buf *text)
{
	_cleanup_(buf_done) struct buf value = BUF_INIT;

	buf_addstr(text, o->help);
	for (size_t i = 0; o->value && o->choices && o->choices[i]; i++)
		buf_addf(text, "%s%s", i ? ", " : ": ", o->choices[i]);
	o->type->show(o, field, &value);
	if (value.len)
		buf_addf(text, " (default: %s)", value.data);
}
