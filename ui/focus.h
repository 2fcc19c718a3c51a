/* SPDX-License-Identifier: BSD-2-Clause */
/* What the user looks at: it narrows every screen, and follows from one to the next. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct ledger_row;
struct window;
struct window_process;

enum { FOCUS_NAME = 256 };

/* Zero and "" mean any. Ids are those in the store. */
struct focus {
	uint32_t process, task, resource;
	char component[FOCUS_NAME]; /* a service or a program, as window_component() names it */
	char cgroup[FOCUS_NAME];    /* with all below it */
	/* For the screens that are about one such thing: */
	uint64_t finding;
	char function[FOCUS_NAME], module[FOCUS_NAME];
};

bool focus_is_any(const struct focus *f); /* nothing is left out of lists */
bool focus_has_task(const struct focus *f, const struct window *w, uint32_t task);
bool focus_has_whole(const struct focus *f, const struct window_process *p); /* its thread not looked at */
bool focus_has_process(const struct focus *f, const struct window *w, uint32_t process);
/* A row of samples or edges; one without a task belongs to nobody. */
bool focus_has(const struct focus *f, const struct window *w, const struct ledger_row *row);
/* "java (900), thread worker-1 (902)"; "" for any. */
void focus_text(const struct focus *f, const struct window *w, char *text, unsigned size);

/* The service or program that a process is part of: its unit or container, else its name. Shorter than size. */
void window_component(const struct window_process *p, char *name, unsigned size);
