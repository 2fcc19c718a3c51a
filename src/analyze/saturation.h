/* SPDX-License-Identifier: BSD-2-Clause */
/* The saturation table: for every resource how much of it is used, how much waits for it, and what failed. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cleanup.h"

struct arena;
struct store;

/* From this utilisation on, in percent, a resource is marked: waiting begins well before 100. */
#define SATURATION_HIGH 80.0

/* A figure that may not be known. */
struct saturation_figure {
	bool known;
	double value;
	const char *unit; /* what is counted, "" if unknown */
};

struct saturation_row {
	const char *kind, *name; /* name is "" where the machine has one of the kind */
	struct saturation_figure utilisation; /* percent */
	struct saturation_figure saturation, errors;
	bool has_latency;
	uint64_t p50, p90, p99, max; /* ns */
	uint32_t pid;                /* who uses it most; 0: nobody, or not known */
	const char *comm;
	const char *note;            /* "" if there is nothing to add */
	const char *missing;         /* why figures are unknown; "": those that are make no sense for this kind */
};

struct saturation {
	struct saturation_row *rows;
	size_t count;
	struct arena *memory;
};

/* Of the part of the recording that is selected. */
int saturation_new(struct store *s, struct saturation **ret_saturation);
void saturation_free(struct saturation *t); /* NULL is fine */
bool saturation_is_high(const struct saturation_row *row);

DEFINE_CLEANUP(struct saturation *, saturation_free)
