// SPDX-License-Identifier: BSD-2-Clause
#include "file_lock.h"

#include <stdio.h>
#include <string.h>

#include "buf.h"
#include "cleanup.h"
#include "io.h"

enum { MOST_BYTES = 4 << 20, MOST_STEPS = 16 };

struct line {
	unsigned number; /* of the lock that is held */
	unsigned pid;
	unsigned long long inode;
	bool waits;
};

/* "4: FLOCK  ADVISORY  WRITE 14582 fe:00:10952716 0 EOF"; who waits for that lock comes behind it, with "->". */
static bool parse(char *text, struct line *ret)
{
	char *arrow = strstr(text, "->");

	ret->waits = arrow;
	return sscanf(text, "%u:", &ret->number) == 1 &&
	       sscanf(arrow ? arrow + 2 : text + strcspn(text, ":") + 1, "%*s %*s %*s %u %*x:%*x:%llu", &ret->pid, &ret->inode) == 2;
}

static uint32_t holder_in(char *rest, uint32_t pid, uint64_t inode)
{
	struct line line, held = {0};

	for (char *text; (text = strsep(&rest, "\n"));) {
		if (!parse(text, &line))
			continue;
		if (!line.waits)
			held = line;
		else if (line.pid == pid && line.number == held.number && (!inode || line.inode == inode))
			return held.pid;
	}
	return 0;
}

uint32_t file_lock_holder(uint32_t pid, uint64_t inode)
{
	_cleanup_(buf_done) struct buf b = BUF_INIT;

	return read_file("/proc/locks", MOST_BYTES, &b) < 0 ? 0 : holder_in(b.data, pid, inode);
}

bool file_lock_cycle(uint32_t pid)
{
	uint32_t at = pid;

	for (int i = 0; i < MOST_STEPS; i++) {
		at = file_lock_holder(at, 0);
		if (!at || at == pid)
			return at;
	}
	return false;
}
