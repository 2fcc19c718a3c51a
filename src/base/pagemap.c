// SPDX-License-Identifier: BSD-2-Clause
#include "pagemap.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

/* Bits of an entry: Documentation/admin-guide/mm/pagemap.rst */
#define WRITE_PROTECTED (1ull << 57) /* by userfaultfd; set without a page, too */
#define FILE_OR_SHARED (1ull << 61)
#define SWAPPED (1ull << 62)
#define PRESENT (1ull << 63)

enum { PAGE_SHIFT = 12 };

void pagemap_open(struct pagemap *m, pid_t tid)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d/pagemap", tid);
	*m = (struct pagemap){.fd = open(path, O_RDONLY | O_CLOEXEC)};
}

void pagemap_close(struct pagemap *m)
{
	if (m->fd >= 0)
		close(m->fd);
	m->fd = -1;
}

static bool is_ready(uint64_t entry)
{
	return entry & PRESENT || (entry & (SWAPPED | FILE_OR_SHARED | WRITE_PROTECTED)) == SWAPPED;
}

uint64_t pagemap_ready(const struct pagemap *m, uint64_t address, unsigned pages)
{
	uint64_t entries[PAGEMAP_PAGES], ready = 0;
	size_t size = (pages < PAGEMAP_PAGES ? pages : PAGEMAP_PAGES) * sizeof(entries[0]);
	ssize_t got = m->fd < 0 ? -1 : pread(m->fd, entries, size, (off_t)((address >> PAGE_SHIFT) * sizeof(entries[0])));

	for (ssize_t i = 0; i < got / (ssize_t)sizeof(entries[0]); i++)
		ready |= (uint64_t)is_ready(entries[i]) << i;
	return ready;
}

static bool page_was_ready(struct pagemap *m, uint64_t page)
{
	uint64_t number = page / PAGEMAP_PAGES + 1;
	struct pagemap_window *w = &m->windows[number % PAGEMAP_WINDOWS];

	if (w->number != number)
		*w = (struct pagemap_window){number, pagemap_ready(m, page / PAGEMAP_PAGES * PAGEMAP_PAGES << PAGE_SHIFT, PAGEMAP_PAGES)};
	return w->ready >> page % PAGEMAP_PAGES & 1;
}

bool pagemap_was_ready(struct pagemap *m, uint64_t address, size_t len)
{
	if (!len || address + len - 1 < address)
		return !len;
	for (uint64_t page = address >> PAGE_SHIFT; page <= (address + len - 1) >> PAGE_SHIFT; page++)
		if (!page_was_ready(m, page))
			return false;
	return true;
}
