// SPDX-License-Identifier: BSD-2-Clause
#include "runtime.h"

#include <ctype.h>
#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "io.h"
#include "mem.h"
#include "proc_status.h"

#define LISTED 6 /* names in the report */

static const struct runtime {
	const char *program, *advice;
} known[] = {
	{ "java", "start java with -XX:+PreserveFramePointer, and write its map with `jcmd PID "
		  "Compiler.perfmap`" },
	{ "node", "start node with --perf-basic-prof --interpreted-frames-native-stack" },
	{ "dotnet", "start dotnet with DOTNET_PerfMapEnabled=1" },
};

DEFINE_CLEANUP(DIR *, closedir)

static const struct runtime *runtime_of(const char *pid)
{
	char path[64], program[512];

	snprintf(path, sizeof(path), "/proc/%.20s/exe", pid);
	ssize_t n = readlink(path, program, sizeof(program) - 1);

	if (n <= 0)
		return NULL;
	program[n] = '\0';
	const char *base = strrchr(program, '/');

	for (size_t i = 0; base && i < ARRAY_SIZE(known); i++)
		if (!strcmp(base + 1, known[i].program))
			return &known[i];
	return NULL;
}

/* The map is named after the number that the process sees itself. */
static bool has_map(const char *pid)
{
	_cleanup_(buf_done) struct buf status = BUF_INIT;
	char path[128];
	uint32_t inner = (uint32_t)strtoul(pid, NULL, 10);

	snprintf(path, sizeof(path), "/proc/%.20s/status", pid);
	if (read_file(path, 64 << 10, &status) == 0)
		inner = proc_status_own_number(status.data, inner);
	snprintf(path, sizeof(path), "/proc/%.20s/root/tmp/perf-%u.map", pid, inner);
	return access(path, F_OK) == 0;
}

static void add(struct runtimes *found, const struct runtime *runtime, const char *pid)
{
	found->running++;
	if (has_map(pid))
		return;
	if (found->without_map++ < LISTED)
		buf_addf(&found->lacking, "%s%s %.20s", found->lacking.len ? ", " : "",
			 runtime->program, pid);
	if (!strstr(found->advice.data, runtime->advice))
		buf_addf(&found->advice, "%s%s", found->advice.len ? "; " : "", runtime->advice);
}

void runtimes_find(struct runtimes *found)
{
	_cleanup_(closedirp) DIR *proc = opendir("/proc");
	struct dirent *entry;

	while (proc && (entry = readdir(proc))) {
		const struct runtime *runtime = isdigit((unsigned char)entry->d_name[0])
							? runtime_of(entry->d_name)
							: NULL;

		if (runtime)
			add(found, runtime, entry->d_name);
	}
	if (found->without_map > LISTED)
		buf_addf(&found->lacking, " and %u more", found->without_map - LISTED);
}

void runtimes_done(struct runtimes *found)
{
	buf_done(&found->lacking);
	buf_done(&found->advice);
}
