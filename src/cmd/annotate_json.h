/* SPDX-License-Identifier: BSD-2-Clause */
/* An annotation as perfscope.annotate/1 (docs/recording.md). */
#pragma once
#include <jansson.h>
#include <stdint.h>

struct annotation;
struct store;

double annotation_percent(uint64_t part, uint64_t whole);
json_t *annotation_json(struct store *s, const struct annotation *a);
