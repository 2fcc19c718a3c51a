/* SPDX-License-Identifier: BSD-2-Clause */
/* What the live screen shows, as a file in the current folder: the recording, or a flame graph. */
#pragma once
#include <stddef.h>

struct store;
struct ui_save;

/* In a copy of the store, whose open slice is given up. What came of it is told in `said`. */
void live_save(struct store *s, const struct ui_save *what, char *said, size_t size);
