// SPDX-License-Identifier: BSD-2-Clause
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cleanup.h"
#include "output.h"

static void test_colour(void)
{
	_cleanup_close_ int master = -1, slave = -1;
	const struct winsize size = {.ws_col = 133, .ws_row = 40};
	int ends[2];

	if (openpty(&master, &slave, NULL, NULL, &size) < 0 || pipe(ends) < 0) {
		CHECK(!"a terminal and a pipe");
		return;
	}
	setenv("TERM", "xterm", 1);
	unsetenv("NO_COLOR");
	CHECK(output_is_terminal(slave) && !output_is_terminal(ends[1]));
	CHECK(output_colour(slave) && !output_colour(ends[1]));
	setenv("NO_COLOR", "1", 1);
	CHECK(!output_colour(slave));
	setenv("NO_COLOR", "", 1);
	CHECK(output_colour(slave));
	setenv("TERM", "dumb", 1);
	CHECK(!output_colour(slave));
	CHECK(output_columns(slave) == 133 && output_columns(ends[1]) == 80);
	close(ends[0]);
	close(ends[1]);
}

/* What output_flush() says in a child with `fd` as stdout, after more than any buffer holds. */
static int flush_into(int fd)
{
	pid_t pid;
	int status;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		if (fd >= 0)
			dup2(fd, STDOUT_FILENO);
		else
			close(STDOUT_FILENO);
		output_init();
		for (int i = 0; i < 100000; i++)
			puts("0123456789");
		_exit(-output_flush());
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return 1;
	return -WEXITSTATUS(status);
}

static void test_flush(void)
{
	_cleanup_close_ int null = open("/dev/null", O_WRONLY), full = open("/dev/full", O_WRONLY);
	int ends[2];

	CHECK(flush_into(null) == 0);
	CHECK(flush_into(full) == -ENOSPC);
	CHECK(flush_into(-1) == -EBADF);
	if (pipe(ends) < 0) {
		CHECK(!"a pipe");
		return;
	}
	close(ends[0]);
	CHECK(flush_into(ends[1]) == -EPIPE);
	close(ends[1]);
}

int main(void)
{
	test_colour();
	test_flush();
	return check_done("output");
}
