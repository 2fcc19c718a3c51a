/* SPDX-License-Identifier: BSD-2-Clause */
/* A str of CPython as UTF-8. */
#pragma once
#include "buf.h"
#include "wire.h"

/* With a NUL behind it. Returns the bytes that were added. */
uint32_t python_text_add(struct buf *b, const struct python_text *t);
