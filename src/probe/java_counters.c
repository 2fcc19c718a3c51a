// SPDX-License-Identifier: BSD-2-Clause
/* The file: a header of 32 bytes, then entries, each with its own length, a name, and a value at an offset. All in the byte
 * order of the machine, which the header tells; here only the own one is met. */
#include "java_counters.h"

#include <errno.h>
#include <string.h>

enum { HEADER = 32, MOST_ENTRIES = 4096 };
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
enum { OWN_ORDER = 1 };
#else
enum { OWN_ORDER = 0 };
#endif

struct header {
	uint8_t magic[4], order, major, minor, accessible;
	int32_t used, overflow;
	int64_t modified;
	int32_t first, count;
};

struct entry {
	int32_t length, name, vector;
	uint8_t type, flags, unit, variability;
	int32_t value;
};

_Static_assert(sizeof(struct header) == HEADER && sizeof(struct entry) == 20, "as the file has them");

/* CYCLES: of collectors that look at the old generation beside the program; others have no such counter. */
enum counter_name {
	YOUNG_COLLECTIONS, FULL_COLLECTIONS, EDEN, SURVIVED, SURVIVED_TOO, OLD, OLD_LIMIT, YOUNG_CAPACITY, OLD_CAPACITY, CYCLES, COUNTERS
};

static const char *const names[COUNTERS] = {
	[YOUNG_COLLECTIONS] = "sun.gc.collector.0.invocations",
	[FULL_COLLECTIONS] = "sun.gc.collector.1.invocations",
	[EDEN] = "sun.gc.generation.0.space.0.capacity",
	[SURVIVED] = "sun.gc.generation.0.space.1.used",
	[SURVIVED_TOO] = "sun.gc.generation.0.space.2.used",
	[OLD] = "sun.gc.generation.1.space.0.used",
	[OLD_LIMIT] = "sun.gc.generation.1.maxCapacity",
	[YOUNG_CAPACITY] = "sun.gc.generation.0.capacity",
	[OLD_CAPACITY] = "sun.gc.generation.1.capacity",
	[CYCLES] = "sun.gc.collector.2.invocations",
};

/* Where the counter of the entry at `at` is in `values`; COUNTERS: it is another one, or none that can be read. */
static enum counter_name read_entry(const char *data, size_t at, const struct entry *e, int64_t *ret_value)
{
	size_t length = (size_t)e->length;

	if (e->type != 'J' || e->vector || e->name < (int32_t)sizeof(*e) || (size_t)e->name >= length || e->value < 0 ||
	    (size_t)e->value + sizeof(*ret_value) > length)
		return COUNTERS;
	const char *name = data + at + e->name;
	size_t room = length - (size_t)e->name;
	for (enum counter_name i = 0; i < COUNTERS; i++) {
		size_t size = strlen(names[i]) + 1;

		if (size > room || memcmp(name, names[i], size))
			continue;
		memcpy(ret_value, data + at + e->value, sizeof(*ret_value));
		return *ret_value < 0 ? COUNTERS : i;
	}
	return COUNTERS;
}

int java_counters_parse(const void *data, size_t len, struct java_counters *ret_counters)
{
	static const uint8_t magic[4] = {0xca, 0xfe, 0xc0, 0xc0};
	uint64_t values[COUNTERS] = {0};
	unsigned found = 0;
	struct header h;

	if (len < sizeof(h))
		return -EINVAL;
	memcpy(&h, data, sizeof(h));
	if (memcmp(h.magic, magic, sizeof(magic)) || h.order != OWN_ORDER || h.major != 2 || h.first < HEADER)
		return -EINVAL;
	size_t at = (size_t)h.first;
	for (int32_t i = 0; i < h.count && i < MOST_ENTRIES && at + sizeof(struct entry) <= len; i++) {
		struct entry e;
		int64_t value;

		memcpy(&e, (const char *)data + at, sizeof(e));
		if (e.length < (int32_t)sizeof(e) || (size_t)e.length > len - at)
			return -EINVAL;
		enum counter_name name = read_entry(data, at, &e, &value);
		if (name != COUNTERS) {
			values[name] = (uint64_t)value;
			found |= 1u << name;
		}
		at += (size_t)e.length;
	}
	if (!h.accessible || (found | 1u << CYCLES) != (1u << COUNTERS) - 1)
		return -ENODATA;
	*ret_counters = (struct java_counters){
		.collections = values[YOUNG_COLLECTIONS] + values[FULL_COLLECTIONS],
		.kept_bytes = values[OLD] + values[SURVIVED] + values[SURVIVED_TOO],
		.limit_bytes = values[OLD_LIMIT],
		.capacity_bytes = values[YOUNG_CAPACITY] + values[OLD_CAPACITY],
		.old_collections = values[FULL_COLLECTIONS] + values[CYCLES],
		.eden_bytes = values[EDEN],
	};
	return 0;
}
