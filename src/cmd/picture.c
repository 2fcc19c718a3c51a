// SPDX-License-Identifier: BSD-2-Clause
#include "picture.h"

#include "fail.h"
#include "output.h"

struct picture {
	const struct flame *flame;
	const struct flame_svg_options *options;
};

static int write_svg(const void *arg, int fd, const char *name)
{
	const struct picture *p = arg;
	int r = flame_write_svg(p->flame, p->options, fd);

	return r < 0 ? fail(r, "write %s", name) : 0;
}

int picture_write(const struct flame *f, const struct flame_svg_options *options, const char *path)
{
	return output_write(path, write_svg, &(struct picture){.flame = f, .options = options});
}
