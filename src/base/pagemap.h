/* SPDX-License-Identifier: BSD-2-Clause */
/* Which of another process's memory can be read at once. To fetch a page that is not there may take as long as the process likes: it may be
 * of a file whose file system is a process (FUSE), or one that a process has promised to fill in (userfaultfd). */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { PAGEMAP_PAGES = 64, PAGEMAP_WINDOWS = 16 };

struct pagemap {
	int fd; /* negative: nothing can be read */
	struct pagemap_window { /* what was found before */
		uint64_t number; /* of this many pages each, from 1 on; 0: none */
		uint64_t ready;
	} windows[PAGEMAP_WINDOWS];
};

void pagemap_open(struct pagemap *m, pid_t tid);
void pagemap_close(struct pagemap *m);

/* Bit i: the page that lies i behind the address's is there, or in swap. As it is now; at most PAGEMAP_PAGES. */
uint64_t pagemap_ready(const struct pagemap *m, uint64_t address, unsigned pages);
/* The same of all these bytes, as it was when somebody first asked for them or for their neighbours. */
bool pagemap_was_ready(struct pagemap *m, uint64_t address, size_t len);
