/* SPDX-License-Identifier: BSD-2-Clause */
/* C++ and Rust names as people write them: without parameter lists and hashes. */
#pragma once
#include <stddef.h>

#include "buf.h"

/* Appends the name, demangled if it is mangled; bounded in time and length whatever the name is. */
void demangle(struct buf *b, const char *name, size_t len);
