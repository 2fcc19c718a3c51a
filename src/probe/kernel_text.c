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

static struct place_range *range_of(struct kernel_text *t, const char *name)
{
	for (int i = 0; i < PLACE_COUNT; i++)
		if (!strcmp(name, place_names[i]))
			return &t->places[i];
	if (!enters_interrupt(name))
		return NULL;
	GROW(t->interrupts, t->interrupt_count, t->interrupt_capacity);
	return &t->interrupts[t->interrupt_count++];
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
			for (int i = 0; i < PLACE_COUNT; i++)
				if (t->places[i].start == last)
					t->places[i].end = address;
			for (size_t i = 0; i < t->interrupt_count; i++)
				if (t->interrupts[i].start == last)
					t->interrupts[i].end = address;
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
	free(t->interrupts);
}

bool kernel_text_is_interrupt(const struct kernel_text *t, const uint64_t *frames, size_t depth)
{
	for (size_t f = 0; f < depth; f++)
		for (size_t i = 0; i < t->interrupt_count; i++)
			if (frames[f] >= t->interrupts[i].start && frames[f] < t->interrupts[i].end)
				return true;
	return false;
}
