// SPDX-License-Identifier: BSD-2-Clause
#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "fail.h"
#include "mem.h"

struct child {
	pid_t pid;
	int pid_fd;
	int go_fd;     /* a byte lets it go, the end without one ends it */
	int result_fd; /* errno of a failed exec; closed by one that worked */
	const char *name;
};

/* Never returns. */
static void run(int go_fd, int result_fd, char *const *argv)
{
	sigset_t none;
	char byte;
	int error;

	if (read(go_fd, &byte, 1) != 1)
		_exit(0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	signal(SIGXFSZ, SIG_DFL);
	execvp(argv[0], argv);
	error = errno;
	if (write(result_fd, &error, sizeof(error)) < 0)
		_exit(125);
	_exit(error == ENOENT ? 127 : 126);
}

int child_new(char *const *argv, struct child **ret_child)
{
	_cleanup_(child_freep) struct child *c = xcalloc(1, sizeof(*c));
	int go[2], result[2];

	*c = (struct child){.pid_fd = -1, .go_fd = -1, .result_fd = -1, .name = argv[0]};
	if (pipe2(go, O_CLOEXEC) < 0)
		return fail(-errno, "start %s", argv[0]);
	c->go_fd = go[1];
	if (pipe2(result, O_CLOEXEC) < 0) {
		close(go[0]);
		return fail(-errno, "start %s", argv[0]);
	}
	c->result_fd = result[0];
	c->pid = fork();
	if (c->pid == 0) {
		close(go[1]);
		run(go[0], result[1], argv);
	}
	int error = errno;
	close(go[0]);
	close(result[1]);
	if (c->pid < 0)
		return fail(-error, "start %s", argv[0]);
	c->pid_fd = (int)syscall(SYS_pidfd_open, c->pid, 0);
	if (c->pid_fd < 0)
		return fail(-errno, "watch %s", argv[0]);
	*ret_child = c;
	c = NULL;
	return 0;
}

int child_release(struct child *c)
{
	int error = 0;

	if (write(c->go_fd, "", 1) != 1)
		return fail(-errno, "start %s", c->name);
	close(c->go_fd);
	c->go_fd = -1;
	if (read(c->result_fd, &error, sizeof(error)) == (ssize_t)sizeof(error))
		return fail(-error, "%s", c->name);
	return 0;
}

pid_t child_pid(const struct child *c)
{
	return c->pid;
}

int child_fd(const struct child *c)
{
	return c->pid_fd;
}

int child_wait(struct child *c)
{
	int status;

	while (waitpid(c->pid, &status, 0) < 0)
		if (errno != EINTR)
			return fail(-errno, "wait for %s", c->name);
	c->pid = 0;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

void child_free(struct child *c)
{
	if (!c)
		return;
	if (c->go_fd >= 0) {
		close(c->go_fd);
		if (c->pid > 0)
			waitpid(c->pid, NULL, 0);
	}
	if (c->pid_fd >= 0)
		close(c->pid_fd);
	if (c->result_fd >= 0)
		close(c->result_fd);
	free(c);
}
