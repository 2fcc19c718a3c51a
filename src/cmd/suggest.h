/* SPDX-License-Identifier: BSD-2-Clause */
/* The name that the user probably meant. */
#pragma once
#include <stddef.h>

/* Offer names one after the other; the nearest that is near enough stays in `best`. */
struct suggestion {
	const char *wanted;
	size_t length;
	const char *best; /* NULL: nothing is near */
	size_t distance;
};

void suggestion_offer(struct suggestion *s, const char *name);
