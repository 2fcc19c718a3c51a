// SPDX-License-Identifier: BSD-2-Clause
#include "focus.h"

#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#include "mem.h"
#include "ledger.h"
#include "text.h"
#include "window.h"

bool focus_is_any(const struct focus *f)
{
	return !f->process && !f->task && !f->component[0] && !f->cgroup[0];
}

static bool is_below(const char *cgroup, const char *above)
{
	size_t len = strlen(above);

	return !above[1] || (!strncmp(cgroup, above, len) && (!cgroup[len] || cgroup[len] == '/'));
}

bool focus_has_whole(const struct focus *f, const struct window_process *p)
{
	char name[FOCUS_NAME];

	if ((f->process && p->id != f->process) || (f->cgroup[0] && !is_below(p->cgroup, f->cgroup)))
		return false;
	if (!f->component[0])
		return true;
	window_component(p, name, sizeof(name));
	return !strcmp(name, f->component);
}

bool focus_has_task(const struct focus *f, const struct window *w, uint32_t task)
{
	const struct window_thread *t;

	if (focus_is_any(f))
		return true;
	t = window_find(w, task);
	return t && (!f->task || t->id == f->task) && focus_has_whole(f, window_process(w, t->process));
}

bool focus_has_process(const struct focus *f, const struct window *w, uint32_t process)
{
	for (uint32_t i = 0; i < window_process_count(w); i++)
		if (window_process(w, i)->id == process)
			return focus_has_whole(f, window_process(w, i));
	return focus_is_any(f);
}

bool focus_has(const struct focus *f, const struct window *w, const struct ledger_row *row)
{
	return (!f->resource || row->key[BY_RESOURCE] == f->resource) && focus_has_task(f, w, row->key[BY_TASK]);
}

void focus_text(const struct focus *f, const struct window *w, char *text, unsigned size)
{
	const struct window_thread *t = window_find(w, f->task);
	const char *name = f->component[0] ? f->component : f->cgroup;
	uint32_t pid = 0;

	for (uint32_t i = 0; f->process && i < window_process_count(w); i++)
		if (window_process(w, i)->id == f->process) {
			name = window_process(w, i)->comm;
			pid = window_process(w, i)->pid;
		}
	text[0] = 0;
	if (pid)
		snprintf(text, size, "%s (%u)", name, pid);
	else if (f->process || *name)
		snprintf(text, size, "%s", *name ? name : "a process that is gone");
	if (t)
		snprintf(text + strlen(text), size - strlen(text), ", thread %s (%u)", t->comm, t->tid);
	if (f->resource && window_resource(w, f->resource)->name[0])
		snprintf(text + strlen(text), size - strlen(text), "%s%s %s", *text ? ", " : "",
			 window_resource(w, f->resource)->kind, window_resource(w, f->resource)->name);
}

/* Containers have long ids of which the beginning is what people know. */
static bool container(const char *part, char *name, unsigned size)
{
	static const char *const prefixes[] = {"docker-", "cri-containerd-", "crio-", "libpod-"};

	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++)
		if (starts_with(part, prefixes[i])) {
			snprintf(name, size, "container %.12s", part + strlen(prefixes[i]));
			return true;
		}
	return false;
}

void window_component(const struct window_process *p, char *name, unsigned size)
{
	const char *part = strrchr(p->cgroup, '/');

	part = part ? part + 1 : p->cgroup;
	if (p->own)
		snprintf(name, size, "perfscope");
	else if (p->kernel)
		snprintf(name, size, "kernel");
	else if (container(part, name, size))
		return;
	else if (!fnmatch("*.service", part, 0) && fnmatch("user@*", part, 0))
		snprintf(name, size, "%s", part);
	else
		snprintf(name, size, "%s", p->comm);
}
