/* SPDX-License-Identifier: BSD-2-Clause */
/* Service level objectives as users write them: "port=8080 p99<20ms". */
#pragma once
#include <jansson.h>

/* Appends one object for each condition to the array: port, figure (mean, max, p50, ...), share (0..1; absent for mean),
 * limit_ns, text. -EINVAL with a message that says what is wrong. */
int objective_parse(const char *text, json_t *array);
