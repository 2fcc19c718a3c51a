// SPDX-License-Identifier: BSD-2-Clause
#include "region.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "mem.h"

static bool parse(const char *line, struct region *r)
{
	int path = 0;

	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %x:%x %" SCNu64 " %n", &r->map.start, &r->map.end, r->access,
		   &r->map.offset, &r->map.major, &r->map.minor, &r->map.inode, &path) < 7 || !path)
		return false;
	snprintf(r->path, sizeof(r->path), "%s", line + path);
	r->path[strcspn(r->path, "\n")] = 0;
	r->map.path = r->path;
	return true;
}

bool region_is_file(const struct region *r)
{
	return r->path[0] == '/' && r->map.inode;
}

bool region_find(uint32_t pid, uint64_t address, struct region *ret)
{
	_cleanup_free_ char *path = xasprintf("/proc/%u/maps", pid), *line = NULL;
	_cleanup_fclose_ FILE *f = fopen(path, "re");
	struct region last = {0};
	size_t size = 0;

	while (f && getline(&line, &size, f) > 0) {
		*ret = (struct region){0};
		if (!parse(line, ret) || address >= ret->map.end) {
			last = *ret;
			continue;
		}
		if (!*ret->path && region_is_file(&last) && last.access[1] == 'w' && last.map.end == ret->map.start)
			*ret = last;
		ret->map.path = ret->path; /* of the copy */
		return address >= ret->map.start;
	}
	return false;
}
