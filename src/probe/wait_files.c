// SPDX-License-Identifier: BSD-2-Clause
#include "wait_files.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "capture.h"
#include "mem.h"
#include "region.h"

enum { LOOKS_A_SLICE = 32, /* at a process's mappings */
       DESCRIPTORS = 64 }; /* remembered while the ring is emptied: many waits are on few of them */

/* Where a process has a file mapped, or (resource 0) something else. */
struct mapped {
	uint32_t process, resource;
	uint64_t start, end;
};

struct descriptor {
	uint32_t pid, fd, resource; /* pid 0: none */
	uint32_t device;
	bool device_known;
};

struct wait_files {
	struct capture *capture;
	struct descriptor descriptors[DESCRIPTORS]; /* by hash */
	struct mapped mapped[LOOKS_A_SLICE];
	uint32_t looks;
};

struct wait_files *wait_files_new(struct capture *c)
{
	struct wait_files *f = xcalloc(1, sizeof(*f));

	f->capture = c;
	return f;
}

void wait_files_free(struct wait_files *f)
{
	free(f);
}

void wait_files_slice(struct wait_files *f)
{
	f->looks = 0;
}

void wait_files_drained(struct wait_files *f)
{
	memset(f->descriptors, 0, sizeof(f->descriptors));
}

static uint32_t look_up(struct wait_files *f, uint32_t pid, uint32_t fd)
{
	char path[64], name[256];

	snprintf(path, sizeof(path), "/proc/%u/fd/%u", pid, fd);
	ssize_t length = readlink(path, name, sizeof(name) - 1);
	if (length <= 0)
		return 0;
	name[length] = 0;
	return capture_resource(f->capture, "file", name);
}

static struct descriptor *descriptor(struct wait_files *f, uint32_t pid, uint32_t fd)
{
	struct descriptor *d = &f->descriptors[(pid * 31 + fd) % DESCRIPTORS];

	if (d->pid != pid || d->fd != fd)
		*d = (struct descriptor){.pid = pid, .fd = fd, .resource = look_up(f, pid, fd)};
	return d;
}

uint32_t wait_files_of_descriptor(struct wait_files *f, uint32_t pid, uint32_t fd)
{
	return descriptor(f, pid, fd)->resource;
}

/* Some file systems have devices of their own making, which no disk is. A server that is away is not asked. */
static uint32_t look_up_device(uint32_t pid, uint32_t fd)
{
	char path[64];
	struct statx s;

	snprintf(path, sizeof(path), "/proc/%u/fd/%u", pid, fd);
	if (statx(AT_FDCWD, path, AT_STATX_DONT_SYNC, STATX_TYPE, &s) < 0)
		return 0;
	bool device = S_ISBLK(s.stx_mode);
	uint32_t major = device ? s.stx_rdev_major : s.stx_dev_major, minor = device ? s.stx_rdev_minor : s.stx_dev_minor;
	return major ? major << 20 | minor : 0;
}

uint32_t wait_files_device(struct wait_files *f, uint32_t pid, uint32_t fd)
{
	struct descriptor *d = descriptor(f, pid, fd);

	if (!d->device_known)
		d->device = look_up_device(pid, fd);
	d->device_known = true;
	return d->device;
}

uint32_t wait_files_at_address(struct wait_files *f, const struct process *p, uint64_t address)
{
	struct region r;

	for (uint32_t i = 0; i < f->looks; i++) {
		const struct mapped *m = &f->mapped[i];

		if (m->process == p->id && address >= m->start && address < m->end)
			return m->resource;
	}
	if (f->looks == LOOKS_A_SLICE || !region_find(p->pid, address, &r))
		return 0;
	struct mapped *m = &f->mapped[f->looks++];
	*m = (struct mapped){.process = p->id, .start = r.map.start, .end = r.map.end};
	if (region_is_file(&r))
		m->resource = capture_resource(f->capture, "file", r.path);
	return m->resource;
}
