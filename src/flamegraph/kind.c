// SPDX-License-Identifier: BSD-2-Clause
#include <string.h>

#include "mem.h"
#include "trie.h"

/* The marks that FlameGraph's stackcollapse scripts set, and that its users know. */
static const char *const suffixes[FLAME_KINDS] = {
	[FLAME_USER] = "",
	[FLAME_KERNEL] = "_[k]",
	[FLAME_JIT] = "_[j]",
	[FLAME_PYTHON] = TRIE_PYTHON,
	[FLAME_INLINED] = "_[i]",
	[FLAME_TASK] = TRIE_TASK,
	[FLAME_UNKNOWN] = "",
};

const char *kind_suffix(enum flame_kind kind)
{
	return suffixes[kind];
}

/* Names that tools write when they have none, and what stands in our own stacks for what is not known. */
static int is_unknown(const char *text, size_t len)
{
	static const char *const words[] = {"[unknown]", "unknown", "??", "-", "--", "", "[stack not readable]",
					    "[many short waits]"};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strlen(words[i]) == len && !memcmp(words[i], text, len))
			return 1;
	return len > 4 && text[0] == '[' && text[len - 1] == ']' && memmem(text, len, "+0x", 3);
}

enum flame_kind frame_kind(const char *text, size_t *len)
{
	for (enum flame_kind kind = 0; kind < FLAME_KINDS; kind++) {
		size_t n = strlen(suffixes[kind]);

		if (n && *len > n && !memcmp(text + *len - n, suffixes[kind], n)) {
			*len -= n;
			return kind;
		}
	}
	return is_unknown(text, *len) ? FLAME_UNKNOWN : FLAME_USER;
}
