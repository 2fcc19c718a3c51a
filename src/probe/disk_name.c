// SPDX-License-Identifier: BSD-2-Clause
#include "disk_name.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "capture.h"

/* The path ends in the disk's name, or in the disk's and the partition's. */
static const char *disk_of(char *path, const char *partition_mark)
{
	char *slash = strrchr(path, '/');

	if (slash && !access(partition_mark, F_OK)) {
		*slash = 0;
		slash = strrchr(path, '/');
	}
	return slash ? slash + 1 : path;
}

uint32_t disk_resource(struct capture *c, uint32_t device)
{
	unsigned major = device >> 20, minor = device & 0xfffff;
	char link[64], mark[80], path[PATH_MAX], numbers[64];

	snprintf(link, sizeof(link), "/sys/dev/block/%u:%u", major, minor);
	snprintf(mark, sizeof(mark), "%s/partition", link);
	ssize_t n = readlink(link, path, sizeof(path) - 1);
	if (n > 0) {
		path[n] = 0;
		return capture_resource(c, "disk", disk_of(path, mark));
	}
	snprintf(numbers, sizeof(numbers), "%u:%u", major, minor);
	return capture_resource(c, "disk", numbers);
}
