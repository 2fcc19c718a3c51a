// SPDX-License-Identifier: BSD-2-Clause
/* What stacks and names of user programs depend on. */
#include "trial.h"

#include <dirent.h>
#include <errno.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>

#include "frames.h"
#include "mem.h"
#include "runtime.h"

/* The C library that programs here load; perfscope itself may be linked without one. */
static int find_libc(char *path, size_t size)
{
	static const char *const patterns[] = {
		"/lib/*-linux-gnu/libc.so.6", "/lib64/libc.so.6",    "/usr/lib64/libc.so.6",
		"/usr/lib/libc.so.6", "/lib/ld-musl-*.so.1",
	};
	int error = -ENOENT;

	for (size_t i = 0; error && i < ARRAY_SIZE(patterns); i++) {
		glob_t found;

		if (glob(patterns[i], 0, NULL, &found) == 0) {
			strncpy(path, found.gl_pathv[0], size - 1);
			path[size - 1] = '\0';
			error = 0;
		}
		globfree(&found);
	}
	return error;
}

static int run_frames(struct trial *t, const struct check *c, struct doctor_result *r)
{
	char path[512] = "";
	struct frame_share share;
	int error = find_libc(path, sizeof(path));

	if (error == 0)
		error = frame_share_read(path, &share);
	if (error < 0) {
		r->status = DOCTOR_INFO;
		buf_addf(&r->detail, "not known: no C library that can be judged %s%s",
			 path[0] ? "at " : "was found", path);
		return 0;
	}
	/* Leaf functions need no frame; 2 % is what a library without frame pointers shows by
	 * chance. */
	unsigned percent = share.with_frame * 100 / share.functions;
	bool without = percent < 25;

	if (without)
		r->status = DOCTOR_FALLBACK;
	buf_addf(&r->detail,
		 "%s has%s frame pointers: %u of %u exported functions (%u %%) set one up", path,
		 without ? " no" : "", share.with_frame, share.functions, percent);
	return 0;
}

static int run_debug_info(struct trial *t, const struct check *c, struct doctor_result *r)
{
	DIR *ids = opendir("/usr/lib/debug/.build-id");
	const char *servers = getenv("DEBUGINFOD_URLS");

	if (ids)
		closedir(ids);
	buf_addf(&r->detail, "debug files in /usr/lib/debug: %s; DEBUGINFOD_URLS is %s",
		 ids ? "yes" : "no",
		 servers && *servers ? "set, but perfscope asks no server" : "not set");
	if (!ids)
		r->status = DOCTOR_FALLBACK;
	return 0;
}

static int run_runtimes(struct trial *t, const struct check *c, struct doctor_result *r)
{
	_cleanup_(runtimes_done) struct runtimes found = RUNTIMES_INIT;

	runtimes_find(&found);
	if (!found.running) {
		r->status = DOCTOR_INFO;
		buf_addstr(&r->detail, "no java, node or dotnet process is running");
	} else if (!found.without_map) {
		buf_addf(&r->detail, "all %u processes of java, node and dotnet write one",
			 found.running);
	} else {
		r->status = DOCTOR_MISSING;
		buf_addf(&r->detail, "no map of %s", found.lacking.data);
		buf_addstr(&r->mend, found.advice.data);
	}
	return 0;
}

static const struct check rows[] = {
	{ .name = "libc frame pointers",
	  .purpose = "stacks through the C library",
	  .fallback = "copied stacks, unwound with .eh_frame",
	  .cost = "a few microseconds more for each sample; nothing is lost",
	  .run = run_frames },
	{ .name = "debug information",
	  .purpose = "source lines, inlined functions, static functions of stripped files",
	  .fallback = "symbol tables and .gnu_debugdata",
	  .cost = "no source lines and no inlined frames for the system's own libraries",
	  .run = run_debug_info },
	{ .name = "perf maps",
	  .purpose = "names of functions that are compiled at run time (/tmp/perf-PID.map)",
	  .cost = "their functions show as [anon+0xoffset]",
	  .run = run_runtimes },
};

CHECK_GROUP(symbol, rows);
