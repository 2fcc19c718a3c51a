// SPDX-License-Identifier: BSD-2-Clause
#include "proc_status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "cleanup.h"
#include "io.h"

bool proc_status(uint32_t pid, const char *field, int base, uint64_t *ret_value)
{
	_cleanup_(buf_done) struct buf b = BUF_INIT;
	char path[40], line[40], *end;

	if (pid)
		snprintf(path, sizeof(path), "/proc/%u/status", pid);
	else /* whatever number that is where /proc comes from */
		snprintf(path, sizeof(path), "/proc/self/status");
	snprintf(line, sizeof(line), "\n%s:\t", field);
	const char *found = read_file(path, 1 << 16, &b) < 0 ? NULL : strstr(b.data, line);
	if (!found)
		return false;
	found += strlen(line);
	*ret_value = strtoull(found, &end, base);
	return end > found;
}

/* One number for each namespace from here to its own. */
uint32_t proc_status_own_number(const char *status, uint32_t pid)
{
	const char *numbers = strstr(status, "\nNSpid:");
	size_t len = numbers ? strcspn(numbers + 1, "\n") : 0;

	while (len && numbers[len] >= '0' && numbers[len] <= '9')
		len--;
	return len ? (uint32_t)strtoul(numbers + len + 1, NULL, 10) : pid;
}
