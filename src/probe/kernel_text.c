// SPDX-License-Identifier: BSD-2-Clause
#include "kernel_text.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capture.h"
#include "cleanup.h"
#include "fail.h"
#include "mem.h"
#include "text.h"

static const char *const place_names[PLACE_COUNT] = {
	[PLACE_SCHEDULE] = "__schedule",
	[PLACE_WAKE] = "try_to_wake_up",
	[PLACE_FAULT] = "exc_page_fault",
};

/* Exceptions (asm_exc_...) are the thread's own doing: a page fault. */
static bool enters_interrupt(const char *name)
{
	static const char *const prefixes[] = {"asm_sysvec_", "asm_common_interrupt", "el1h_64_irq", "el0t_64_irq"};

	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++)
		if (starts_with(name, prefixes[i]))
			return true;
	return false;
}

/* What file systems that are modules have of their own is called from one of these. */
static bool syncs(const char *name)
{
	static const char *const names[] = {"do_fsync", "vfs_fsync_range", "io_fsync", "ksys_sync", "blkdev_issue_flush"};
	static const char *const ends[] = {"_sync_file", "_fsync", "_sys_fdatasync", "_sys_msync", "_sys_sync", "_sys_syncfs"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (!strcmp(name, names[i]))
			return true;
	for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
		if (ends_with(name, ends[i]))
			return true;
	return false;
}

static bool enables_interrupts(const char *name)
{
	static const char *const enablers[] = {"pvm_irq_enable", "xen_irq_enable_direct", "pv_native_irq_enable", "native_irq_enable"};
	static const char thunk[] = "__raw_callee_save_";

	if (starts_with(name, thunk))
		name += strlen(thunk);
	for (size_t i = 0; i < ARRAY_SIZE(enablers); i++)
		if (!strcmp(name, enablers[i]))
			return true;
	return false;
}

static struct place_range *range_of(struct kernel_text *t, const char *name)
{
	for (int i = 0; i < PLACE_COUNT; i++)
		if (!strcmp(name, place_names[i]))
			return &t->places[i];
	struct place_ranges *r = enters_interrupt(name) ? &t->interrupts : enables_interrupts(name) ? &t->enablers : syncs(name) ? &t->syncs : NULL;
	if (!r)
		return NULL;
	GROW(r->items, r->count, r->capacity);
	return &r->items[r->count++];
}

/* Those that began at `start`. */
static void close_ranges(struct place_range *items, size_t count, uint64_t start, uint64_t end)
{
	for (size_t i = 0; i < count; i++)
		if (items[i].start == start)
			items[i].end = end;
}

static bool lies_in(const struct place_ranges *r, uint64_t address)
{
	for (size_t i = 0; i < r->count; i++)
		if (address >= r->items[i].start && address < r->items[i].end)
			return true;
	return false;
}

void kernel_text_read(struct kernel_text *t)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/kallsyms", "re");
	_cleanup_free_ char *line = NULL;
	size_t size = 0, open = 0;
	uint64_t last = 0;

	*t = (struct kernel_text){0};
	/* In the order of addresses: a function ends where the next one begins. */
	while (f && getline(&line, &size, f) > 0) {
		char *end, *name;
		uint64_t address = strtoull(line, &end, 16);

		if (strlen(end) < 4 || strchr(end, '['))
			break; /* the modules */
		name = end + 3;
		name[strcspn(name, "\n\t")] = 0;
		/* Before Linux 6.15 the variables of CPUs come first on x86-64, as if they lay at 0 and behind it. */
		if (!address && !strcmp(name, "_stext"))
			break; /* all addresses are hidden */
		if (!address)
			continue;
		if (address != last && open) {
			close_ranges(t->places, PLACE_COUNT, last, address);
			close_ranges(t->interrupts.items, t->interrupts.count, last, address);
			close_ranges(t->enablers.items, t->enablers.count, last, address);
			close_ranges(t->syncs.items, t->syncs.count, last, address);
			open = 0;
		}
		last = address;
		if (!strcmp(name, "_stext"))
			t->core.start = address;
		else if (!strcmp(name, "_etext"))
			t->core.end = address;
		struct place_range *range = strchr("tTwW", end[1]) ? range_of(t, name) : NULL;
		if (range) {
			*range = (struct place_range){.start = address, .end = address};
			open = 1;
		}
	}
}

int kernel_text_prepare(const struct capture *c, struct bpf_object *object)
{
	struct bpf_map *map = bpf_object__find_map_by_name(object, ".rodata.places");

	return map && bpf_map__set_initial_value(map, c->text->places, sizeof(c->text->places)) == 0 ? 0 : fail(-errno, "set .rodata.places");
}

void kernel_text_done(struct kernel_text *t)
{
	free(t->interrupts.items);
	free(t->enablers.items);
	free(t->syncs.items);
}

size_t kernel_text_late(const struct kernel_text *t, const uint64_t *frames, size_t depth)
{
	size_t n = 0;

	while (n + 1 < depth && lies_in(&t->enablers, frames[n]))
		n++;
	return n;
}

static bool passes(const struct place_ranges *r, const uint64_t *frames, size_t depth)
{
	for (size_t f = 0; f < depth; f++)
		if (lies_in(r, frames[f]))
			return true;
	return false;
}

bool kernel_text_is_interrupt(const struct kernel_text *t, const uint64_t *frames, size_t depth)
{
	return passes(&t->interrupts, frames, depth);
}

bool kernel_text_is_sync(const struct kernel_text *t, const uint64_t *frames, size_t depth)
{
	return passes(&t->syncs, frames, depth);
}
