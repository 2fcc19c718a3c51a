// SPDX-License-Identifier: BSD-2-Clause
#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "escape.h"
#include "fail.h"
#include "mem.h"

/* A closed descriptor 1 would be given to the next file that is opened, and results would be
 * printed into a recording. Opened the wrong way round, so that using it is still an error. */
static void fill_standard_fds(void)
{
	for (int fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) < 0 && errno == EBADF &&
		    open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY) < 0)
			_exit(2);
}

void output_init(void)
{
	fill_standard_fds();
	signal(SIGPIPE, SIG_IGN); /* a write that fails says so itself */
	signal(SIGXFSZ, SIG_IGN);
	if (!isatty(STDOUT_FILENO))
		setvbuf(stdout, NULL, _IOFBF, 1 << 16);
}

bool output_is_terminal(int fd)
{
	return isatty(fd);
}

bool output_colour(int fd)
{
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

	return isatty(fd) && !(no_color && *no_color) && term && *term && strcmp(term, "dumb");
}

unsigned output_columns(int fd)
{
	struct winsize size;

	if (isatty(fd) && ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col)
		return size.ws_col;
	return 80;
}

/* stdio forgets why an earlier write failed; the next one fails, too, and tells. A reader of a pipe should not find more in it. */
static int last_error(void)
{
	struct stat st;

	if (fstat(STDOUT_FILENO, &st) < 0)
		return -errno;
	if (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode)) {
		struct pollfd p = {.fd = STDOUT_FILENO};

		return poll(&p, 1, 0) > 0 && p.revents & (POLLERR | POLLHUP) ? -EPIPE : -EIO;
	}
	return write(STDOUT_FILENO, "\n", 1) < 0 ? -errno : -EIO;
}

int output_flush(void)
{
	int r = 0;

	if (fflush(stdout) < 0)
		r = -errno;
	else if (ferror(stdout))
		r = last_error();
	return r < 0 ? fail(r, "write to standard output") : 0;
}

/* A terminal, a pipe, a device, or a link to one of these. */
static int write_through(const char *path, output_writer *write, const void *arg)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);

	return fd < 0 ? fail(-errno, "open %s", path) : write(arg, fd, path);
}

/* Half a result is worse than none, and worse than the one from before. */
static int write_file(const char *path, output_writer *write, const void *arg)
{
	_cleanup_free_ char *part = xasprintf("%s.%d.part", path, (int)getpid());
	_cleanup_close_ int fd = open(part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	int r;

	if (fd < 0)
		return fail(-errno, "create %s", path);
	r = write(arg, fd, path);
	if (r >= 0 && rename(part, path) < 0)
		r = fail(-errno, "create %s", path);
	if (r < 0)
		unlink(part);
	return r;
}

int output_write(const char *path, output_writer *write, const void *arg)
{
	struct stat st;
	int r;

	if (strcmp(path, "-"))
		return lstat(path, &st) < 0 || S_ISREG(st.st_mode) ? write_file(path, write, arg) :
								     write_through(path, write, arg);
	r = write(arg, STDOUT_FILENO, "standard output");
	return r == -EPIPE ? 0 : r;
}

void output_error(const char *command)
{
	struct buf safe = BUF_INIT;

	escape_terminal(&safe, fail_message(), strlen(fail_message()));
	fprintf(stderr, "perfscope%s%s: %s\n", command ? " " : "", command ? command : "",
		safe.data);
	buf_done(&safe);
}
