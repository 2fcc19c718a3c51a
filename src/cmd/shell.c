// SPDX-License-Identifier: BSD-2-Clause
#include "shell.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cleanup.h"
#include "clock.h"
#include "fail.h"

extern char **environ;

/* In a process group of its own, so that all of it can be ended; signals as programs expect them. */
static int start(const char *command, int output, pid_t *ret_pid)
{
	char *argv[] = {"sh", "-c", (char *)(uintptr_t)command, NULL};
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attributes;
	sigset_t defaults, none;

	sigemptyset(&none);
	sigemptyset(&defaults);
	sigaddset(&defaults, SIGPIPE);
	sigaddset(&defaults, SIGXFSZ);
	posix_spawn_file_actions_init(&files);
	posix_spawnattr_init(&attributes);
	posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&files, output, STDOUT_FILENO);
	posix_spawn_file_actions_adddup2(&files, output, STDERR_FILENO);
	posix_spawnattr_setsigdefault(&attributes, &defaults);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
	int error = posix_spawn(ret_pid, "/bin/sh", &files, &attributes, argv, environ);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&files);
	return error ? fail(-error, "run sh") : 0;
}

/* Until it is readable: -ETIME when the time is up first. */
static int wait_until(int fd, uint64_t until_ns)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	uint64_t now;

	while ((now = clock_mono_ns()) < until_ns) {
		int r = poll(&p, 1, (int)((until_ns - now) / NS_PER_MS) + 1);

		if (r > 0)
			return 0;
		if (r < 0 && errno != EINTR)
			return -errno;
	}
	return -ETIME;
}

/* Until it has closed its output, or the time is up. */
static int read_output(int fd, uint64_t until_ns, size_t most, struct buf *output)
{
	char bytes[4096];
	ssize_t n = 1;

	while (n > 0) {
		int r = wait_until(fd, until_ns);

		if (r < 0)
			return r;
		n = read(fd, bytes, sizeof(bytes));
		if (n < 0 && errno == EINTR)
			n = 1;
		else if (n > 0 && output->len < most)
			buf_add(output, bytes, (size_t)n < most - output->len ? (size_t)n : most - output->len);
	}
	return 0;
}

/* It may have closed its output long before. Where its end cannot be polled, by kernel or by a filter, it has no limit. */
static int wait_for_end(pid_t pid, uint64_t until_ns)
{
	_cleanup_close_ int fd = (int)syscall(SYS_pidfd_open, pid, 0);

	return fd < 0 ? 0 : wait_until(fd, until_ns);
}

int shell_run(const char *command, uint64_t most_ns, size_t most, struct buf *output)
{
	int ends[2], status = 0, r;
	size_t before = output->len;
	uint64_t until_ns = clock_mono_ns() + most_ns;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return fail(-errno, "make a pipe");
	_cleanup_close_ int reader = ends[0];
	r = start(command, ends[1], &pid);
	close(ends[1]);
	if (r < 0)
		return r;
	r = read_output(reader, until_ns, before + most, output);
	if (r == 0)
		r = wait_for_end(pid, until_ns);
	if (r < 0)
		kill(-pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (r < 0)
		return failx(r, "'%s' was not done after %.0f s", command, (double)most_ns / 1e9);
	if (WIFSIGNALED(status))
		return failx(-EIO, "'%s' was killed by signal %d", command, WTERMSIG(status));
	return WEXITSTATUS(status) ? failx(-EIO, "'%s' ended with status %d", command, WEXITSTATUS(status)) : 0;
}
