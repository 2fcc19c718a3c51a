// SPDX-License-Identifier: BSD-2-Clause
#include "live_save.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "fail.h"
#include "mem.h"
#include "recorded.h"
#include "store_query.h"
#include "store_write.h"
#include "svg.h"
#include "ui.h"

static void make_name(char *name, size_t size, const char *what, const char *suffix)
{
	time_t now = (time_t)(clock_wall_ns() / NS_PER_S);
	char when[32] = "";
	struct tm tm;

	if (localtime_r(&now, &tm))
		strftime(when, sizeof(when), "%Y%m%d-%H%M%S", &tm);
	snprintf(name, size, "%s-%s%s", what, when, suffix);
}

static int save_flames(struct store *s, const struct ui_save *what, const char *name)
{
	_cleanup_(flame_freep) struct flame *f = flame_new();
	_cleanup_close_ int fd = -1;
	struct recorded recorded;
	enum profile profile = 0;
	int r;

	while (profile_names[profile] && strcmp(profile_names[profile], what->kind))
		profile++;
	if ((r = store_select(s, &(struct selection){.from_ns = what->from_ns, .to_ns = what->to_ns, .pid = what->pid})) < 0 ||
	    (r = flame_add_recording(f, FLAME_NEW, s, profile, false, &recorded)) < 0)
		return r;
	fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return fail(-errno, "%s", name);
	r = flame_write_svg(f, &(struct flame_svg_options){.title = profile_title(profile), .unit = recorded.unit}, fd);
	return r < 0 ? fail(r, "write %s", name) : 0;
}

void live_save(struct store *s, const struct ui_save *what, char *said, size_t size)
{
	char name[64];
	int r;

	if (what->kind) {
		char base[32];

		snprintf(base, sizeof(base), "flame-%s", what->kind);
		make_name(name, sizeof(name), base, ".svg");
		r = save_flames(s, what, name);
	} else {
		make_name(name, sizeof(name), "perfscope", ".db");
		r = store_save(s, name);
	}
	snprintf(said, size, r < 0 ? "not written: %s" : "written: %s", r < 0 ? fail_message() : name);
}
