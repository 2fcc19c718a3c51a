// SPDX-License-Identifier: BSD-2-Clause
#include "zygote.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fail.h"
#include "mem.h"
#include "protocol.h"
#include "sandbox.h"
#include "unwind_child.h"

enum { CONTROL_FD = 3, SOCKET_FD, FILES_FD, CLEAR_OF_OTHERS = 16 };

typedef void child_main(int socket, int files, struct child_progress *progress);

static child_main *const mains[CHILD_KINDS] = {
	[CHILD_NAMES] = child_run,
	[CHILD_UNWIND] = unwind_child_run,
};

static int make_pair(int fds[2])
{
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0 ? -errno : 0;
}

static void close_from(int first)
{
	if (syscall(SYS_close_range, first, ~0u, 0) == 0)
		return;
	struct rlimit limit;
	int end = getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < 65536
			  ? (int)limit.rlim_cur
			  : 65536;
	for (int fd = first; fd < end; fd++)
		close(fd);
}

/* Keep one descriptor, as CONTROL_FD; the standard ones lead nowhere. In a program that was started
 * without them, the control socket may have been one of them. */
static void keep_only(int control)
{
	int high = fcntl(control, F_DUPFD, CLEAR_OF_OTHERS);
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int fd = 0; fd < CONTROL_FD; fd++)
		if (null >= 0 && null != fd)
			dup2(null, fd);
	dup2(high, CONTROL_FD);
	close_from(CONTROL_FD + 1);
}

/* The terminal's and the service manager's signals go to the whole group; the parent decides when
 * it is over. */
static void settle_signals(void)
{
	static const int ignored[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGUSR1, SIGUSR2};
	sigset_t none;

	for (int number = 1; number < NSIG; number++)
		signal(number, SIG_DFL);
	for (size_t i = 0; i < ARRAY_SIZE(ignored); i++)
		signal(ignored[i], SIG_IGN);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static _Noreturn void become_child(child_main *run, int socket, int files,
				   struct child_progress *progress)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NAME, "perfscope-parse");
	int high_socket = fcntl(socket, F_DUPFD, CLEAR_OF_OTHERS);
	int high_files = fcntl(files, F_DUPFD, CLEAR_OF_OTHERS);

	dup2(high_socket, SOCKET_FD);
	dup2(high_files, FILES_FD);
	close(CONTROL_FD);
	close_from(FILES_FD + 1);
	sandbox_filter_calls(); /* where the kernel has no filters, all the rest still holds */
	run(SOCKET_FD, FILES_FD, progress);
	_exit(0);
}

static void end_child(pid_t *child)
{
	if (*child <= 0)
		return;
	kill(*child, SIGKILL);
	waitpid(*child, NULL, 0);
	*child = 0;
}

static _Noreturn void zygote_run(struct child_progress *progress)
{
	struct packet p = {.data = BUF_INIT};
	pid_t child[CHILD_KINDS] = {0};

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NAME, "perfscope-zygote");
	while (packet_receive(CONTROL_FD, &p, true) == 0) {
		int socket = packet_take_fd(&p), files = packet_take_fd(&p);
		unsigned kind = (unsigned char)p.data.data[0] % CHILD_KINDS;

		end_child(&child[kind]);
		progress[kind].module = NO_MODULE;
		child[kind] = fork();
		if (child[kind] == 0)
			become_child(mains[kind], socket, files, &progress[kind]);
		close(socket);
		close(files);
	}
	for (unsigned kind = 0; kind < CHILD_KINDS; kind++)
		end_child(&child[kind]);
	_exit(0);
}

static _Noreturn void become_zygote(int control, pid_t parent, struct child_progress *progress)
{
	settle_signals();
	keep_only(control);
	if (sandbox_drop_privileges() < 0 || sandbox_limit() < 0 || getppid() != parent)
		_exit(1);
	zygote_run(progress);
}

int zygote_init(struct zygote *z)
{
	pid_t parent = getpid();
	int fds[2], r = make_pair(fds);

	*z = (struct zygote){.control = -1};
	if (r < 0)
		return fail(r, "create a socket for the symbol parser");
	z->progress = mmap(NULL, CHILD_KINDS * sizeof(*z->progress), PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (z->progress != MAP_FAILED)
		z->pid = fork();
	if (z->progress != MAP_FAILED && z->pid == 0)
		become_zygote(fds[1], parent, z->progress);
	r = -errno;
	close(fds[1]);
	z->control = fds[0];
	if (z->progress != MAP_FAILED && z->pid > 0)
		return 0;
	zygote_done(z);
	return fail(r, "start the symbol parser");
}

void zygote_done(struct zygote *z)
{
	if (z->control >= 0)
		close(z->control);
	z->control = -1;
	if (z->pid > 0)
		while (waitpid(z->pid, NULL, 0) < 0 && errno == EINTR)
			;
	z->pid = 0;
	if (z->progress && z->progress != MAP_FAILED)
		munmap(z->progress, CHILD_KINDS * sizeof(*z->progress));
	z->progress = NULL;
}

int zygote_spawn(struct zygote *z, enum child_kind kind, int *ret_socket, int *ret_files)
{
	int socket[2], files[2], r = make_pair(socket);

	if (r < 0)
		return r;
	r = make_pair(files);
	if (r < 0) {
		close(socket[0]);
		close(socket[1]);
		return r;
	}
	struct packet p = {.data = BUF_INIT, .fds = {socket[1], files[1]}, .fd_count = 2};
	buf_addch(&p.data, (char)kind);
	r = packet_send(z->control, &p);
	packet_done(&p); /* closes the child's ends */
	if (r < 0 || fcntl(socket[0], F_SETFL, O_NONBLOCK) < 0 ||
	    fcntl(files[0], F_SETFL, O_NONBLOCK) < 0) {
		r = r < 0 ? r : -errno;
		close(socket[0]);
		close(files[0]);
		return r;
	}
	*ret_socket = socket[0];
	*ret_files = files[0];
	return 0;
}
