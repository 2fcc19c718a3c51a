/* SPDX-License-Identifier: BSD-2-Clause */
/* A store filled by hand, as a recorder would: of a machine whose workers wait for a lock, and with names that would do harm
 * if they were shown as they are. */
#pragma once
#include "ui.h"

struct store;

enum { FIRST_WORKER = 100 }; /* threads of java */

/* What the owner of the screen answers, and what it was asked to save. */
struct answers {
	json_t *findings, *resources, *annotation;
	bool silent; /* no findings */
	struct ui_save saved;
	unsigned saves;
};

struct answers answers_new(void);
void answers_done(struct answers *a);

/* Ten slices, busy from the sixth on. Threads 1, 2, 4, 5, 8 and 9 sleep through all of them; 4 is stopped from the ninth on. */
struct store *ui_fixture(void);
void fill_slice(struct store *s, uint32_t id, bool busy);

struct ui *make_ui(struct store *s, struct answers *answers);
bool screen_shows(struct ui *ui, unsigned columns, const char *text); /* as drawn on forty rows of so many columns */
