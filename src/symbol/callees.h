/* SPDX-License-Identifier: BSD-2-Clause */
/* Where a function's code calls and jumps to outside of itself. Child only. */
#pragma once
#include <stddef.h>
#include <stdint.h>

/* The targets of direct calls and jumps in this machine's code at `start`, each once; the caller frees them.
 * Bytes are looked at without knowing where instructions begin: some targets may be none. */
size_t callees_find(const void *code, size_t size, uint64_t start, uint64_t **ret_targets);
