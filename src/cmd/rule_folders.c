// SPDX-License-Identifier: BSD-2-Clause
#include "rule_folders.h"

#include <stdlib.h>

#include "mem.h"

struct rule_folders {
	char *own;
	const char *list[3];
};

struct rule_folders *rule_folders_new(void)
{
	struct rule_folders *f = xcalloc(1, sizeof(*f));
	const char *home = getenv("HOME");

	if (home && *home == '/')
		f->own = xasprintf("%s/.config/perfscope/rules.d", home);
	f->list[0] = "/etc/perfscope/rules.d";
	f->list[1] = f->own;
	return f;
}

void rule_folders_free(struct rule_folders *f)
{
	if (!f)
		return;
	free(f->own);
	free(f);
}

const char *const *rule_folders_list(const struct rule_folders *f)
{
	return f->list;
}
