/* SPDX-License-Identifier: BSD-2-Clause */
/* An export is one file X.c with `const struct exporter exporter_X` and one word in meson.build: a
 * recording, or the selected part of it, as another tool reads it. */
#pragma once
#include "recorded.h"

struct store;

struct export_options {
	enum profile profile;
	bool idle; /* waits for work, too */
};

struct exporter {
	const char *name;   /* as in --format: the file's name */
	const char *suffix; /* of files of this format, without dot */
	/* Negative errno with a message; `name` is what fd is called in it. */
	int (*write)(struct store *s, const struct export_options *options, int fd, const char *name);
};

extern const struct exporter *const all_exporters[]; /* ends with NULL */
extern const char *const exporter_names[];           /* in the same order, ends with NULL: --format's choices */
