/* SPDX-License-Identifier: BSD-2-Clause */
/* The saturation table in the report's formats. */
#pragma once
#include <jansson.h>

#include "buf.h"
#include "saturation.h"

void saturation_text(const struct saturation *t, unsigned width, bool colour, struct buf *out);
json_t *saturation_json(const struct saturation *t); /* docs/recording.md */
