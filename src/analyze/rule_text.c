// SPDX-License-Identifier: BSD-2-Clause
#include "rule_text.h"

#include <string.h>

#include "escape.h"

static void put(struct buf *b, const char *text)
{
	escape_terminal(b, text, strlen(text));
}

void rules_list(const struct rules *rules, struct buf *text)
{
	for (size_t i = 0; i < rules_count(rules); i++) {
		const struct rule *rule = rules_get(rules, i);

		buf_addf(text, "%-22s ", rule->id);
		put(text, rule->title);
		if (!rule->builtin) {
			buf_addstr(text, " [");
			put(text, rule->path);
			buf_addch(text, ']');
		}
		buf_addch(text, '\n');
	}
}

static void paragraph(struct buf *b, unsigned indent, const char *text, unsigned width)
{
	unsigned used = indent;

	buf_addf(b, "%*s", (int)indent, "");
	for (const char *p = text; *p;) {
		size_t length = strcspn(p, " ");

		if (used > indent && used + length + 1 > width) {
			buf_addf(b, "\n%*s", (int)indent, "");
			used = indent;
		} else if (used > indent) {
			buf_addch(b, ' ');
			used++;
		}
		escape_terminal(b, p, length);
		used += (unsigned)length;
		p += length + strspn(p + length, " ");
	}
	buf_addch(b, '\n');
}

static void add_thresholds(const struct rule *rule, unsigned width, struct buf *text)
{
	buf_addf(text, "\nThresholds (--threshold %s.NAME=VALUE):\n", rule->id);
	for (size_t i = 0; i < rule->threshold_count; i++) {
		const struct rule_threshold *t = &rule->thresholds[i];

		buf_addf(text, "  %s = %g%s\n", t->name, t->value, t->set ? " (yours)" : "");
		paragraph(text, 6, t->reason, width);
	}
}

void rule_explain(const struct rule *rule, unsigned width, struct buf *text)
{
	put(text, rule->id);
	buf_addstr(text, ": ");
	put(text, rule->title);
	buf_addstr(text, "\n");
	if (*rule->explain) {
		buf_addch(text, '\n');
		paragraph(text, 0, rule->explain, width);
	}
	if (rule->threshold_count)
		add_thresholds(rule, width, text);
	if (rule->action_count)
		buf_addstr(text, "\nWhat it advises:\n");
	for (size_t i = 0; i < rule->action_count; i++)
		paragraph(text, 2, rule->actions[i], width);
	if (rule->runbook) {
		buf_addstr(text, "\nRunbook: ");
		put(text, rule->runbook);
		buf_addch(text, '\n');
	}
	buf_addstr(text, "\nIts SQL: ");
	put(text, rule->path);
	buf_addch(text, '\n');
}
