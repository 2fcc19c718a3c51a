// SPDX-License-Identifier: BSD-2-Clause
/* clerks WORK THREADS [KIB]: threads that use files side by side, in a folder of their own that is made where they are started.
 * WORK: names (make, rename and remove files in one folder), own-names (each in its own folder), pages (write KIB to one
 * file), own-pages (each to its own). */
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sys/stat.h>

#include "inject.h"

static char folder[] = "clerks-XXXXXX";
static bool shared;
static size_t bytes;
static char *page;

__attribute__((noinline)) static void open_letter(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT, 0600);

	if (fd < 0)
		_exit(1);
	close(fd);
}

__attribute__((noinline)) static void file_letters(unsigned clerk, const char *where)
{
	char path[PATH_MAX], moved[PATH_MAX];

	for (unsigned i = 0; i < 64; i++) {
		snprintf(path, sizeof(path), "%s/%u-%u", where, clerk, i);
		snprintf(moved, sizeof(moved), "%s/%u-%u-done", where, clerk, i);
		open_letter(path);
		if (rename(path, moved) < 0 || unlink(moved) < 0)
			_exit(1);
	}
}

__attribute__((noinline)) static void keep_ledger(int fd)
{
	if (pwrite(fd, page, bytes, 0) < 0)
		_exit(1);
}

static const char *place_of(unsigned clerk, char path[PATH_MAX])
{
	if (shared)
		return folder;
	snprintf(path, PATH_MAX, "%s/%u", folder, clerk);
	mkdir(path, 0700);
	return path;
}

static void *write_names(void *arg)
{
	unsigned clerk = (unsigned)(uintptr_t)arg;
	char path[PATH_MAX];
	const char *where = place_of(clerk, path);

	for (;;)
		file_letters(clerk, where);
	return NULL;
}

static void *write_pages(void *arg)
{
	unsigned clerk = (unsigned)(uintptr_t)arg;
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/ledger-%u", folder, shared ? 0 : clerk);
	int fd = open(path, O_RDWR | O_CREAT, 0600);
	if (fd < 0)
		_exit(1);
	for (;;)
		keep_ledger(fd);
	return NULL;
}

/* Behind the clerks: whoever ends them leaves their folder to it. */
static void clean_up_after(pid_t parent)
{
	char command[PATH_MAX];

	if (fork())
		return;
	while (getppid() == parent)
		sleep_ns(50000000);
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	_exit(system(command));
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "names";
	unsigned threads = argument(argc, argv, 2, 4);

	bytes = (size_t)argument(argc, argv, 3, 1024) << 10;
	page = calloc(1, bytes);
	shared = strncmp(what, "own-", 4);
	if (!page || !mkdtemp(folder))
		return 1;
	clean_up_after(getpid());
	die_with_parent();
	prctl(PR_SET_NAME, "registrar");
	for (uintptr_t i = 0; i < threads; i++) {
		pthread_t thread;

		if (pthread_create(&thread, NULL, strstr(what, "names") ? write_names : write_pages, (void *)i))
			return 1;
	}
	pause();
	return 0;
}
