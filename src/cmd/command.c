// SPDX-License-Identifier: BSD-2-Clause
#include "command.h"

#include <errno.h>
#include <string.h>

#include "cleanup.h"
#include "fail.h"
#include "mem.h"
#include "suggest.h"

const struct option common_option_rows[] = {
	{"quiet", 'q', OPTION_FLAG(struct common_options, quiet),
	 .help = "no progress, only results, warnings and errors"},
	{"verbose", 'v', OPTION_FLAG(struct common_options, verbose),
	 .help = "say more about what is being done"},
	{"help", 'h', OPTION_FLAG(struct common_options, help), .help = "show this help",
	 .no_setting = true},
	{0},
};

const struct command *command_find(const struct command *const *commands, const char *name)
{
	for (; *commands; commands++)
		if (!strcmp((*commands)->name, name))
			return *commands;
	return NULL;
}

void command_options_init(struct command_options *co, const struct command *command)
{
	size_t n = 0;

	*co = (struct command_options){
		.own = xcalloc(1, command->options_size ? command->options_size : 1)};
	if (command->defaults)
		memcpy(co->own, command->defaults, command->options_size);
	for (const struct option_piece *p = command->options; p && p->rows; p++) {
		if (n + 2 >= ARRAY_SIZE(co->sets))
			abort(); /* a command with so many tables needs a longer array */
		co->sets[n++] = (struct option_set){p->rows, (char *)co->own + p->offset};
	}
	co->sets[n] = (struct option_set){common_option_rows, (char *)&co->common};
}

void command_options_done(struct command_options *co)
{
	struct option_cursor c = {0};
	const struct option *o;
	void *field;

	if (!co->own)
		return;
	while ((o = option_next(co->sets, &c, &field)))
		if (o->type == &option_strings)
			option_list_done(field);
	free(co->own);
	co->own = NULL;
}

static int check_choice(const struct operand *operand, const char *text)
{
	struct suggestion s = {.wanted = text, .length = strlen(text)};
	_cleanup_(buf_done) struct buf all = BUF_INIT;

	for (size_t i = 0; operand->choices[i]; i++) {
		if (!strcmp(operand->choices[i], text))
			return 0;
		suggestion_offer(&s, operand->choices[i]);
		buf_addf(&all, "%s%s", i ? ", " : "", operand->choices[i]);
	}
	if (s.best)
		return failx(-EINVAL, "'%s' is not known, did you mean '%s'?", text, s.best);
	return failx(-EINVAL, "'%s' is not one of %s", text, all.data);
}

/* An operand that may be left out in front of one that may not: [FILE] SYMBOL. */
static const struct operand *first_given(const struct operand *o, int given)
{
	int needed = 0;

	for (const struct operand *i = o; i && i->name; i++)
		needed += !i->optional;
	while (needed && given <= needed && o->name && o->optional)
		o++;
	return o;
}

int command_check_operands(const struct command *command, const struct operands *operands)
{
	const struct operand *o = first_given(command->operands, operands->count);

	for (int i = 0; i < operands->count; i++) {
		if (!o || !o->name)
			return failx(-EINVAL, "unexpected operand '%s'", operands->items[i]);
		if (o->choices && check_choice(o, operands->items[i]) < 0)
			return -EINVAL;
		if (!o->rest)
			o++;
	}
	if (o && o->name && !o->optional && !(o->rest && operands->count))
		return failx(-EINVAL, "%s is missing: %s", o->name, o->help);
	return 0;
}
