// SPDX-License-Identifier: BSD-2-Clause
#include "incident.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fail.h"
#include "io.h"
#include "mem.h"
#include "output.h"
#include "picture.h"
#include "recording.h"

struct incident {
	char *folder;
	bool made; /* it was not there before */
};

static void closedirp(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

static int check_empty(const char *path)
{
	_cleanup_(closedirp) DIR *dir = opendir(path);
	const struct dirent *entry;

	if (!dir)
		return fail(-errno, "%s", path);
	while ((entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
			return failx(-ENOTEMPTY, "%s: there is something in this folder already", path);
	return 0;
}

int incident_new(const char *path, struct incident **ret_incident)
{
	bool made = mkdir(path, 0700) == 0;
	int r = made ? 0 : errno == EEXIST ? check_empty(path) : fail(-errno, "make the folder %s", path);

	if (r < 0)
		return r;
	*ret_incident = xcalloc(1, sizeof(**ret_incident));
	**ret_incident = (struct incident){.folder = xstrdup(path), .made = made};
	return 0;
}

void incident_free(struct incident *i)
{
	if (!i)
		return;
	if (i->made)
		rmdir(i->folder); /* if nothing came of it: with something in it, it stays */
	free(i->folder);
	free(i);
}

char *incident_path(const struct incident *i, const char *stem, const char *suffix)
{
	char *path = xasprintf("%s/%s.%s", i->folder, stem, suffix);

	for (unsigned n = 2; access(path, F_OK) == 0; n++) {
		free(path);
		path = xasprintf("%s/%s-%u.%s", i->folder, stem, n, suffix);
	}
	return path;
}

static int write_text(const void *arg, int fd, const char *name)
{
	const char *text = arg;
	int r = write_all(fd, text, strlen(text));

	return r < 0 ? fail(r, "write %s", name) : 0;
}

int incident_write(const struct incident *i, const char *stem, const char *suffix, const char *text)
{
	_cleanup_free_ char *path = incident_path(i, stem, suffix);

	return output_write(path, write_text, text);
}

static int write_copy(const void *arg, int fd, const char *name)
{
	_cleanup_close_ int from = open((const char *)arg, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (from < 0)
		return fail(-errno, "open %s", (const char *)arg);
	while ((n = sendfile(fd, from, NULL, 1 << 24)) > 0)
		;
	return n < 0 ? fail(-errno, "copy %s to %s", (const char *)arg, name) : 0;
}

int incident_copy(const struct incident *i, const char *path)
{
	_cleanup_free_ char *to = incident_path(i, "perfscope", "db");

	return output_write(to, write_copy, path);
}

int incident_flamegraph(const struct incident *i, struct store *s, const struct select_options *select, enum profile profile,
			uint64_t pid, struct buf *path)
{
	const struct select_options all = {.from = select->from, .to = select->to};
	const struct select_options one = {.from = select->from, .to = select->to, .pid = pid};
	_cleanup_(flame_freep) struct flame *f = flame_new();
	_cleanup_(buf_done) struct buf subtitle = BUF_INIT, stem = BUF_INIT;
	struct recorded recorded;
	int r = pid ? recording_select(s, &one) : 0;

	if (r >= 0)
		r = flame_add_recording(f, FLAME_NEW, s, profile, false, &recorded);
	recording_describe(s, &one, &subtitle);
	/* What is asked next is the whole machine again. */
	int again = pid ? recording_select(s, &all) : 0;
	if (r < 0 || (r = again) < 0)
		return r;
	buf_addstr(&stem, profile_names[profile]);
	if (pid)
		buf_addf(&stem, "-%llu", (unsigned long long)pid);
	_cleanup_free_ char *file = incident_path(i, stem.data, "svg");
	r = picture_write(f, &(struct flame_svg_options){
		.title = profile_title(profile), .subtitle = subtitle.data, .unit = recorded.unit}, file);
	if (r >= 0)
		buf_addstr(path, file);
	return r;
}
