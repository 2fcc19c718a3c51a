// SPDX-License-Identifier: BSD-2-Clause
#include "rule_steps.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cleanup.h"
#include "mem.h"
#include "text.h"

/* Expressions: planning one takes 20 to 50 us, keeping its rows for the others about 200. */
enum { MOST_PLANNED = 1000, WORTH_KEEPING = 4 };

/* NAME [(COLUMNS)] AS [MATERIALIZED] (SELECT ...) */
struct expression {
	const char *text, *end;
	size_t name_len;
	unsigned planned; /* how many expressions are planned where it is named */
	unsigned users, mentions; /* other expressions that name it, or what comes last; how often they do */
};

struct reader {
	const char *at; /* behind the expressions: what comes last */
	struct expression *items;
	size_t count, capacity;
};

static bool is_word(char c)
{
	return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Behind blanks and comments. */
static const char *skip_blank(const char *p)
{
	for (;;) {
		p += strspn(p, " \t\r\n");
		if (starts_with(p, "--"))
			p += strcspn(p, "\n");
		else if (starts_with(p, "/*"))
			p = strstr(p, "*/") ? strstr(p, "*/") + 2 : p + strlen(p);
		else
			return p;
	}
}

/* Behind a word, text in quotes, or single character. */
static const char *skip_token(const char *p)
{
	const char *end;

	if (*p && strchr("'\"`", *p)) {
		end = strchr(p + 1, *p);
		return end ? end + 1 : p + strlen(p);
	}
	if (!is_word(*p))
		return *p ? p + 1 : p;
	while (is_word(*p))
		p++;
	return p;
}

/* Behind the ")" of what begins with "("; NULL where there is none. */
static const char *skip_brackets(const char *p)
{
	size_t depth = 0;

	for (; *(p = skip_blank(p)); p = skip_token(p)) {
		depth += *p == '(';
		depth -= *p == ')';
		if (!depth)
			return *p == ')' ? p + 1 : NULL;
	}
	return NULL;
}

static bool take_word(struct reader *rd, const char *word)
{
	const char *p = skip_blank(rd->at), *end = skip_token(p);

	if ((size_t)(end - p) != strlen(word) || strncasecmp(p, word, strlen(word)))
		return false;
	rd->at = end;
	return true;
}

static struct expression *find(struct reader *rd, const char *name, size_t len)
{
	for (size_t i = 0; i < rd->count; i++)
		if (rd->items[i].name_len == len && !strncasecmp(rd->items[i].text, name, len))
			return &rd->items[i];
	return NULL;
}

/* How much is planned for the text, which makes it a user of what it names. A column that is called as an expression is
 * taken for it: then it may be kept without need. */
static unsigned plan(struct reader *rd, const char *text, const char *end)
{
	_cleanup_free_ bool *named = xcalloc(rd->count + 1, sizeof(*named));
	unsigned planned = 1;

	for (const char *next; (text = skip_blank(text)) < end; text = next) {
		struct expression *e = find(rd, text, (size_t)((next = skip_token(text)) - text));

		if (!e)
			continue;
		planned += e->planned;
		e->mentions++;
		e->users += !named[e - rd->items];
		named[e - rd->items] = true;
	}
	return planned;
}

static bool read_expression(struct reader *rd)
{
	struct expression e = {.text = rd->at = skip_blank(rd->at)};

	if (!is_word(*e.text))
		return false;
	rd->at = skip_token(e.text);
	e.name_len = (size_t)(rd->at - e.text);
	if (*skip_blank(rd->at) == '(' && !(rd->at = skip_brackets(rd->at)))
		return false;
	if (!take_word(rd, "AS"))
		return false;
	take_word(rd, "MATERIALIZED");
	const char *body = rd->at;
	if (!(e.end = skip_brackets(body)))
		return false;
	e.planned = plan(rd, body, e.end);
	rd->at = e.end;
	GROW(rd->items, rd->count, rd->capacity);
	rd->items[rd->count++] = e;
	return true;
}

/* Whether it was understood, and is worth the trouble. */
static bool read_all(struct reader *rd)
{
	if (!take_word(rd, "WITH"))
		return false;
	take_word(rd, "RECURSIVE");
	for (;;) {
		if (!read_expression(rd))
			return false;
		if (*skip_blank(rd->at) != ',')
			return plan(rd, rd->at, rd->at + strlen(rd->at)) > MOST_PLANNED;
		rd->at = skip_blank(rd->at) + 1;
	}
}

/* What several name would be asked by each of them. What one names is not, and perhaps never: it may stand behind a condition. */
static bool is_worth_keeping(const struct expression *e)
{
	return e->users > 1 || (e->mentions > 1 && (e->mentions - 1) * e->planned > WORTH_KEEPING);
}

/* `with` grows by the expression, as what follows is to find it. */
static void add(struct rule_steps *steps, const struct expression *e, struct buf *with)
{
	_cleanup_(buf_done) struct buf sql = BUF_INIT;
	char *table;

	buf_addstr(with, with->len ? ", " : "WITH RECURSIVE ");
	if (!is_worth_keeping(e)) {
		buf_add(with, e->text, (size_t)(e->end - e->text));
		return;
	}
	table = xasprintf("step_%.*s", (int)e->name_len, e->text);
	buf_addf(&sql, "%s%.*s SELECT * FROM %.*s", with->data, (int)(e->end - e->text), e->text, (int)e->name_len, e->text);
	GROW(steps->items, steps->count, steps->capacity);
	steps->items[steps->count++] = (struct rule_step){.table = table, .sql = buf_steal(&sql)};
	buf_addf(with, "%.*s AS (SELECT * FROM temp.%s)", (int)e->name_len, e->text, table);
}

void rule_steps_init(struct rule_steps *steps, const char *sql)
{
	struct reader rd = {.at = sql};

	*steps = (struct rule_steps){.rest = BUF_INIT};
	if (read_all(&rd)) {
		for (size_t i = 0; i < rd.count; i++)
			add(steps, &rd.items[i], &steps->rest);
		sql = rd.at;
	}
	buf_addstr(&steps->rest, sql);
	free(rd.items);
}

void rule_steps_done(struct rule_steps *steps)
{
	for (size_t i = 0; i < steps->count; i++) {
		free(steps->items[i].table);
		free(steps->items[i].sql);
	}
	free(steps->items);
	buf_done(&steps->rest);
	*steps = (struct rule_steps){.rest = BUF_INIT};
}
