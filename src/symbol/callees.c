// SPDX-License-Identifier: BSD-2-Clause
#include "callees.h"

#include <stdbool.h>
#include <string.h>

#include "hash.h"
#include "mem.h"

#ifdef __aarch64__
enum { STEP = 4 };

/* b and bl, with 26 bits of distance in words. */
static bool target_at(const uint8_t *code, size_t left, uint64_t address, uint64_t *ret)
{
	uint32_t word;

	if (left < sizeof(word))
		return false;
	memcpy(&word, code, sizeof(word));
	if ((word & 0x7c000000) != 0x14000000)
		return false;
	*ret = address + (uint64_t)((int64_t)(int32_t)(word << 6) >> 4);
	return true;
}
#else
enum { STEP = 1 };

/* call and jmp (e8, e9), and jumps on a condition (0f 80 to 0f 8f), with 32 bits of distance from their end. */
static bool target_at(const uint8_t *code, size_t left, uint64_t address, uint64_t *ret)
{
	size_t opcode = left && code[0] == 0x0f ? 2 : 1;
	int32_t distance;

	if (left < opcode + sizeof(distance) ||
	    (opcode == 1 ? (code[0] & 0xfe) != 0xe8 : (code[1] & 0xf0) != 0x80))
		return false;
	memcpy(&distance, code + opcode, sizeof(distance));
	*ret = address + opcode + sizeof(distance) + (uint64_t)(int64_t)distance;
	return true;
}
#endif

size_t callees_find(const void *code, size_t size, uint64_t start, uint64_t **ret_targets)
{
	_cleanup_(map_freep) struct map *seen = map_new();
	size_t count = 0, capacity = 0;
	uint64_t *targets = NULL, target, unused;

	for (size_t i = 0; i < size; i += STEP) {
		if (!target_at((const uint8_t *)code + i, size - i, start + i, &target) || target - start < size ||
		    map_get(seen, target, &unused))
			continue;
		map_put(seen, target, 0);
		GROW(targets, count, capacity);
		targets[count++] = target;
	}
	*ret_targets = targets;
	return count;
}
