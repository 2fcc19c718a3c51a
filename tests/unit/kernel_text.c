// SPDX-License-Identifier: BSD-2-Clause
/* A sample that was late is where interrupts had been off. */
#include "kernel_text.h"

#include "check.h"

int main(void)
{
	struct place_range enablers[] = {{.start = 0x100, .end = 0x110}, {.start = 0x200, .end = 0x220}};
	struct place_range interrupts[] = {{.start = 0x300, .end = 0x310}};
	struct kernel_text t = {.enablers = {.items = enablers, .count = 2}, .interrupts = {.items = interrupts, .count = 1}};
	uint64_t late[] = {0x21f, 0x100, 0x1000, 0x200, 0x2000}, alone[] = {0x100}, exact[] = {0x220, 0x100};

	CHECK(kernel_text_late(&t, late, 5) == 2);
	CHECK(kernel_text_late(&t, alone, 1) == 0); /* nothing else is known */
	CHECK(kernel_text_late(&t, exact, 2) == 0 && kernel_text_late(&t, exact, 0) == 0);
	CHECK(!kernel_text_is_interrupt(&t, late, 5));
	CHECK(kernel_text_is_interrupt(&t, (uint64_t[]){0x1000, 0x30f}, 2));
	t.syncs = (struct place_ranges){.items = interrupts, .count = 1};
	CHECK(kernel_text_is_sync(&t, (uint64_t[]){0x1000, 0x300}, 2) && !kernel_text_is_sync(&t, (uint64_t[]){0x310}, 1));
	return check_done("kernel_text");
}
