// SPDX-License-Identifier: BSD-2-Clause
#include "ask.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "buf.h"
#include "clock.h"
#include "io.h"
#include "loop.h"
#include "mem.h"

enum { LONGEST_CPU_S = 20, LONGEST_ANSWER = 4 << 20 };

struct ask {
	struct store *store;
	struct loop *loop;
	ask_function *function;
	ask_answered *answered;
	void *arg;

	pid_t child; /* 0: none */
	int fd;
	struct loop_source *source;
	struct buf answer;
};

struct ask *ask_new(struct store *s, struct loop *l, ask_function *function, ask_answered *answered, void *arg)
{
	struct ask *a = xmalloc(sizeof(*a));

	*a = (struct ask){.store = s, .loop = l, .function = function, .answered = answered, .arg = arg, .answer = BUF_INIT};
	return a;
}

static uint64_t end_child(struct ask *a)
{
	struct rusage usage = {0};

	loop_remove(a->loop, a->source);
	a->source = NULL;
	close(a->fd);
	wait4(a->child, NULL, 0, &usage);
	a->child = 0;
	return (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * NS_PER_S +
	       (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000;
}

void ask_free(struct ask *a)
{
	if (!a)
		return;
	if (a->child) {
		kill(a->child, SIGKILL);
		end_child(a);
	}
	buf_done(&a->answer);
	free(a);
}

bool ask_is_pending(const struct ask *a)
{
	return a->child;
}

/* The child's whole life. What it inherits is a copy; of what is shared it touches nothing but the pipe. */
static _Noreturn void answer(const struct ask *a, int fd, const void *question)
{
	static const int fatal_signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGSYS};
	const struct rlimit cpu = {LONGEST_CPU_S, LONGEST_CPU_S};
	json_t *found;
	char *text;

	/* Its crash is not to restore the terminal. */
	for (size_t i = 0; i < ARRAY_SIZE(fatal_signals); i++)
		signal(fatal_signals[i], SIG_DFL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setrlimit(RLIMIT_CPU, &cpu);
	setpriority(PRIO_PROCESS, 0, 10);
	found = a->function(a->store, question);
	text = found ? json_dumps(found, JSON_COMPACT) : NULL;
	_exit(text && write_all(fd, text, strlen(text)) == 0 ? 0 : 1);
}

static int read_answer(void *arg, uint32_t events)
{
	struct ask *a = arg;
	char part[16384];
	ssize_t n = read(a->fd, part, sizeof(part));
	uint64_t cpu_ns;
	json_t *found;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n > 0 && a->answer.len + (size_t)n <= LONGEST_ANSWER) {
		buf_add(&a->answer, part, (size_t)n);
		return 0;
	}
	found = json_loadb(a->answer.data, a->answer.len, 0, NULL);
	cpu_ns = end_child(a);
	buf_reset(&a->answer);
	return a->answered(a->arg, found, cpu_ns);
}

void ask_start(struct ask *a, const void *question)
{
	int fds[2];

	if (a->child || pipe2(fds, O_CLOEXEC) < 0)
		return;
	a->child = fork();
	if (a->child == 0) {
		close(fds[0]);
		answer(a, fds[1], question);
	}
	close(fds[1]);
	a->fd = fds[0];
	if (a->child < 0) {
		a->child = 0;
		close(a->fd);
		return;
	}
	fcntl(a->fd, F_SETFL, O_NONBLOCK);
	if (loop_add_fd(a->loop, a->fd, EPOLLIN, read_answer, a, &a->source) < 0) {
		a->source = NULL;
		kill(a->child, SIGKILL);
		end_child(a);
	}
}
