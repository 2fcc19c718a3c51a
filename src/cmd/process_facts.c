// SPDX-License-Identifier: BSD-2-Clause
#include "process_facts.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"
#include "clock.h"
#include "io.h"
#include "users.h"
#include "window.h"

enum { LONGEST_STAT = 4096 };

bool process_facts_read(struct users *users, uint32_t pid, struct process_facts *ret_facts)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT;
	unsigned long user_ticks, system_ticks;
	struct process_facts facts = {.user = users_of_process(users, pid)};
	const char *rest;
	char path[32];

	snprintf(path, sizeof(path), "/proc/%u/stat", pid);
	/* The name before it may hold anything, parentheses too. */
	if (!facts.user || read_file(path, LONGEST_STAT, &text) < 0 || !(rest = strrchr(text.data, ')')) ||
	    sscanf(rest, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %*d %*d %d %d", &user_ticks, &system_ticks,
		   &facts.priority, &facts.nice) != 4)
		return false;
	facts.cpu_ns = (user_ticks + system_ticks) * (NS_PER_S / (unsigned long)sysconf(_SC_CLK_TCK));
	*ret_facts = facts;
	return true;
}
