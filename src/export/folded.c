// SPDX-License-Identifier: BSD-2-Clause
/* Folded stacks: what flame graph tools of all kinds read. */
#include "folded.h"

#include "exporter.h"
#include "fail.h"

static int write_stacks(struct store *s, const struct export_options *options, int fd, const char *name)
{
	_cleanup_(flame_freep) struct flame *f = flame_new();
	struct recorded recorded;
	int r = flame_add_recording(f, FLAME_NEW, s, options->profile, options->idle, &recorded);

	if (r < 0)
		return r;
	r = flame_write_folded(f, FLAME_NEW, fd);
	return r < 0 ? fail(r, "write %s", name) : 0;
}

const struct exporter exporter_folded = {
	.name = "folded",
	.suffix = "folded",
	.write = write_stacks,
};
